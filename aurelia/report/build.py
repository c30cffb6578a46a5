"""Run files in, a report out: one HTML page with every question, and the tables as Markdown. It asks no model."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from aurelia.bench.costs import by_role, target_seconds
from aurelia.bench.run_file import RunFile
from aurelia.report import ablation, markdown, tables
from aurelia.report.html import Packer, page
from aurelia.report.media import Album
from aurelia.report.plots import drawn
from aurelia.report.rows import Case, Row, read_rows
from aurelia.report.tables import RunFigures
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore

Media = Literal["full", "few", "none"]
FIRST_FEW = 12
DIFFERING_FEW = 28


class Written(NamedTuple):
    """The files of a report."""

    html: Path
    markdown: Path


def build(paths: Sequence[Path], out: Path, *, media: Media = "few", store: ClipStore | None = None) -> Written:
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
    album = Album(store) if store is not None else None
    packer = Packer(_Pictures(album, media).page)
    runs: list[RunFigures] = []
    with ExitStack() as stack:
        for number, (path, name) in enumerate(zip(paths, _names(paths), strict=True)):
            run = stack.enter_context(RunFile.open(path))
            runs.append(_read(run, number, name, packer))
    content = _content(runs)
    out.mkdir(parents=True, exist_ok=True)
    sections = [
        ("Table 1", [content["table1"]]),
        *((title, content[key]) for title, key in
          [("Accuracy", "accuracy"), ("Cost and time", "bill"), ("Ablation", "ablations"), ("Runs", "runs")]),
    ]  # fmt: skip
    text = markdown.written(content["title"], [(name, some) for name, some in sections if some])
    written = Written(out / "report.html", out / "report.md")
    _write(written.markdown, [text])
    _write(written.html, page(_plain(content), packer, album.clips if album else []))
    return written


class _Pictures:
    """Decides which questions get pictures."""

    def __init__(self, album: Album | None, media: Media) -> None:
        self._album, self._all, self._none = album, media == "full", media == "none"
        self._first = self._differing = 0

    def page(self, row: Row) -> int | str | None:
        if self._album is None or self._none or not (self._all or self._due(row.case)):
            return None
        return self._album.page(row.detail["video"], row.detail["audio"])

    def _due(self, case: Case) -> bool:
        if self._first < FIRST_FEW:
            self._first += 1
            return True
        verdicts = {side.verdict for side in case.sides.values()}
        if len(verdicts) > 1 and self._differing < DIFFERING_FEW:
            self._differing += 1
            return True
        return False


def _names(paths: Sequence[Path]) -> list[str]:
    """A short name for each run: its file's, with its folder's where two are called the same."""
    stems = [path.stem for path in paths]
    return [
        path.stem if stems.count(path.stem) == 1 else f"{path.absolute().parent.name}/{path.stem}" for path in paths
    ]


def _read(run: RunFile, number: int, name: str, packer: Packer) -> RunFigures:
    cases = []
    for row in read_rows(run):
        packer.add(number, row)
        cases.append(row.case)
    meta = run.meta
    target = (meta.get("models") or {}).get("target", "target")
    return RunFigures(name, str(target), cases, by_role(run.path), meta, target_seconds(run.path))


def _content(runs: Sequence[RunFigures]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "title": f"AURELIA on a benchmark: {', '.join(run.name for run in runs)}",
        "names": [run.name for run in runs],
        "tiles": [tile for run in runs for tile in tables.tiles(run, len(runs) > 1)],
        "table1": tables.first_table(runs),
        "accuracy": [
            *([tables.compared(runs)] if len(runs) > 1 else []),
            *(table for run in runs for table in tables.accuracies(run)),
        ],
        "bill": [table for run in runs for table in (tables.arm_bill(run), tables.role_bill(run)) if table.rows],
        "runs": [tables.described(run) for run in runs],
        "figures": drawn(runs),
        "ablations": [],
    }
    found["accuracy"][-1].notes.extend(tables.ACCURACY_NOTES)
    for run in runs:
        if value := run.meta.get(ablation.META):
            tail = f", {run.name}" if len(runs) > 1 else ""
            found["ablations"].append(ablation.table(*ablation.read(value), tail))
            found["figures"] += ablation.drawn(value, tail)
    return found


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """The tables as plain values, so that every text in them is made visible on its way to the page."""
    return {
        name: [_as_dict(part) for part in value] if isinstance(value, list) and name != "figures" else _as_dict(value)
        for name, value in content.items()
    }


def _as_dict(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _write(path: Path, parts: Iterable[str]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(parts)
        part.replace(path)
    except OSError as fault:
        raise InputError(f"{path.name} cannot be written: {fault.strerror}; name another folder.") from None
