"""The account of an import, row by row: every row that is left out, changed or merged is reported."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_SHOWN = 5
"""Most entries of one kind that are printed; the report file has them all."""


@dataclass(frozen=True)
class RowNote:
    """A remark on one row: row number from 0, line number from 1 (None if the file has no lines), and the text."""

    row: int
    line: int | None
    said: str


@dataclass(frozen=True)
class AnswerConflict:
    """Records with the same clip and question but different answers; all of them are written."""

    ids: list[str]
    rows: list[int]
    answers: list[list[str]]


@dataclass(frozen=True)
class MissingMedia:
    """A record and its missing media files; `kept` tells whether the record was written."""

    id: str
    row: int
    files: list[str]
    kept: bool


@dataclass
class ImportReport:
    """The account of one import.

    Attributes:
        kind: Kind of the annotations.
        annotations: Name of the annotation file.
        rows: Number of rows in it.
        records: Number of records written.
        merged: Rows that added a reference to the record of an earlier row, or repeated one.
        malformed: Rows without a record.
        duplicates: Rows equal to an earlier one; left out.
        conflicts: Questions with several answers; written.
        missing: Records with missing media.
        notes: Corrections and unused columns.
    """

    kind: str
    annotations: str
    rows: int = 0
    records: int = 0
    merged: int = 0
    malformed: list[RowNote] = field(default_factory=list)
    duplicates: list[RowNote] = field(default_factory=list)
    conflicts: list[AnswerConflict] = field(default_factory=list)
    missing: list[MissingMedia] = field(default_factory=list)
    notes: list[RowNote] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The whole account as plain data."""
        return asdict(self)

    def summary(self) -> str:
        """One line of counts."""
        left_out = sum(not entry.kept for entry in self.missing)
        missing = f"{len(self.missing)} with missing media"
        if left_out:
            missing += f" ({left_out} left out)"
        parts = [
            f"{self.records} {_plural(self.records, 'record')} of {self.rows} {_plural(self.rows, 'row')}",
            f"{len(self.malformed)} malformed {_plural(len(self.malformed), 'row')}",
            f"{len(self.duplicates)} {_plural(len(self.duplicates), 'duplicate')}",
            f"{len(self.conflicts)} {_plural(len(self.conflicts), 'question')} with conflicting answers (kept)",
            missing,
        ]
        if self.merged:
            parts.insert(1, f"{self.merged} rows merged into the record of their clip")
        return f"{self.kind}: {'; '.join(parts)}."

    def reason(self) -> str:
        """The reason why there are no records: missing media, else the first malformed row, else an empty file."""
        if self.missing:
            return f"the media of all are missing, {self.missing[0].files[0]!r} first; check --media and --pattern."
        if self.malformed:
            return f"{row_location(self.annotations, self.malformed[0])}: {self.malformed[0].said}."
        return "it has no rows."

    def lines(self) -> Iterator[str]:
        """The account as readable lines: at most `MAX_SHOWN` entries of each kind."""
        yield from self._some("malformed, left out", self.malformed)
        yield from self._some("duplicate, left out", self.duplicates)
        yield from _limited(list(map(_conflict_line, self.conflicts)))
        yield from _limited(list(map(_missing_line, self.missing)))
        yield from self._some("note", self.notes)

    def _some(self, sort: str, entries: list[RowNote]) -> Iterator[str]:
        yield from _limited([f"{sort}: {row_location(self.annotations, entry)}: {entry.said}" for entry in entries])


def row_location(name: str, entry: RowNote) -> str:
    """A row's location in its file, as readable text."""
    location = f"{name}, row {entry.row}"
    if entry.line is not None:
        location += f" (line {entry.line})"
    return location


def _conflict_line(entry: AnswerConflict) -> str:
    return f"conflict, kept: {', '.join(entry.ids)}: {' / '.join(map(', '.join, entry.answers))}"


def _missing_line(entry: MissingMedia) -> str:
    action = "left out"
    if entry.kept:
        action = "marked"
    return f"missing media, {action}: {entry.id}: {', '.join(entry.files)}"


def _limited(lines: list[str]) -> Iterator[str]:
    yield from lines[:MAX_SHOWN]
    if len(lines) > MAX_SHOWN:
        yield f"… and {len(lines) - MAX_SHOWN} more of these; --report FILE lists all"


def _plural(count: int, noun: str) -> str:
    if count == 1:
        return noun
    return f"{noun}s"
