"""Run files in, a report out: one HTML page with every question, and the tables as Markdown. It asks no model."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aurelia.bench.costs import costs_by_role, mean_target_seconds
from aurelia.bench.run_file import RunFile
from aurelia.report import ablation, markdown, tables
from aurelia.report.html import QuestionPacker, render_page
from aurelia.report.media import ClipAlbum
from aurelia.report.plots import report_figures
from aurelia.report.rows import Case, ReportRow, read_report_rows
from aurelia.report.tables import RunFigures
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore

PictureMode = Literal["full", "few", "none"]
FIRST_PICTURES = 12
DIFFERING_PICTURES = 28


class ReportFiles(NamedTuple):
    """The files of a report."""

    html: Path
    markdown: Path


def build_report(
    paths: Sequence[Path], out: Path, *, media: PictureMode = "few", store: ClipStore | None = None
) -> ReportFiles:
    """Writes report.html and report.md into a folder.

    Args:
        paths: run files; several are compared.
        out: the folder, made if need be.
        media: pictures for all questions, for a few (the first ones, and those where the arms differ), or for none.
        store: reads the clips, by the names that the records give them; without it there are no pictures.

    Raises:
        InputError: a file is no run, none was named, or a package of the extra `bench` is missing.
    """
    if not paths:
        raise InputError("No run file was named: give one or more that bench run has made.")
    album = ClipAlbum(store) if store is not None else None
    packer = QuestionPacker(_PicturePolicy(album, media).page)
    runs: list[RunFigures] = []
    with ExitStack() as stack:
        for number, (path, name) in enumerate(zip(paths, _run_names(paths), strict=True)):
            run = stack.enter_context(RunFile.open(path))
            runs.append(_read_run(run, number, name, packer))
    content = _content(runs)
    out.mkdir(parents=True, exist_ok=True)
    sections = [
        ("Table 1", [content["table1"]]),
        *((title, content[key]) for title, key in
          [("Accuracy", "accuracy"), ("Cost and time", "bill"), ("Ablation", "ablations"), ("Runs", "runs")]),
    ]  # fmt: skip
    text = markdown.render_document(content["title"], [(name, some) for name, some in sections if some])
    written = ReportFiles(out / "report.html", out / "report.md")
    _write_atomically(written.markdown, [text])
    _write_atomically(written.html, render_page(_plain_content(content), packer, album.clips if album else []))
    return written


class _PicturePolicy:
    """Decides which questions get pictures."""

    def __init__(self, album: ClipAlbum | None, media: PictureMode) -> None:
        self._album, self._all, self._none = album, media == "full", media == "none"
        self._first = self._differing = 0

    def page(self, row: ReportRow) -> int | str | None:
        if self._album is None or self._none or not (self._all or self._due(row.case)):
            return None
        return self._album.page(row.detail["video"], row.detail["audio"])

    def _due(self, case: Case) -> bool:
        if self._first < FIRST_PICTURES:
            self._first += 1
            return True
        verdicts = {side.verdict for side in case.sides.values()}
        if len(verdicts) > 1 and self._differing < DIFFERING_PICTURES:
            self._differing += 1
            return True
        return False


def _run_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each run: its file's, with its folder's where two are called the same."""
    stems = [path.stem for path in paths]
    return [
        path.stem if stems.count(path.stem) == 1 else f"{path.absolute().parent.name}/{path.stem}" for path in paths
    ]


def _read_run(run: RunFile, number: int, name: str, packer: QuestionPacker) -> RunFigures:
    cases = []
    for row in read_report_rows(run):
        packer.add(number, row)
        cases.append(row.case)
    meta = run.meta
    target = (meta.get("models") or {}).get("target", "target")
    return RunFigures(name, str(target), cases, costs_by_role(run.path), meta, mean_target_seconds(run.path))


def _content(runs: Sequence[RunFigures]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": f"AURELIA on a benchmark: {', '.join(run.name for run in runs)}",
        "names": [run.name for run in runs],
        "tiles": [tile for run in runs for tile in tables.report_tiles(run, len(runs) > 1)],
        "table1": tables.paper_comparison(runs),
        "accuracy": [
            *([tables.run_comparison(runs)] if len(runs) > 1 else []),
            *(table for run in runs for table in tables.accuracy_tables(run)),
        ],
        "bill": [
            table for run in runs for table in (tables.arm_cost_table(run), tables.role_cost_table(run)) if table.rows
        ],
        "runs": [tables.settings_table(run) for run in runs],
        "figures": report_figures(runs),
        "ablations": [],
    }
    found["accuracy"][-1].notes.extend(tables.ACCURACY_NOTES)
    for run in runs:
        if value := run.meta.get(ablation.ABLATION_KEY):
            tail = f", {run.name}" if len(runs) > 1 else ""
            found["ablations"].append(ablation.ablation_table(*ablation.read_ablation(value), tail))
            found["figures"] += ablation.ablation_figures(value, tail)
    return found


def _plain_content(content: dict[str, Any]) -> dict[str, Any]:
    """The tables as plain values, so that every text in them is made visible on its way to the page."""
    return {
        name: [_as_dict(part) for part in value] if isinstance(value, list) and name != "figures" else _as_dict(value)
        for name, value in content.items()
    }


def _as_dict(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _write_atomically(path: Path, parts: Iterable[str]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(parts)
        part.replace(path)
    except OSError as fault:
        raise InputError(f"{path.name} cannot be written: {fault.strerror}; name another folder.") from None
