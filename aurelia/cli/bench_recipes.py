"""The commands of `aurelia bench recipe`: the zero-shot floor, baselines, senses, the paper's tables, hearing.

Each is one command: run it again to resume; `--dry-run` says what it will cost and asks nothing.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurelia.cli.bench_report import (
    ConcurrencyOption,
    FolderOut,
    JudgeOption,
    MediaOption,
    QuestionsArgument,
)
from aurelia.cli.options import DebugOption, ModelOption, ProfileOption, context_from_options
from aurelia_core.settings import Settings

if TYPE_CHECKING:
    from aurelia.bench.conditions import Condition
    from aurelia.report.recipes import RecipeInput

recipe_app = typer.Typer(no_args_is_help=True, help="Run, score and compare in one command; run it again to resume.")
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print calls, tokens and dollars to come, and ask nothing.")
]
TargetsOption = Annotated[
    list[str], typer.Option("--target", metavar="PROVIDER:MODEL", help="Target model; repeatable.")
]
_Plan = Callable[["RecipeInput"], tuple["RecipeInput", list["Condition"]]]


@recipe_app.command("floor")
def floor_command(
    file: QuestionsArgument,
    out: FolderOut = Path("floor"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    size: Annotated[int, typer.Option(min=1, help="Questions in the stratified sample.")] = 100,
    seed: Annotated[int, typer.Option(help="Random seed of the sample.")] = 0,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure the target alone on a stratified sample."""
    context = context_from_options(profile, model, {})
    from aurelia.report import baselines

    _run(
        lambda work: baselines.run_floor(work, context, size, seed),
        lambda work: (work, [baselines.floor_condition(work, context, size, seed)]),
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("baselines")
def baselines_command(
    file: QuestionsArgument,
    clip_calls: Annotated[
        int, typer.Option(min=5, max=16, help="Calls with the clip for each question, at most: 2 T + 1 for T attempts.")
    ] = 7,
    out: FolderOut = Path("baselines"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    describer: Annotated[
        str | None, typer.Option(metavar="PROVIDER:MODEL", help="Model that writes the script of the clip.")
    ] = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare the loop with other uses of the same calls: vote, best of n, own steps, script, no guide, zero-shot."""
    context = context_from_options(profile, model, {})
    from aurelia.report import baselines

    _run(
        lambda work: baselines.run_baselines(work, context, clip_calls=clip_calls, describer=describer),
        lambda work: (work, baselines.baseline_conditions(file, context, clip_calls, describer)),
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("senses")
def senses_command(
    file: QuestionsArgument,
    out: FolderOut = Path("senses"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Ask the same questions without sound, without picture, with those of another clip, and without the clip."""
    context = context_from_options(profile, model, {})
    from aurelia.report import senses

    def plan(work: Any) -> Any:
        ready, named, _ = senses.prepare_senses(work)
        return ready, senses.sense_conditions(named, context)

    _run(
        lambda work: senses.run_senses(work, context),
        plan,
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("table1")
def table1_command(
    file: QuestionsArgument,
    target: TargetsOption,
    out: FolderOut = Path("table1"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare targets with and without AURELIA in every column, beside the paper's two zero-shot figures (Table 1)."""
    context = context_from_options(profile, model, {})
    from aurelia.report import paper_recipes

    _run(
        lambda work: paper_recipes.run_table1(work, context, target),
        lambda work: (work, paper_recipes.table1_conditions(file, context, target)),
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("table4")
def table4_command(
    file: QuestionsArgument,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|FILE.toml", help="A set of agents; give two or more (default: gemini and paper)."),
    ] = None,
    out: FolderOut = Path("table4"),
    media: MediaOption = None,
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare two or more sets of agents with one target (Table 4)."""
    names = profile or ["gemini", "paper"]
    contexts = {Path(name).stem: context_from_options(name, model, {}) for name in names}
    from aurelia.report import paper_recipes

    _run(
        lambda work: paper_recipes.run_table4(work, contexts),
        lambda work: (work, paper_recipes.table4_conditions(file, contexts)),
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("table5")
def table5_command(
    file: QuestionsArgument,
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Only questions of this task.")] = None,
    out: FolderOut = Path("table5"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare T = 1 to 5 at threshold 8, from one run (Table 5)."""
    context = context_from_options(profile, model, {})
    from aurelia.report import paper_recipes as paper

    cap, tau = max(paper.TABLE5_CAPS), paper.TABLE5_THRESHOLD

    def plan(work: "RecipeInput") -> tuple["RecipeInput", list["Condition"]]:
        work = paper.input_of_task(work, task)
        return work, [paper.grid_condition(work.file, context, cap, tau)]

    _run(
        lambda work: paper.run_table5(paper.input_of_task(work, task), context),
        plan,
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("table6")
def table6_command(
    file: QuestionsArgument,
    out: FolderOut = Path("table6"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare thresholds 4 to 10 at T = 5, from one run (Table 6)."""
    context = context_from_options(profile, model, {})
    from aurelia.report import paper_recipes as paper

    cap, tau = paper.TABLE6_CAP, max(paper.TABLE6_THRESHOLDS)
    _run(
        lambda work: paper.run_table6(work, context),
        lambda work: (work, [paper.grid_condition(file, context, cap, tau)]),
        _Inputs(file, out, media, concurrency, judge, dry_run),
    )


@recipe_app.command("hearing")
def hearing_command(
    target: TargetsOption,
    out: FolderOut = Path("hearing"),
    profile: ProfileOption = "offline",
    concurrency: ConcurrencyOption = 8,
    dry_run: DryRunOption = False,
    debug: DebugOption = False,
) -> None:
    """Find out whether models hear and see: 8 questions that need the sound, and 8 that need the picture, for each."""
    context = context_from_options(profile, None, {})
    from aurelia.report import hearing

    _run(
        lambda work: hearing.run_hearing(work, target, context),
        lambda work: hearing.prepare_hearing(work, target, context),
        _Inputs(out / "heard.jsonl", out, None, concurrency, None, dry_run),
    )


class _Inputs:
    """What every recipe is given on the command line."""

    def __init__(
        self, file: Path, out: Path, media: Path | None, concurrency: int, judge: str | None, dry_run: bool
    ) -> None:
        self.file, self.out, self.media = file, out, media
        self.concurrency, self.judge, self.dry_run = concurrency, judge, dry_run

    def work(self, **more: Any) -> "RecipeInput":
        """The input of a recipe."""
        from aurelia.bench.run_plan import Plan
        from aurelia.bench.runner import RunResources
        from aurelia.report.recipes import RecipeInput

        resources = RunResources(Settings.from_environment(local=True), self.media)
        plan = Plan(concurrency=self.concurrency)
        return RecipeInput(self.file, self.out, resources, plan, judge=self.judge, **more)


def _run(recipe: Callable[["RecipeInput"], Any], plan: _Plan, inputs: _Inputs) -> None:
    """Run a recipe with its progress, or print what it will cost."""
    from aurelia.cli.tables import print_table

    if inputs.dry_run:
        from aurelia.report.baselines import recipe_forecast

        ready, conditions = plan(inputs.work())
        _, table = recipe_forecast(conditions, ready)
        print_table(table)
        return
    from aurelia.bench.progress import ProgressDisplay
    from aurelia.bench.runner import run_interruptibly

    with ProgressDisplay() as display:
        written = run_interruptibly(lambda stop: recipe(inputs.work(on_event=display.event, interrupted=stop)))
    for table in written.shown:
        print_table(table)
    typer.echo(f"Written: {written.markdown} and the folder {written.tables.name}.", err=True)
