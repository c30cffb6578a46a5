"""`aurelia train`: an adapter from the reasoning of runs. Nothing heavy is imported before the input is checked."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurelia.cli.ending import print_output
from aurelia.cli.options import DebugOption


def train_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run files of bench run, with the arm aurelia.")],
    base: Annotated[str, typer.Option(metavar="transformers:ID_OR_FOLDER", help="Model to adapt; it stays frozen.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the adapter; an interrupted one is resumed.")],
    form: Annotated[
        list[str] | None,
        typer.Option(
            metavar="answer|plan|use",
            help="What is learned: answer (the answer alone), plan (steps with findings, and answer; the default), use"
            " (the same with the steps given); repeatable.",
        ),
    ] = None,
    media: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the clips.")] = None,
    min_score: Annotated[
        int | None, typer.Option(min=1, max=10, help="Lowest score of a reasoning (default: its run's threshold).")
    ] = None,
    right_only: Annotated[
        bool, typer.Option("--right-only", help="Leave out answers that are wrong, or that no rule decides.")
    ] = False,
    supported: Annotated[
        bool, typer.Option("--supported", help="Only reasoning whose checked claims hold, none contradicted.")
    ] = False,
    keep_leaks: Annotated[
        bool, typer.Option("--keep-leaks", help="Also take reasoning whose steps give the answer away.")
    ] = False,
    working: Annotated[
        Literal["agents", "target"],
        typer.Option(help="Whose findings are learned: the agents', or the target's own reply under the given steps."),
    ] = "agents",
    held_out: Annotated[float, typer.Option(min=0, max=0.9, help="Share of the clips for evaluation.")] = 0.1,
    test: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Benchmark file about whose clips nothing is learned; repeatable."),
    ] = None,
    rank: Annotated[int, typer.Option(min=1, max=1024, help="Rank of the LoRA matrices.")] = 16,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 2e-4,
    epochs: Annotated[float, typer.Option(min=0, help="Passes over the examples.")] = 2.0,
    max_steps: Annotated[int, typer.Option(min=0, help="Number of steps in place of --epochs (0: by epochs).")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Examples in a step on each device, one after the other.")] = 8,
    layers: Annotated[
        Literal["language", "all"],
        typer.Option(help="What is adapted: the language model, or also the encoders of sound and picture."),
    ] = "language",
    qlora: Annotated[bool, typer.Option("--qlora", help="Hold the base in 4 bits (bitsandbytes, CUDA).")] = False,
    every: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints and evaluations.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Seed of adapter, order and split.")] = 0,
    debug: DebugOption = False,
) -> None:
    """Train an adapter of a local model on the reasoning of runs. Use it as transformers:BASE+DIR in any role."""
    from aurelia.bench.runner import RunResources
    from aurelia.train.examples import ExampleSelection
    from aurelia.train.run import train_on_runs
    from aurelia.train.settings import TrainSettings
    from aurelia_core.settings import Settings

    forms: Any = tuple(form or ["plan"])
    selection = ExampleSelection(
        forms, min_score, right_only, supported, keep_leaks, working, held_out, tuple(test or ()), seed
    )
    settings = TrainSettings(rank, rate, epochs, max_steps, batch, layers, qlora, every, seed)
    resources = RunResources(Settings.from_environment(local=True), media)
    trained = train_on_runs(runs, base, out, resources, selection, settings, lambda line: typer.echo(line, err=True))
    print_output(f"{trained.base}+{trained.folder}")
