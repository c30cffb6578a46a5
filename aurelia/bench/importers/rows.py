"""Reads annotation files (a JSON list, JSON lines, CSV or TSV) as rows; entries that are not rows are reported."""

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
        number: Index of the row, from 0.
        line: Line at which it ends, from 1; None in a JSON list.
        fields: Its fields by name; empty if there is a fault.
        fault: Why the entry is not a row, or None.
    """

    number: int
    line: int | None
    fields: dict[str, Any]
    fault: str | None = None


def read_annotation_rows(
    path: Path, formats: tuple[str, ...] = ROW_FORMATS, under: str | None = None
) -> list[AnnotationRow]:
    """Reads the rows of a file in order, with the entries that are not rows.

    Args:
        path: Annotation file; its suffix gives the format.
        formats: Suffixes that are accepted.
        under: Key of the list in a JSON object, if the data set has one.

    Raises:
        InputError: The file is missing, has another format, is not UTF-8, or is not JSON or CSV.
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
        if suffix == ".jsonl":
            return list(_jsonl_rows(text))
        if suffix == ".tsv":
            return list(_table_rows(text, "\t"))
        return list(_table_rows(text, ","))
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
        expected = "a JSON list of objects"
        if under:
            expected += f" or an object with one under {under!r}"
        raise InputError(f"{name}: {expected} is needed.")
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
    if not isinstance(entry, dict):
        return AnnotationRow(number, line, {}, f"a JSON object is needed, not {type(entry).__name__}")
    return AnnotationRow(number, line, entry)


def _table_rows(text: str, delimiter: str) -> Iterator[AnnotationRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if len(set(header)) < len(header) or not all(header):
        raise csv.Error("every column needs a unique name in the first line")
    number = 0
    for line, cells in _table_lines(reader):
        if cells == []:
            continue
        yield _make_table_row(number, line, header, cells)
        number += 1


def _table_lines(reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """The cells of each row with its last line number; for an unreadable row its fault, and reading continues."""
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
        return AnnotationRow(number, line, {}, f"{len(cells)} cells, but the first line has {len(header)}")
    return AnnotationRow(number, line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})
