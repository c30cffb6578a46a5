"""Turns a file of annotations into benchmark records: ids, media, duplicates and conflicts, with an account by row.

What a row means is each kind's own (`import_sets`, `import_table`). It copies no media and opens none.
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from pydantic import ValidationError

from aurelia.bench.importers.account import AnswerConflict, ImportReport, MissingMedia, RowNote
from aurelia.bench.importers.draft import Draft
from aurelia.bench.importers.registry import RECORDS_KIND, DatasetKind, find_kind
from aurelia.bench.importers.rows import AnnotationRow, read_annotation_rows
from aurelia.bench.records import Record, RecordSource, describe_validation_error
from aurelia_core.errors import InputError

_FIELD = re.compile(r"\{(\w+)\}")
_NO_NAME = re.compile(r"[^A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class ImportOptions:
    """How an import is asked for.

    Attributes:
        kind: the name of a kind, as for `find_kind`.
        media: the folder of the clips.
        pattern: a clip's path under it, with fields of the row in braces; None for the kind's own.
        split: the split of the data set that the file holds.
        licence: that of the annotations, where the kind's own is not right.
        require_media: leave out records whose media are missing.
    """

    kind: str
    media: Path
    pattern: str | None = None
    split: str = ""
    licence: str | None = None
    require_media: bool = False


@dataclass(frozen=True)
class ImportResult:
    """The records, in the order of their rows, and the account."""

    records: list[Record]
    report: ImportReport


def import_records(path: Path, wanted: ImportOptions) -> ImportResult:
    """The records of a file of annotations; there may be none, and the account says why.

    Raises:
        InputError: the kind, the file, the pattern or the folder cannot be used.
    """
    kind = _checked_kind(wanted)
    if not wanted.media.is_dir():
        raise InputError(f"There is no media folder {wanted.media.name!r}: name the folder that holds the clips.")
    rows = read_annotation_rows(path, kind.formats, kind.under)
    report = ImportReport(wanted.kind, path.name, rows=len(rows))
    make = _read_record if kind.row is None else _record_maker(kind, wanted, report)
    found: list[tuple[AnnotationRow, Record]] = []
    for row in rows:
        try:
            record = make(row)
            record.line().encode()
            found.append((row, record))
        except ValueError as fault:
            said = describe_validation_error(fault) if isinstance(fault, ValidationError) else str(fault)
            report.malformed.append(RowNote(row.number, row.line, said))
    records = _mark_missing_media(_resolve_duplicates(found, kind, report), wanted, report)
    report.malformed.sort(key=lambda entry: entry.row)
    report.records = len(records)
    return ImportResult(records, report)


def _checked_kind(wanted: ImportOptions) -> DatasetKind:
    kind = find_kind(wanted.kind)
    if wanted.pattern is not None and wanted.kind == RECORDS_KIND:
        raise InputError("--pattern cannot be used with jsonl: its records name their own media.")
    if wanted.pattern is not None and not _FIELD.search(wanted.pattern):
        raise InputError(f"--pattern {wanted.pattern!r} names no field: write for instance '{{video_id}}.mp4'.")
    return kind


def _read_record(row: AnnotationRow) -> Record:
    if row.fault:
        raise ValueError(row.fault)
    record = Record.model_validate(row.fields)
    return record.model_copy(
        update={"video": _check_inside(record.video), "audio": [_check_inside(name) for name in record.audio]}
    )


def _record_maker(kind: DatasetKind, wanted: ImportOptions, report: ImportReport) -> Callable[[AnnotationRow], Record]:
    def make(row: AnnotationRow) -> Record:
        if row.fault or kind.row is None:
            raise ValueError(row.fault)
        draft = kind.row.model_validate(row.fields).draft()
        report.notes.extend(RowNote(row.number, row.line, said) for said in draft.notes)
        return _record(draft, row, kind, wanted)

    return make


def _record(draft: Draft, row: AnnotationRow, kind: DatasetKind, wanted: ImportOptions) -> Record:
    video = _video_path(draft, row.fields, kind, wanted)
    asked = [video, draft.audio, draft.question, [turn.model_dump() for turn in draft.history], draft.choices]
    name = [_id_part(part) for part in draft.name]
    if not draft.own:
        name.append(hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:10])
    return Record(
        id=":".join([wanted.kind, *name]),
        column=kind.column,
        category=draft.category or kind.category,
        kinds=draft.kinds,
        video=video,
        audio=[_check_inside(name) for name in draft.audio],
        question=draft.question,
        history=draft.history,
        choices=draft.choices,
        answers=draft.answers,
        synonyms=draft.synonyms,
        reasoning=draft.reasoning,
        source=RecordSource(dataset=kind.dataset, split=wanted.split, item=draft.item, row=row.number),
        licence=wanted.licence or draft.licence or kind.licence,
    )


def _id_part(part: str) -> str:
    """A part of an id: what an id may not hold is replaced, and a hash keeps two such parts apart."""
    plain = _NO_NAME.sub("-", part)[:80]
    if plain == part:
        return part
    return f"{plain.strip('-/')}-{hashlib.sha256(part.encode()).hexdigest()[:6]}"


def _video_path(draft: Draft, fields: dict[str, Any], kind: DatasetKind, wanted: ImportOptions) -> str:
    if wanted.pattern is None and draft.video is not None:
        return _check_inside(draft.video)
    names = {key: str(value) for key, value in fields.items() if isinstance(value, str | int | float)} | draft.names
    pattern = wanted.pattern or kind.pattern
    if unknown := [name for name in _FIELD.findall(pattern) if not names.get(name)]:
        raise ValueError(f"it has no {unknown[0]!r}, which the pattern {pattern!r} names; it has {', '.join(names)}")
    return _check_inside(_FIELD.sub(lambda found: names[found[1]], pattern))


def _check_inside(name: str) -> str:
    """The name of a media file, which must lie under the media folder."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or "\0" in name
        or PureWindowsPath(name).drive
    ):
        raise ValueError(f"the media file {name!r} does not lie under the media folder")
    return name


