"""The commands of `aurelia bench` that read runs: report, ablate and the recipes. Thin skins, quick to import."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurelia.cli.options import DebugOption, ModelOption, ProfileOption, context_from_options
from aurelia_core.errors import InputError
from aurelia_core.settings import Settings

report_app = typer.Typer(no_args_is_help=True, help="Read what benchmark runs came to.")
recipe_app = typer.Typer(
    no_args_is_help=True, help="Run, score and report in one command; stopped, it goes on from there."
)
report_app.add_typer(recipe_app, name="recipe")

RUN_ARGUMENT = typer.Argument(metavar="RUN", help="A run file that bench run has made.")
FolderOut = Annotated[Path, typer.Option(metavar="DIR", help="Folder for what is written.")]
MediaOption = Annotated[Path | None, typer.Option("--media", metavar="DIR", help="Folder with the clips.")]
QuestionsArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The questions: benchmark records, one a line (JSONL).")
]
ConcurrencyOption = Annotated[int, typer.Option(min=1, help="Answers worked on, and calls to a provider, at once.")]
JudgeOption = Annotated[
    str | None,
    typer.Option("--judge", metavar="PROVIDER:MODEL", help="Asked where no rule can read an answer (default: none)."),
]


@report_app.command("report")
def report_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run files; several are compared.")],
    out: FolderOut = Path("report"),
    embed: Annotated[
        Literal["full", "few", "none"], typer.Option(help="Pictures in the page: of all questions, of 40, or none.")
    ] = "few",
    media: MediaOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """Score what is not scored yet, and write report.html (one page that needs nothing else) and report.md."""
    from aurelia.bench.score_run import score_run_file
    from aurelia.report.build import build_report

    house = _resources(media)
    for path in runs:
        count = asyncio.run(score_run_file(path, house=house, judge=judge, concurrency=concurrency))
        typer.echo(f"{path.name}: {count} answers scored.", err=True)
    written = build_report(runs, out, media=embed, store=house.clips() if embed != "none" else None)
    typer.echo(f"Written: {written.html} and {written.markdown.name}.", err=True)


@report_app.command("ablate")
def ablate_command(
    run: Annotated[Path, RUN_ARGUMENT],
    out: FolderOut = Path("ablation"),
    iterations: Annotated[str, typer.Option(metavar="N..M", help="Numbers of attempts: 1..5 or 1,3,5.")] = "1..5",
    thresholds: Annotated[str, typer.Option(metavar="N..M", help="Thresholds: 1..10 or 4,8.")] = "1..10",
    inject: Annotated[
        list[str] | None, typer.Option(metavar="WHAT", help="steps, steps+answers or full (default: the run's).")
    ] = None,
    media: MediaOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """Read every smaller setting off one run that went on to its cap; only the target is asked again."""
    caps, taus = _parse_numbers(iterations, "--iterations"), _parse_numbers(thresholds, "--thresholds")
    house = _resources(media)
    from aurelia.bench.ablation import run_context as settings_of
    from aurelia.bench.ablation import setting_grid
    from aurelia.bench.run_file import RunFile
    from aurelia.report.recipes import write_ablation

    with RunFile.open(run) as opened:
        given: Any = inject or [settings_of(opened).inject]
    cells = asyncio.run(write_ablation(run, setting_grid(caps, taus, given), house, out, concurrency=concurrency))
    typer.echo(f"{len(cells)} settings written to {out.name}/ablation.md, .csv and .json.", err=True)


@report_app.command("langsmith")
def langsmith_command(
    run: Annotated[Path, RUN_ARGUMENT],
    debug: DebugOption = False,
) -> None:
    """Send a scored run to LangSmith: a data set, and an experiment an arm; without LANGSMITH_API_KEY only print it."""
    import os

    from aurelia.bench.run_file import RunFile

    with RunFile.open(run) as opened:
        from langsmith import Client

        from aurelia.report.langsmith_export import export_experiments

        key = os.environ.get("LANGSMITH_API_KEY")
        for one in export_experiments(opened, Client() if key else None):
            scores = ", ".join(f"{name} {mean:.3f}" for name, mean in one.scores.items())
            typer.echo(f"{one.name}: {one.examples} examples, {scores or 'not scored yet: bench report scores'}")
        if not key:
            typer.echo("Nothing was sent: LANGSMITH_API_KEY is not set.", err=True)


@recipe_app.command("floor")
def floor_command(
    file: QuestionsArgument,
    out: FolderOut = Path("floor"),
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    size: Annotated[int, typer.Option(min=1, help="Questions in the stratified sample.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """The zero-shot floor: the target alone on a stratified sample."""
    context = context_from_options(profile, model, {})
    from aurelia.report import recipes as made

    _run_recipe(lambda work: made.run_floor(work, context, size=size, seed=seed), file, out, media, concurrency, judge)


@recipe_app.command("iterations")
def iterations_command(
    file: QuestionsArgument,
    out: FolderOut = Path("iterations"),
    task: Annotated[str | None, typer.Option(metavar="TASK", help="Only questions of this task.")] = None,
    media: MediaOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """T = 1, 3 and 5 at tau = 8 from one run (the paper's Table 5)."""
    context = context_from_options(profile, model, {})
    from aurelia.bench.run_plan import make_plan
    from aurelia.report import recipes as made

    make_plan(arms="aurelia", tasks=[task] if task else [], rpm=[])
    chosen: Any = task
    _run_recipe(lambda work: made.run_iterations(work, context, task=chosen), file, out, media, concurrency, judge)


@recipe_app.command("mixture")
def mixture_command(
    file: QuestionsArgument,
    profile: Annotated[
        list[str] | None, typer.Option(metavar="NAME|FILE.toml", help="One set of agents; give two or more.")
    ] = None,
    out: FolderOut = Path("mixture"),
    media: MediaOption = None,
    model: ModelOption = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """Agents of one maker against a mixture, with the same target (the paper's Table 4)."""
    names = profile or ["gemini", "paper"]
    contexts = {Path(name).stem: context_from_options(name, model, {}) for name in names}
    from aurelia.report import recipes as made

    _run_recipe(lambda work: made.run_mixture(work, contexts), file, out, media, concurrency, judge)


def _run_recipe(recipe: Any, file: Path, out: Path, media: Path | None, concurrency: int, judge: str | None) -> None:
    from aurelia.bench.interrupts import run_interruptibly
    from aurelia.bench.progress import ProgressDisplay
    from aurelia.bench.run_plan import Plan
    from aurelia.report.recipes import RecipeInput

    house, plan = _resources(media), Plan(concurrency=concurrency)
    with ProgressDisplay() as display:
        written = run_interruptibly(
            lambda stop: recipe(RecipeInput(file, out, house, plan, display.event, stop, judge))
        )
    typer.echo(f"Written: {written.html} and {written.markdown.name}.", err=True)


def _resources(media: Path | None) -> Any:
    from aurelia.bench.runner import RunResources

    return RunResources(Settings.from_environment(local=True), media)


def _parse_numbers(text: str, option: str) -> Sequence[int]:
    """Whole numbers from "1..5" or "1,3,5"."""
    if found := re.fullmatch(r"(\d+)\.\.(\d+)", text.strip()):
        return range(int(found[1]), int(found[2]) + 1)
    if re.fullmatch(r"\d+(,\d+)*", text.strip()):
        return sorted({int(part) for part in text.split(",")})
    raise InputError(f"{option} {text} cannot be used: write it as 1..5 or as 1,3,5.")
