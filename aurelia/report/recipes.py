"""Ablation and recipes from end to end: run, score, derive, write the report."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aurelia.bench.ablation import GridQuestion, GridSetting, ablate, run_context
from aurelia.bench.costs import mean_target_seconds
from aurelia.bench.records import Task, read_records, write_records
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.bench.sampling import draw_sample
from aurelia.bench.score_run import score_run_file, score_without_judge
from aurelia.bench.session import INTERRUPTED, EventCallback
from aurelia.report import ablation, markdown
from aurelia.report.build import ReportFiles, build_report
from aurelia.report.svg import Point
from aurelia_core.errors import AureliaError, InputError
from state.context import Context

FLOOR_SIZE = 100
ITERATION_CAPS = (1, 3, 5)
ITERATIONS_THRESHOLD = 8


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
    on_question: Callable[[GridQuestion], None] = lambda question: None,
) -> list[ablation.GridCell]:
    """Makes an ablation, stores it in the run file for reports, and writes ablation.md, .csv and .json.

    Args:
        path: Run file.
        settings: The grid.
        resources: What the ablation uses of this machine.
        out: Output folder.
        concurrency: Questions in progress at the same time.
        on_question: Called with each finished question.

    Raises:
        InputError: These settings cannot be derived from the run.
    """
    questions = await ablate(
        path, settings, resources, score_without_judge, concurrency=concurrency, on_question=on_question
    )
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


async def run_floor(work: RecipeInput, context: Context, *, size: int = FLOOR_SIZE, seed: int = 0) -> ReportFiles:
    """The zero-shot floor: the target without reasoning on a stratified sample."""
    work.out.mkdir(parents=True, exist_ok=True)
    chosen = draw_sample(list(read_records(work.file)), size, seed, "proportional")
    file = work.out / "sample.jsonl"
    write_records(chosen.records, file)
    run = work.out / "floor.run"
    plan = replace(work.plan, arms=("zero_shot",))
    await run_and_score(file, run, context, plan, work)
    return build_report([run], work.out, store=work.resources.clip_store())


async def run_iterations(work: RecipeInput, context: Context, *, task: Task | None = None) -> ReportFiles:
    """T = 1, 3 and 5 at tau = 8, on one task or all, from a single run (Table 5)."""
    full = context.model_copy(
        update={"early_stop": False, "max_iterations": max(ITERATION_CAPS), "threshold": ITERATIONS_THRESHOLD}
    )
    run = work.out / "iterations.run"
    plan = replace(work.plan, tasks=())
    if task:
        plan = replace(plan, tasks=(task,))
    await run_and_score(work.file, run, full, plan, work)
    settings = [GridSetting(cap, ITERATIONS_THRESHOLD, context.inject) for cap in ITERATION_CAPS]
    await write_ablation(run, settings, work.resources, work.out, concurrency=plan.concurrency)
    return build_report([run], work.out, store=work.resources.clip_store())


async def run_mixture(work: RecipeInput, contexts: Mapping[str, Context]) -> ReportFiles:
    """The same target with different agents, one run per name: one provider's against a mixture (Table 4).

    Raises:
        InputError: There are fewer than two names, or the targets differ.
    """
    if len(contexts) < 2 or len({context.target for context in contexts.values()}) > 1:
        raise InputError(
            "Two or more profiles with the same target are needed: name them, and --model target=… for all."
        )
    runs = []
    for name, context in contexts.items():
        run = work.out / f"{name}.run"
        await run_and_score(work.file, run, context, work.plan, work)
        runs.append(run)
    return build_report(runs, work.out, store=work.resources.clip_store())


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
