"""Turns an annotation file into benchmark records: ids, media, duplicates and conflicts, with an account by row.

The row formats are in `aurelia.bench.importers.datasets` and `aurelia.bench.importers.paper_tasks`. Media are neither
opened nor copied.
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
from aurelia.bench.importers.registry import RECORDS_KIND, TABLE_KIND, DatasetKind, find_kind, table_kind
from aurelia.bench.importers.rows import AnnotationRow, read_annotation_rows
from aurelia.bench.importers.table import TableMapping
from aurelia.bench.records import Record, RecordSource, describe_validation_error
from aurelia_core.errors import InputError

_FIELD = re.compile(r"\{(\w+)\}")
_NO_NAME = re.compile(r"[^A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class ImportOptions:
    """The options of an import.

    Attributes:
        kind: Name of a kind, as for `find_kind`.
        media: Folder of the clips.
        pattern: Path of a clip under it, with fields of the row in braces; None for the pattern of the kind.
        split: Split of the data set in the file.
        licence: Licence of the annotations, if it differs from that of the kind.
        require_media: Leave out records whose media are missing.
        mapping: Columns by field, for the kind `table`.
    """

    kind: str
    media: Path
    pattern: str | None = None
    split: str = ""
    licence: str | None = None
    require_media: bool = False
    mapping: TableMapping | None = None


@dataclass(frozen=True)
class ImportResult:
    """The records in the order of their rows, and the account."""

    records: list[Record]
    report: ImportReport


def import_records(path: Path, options: ImportOptions) -> ImportResult:
    """Imports an annotation file. If there are no records, the account gives the reason.

    Raises:
        InputError: The kind, the file, the pattern or the folder cannot be used.
    """
    kind = _checked_kind(path, options)
    if not options.media.is_dir():
        raise InputError(f"There is no media folder {options.media.name!r}: name the folder that holds the clips.")
    rows = read_annotation_rows(path, kind.formats, kind.under, any_shape=kind.mapping is not None)
    if kind.mapping is not None:
        rows = kind.mapping.expand(rows)
    report = ImportReport(options.kind, path.name, rows=len(rows))
    make: Callable[[AnnotationRow], Record] = _read_record
    if not kind.holds_records:
        make = _record_maker(kind, options, report)
    found: list[tuple[AnnotationRow, Record]] = []
    for row in rows:
        try:
            record = make(row)
            record.to_json_line().encode()
            found.append((row, record))
        except ValueError as fault:
            reason = str(fault)
            if isinstance(fault, ValidationError):
                reason = describe_validation_error(fault)
            report.malformed.append(RowNote(row.number, row.line, reason))
    records = _mark_missing_media(_resolve_duplicates(found, kind, report), options, report)
    report.malformed.sort(key=lambda entry: entry.row)
    report.records = len(records)
    return ImportResult(records, report)


def _checked_kind(path: Path, options: ImportOptions) -> DatasetKind:
    kind = _find_kind(path, options)
    if options.pattern is not None and options.kind == RECORDS_KIND:
        raise InputError("--pattern cannot be used with jsonl: its records name their media.")
    if options.pattern is not None and not _FIELD.search(options.pattern):
        raise InputError(f"--pattern {options.pattern!r} names no field: write for instance '{{video_id}}.mp4'.")
    return kind


def _find_kind(path: Path, options: ImportOptions) -> DatasetKind:
    if options.kind == TABLE_KIND:
        if options.mapping is None:
            raise InputError("table needs a mapping: --map question=COLUMN --map answer=COLUMN --map video=COLUMN …")
        return table_kind(options.mapping, path.stem)
    if options.mapping is not None:
        raise InputError(f"--map belongs to the kind {TABLE_KIND}: {options.kind} knows its own columns.")
    return find_kind(options.kind)


def _read_record(row: AnnotationRow) -> Record:
    if row.fault:
        raise ValueError(row.fault)
    record = Record.model_validate(row.fields)
    for name in record.media_names:
        _check_inside(name)
    return record


def _record_maker(kind: DatasetKind, options: ImportOptions, report: ImportReport) -> Callable[[AnnotationRow], Record]:
    def make(row: AnnotationRow) -> Record:
        if row.fault:
            raise ValueError(row.fault)
        draft = kind.draft(row.fields, options.media)
        report.notes.extend(RowNote(row.number, row.line, note) for note in draft.notes)
        return _record(draft, row, kind, options)

    return make


def _record(draft: Draft, row: AnnotationRow, kind: DatasetKind, options: ImportOptions) -> Record:
    video = _video_path(draft, row.fields, kind, options)
    asked: list[Any] = [video, draft.audio, draft.question, [turn.model_dump() for turn in draft.history]]
    asked += [draft.choices, *filter(None, [draft.images])]
    name = [_id_part(part) for part in draft.name]
    if not draft.own:
        name.append(hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:10])
    return Record(
        id=":".join([options.kind, *name]),
        column=kind.column,
        category=draft.category or kind.category,
        kinds=draft.kinds,
        video=video,
        audio=[_check_inside(name) for name in draft.audio],
        images=[_check_inside(name) for name in draft.images],
        question=draft.question,
        history=draft.history,
        choices=draft.choices,
        answers=draft.answers,
        synonyms=draft.synonyms,
        reasoning=draft.reasoning,
        source=RecordSource(dataset=kind.dataset, split=options.split, item=draft.item, row=row.number),
        licence=options.licence or draft.licence or kind.licence,
    )


def _id_part(part: str) -> str:
    """A part of an id: invalid characters are replaced, and a hash distinguishes parts that become equal."""
    plain = _NO_NAME.sub("-", part)[:80]
    if plain == part:
        return part
    return f"{plain.strip('-/')}-{hashlib.sha256(part.encode()).hexdigest()[:6]}"


def _video_path(draft: Draft, fields: dict[str, Any], kind: DatasetKind, options: ImportOptions) -> str | None:
    if not draft.has_video:
        return None
    if options.pattern is None and draft.video is not None:
        return _check_inside(draft.video)
    names = {key: str(value) for key, value in fields.items() if isinstance(value, str | int | float)} | draft.names
    pattern = options.pattern or kind.pattern
    if unknown := [name for name in _FIELD.findall(pattern) if not names.get(name)]:
        raise ValueError(f"it has no {unknown[0]!r}, which the pattern {pattern!r} names; it has {', '.join(names)}")
    return _check_inside(_FIELD.sub(lambda found: names[found[1]], pattern))


def _check_inside(name: str) -> str:
    """Checks that the name of a media file is a path inside the media folder; returns the name."""
    parts = PurePosixPath(name).parts
    if (
        not parts
        or name.startswith("/")
        or ".." in parts
        or "\\" in name
        or "\0" in name
        or PureWindowsPath(name).drive
    ):
        raise ValueError(f"the media file {name!r} is not inside the media folder")
    return name


def _resolve_duplicates(
    found: list[tuple[AnnotationRow, Record]], kind: DatasetKind, report: ImportReport
) -> list[tuple[AnnotationRow, Record]]:
    """Makes ids unique, leaves duplicates out and marks conflicts."""
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
            reason = f"it is equal to row {twin.number} ({record.id})"
            report.duplicates.append(RowNote(row.number, row.line, reason))
        elif same and (kind.holds_records or _question_key(same[0][1]) != _question_key(record)):
            reason = f"its id {record.id!r} is that of another question or answer in row {same[0][0].number}"
            report.malformed.append(RowNote(row.number, row.line, reason))
        else:
            if same:
                record = record.model_copy(update={"id": f"{record.id}#{len(same) + 1}"})
            same.append((row, record))
    pairs = [pair for same in kept.values() for pair in same]
    return _mark_conflicts(sorted(pairs, key=lambda pair: pair[0].number), report)


def _content(record: Record) -> dict[str, Any]:
    """The content of a record without its id and row."""
    return record.model_dump(exclude={"id": True, "conflicts": True, "missing": True, "source": {"row"}})


def _question_key(record: Record) -> str:
    """The clip and the question: equal for records in conflict."""
    turns = [(turn.question, turn.answer) for turn in record.history]
    return json.dumps([record.media_names, record.question, turns, sorted(record.choices)])


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
    found: list[tuple[AnnotationRow, Record]], options: ImportOptions, report: ImportReport
) -> list[Record]:
    exists: dict[str, bool] = {}
    kept = []
    for row, record in found:
        names = record.media_names
        for name in names:
            if name not in exists:
                exists[name] = isfile(options.media / name)
        missing = [name for name in names if not exists[name]]
        if missing:
            report.missing.append(MissingMedia(record.id, row.number, missing, not options.require_media))
        if not (missing and options.require_media):
            kept.append(record.model_copy(update={"missing": missing}))
    return kept
