"""Reads annotation files (a JSON list, JSON lines, CSV or TSV) as rows; entries that are not rows are reported."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.installation import install_command

ROW_FORMATS = (".json", ".jsonl", ".csv", ".tsv")
TABLE_FORMATS = (*ROW_FORMATS, ".parquet")
KEY = "_key"
"""Field of a row that was the value of an object: its key there."""
_LINES = re.compile(r"\s*\{[^\n]*\}[ \t]*\r?\n\s*\{")
"""JSON lines, whatever the name of the file."""
_COCO_KEYS = {"images", "annotations"}


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
    path: Path, formats: tuple[str, ...] = ROW_FORMATS, under: str | None = None, *, any_shape: bool = False
) -> list[AnnotationRow]:
    """Reads the rows of a file in order, with the entries that are not rows.

    Args:
        path: Annotation file; its suffix gives the format.
        formats: Suffixes that are accepted.
        under: Key of the list in a JSON object, if the data set has one.
        any_shape: Also read an object of rows by key (a row's key is its field `_key`), and the only list in an object.

    Raises:
        InputError: The file is missing, has another format, is not UTF-8, or is not JSON or CSV.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise InputError(f"There is no annotation file {path.name!r}: check its path.")
    if suffix not in formats:
        raise InputError(f"{path.name}: these annotations come as {' or '.join(formats)}, not {suffix or 'without'!r}.")
    if suffix == ".parquet":
        return _parquet_rows(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if suffix == ".json" and not _LINES.match(text):
            found = json.loads(text)
            return list(_json_rows(_as_rows(found) if any_shape else found, path.name, under))
        if suffix in (".json", ".jsonl"):
            return list(_jsonl_rows(text))
        return list(_table_rows(text, "\t" if suffix == ".tsv" else _delimiter(text)))
    except UnicodeDecodeError as fault:
        raise InputError(f"{path.name} is not UTF-8 text (byte {fault.start}): convert it first.") from None
    except json.JSONDecodeError as fault:
        raise InputError(f"{path.name} is not JSON: line {fault.lineno}, column {fault.colno}: {fault.msg}.") from None
    except csv.Error as fault:
        raise InputError(f"{path.name} cannot be read as a table: {fault}.") from None


def _as_rows(found: Any) -> Any:
    """The rows of an object: its values with their keys, or the only list in it; any other value unchanged."""
    if not isinstance(found, dict):
        return found
    if found and all(isinstance(value, dict) for value in found.values()):
        return [{KEY: key, **value} for key, value in found.items()]
    lists = list(_row_lists(found))
    if len(lists) == 1:
        return lists[0]
    return found


def _row_lists(found: dict[str, Any]) -> Iterator[list[Any]]:
    """The lists in an object and in the objects in it."""
    for value in found.values():
        if isinstance(value, list):
            yield value
        elif isinstance(value, dict):
            yield from _row_lists(value)


def _parquet_rows(path: Path) -> list[AnnotationRow]:
    """The rows of a Parquet file; media inside it are left out, their paths are kept."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise InputError(f"Parquet needs pyarrow: {install_command('bench')}, or convert the file to JSON.") from None
    try:
        rows = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError) as fault:
        raise InputError(f"{path.name} is not a Parquet file: {str(fault).splitlines()[0]}.") from None
    return [AnnotationRow(number, None, _without_bytes(row)) for number, row in enumerate(rows)]


def _without_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_bytes(inner) for key, inner in value.items() if not isinstance(inner, bytes)}
    if isinstance(value, list):
        return [_without_bytes(inner) for inner in value]
    return value


def _json_rows(found: Any, name: str, under: str | None) -> Iterator[AnnotationRow]:
    if isinstance(found, dict) and under in found:
        found = found[under]
    if isinstance(found, dict) and found.keys() >= _COCO_KEYS and under:
        raise InputError(
            f"{name} is the COCO-shaped file of reference answers for caption tools; it has no dialogues. Give the "
            f"file with {under!r}: for DSTC7 test_set4DSTC7-AVSD.json with its answers "
            "(lbl_test_set4DSTC7-AVSD.json), for DSTC10 test_set4DSTC10-AVSD_multiref+reason.json."
        )
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


def _delimiter(text: str) -> str:
    """What separates the columns: a comma, or what the first line has instead (Excel writes semicolons)."""
    header = text.split("\n", 1)[0]
    return max(",;\t", key=header.count)


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
