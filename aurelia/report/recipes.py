"""Ablation and recipes from end to end: run, score, derive, write the report."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurelia.bench.ablation import GridSetting, ablate, run_context
from aurelia.bench.costs import mean_target_seconds
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.bench.score_run import score_run_file, score_without_judge
from aurelia.bench.session import INTERRUPTED, EventCallback
from aurelia.report import ablation, markdown
from aurelia.report.svg import Point
from aurelia_core.errors import AureliaError
from state.context import Context


@dataclass(frozen=True, slots=True)
class RecipeInput:
    """The inputs of a recipe.

    Attributes:
        file: Benchmark records.
        out: Output folder; existing runs in it are resumed.
        resources: What the recipe uses of this machine.
        plan: How runs are carried out.
        on_event: Called with the runner's events.
        interrupted: Set it to stop; running calls are finished and stored.
        judge: Model that scores answers which no rule can read; None leaves them unparsed.
    """

    file: Path
    out: Path
    resources: RunResources
    plan: Plan = Plan()
    on_event: EventCallback = lambda event: None
    interrupted: asyncio.Event | None = None
    judge: str | None = None


async def write_ablation(
    path: Path,
    settings: Sequence[GridSetting],
    resources: RunResources,
    out: Path,
    *,
    concurrency: int = 8,
) -> list[ablation.GridCell]:
    """Makes an ablation, stores it in the run file for reports, and writes ablation.md, .csv and .json.

    Args:
        path: Run file.
        settings: The grid.
        resources: What the ablation uses of this machine.
        out: Output folder.
        concurrency: Questions in progress at the same time.

    Raises:
        InputError: These settings cannot be derived from the run.
    """
    questions = await ablate(path, settings, resources, score_without_judge, concurrency=concurrency)
    found = ablation.grid_cells(questions, settings, mean_target_seconds(path))
    without = ablation.zero_shot_accuracy(questions)
    with RunFile.open(path) as run:
        context = run_context(run)
        at = {name: getattr(context, name) for name in ("threshold", "max_iterations", "inject")}
        run.store_meta(ablation.ABLATION_KEY, ablation.ablation_data(found, without, at))
    await asyncio.to_thread(_write_files, out, path.stem, found, without, at)
    return found


def _write_files(out: Path, name: str, found: list[ablation.GridCell], without: Point, at: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tables = [("Every setting", [ablation.ablation_table(found, without)])]
    texts = {
        "ablation.md": markdown.render_document(f"Ablation of {name}", tables),
        "ablation.csv": ablation.cells_as_csv(found),
        "ablation.json": ablation.cells_as_json(found, without, at),
    }
    for name, text in texts.items():
        (out / name).write_text(text, "utf-8")


async def run_and_score(file: Path, path: Path, context: Context, plan: Plan, work: RecipeInput) -> None:
    """Runs a file of records into a run file and scores it.

    Raises:
        CancelledError: The run was interrupted.
        AureliaError: No question was answered.
    """
    end = await run_bench(
        file, path, context, plan, work.resources, on_event=work.on_event, interrupted=work.interrupted
    )
    if end["stopped_by"] == INTERRUPTED:
        raise asyncio.CancelledError
    if end["last_error"] and not any(count["answered"] for count in end["arms"].values()):
        raise AureliaError(f"No question of {path.name} was answered. Last error: {end['last_error']}")
    await score_run_file(path, resources=work.resources, judge=work.judge, concurrency=plan.concurrency)
