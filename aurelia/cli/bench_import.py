"""The commands `aurelia bench import`, `sample` and `schema`, on top of `aurelia.bench`.

Problems of rows and strata go to stderr, the summary to stdout. The exit status is 0 if records were written.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurelia_core.errors import InputError
from aurelia_core.sanitize import dump_visible_json, escape_invisible

import_app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)

_Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
RecordsOut = Annotated[Path, typer.Option("--out", metavar="FILE", help="The benchmark file to write (JSON lines).")]
ReportOut = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the full report as JSON.")]


@import_app.command("import")
def import_command(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="Data set: music-avqa, avsd, … (docs/benchmark-records.md).")
    ],
    annotations: Annotated[Path, typer.Argument(metavar="ANNOTATIONS", help="Annotation file of the data set.")],
    out: RecordsOut,
    media: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the clips: records name them by their paths in it. Required."),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="File name of a clip, with fields of the row in braces, for instance '{video_id}.mp4'."
        ),
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME", help="Split of the data set (train, val, test, …).")] = "",
    licence: Annotated[
        str | None, typer.Option(metavar="SPDX", help="Licence of the annotations (default: the data set's own).")
    ] = None,
    require_media: Annotated[
        bool, typer.Option("--require-media", help="Skip records whose media are missing.")
    ] = False,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="FIELD=COLUMN|FILE.toml",
            help="For the kind table: the column of a field (question, choices, answer, video, …); repeatable.",
        ),
    ] = None,
    save_map: Annotated[
        Path | None, typer.Option("--save-map", metavar="FILE.toml", help="Write the mapping as a file for --map.")
    ] = None,
    report: ReportOut = None,
    debug: _Debug = False,
) -> None:
    """Convert a data set into benchmark records. Each row that was not converted is reported."""
    from aurelia.bench.importers.run import ImportOptions, import_records
    from aurelia.bench.importers.table import TableMapping
    from aurelia.bench.records import write_records

    _reject_overwrite(out, [annotations])
    if media is None:
        raise InputError(
            "--media DIR is missing: records name their clips by the paths in that folder, and say which are missing"
            " there. Without clips yet, give an empty folder."
        )
    columns = TableMapping.parse(mapping) if mapping else None
    wanted = ImportOptions(kind, media, pattern, split, licence, require_media, columns)
    imported = import_records(annotations, wanted)
    _write_account(imported.report.lines(), report, imported.report.to_dict())
    if not imported.records:
        raise InputError(f"{annotations.name} gave no record, nothing is written: {imported.report.reason()}")
    write_records(imported.records, out)
    if save_map is not None and columns is not None:
        save_map.write_text(columns.to_toml(), encoding="utf-8")
    sys.stdout.write(f"{imported.report.summary()}\n")


@import_app.command("kinds")
def kinds_command(debug: _Debug = False) -> None:
    """List the data sets that can be imported, with the file that each needs."""
    from aurelia.bench.importers.registry import DATASET_KINDS, TABLE_KIND
    from aurelia.bench.importers.sets import find_sets

    for name, known in DATASET_KINDS.items():
        sys.stdout.write(f"{name:<22}{known.dataset or 'benchmark records'}\n")
    for name, found in find_sets().items():
        facts = found.facts
        sys.stdout.write(f"{name:<22}{facts['title']}: {facts['file']} of {facts['source']}\n")
    sys.stdout.write(f"{TABLE_KIND:<22}any table, with --map\n")


@import_app.command("sample")
def sample_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Benchmark files to draw from.")],
    out: RecordsOut,
    size: Annotated[
        int | None, typer.Option(min=1, help="Number of records (default: 4504 for paper, all for proportional).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed; the same seed draws the same records.")] = 0,
    composition: Annotated[
        Literal["paper", "even", "proportional"], typer.Option(help="Weights of the categories.")
    ] = "paper",
    report: ReportOut = None,
    debug: _Debug = False,
) -> None:
    """Draw a stratified subset of records. A category with too few records is used completely and reported."""
    from dataclasses import asdict

    from aurelia.bench.records import read_records, write_records
    from aurelia.bench.sampling import draw_sample as draw

    _reject_overwrite(out, files)
    sampled = draw(_unique_records(record for path in files for record in read_records(path)), size, seed, composition)
    wanted = sum(stratum.wanted for stratum in sampled.strata)
    lines = [
        f"too few: {stratum.category}: {stratum.wanted} wanted, {stratum.got} found"
        for stratum in sampled.strata
        if stratum.got < stratum.wanted
    ]
    if sampled.outside:
        lines.append(f"{sampled.outside} records belong to no category of the paper and were left out")
    counts = {"wanted": wanted, "got": len(sampled.records), "outside": sampled.outside, "seed": seed}
    account = {**counts, "composition": composition, "strata": [asdict(stratum) for stratum in sampled.strata]}
    _write_account(lines, report, account)
    if not sampled.records:
        raise InputError("No record was drawn, nothing is written: no record belongs to a category of the composition.")
    write_records(sampled.records, out)
    short = sum(stratum.got < stratum.wanted for stratum in sampled.strata)
    sys.stdout.write(f"{len(sampled.records)} records of {wanted} wanted; categories with too few: {short}.\n")


@import_app.command("schema")
def schema_command(debug: _Debug = False) -> None:
    """Print the JSON schema of a benchmark record."""
    from aurelia.bench.records import record_schema as of_record

    sys.stdout.write(f"{json.dumps(of_record(), indent=2)}\n")


def _reject_overwrite(out: Path, read: Iterable[Path]) -> None:
    if out.resolve() in {path.resolve() for path in read}:
        raise InputError(f"--out {out.name} is also an input file: give the new file another name.")


def _unique_records(records: Iterable[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for record in records:
        if record.id in found:
            raise InputError(f"The id {record.id!r} is in two of the files: give each record once.")
        found[record.id] = record
    return list(found.values())


def _write_account(lines: Iterable[str], report: Path | None, account: dict[str, Any]) -> None:
    for line in lines:
        sys.stderr.write(f"{escape_invisible(line)}\n")
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(f"{dump_visible_json(account, indent=2)}\n", encoding="utf-8")
