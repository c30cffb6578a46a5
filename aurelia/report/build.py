"""Builds a report from run files: one HTML page with every question, and the tables as Markdown; asks no model."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aurelia.bench.costs import costs_by_role, mean_target_seconds
from aurelia.bench.run_file import RunFile
from aurelia.report import ablation, markdown, tables
from aurelia.report.choices import BlindValues, choice_tables
from aurelia.report.comparisons import claim_table, harm_rate, harm_table, run_pair_table, score_table
from aurelia.report.files import write_atomically
from aurelia.report.html import QuestionPacker, render_page
from aurelia.report.measure import answer_value
from aurelia.report.media import ClipAlbum
from aurelia.report.plots import report_figures
from aurelia.report.rows import Case, ReportRow, read_report_rows
from aurelia.report.table_files import write_table_files
from aurelia.report.tables import RunFigures
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore

PictureMode = Literal["full", "few", "none"]
FIRST_PICTURES = 12
DIFFERING_PICTURES = 28


class ReportFiles(NamedTuple):
    """The files of a report; `tables` is the folder of its tables as CSV and LaTeX."""

    html: Path
    markdown: Path
    tables: Path


def build_report(
    paths: Sequence[Path],
    out: Path,
    *,
    media: PictureMode = "few",
    store: ClipStore | None = None,
    blind: Path | None = None,
    live: str | None = None,
) -> ReportFiles:
    """Writes report.html, report.md and the tables as CSV and LaTeX into a folder.

    Args:
        paths: Run files; several are compared.
        out: Output folder, created if missing.
        media: Pictures for all questions, for a few (the first ones, and those where the arms differ), or for none.
        store: Clip store that reads the clips by their names in the records; without it there are no pictures.
        blind: Run of the same questions without their clips, shown beside the accuracy.
        live: State of the runs, for a page that asks its server whether it has changed; None for a page on its own.

    Raises:
        InputError: The blind run shares no scored question with these runs, a file is not a run, none was named,
            or a package of the extra `bench` is missing.
    """
    if not paths:
        raise InputError("No run file was named: give at least one that bench run made.")
    album: ClipAlbum | None = None
    if store is not None:
        album = ClipAlbum(store)
    packer = QuestionPacker(_PicturePolicy(album, media).page)
    runs: list[RunFigures] = []
    with ExitStack() as stack:
        for number, (path, name) in enumerate(zip(paths, _run_names(paths), strict=True)):
            run = stack.enter_context(RunFile.open(path))
            runs.append(_read_run(run, number, name, packer))
    blind_values: BlindValues | None = None
    if blind is not None:
        blind_values = _blind_values(blind, runs)
    content = _content(runs, blind_values)
    content |= {"files": [path.name for path in paths], "live": live}
    out.mkdir(parents=True, exist_ok=True)
    sections = [
        ("Accuracy", content["accuracy"]),
        ("Table 1", content["table1"]),
        ("Choices", content["choices"]),
        ("Evaluator", content["evaluator"]),
        ("Cost and time", content["bill"]),
        ("Ablation", content["ablations"]),
        ("Runs", content["runs"]),
    ]
    clips = []
    if album:
        clips = album.clips
    text = markdown.render_document(content["title"], [section for section in sections if section[1]])
    written = ReportFiles(out / "report.html", out / "report.md", out / "tables")
    write_table_files([table for _, tables in sections for table in tables], written.tables)
    write_atomically(written.markdown, [text])
    write_atomically(written.html, render_page(_plain_content(content), packer, clips))
    return written


class _PicturePolicy:
    """Decides which questions get pictures."""

    def __init__(self, album: ClipAlbum | None, media: PictureMode) -> None:
        self._album = album
        self._media = media
        self._first = 0
        self._differing = 0

    def page(self, row: ReportRow) -> int | str | None:
        if self._album is None or self._media == "none":
            return None
        if self._media == "few" and not self._due(row.case):
            return None
        return self._album.page(row.detail["video"], row.detail["images"], row.detail["audio"])

    def _due(self, case: Case) -> bool:
        if self._first < FIRST_PICTURES:
            self._first += 1
            return True
        verdicts = {answer.verdict for answer in case.answers.values()}
        if len(verdicts) > 1 and self._differing < DIFFERING_PICTURES:
            self._differing += 1
            return True
        return False


def _run_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each run: the name of its file, with that of its folder if two files have the same name."""
    stems = [path.stem for path in paths]
    names = []
    for path in paths:
        name = path.stem
        if stems.count(name) > 1:
            name = f"{path.absolute().parent.name}/{name}"
        names.append(name)
    return names


def _read_run(run: RunFile, number: int, name: str, packer: QuestionPacker) -> RunFigures:
    cases = []
    for row in read_report_rows(run):
        packer.add(number, row)
        cases.append(row.case)
    meta = run.meta
    target = (meta.get("models") or {}).get("target", "target")
    return RunFigures(name, str(target), cases, costs_by_role(run.path), meta, mean_target_seconds(run.path))


def _blind_values(path: Path, runs: Sequence[RunFigures]) -> BlindValues:
    """Values of the zero-shot answers of a run whose target did not see the clips."""
    values = {}
    with RunFile.open(path) as run:
        for row in read_report_rows(run):
            value = answer_value(row.case.answers.get("zero_shot"))
            if value is not None:
                values[row.case.record, row.case.rollout] = value
    if not any((case.record, case.rollout) in values for run in runs for case in run.cases):
        raise InputError(
            f"{path.name} has no scored zero-shot answer to a question of these runs: score it with bench score, or"
            " name a run of the same questions without their clips."
        )
    return values


def _content(runs: Sequence[RunFigures], blind: BlindValues | None) -> dict[str, Any]:
    several = len(runs) > 1
    found: dict[str, Any] = {
        "title": f"AURELIA on a benchmark: {', '.join(run.name for run in runs)}",
        "names": [run.name for run in runs],
        "tiles": [],
        "table1": list(filter(None, [tables.paper_comparison(runs)])),
        "accuracy": [],
        "bill": [],
        "choices": [],
        "evaluator": [],
        "runs": [tables.settings_table(run) for run in runs],
        "figures": report_figures(runs),
        "ablations": [],
    }
    if several:
        found["accuracy"].append(tables.run_comparison(runs))
        found["accuracy"] += filter(None, [run_pair_table(runs)])
    for run in runs:
        found["tiles"] += tables.report_tiles(run, several, harm_rate(run))
        found["accuracy"] += [*tables.accuracy_tables(run), *filter(None, [harm_table(run)])]
        found["choices"] += choice_tables(run, blind)
        found["evaluator"] += filter(None, [score_table(run), claim_table(run)])
        found["bill"] += [table for table in (tables.arm_cost_table(run), tables.role_cost_table(run)) if table.rows]
        if value := run.meta.get(ablation.ABLATION_KEY):
            tail = ""
            if several:
                tail = f", {run.name}"
            found["ablations"].append(ablation.ablation_table(*ablation.read_ablation(value), tail))
            found["figures"] += ablation.ablation_figures(value, tail)
    found["accuracy"][-1].notes.extend(tables.ACCURACY_NOTES)
    return found


def _plain_content(content: dict[str, Any]) -> dict[str, Any]:
    """The tables as plain values, so that the page makes every text in them visible."""
    plain: dict[str, Any] = {"figures": content["figures"]}
    for name, value in content.items():
        if name == "figures":
            continue
        plain[name] = _as_dict(value)
        if isinstance(value, list):
            plain[name] = [_as_dict(part) for part in value]
    return plain


def _as_dict(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value
