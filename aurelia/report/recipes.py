"""An ablation and the recipes from end to end: run, score, derive, write. Thin: each part is elsewhere."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aurelia.bench.ablation import Question, ablate, context_of
from aurelia.bench.costs import target_seconds
from aurelia.bench.derive import Setting
from aurelia.bench.records import Task, read_records, write_records
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import House, run_bench
from aurelia.bench.sampling import sample
from aurelia.bench.score_run import by_rule, mark_run
from aurelia.bench.session import INTERRUPTED
from aurelia.report import ablation, markdown
from aurelia.report.build import Written, build
from aurelia.report.svg import Point
from aurelia_core.errors import AureliaError, InputError
from state.context import Context

Tell = Callable[[dict[str, Any]], None]
FLOOR = 100
CAPS, TAU = (1, 3, 5), 8


@dataclass(frozen=True, slots=True)
class Work:
    """What a recipe has to work with.

    Attributes:
        file: the benchmark records.
        out: the folder that everything is written into; what is there already is gone on with.
        house: what it uses of this machine.
        plan: how runs are carried out.
        tell: called with the runner's events.
        interrupted: set it to stop once the calls under way are stored.
        judge: the model that scores what no rule can read; None leaves that unparsed.
    """

    file: Path
    out: Path
    house: House
    plan: Plan = Plan()
    tell: Tell = lambda event: None
    interrupted: asyncio.Event | None = None
    judge: str | None = None


async def write_ablation(
    path: Path,
    settings: Sequence[Setting],
    house: House,
    out: Path,
    *,
    concurrency: int = 8,
    on_question: Callable[[Question], None] = lambda question: None,
) -> list[ablation.Cell]:
    """Makes an ablation, keeps it in the run file for reports, and writes ablation.md, .csv and .json.

    Args:
        path: the run file.
        settings: the grid.
        house: what it uses of this machine.
        out: the folder.
        concurrency: questions under way at the same time.
        on_question: called with each question as it is done.

    Raises:
        InputError: the run does not hold those settings.
    """
    questions = await ablate(path, settings, house, by_rule, concurrency=concurrency, on_question=on_question)
    found = ablation.cells(questions, settings, target_seconds(path))
    without = ablation.zero_shot(questions)
    with RunFile.open(path) as run:
        context = context_of(run)
        at = {name: getattr(context, name) for name in ("threshold", "max_iterations", "inject")}
        run.store_meta(ablation.META, ablation.kept(found, without, at))
    await asyncio.to_thread(_write, out, path.stem, found, without, at)
    return found


def _write(out: Path, name: str, found: list[ablation.Cell], without: Point, at: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    tables = [("Every setting", [ablation.table(found, without)])]
    texts = {
        "ablation.md": markdown.written(f"Ablation of {name}", tables),
        "ablation.csv": ablation.as_csv(found),
        "ablation.json": ablation.as_json(found, without, at),
    }
    for name, text in texts.items():
        (out / name).write_text(text, "utf-8")


async def floor(work: Work, context: Context, *, size: int = FLOOR, seed: int = 0) -> Written:
    """The zero-shot floor: the target alone on a stratified sample."""
    work.out.mkdir(parents=True, exist_ok=True)
    chosen = sample(list(read_records(work.file)), size, seed, "proportional")
    file = work.out / "sample.jsonl"
    write_records(chosen.records, file)
    run = work.out / "floor.run"
    plan = replace(work.plan, arms=("zero_shot",))
    await _run_and_mark(file, run, context, plan, work)
    return build([run], work.out, store=work.house.clips())


async def iterations(work: Work, context: Context, *, task: Task | None = None) -> Written:
    """T = 1, 3 and 5 at tau = 8, on one task or all, from a single run (Table 5)."""
    full = context.model_copy(update={"early_stop": False, "max_iterations": max(CAPS), "threshold": TAU})
    run = work.out / "iterations.run"
    plan = replace(work.plan, tasks=(task,) if task else ())
    await _run_and_mark(work.file, run, full, plan, work)
    settings = [Setting(cap, TAU, context.inject) for cap in CAPS]
    await write_ablation(run, settings, work.house, work.out, concurrency=plan.concurrency)
    return build([run], work.out, store=work.house.clips())


async def mixture(work: Work, contexts: Mapping[str, Context]) -> Written:
    """The same target with different agents, one run a name: one maker's against a mixture (Table 4).

    Raises:
        InputError: fewer than two names, or the targets differ.
    """
    if len(contexts) < 2 or len({context.target for context in contexts.values()}) > 1:
        raise InputError(
            "Two or more profiles with the same target are needed: name them, and --model target=… for all."
        )
    runs = []
    for name, context in contexts.items():
        run = work.out / f"{name}.run"
        await _run_and_mark(work.file, run, context, work.plan, work)
        runs.append(run)
    return build(runs, work.out, store=work.house.clips())


async def _run_and_mark(file: Path, path: Path, context: Context, plan: Plan, work: Work) -> None:
    end = await run_bench(file, path, context, plan, work.house, tell=work.tell, interrupted=work.interrupted)
    if end["stopped_by"] == INTERRUPTED:
        raise asyncio.CancelledError
    if end["last_error"] and not any(count["answered"] for count in end["arms"].values()):
        raise AureliaError(f"Nothing in {path.name} could be answered; the last error: {end['last_error']}")
    await mark_run(path, house=work.house, judge=work.judge, concurrency=plan.concurrency)
