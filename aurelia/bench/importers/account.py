"""What an import did, row by row: nothing is left out, changed or merged in silence."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_SHOWN = 20
"""Entries of one sort that are printed; a report file holds them all."""


@dataclass(frozen=True)
class RowNote:
    """One row (from 0; `line` from 1 where the file has lines) and what is said of it."""

    row: int
    line: int | None
    said: str


@dataclass(frozen=True)
class AnswerConflict:
    """Records with the same clip and question and different answers; all are kept."""

    ids: list[str]
    rows: list[int]
    answers: list[list[str]]


@dataclass(frozen=True)
class MissingMedia:
    """A record and those of its media files that are not there; `kept` says whether it was written."""

    id: str
    row: int
    files: list[str]
    kept: bool


@dataclass
class ImportReport:
    """The account of one import.

    Attributes:
        kind: the kind of the annotations.
        annotations: the name of their file.
        rows: how many rows it has.
        records: how many records were written.
        merged: rows that gave one more reference to the record of an earlier row, or the same one again.
        malformed: rows that gave no record.
        duplicates: rows that say the same as an earlier one; left out.
        conflicts: questions with several answers; kept.
        missing: records with missing media.
        notes: what was put right or not used.
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

    def as_json(self) -> dict[str, Any]:
        """The whole account; every row is there."""
        return asdict(self)

    def summary(self) -> str:
        """One line of counts; every row is in one of them."""
        left_out = sum(not entry.kept for entry in self.missing)
        parts = [
            f"{self.records} {_plural(self.records, 'record')} of {self.rows} {_plural(self.rows, 'row')}",
            f"{len(self.malformed)} malformed {_plural(len(self.malformed), 'row')}",
            f"{len(self.duplicates)} {_plural(len(self.duplicates), 'duplicate')}",
            f"{len(self.conflicts)} {_plural(len(self.conflicts), 'question')} with conflicting answers (kept)",
            f"{len(self.missing)} with missing media" + (f" ({left_out} left out)" if left_out else ""),
        ]
        if self.merged:
            parts.insert(1, f"{self.merged} rows merged into the record of their clip")
        return f"{self.kind}: {'; '.join(parts)}."

    def reason(self) -> str:
        """Why there are no records: what kept out the rows that came furthest."""
        if self.missing:
            return f"the media of all are missing, {self.missing[0].files[0]!r} first; check --media and --pattern."
        if self.malformed:
            return f"{row_location(self.annotations, self.malformed[0])}: {self.malformed[0].said}."
        return "it has no rows."

    def lines(self) -> Iterator[str]:
        """The account for people: every sort of entry, at most `SHOWN` of each."""
        yield from self._some("malformed, left out", self.malformed)
        yield from self._some("duplicate, left out", self.duplicates)
        yield from _limited(
            [
                f"conflict, kept: {', '.join(entry.ids)}: {' / '.join(map(', '.join, entry.answers))}"
                for entry in self.conflicts
            ]
        )
        yield from _limited(
            [
                f"missing media, {'marked' if entry.kept else 'left out'}: {entry.id}: {', '.join(entry.files)}"
                for entry in self.missing
            ]
        )
        yield from self._some("note", self.notes)

    def _some(self, sort: str, entries: list[RowNote]) -> Iterator[str]:
        yield from _limited([f"{sort}: {row_location(self.annotations, entry)}: {entry.said}" for entry in entries])


def row_location(name: str, entry: RowNote) -> str:
    """A row's place in its file, for people."""
    return f"{name}, row {entry.row}" + (f" (line {entry.line})" if entry.line is not None else "")


def _limited(lines: list[str]) -> Iterator[str]:
    yield from lines[:MAX_SHOWN]
    if len(lines) > MAX_SHOWN:
        yield f"… and {len(lines) - MAX_SHOWN} more of these; --report FILE lists all"


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
