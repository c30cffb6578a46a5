"""The commands under `aurelia mini`. Progress goes to stderr, results to stdout."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from aurelia.cli.options import DebugOption

app = typer.Typer(
    no_args_is_help=True, help="The mini world: render clips, train the mini target, measure what the loop does."
)

Questions = Annotated[int, typer.Option(min=1, help="Number of questions.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed for the choice of the questions.")]
First = Annotated[int, typer.Option(min=0, help="Seed of the first clip: from 0 for tests, from 500000 for decisions.")]
Each = Annotated[int, typer.Option(min=1, max=20, help="Questions for each clip.")]


@app.command()
def train(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the checkpoint into.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Duration of the training.")] = 60.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and clips.")] = 0,
    cores: Annotated[int, typer.Option(min=1, max=64, help="Number of processes.")] = 2,
    debug: DebugOption = False,
) -> None:
    """Train the mini target from scratch, on clips that never repeat."""
    from aurelia_offline.training.train import TrainingSettings, train_checkpoint

    folder = train_checkpoint(out, TrainingSettings(minutes=minutes, seed=seed, cores=cores), _print_progress)
    sys.stdout.write(f"{folder}\n")


@app.command()
def render(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the benchmark and its clips into.")],
    questions: Questions = 1000,
    seed: Seed = 0,
    first: First = 0,
    each: Each = 4,
    dances: Annotated[int, typer.Option(min=0, help="Added dances with four tracks each (DM-Match).")] = 0,
    talks: Annotated[int, typer.Option(min=0, help="Added follow-ups on a dialogue.")] = 0,
    debug: DebugOption = False,
) -> None:
    """Write questions about the mini world as a benchmark file, with their clips as mp4 files."""
    from aurelia_offline.world.benchmark import write_benchmark

    benchmark = write_benchmark(out, questions, seed, first, each, _print_progress, dances, talks)
    where = f"{benchmark.file.name}, media in {benchmark.media.name}"
    sys.stdout.write(f"{benchmark.questions} questions on {benchmark.clips} clips: {where}\n")


@app.command()
def unusual(
    kind: Annotated[str, typer.Argument(metavar="SET", help="signals or gestures.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write the records and clips into.")],
    clips: Annotated[int, typer.Option(min=1, help="Number of clips.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the set.")] = 0,
    debug: DebugOption = False,
) -> None:
    """Render a benchmark outside the mini world: warning signals, or gestures with sounds in other orders."""
    from typing import Any

    from aurelia_core.errors import InputError
    from aurelia_offline.world.unusual import OFFLINE_NOTE, UNUSUAL_SETS, write_unusual_set

    if kind not in UNUSUAL_SETS:
        raise InputError(f"There is no set {kind!r}: choose {' or '.join(UNUSUAL_SETS)}.")
    chosen: Any = kind
    found = write_unusual_set(chosen, out, clips, seed, _print_progress)
    sys.stdout.write(f"{found.questions} questions on {found.clips} clips: {found.file.name}, {found.card.name}\n")
    sys.stderr.write(f"{OFFLINE_NOTE}\n")


@app.command()
def study(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for clips, runs and tables; an existing study is resumed.")
    ],
    questions: Questions = 1000,
    target: Annotated[str, typer.Option(metavar="PROVIDER:MODEL", help="The target.")] = "transformers:mini",
    seed: Seed = 0,
    controlled: Annotated[int, typer.Option(min=1, help="Questions for the controls.")] = 500,
    ablated: Annotated[int, typer.Option(min=0, help="Questions for the tables over T and tau (0: no tables).")] = 200,
    reliant: Annotated[
        int, typer.Option(min=0, help="Questions for the table of modality reliance (0: no table).")
    ] = 200,
    first: First = 0,
    mixed: Annotated[int, typer.Option(min=0, help="Questions for the table of mixed agents (0: no table).")] = 96,
    talks: Annotated[int, typer.Option(min=0, help="Added follow-ups on a dialogue.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions at the same time.")] = 4,
    debug: DebugOption = False,
) -> None:
    """Measure what the loop does for a target: every condition with the real graph, as Markdown tables."""
    import asyncio

    from aurelia_offline.study.loops import StudySettings
    from aurelia_offline.study.study import run_study

    settings = StudySettings(
        out, questions, target, seed, concurrency, _print_progress, ablated, reliant, first, controlled, mixed, talks
    )
    sys.stdout.write(asyncio.run(run_study(settings)))


@app.command()
def recovery(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for clips, runs and the table; an existing study is resumed.")
    ],
    clips: Annotated[int, typer.Option(min=1, help="Number of clips.")] = 100,
    first: First = 0,
    critics: Annotated[
        list[str] | None, typer.Option("--critic", metavar="NAME", help="Critic to measure; repeatable; none: all.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Questions at the same time.")] = 4,
    debug: DebugOption = False,
) -> None:
    """Plant a wrong fact in the first attempt, and measure how often the loop notices and corrects it."""
    import asyncio

    from aurelia_offline.study.error_recovery import CRITICS, run_recovery
    from aurelia_offline.study.loops import StudySettings

    settings = StudySettings(
        out, clips, "offline:measure", first=first, concurrency=concurrency, progress=_print_progress
    )
    sys.stdout.write(asyncio.run(run_recovery(settings, critics or tuple(CRITICS))))


@app.command()
def learn(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder for adapters, cells and tables; an existing study is resumed.")
    ],
    questions: Questions = 1000,
    others: Annotated[int, typer.Option(min=1, help="Questions of each other kind, for what is forgotten.")] = 200,
    trained: Annotated[int, typer.Option(min=4, help="Training questions of the main table.")] = 1000,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the main table.")] = 3,
    curve: Annotated[list[int] | None, typer.Option(min=4, help="Further sizes of the curve; repeatable.")] = None,
    noise: Annotated[
        list[float] | None, typer.Option(min=0, max=1, help="Shares of planted errors (0 to 1); repeatable.")
    ] = None,
    graph: Annotated[int, typer.Option(min=0, help="Questions through files, graph and runner (0: none).")] = 200,
    minutes: Annotated[float, typer.Option(min=0, help="Begin no further adapter after so long (0: no limit).")] = 0.0,
    debug: DebugOption = False,
) -> None:
    """Measure whether training on the reasoning beats injecting it: adapters of the mini target, as Markdown tables."""
    from aurelia_offline.learning.study import LearningStudy, run_learning_study

    known = LearningStudy(out)
    study = LearningStudy(
        out, questions, others, trained, seeds, tuple(curve or known.curve), tuple(noise or known.noise), minutes,
        graph, _print_progress,
    )  # fmt: skip
    sys.stdout.write(run_learning_study(study))


@app.command()
def card(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Checkpoints of the mini target.")],
    questions: Questions = 1000,
    first: First = 0,
    debug: DebugOption = False,
) -> None:
    """Measure checkpoints in every prompt mode and control, directly from the scenes, for the model card.

    For several checkpoints, for example of several seeds, it prints the spread.
    """
    from aurelia_offline.training.evaluate import draw_items
    from aurelia_offline.training.model_card import card_table, list_gains, measure_checkpoint, spread_table

    known = draw_items(questions, first)
    found = [measure_checkpoint(folder, questions, first, _print_progress) for folder in folders]
    several = len(found) > 1
    sys.stdout.write(
        f"{spread_table(found)}\n" if several else f"{card_table(known, found[0])}\n\n{list_gains(known, found[0])}\n"
    )


def _print_progress(line: object) -> None:
    typer.echo(str(line), err=True)
