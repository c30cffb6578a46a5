"""Annotation files as rows: a JSON list, JSON lines, CSV or TSV. It says what is no row, and knows no data set."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError

ROW_FORMATS = (".json", ".jsonl", ".csv", ".tsv")


@dataclass(frozen=True)
class AnnotationRow:
    """One entry of an annotation file.

    Attributes:
        number: its place among the rows, from 0.
        line: the line it ends in, from 1; None in a JSON list.
        fields: its fields by name; empty where `fault` says why it is no row.
        fault: what is wrong with it, or None.
    """

    number: int
    line: int | None
    fields: dict[str, Any]
    fault: str | None = None


def read_annotation_rows(
    path: Path, formats: tuple[str, ...] = ROW_FORMATS, under: str | None = None
) -> list[AnnotationRow]:
    """The rows of a file, in order, those that are none among them.

    Args:
        path: the file; its suffix says its form.
        formats: the suffixes that the kind of file may have.
        under: the key of a JSON object under which the list stands, where the data set keeps it so.

    Raises:
        InputError: the file is not there, of another form, not UTF-8, or no JSON or CSV at all.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"There is no annotation file {path.name!r}: check its path.")
    if suffix not in formats:
        raise InputError(f"{path.name}: these annotations come as {' or '.join(formats)}, not {suffix or 'without'!r}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        if suffix == ".json":
            return list(_json_rows(json.loads(text), path.name, under))
        return list(_jsonl_rows(text) if suffix == ".jsonl" else _table_rows(text, "\t" if suffix == ".tsv" else ","))
    except UnicodeDecodeError as fault:
        raise InputError(f"{path.name} is not UTF-8 text (byte {fault.start}): convert it first.") from None
    except json.JSONDecodeError as fault:
        raise InputError(f"{path.name} is not JSON: line {fault.lineno}, column {fault.colno}: {fault.msg}.") from None
    except csv.Error as fault:
        raise InputError(f"{path.name} cannot be read as a table: {fault}.") from None


def _json_rows(found: Any, name: str, under: str | None) -> Iterator[AnnotationRow]:
    if isinstance(found, dict) and under in found:
        found = found[under]
    if not isinstance(found, list):
        where = f" or an object with one under {under!r}" if under else ""
        raise InputError(f"{name}: a JSON list of objects{where} is needed.")
    for number, entry in enumerate(found):
        yield _make_row(number, None, entry)


def _jsonl_rows(text: str) -> Iterator[AnnotationRow]:
    number = 0
    for line, entry in enumerate(text.split("\n"), 1):
        if not entry.strip():
            continue
        try:
            yield _make_row(number, line, json.loads(entry))
        except json.JSONDecodeError as fault:
            yield AnnotationRow(number, line, {}, f"not JSON: column {fault.colno}: {fault.msg}")
        number += 1


def _make_row(number: int, line: int | None, entry: Any) -> AnnotationRow:
    fault = None if isinstance(entry, dict) else f"a JSON object is needed, not {type(entry).__name__}"
    return AnnotationRow(number, line, entry if fault is None else {}, fault)


def _table_rows(text: str, delimiter: str) -> Iterator[AnnotationRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if len(set(header)) < len(header) or not all(header):
        raise csv.Error("every column of the first line needs a name of its own")
    number = 0
    for line, cells in _table_lines(reader):
        if cells == []:
            continue
        yield _make_table_row(number, line, header, cells)
        number += 1


def _table_lines(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Each record with the line it ends in; of one that cannot be read, what is wrong. The next ones still count."""
    while True:
        first = reader.line_num + 1
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            cells = f"lines {first} to {reader.line_num} cannot be read: {fault}"
        yield reader.line_num, cells


def _make_table_row(number: int, line: int, header: list[str], cells: list[str] | str) -> AnnotationRow:
    if isinstance(cells, str):
        return AnnotationRow(number, line, {}, cells)
    if len(cells) != len(header):
        return AnnotationRow(number, line, {}, f"{len(cells)} cells where the first line names {len(header)}")
    return AnnotationRow(number, line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})