def _resolve_duplicates(
    found: list[tuple[AnnotationRow, Record]], kind: DatasetKind, report: ImportReport
) -> list[tuple[AnnotationRow, Record]]:
    """Gives every record an id of its own, leaves duplicates out and marks conflicts."""
    kept: dict[str, list[tuple[AnnotationRow, Record]]] = defaultdict(list)
    for row, record in found:
        same = kept[record.id]
        twin = next((other for other, earlier in same if _content(earlier) == _content(record)), None)
        if same and kind.merged:
            first, earlier = same[0]
            answers = list(dict.fromkeys([*earlier.answers, *record.answers]))
            same[0] = first, earlier.model_copy(update={"answers": answers})
            report.merged += 1
        elif twin:
            said = f"it says the same as row {twin.number} ({record.id})"
            report.duplicates.append(RowNote(row.number, row.line, said))
        elif same and (kind.row is None or _question_key(same[0][1]) != _question_key(record)):
            said = f"its id {record.id!r} stands for another question or answer in row {same[0][0].number}"
            report.malformed.append(RowNote(row.number, row.line, said))
        else:
            apart = {"id": f"{record.id}#{len(same) + 1}"} if same else {}
            same.append((row, record.model_copy(update=apart)))
    return _mark_conflicts(
        sorted((pair for pairs in kept.values() for pair in pairs), key=lambda pair: pair[0].number), report
    )


def _content(record: Record) -> dict[str, Any]:
    """All that a record says apart from where it stands."""
    return record.model_dump(exclude={"id": True, "conflicts": True, "missing": True, "source": {"row"}})


def _question_key(record: Record) -> str:
    """The clip and the question: what two records in conflict have in common."""
    turns = [(turn.question, turn.answer) for turn in record.history]
    return json.dumps([record.video, record.audio, record.question, turns, sorted(record.choices)])


def _mark_conflicts(
    found: list[tuple[AnnotationRow, Record]], report: ImportReport
) -> list[tuple[AnnotationRow, Record]]:
    groups: dict[str, list[tuple[AnnotationRow, Record]]] = defaultdict(list)
    for row, record in found:
        groups[_question_key(record)].append((row, record))
    for group in groups.values():
        if len({frozenset(record.answers) for _, record in group}) > 1:
            ids = [record.id for _, record in group]
            rows = [row.number for row, _ in group]
            report.conflicts.append(AnswerConflict(ids, rows, [record.answers for _, record in group]))
    return [(row, _with_conflicts(record, groups[_question_key(record)])) for row, record in found]


def _with_conflicts(record: Record, group: list[tuple[AnnotationRow, Record]]) -> Record:
    others = [other.id for _, other in group if set(other.answers) != set(record.answers)]
    return record.model_copy(update={"conflicts": list(dict.fromkeys([*record.conflicts, *others]))})


def _mark_missing_media(
    found: list[tuple[AnnotationRow, Record]], wanted: ImportOptions, report: ImportReport
) -> list[Record]:
    there: dict[str, bool] = {}
    kept = []
    for row, record in found:
        names = [record.video, *record.audio]
        there |= {name: isfile(wanted.media / name) for name in names if name not in there}
        missing = [name for name in names if not there[name]]
        if missing:
            report.missing.append(MissingMedia(record.id, row.number, missing, not wanted.require_media))
        if not (missing and wanted.require_media):
            kept.append(record.model_copy(update={"missing": missing}))
    return kept
