"""The commands under `aurelia bench`: thin skins over `aurelia.bench`. Progress goes to stderr, results to stdout."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurelia.cli import bench_import as bench_import_cli
from aurelia.cli import bench_report as bench_report_cli
from aurelia.cli.options import DebugOption, JsonOption, ModelOption, ProfileOption, context_from_options
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.sanitize import dump_visible_json, escape_invisible
from aurelia_core.settings import Settings

bench_app = typer.Typer(no_args_is_help=True, help="Make benchmarks, run them, and read what came out.")
bench_app.add_typer(bench_import_cli.import_app)
bench_app.add_typer(bench_report_cli.report_app)

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run file that bench run has made.")]


@bench_app.command("run")
def run_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The questions: benchmark records, one a line (JSONL).")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The run file; one that exists is gone on with.")],
    media: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the media; nothing outside it is read.")
    ] = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    threshold: Annotated[int | None, typer.Option(min=1, max=10, help="Score at which the loop ends.")] = None,
    max_iterations: Annotated[int | None, typer.Option(min=1, max=10, help="Attempts at most.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Make every attempt, threshold or not: such a run serves bench ablate.")
    ] = False,
    inject: Annotated[
        Literal["steps", "steps+answers", "full"] | None,
        typer.Option(help="What of the best reasoning the target is given."),
    ] = None,
    arms: Annotated[str, typer.Option(metavar="ARM,…", help="zero_shot, aurelia, or both.")] = "zero_shot,aurelia",
    task: Annotated[
        list[str] | None, typer.Option(metavar="TASK", help="Only this task; give it once for each.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N questions; may grow later.")] = None,
    rollout: Annotated[int, typer.Option(min=0, help="Number of the independent repetition.")] = 0,
    concurrency: Annotated[
        int, typer.Option(min=1, help="Answers worked on, and calls to a provider, at once; with --server: on each.")
    ] = 8,
    rpm: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER=N", help="Calls a minute at most to a provider.")
    ] = None,
    max_tries: Annotated[
        int, typer.Option(min=1, help="Times a question that fails is asked in all, once each time this is run.")
    ] = 3,
    max_cost_usd: Annotated[float | None, typer.Option(help="Budget of the whole run in dollars.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Budget of the whole run in tokens.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Budget of the whole run in seconds of work.")] = None,
    require_media: Annotated[
        bool, typer.Option("--require-media", help="Leave out questions whose media are not there.")
    ] = False,
    server: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Let this LangGraph server answer; give it once for each of several."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="AURELIA_SERVER_TOKEN", metavar="TOKEN", help="What lets you in there.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            envvar="AURELIA_BENCH_CHECKPOINT",
            help="Also keep every question as a thread here: a SQLite file or a postgresql:// URL.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every event as one JSON object a line.")] = False,
    debug: DebugOption = False,
) -> None:
    """Ask a benchmark's questions, with and without AURELIA; what is stored already is not asked or paid again."""
    overrides = {"threshold": threshold, "max_iterations": max_iterations, "inject": inject, "rollout": rollout}
    context = context_from_options(profile, model, {**overrides, "early_stop": False if full else None})
    from aurelia.bench.run_plan import Budget, make_plan

    plan = make_plan(
        arms=arms,
        tasks=task or [],
        limit=limit,
        concurrency=concurrency,
        rpm=rpm or [],
        max_tries=max_tries,
        require_media=require_media,
        budget=Budget(max_cost_usd, max_tokens, max_seconds),
    )
    from aurelia.bench.interrupts import run_interruptibly
    from aurelia.bench.progress import ProgressDisplay
    from aurelia.bench.runner import RunResources, run_bench

    settings = Settings.from_environment(local=True)
    house = RunResources(settings, media, servers=tuple(server or ()), token=token, checkpoint=checkpoint)

    def carry_out(tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        return run_interruptibly(lambda stop: run_bench(file, out, context, plan, house, tell=tell, interrupted=stop))

    if as_json:
        _check_outcome(carry_out(_print_json), out)
        return
    with ProgressDisplay() as display:
        end = carry_out(display.event)
    _check_outcome(end, out)


def _check_outcome(end: dict[str, Any], out: Path) -> None:
    from aurelia.bench.session import INTERRUPTED

    if end["stopped_by"] == INTERRUPTED:
        raise KeyboardInterrupt
    if end["last_error"] and not any(count["answered"] for count in end["arms"].values()):
        raise AureliaError(f"Nothing in {out.name} could be answered; the last error: {end['last_error']}")


@bench_app.command("status")
def status_command(run: RunArgument, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Show how far a run is: answers by arm, cost and tokens so far."""
    from aurelia.bench.export import run_status

    found = run_status(run)
    if as_json:
        _print_json(found)
        return
    for key, value in found.items():
        shown = dump_visible_json(value) if isinstance(value, dict) else escape_invisible(str(value))
        sys.stdout.write(f"{key:<12}{shown}\n")


@bench_app.command("export")
def export_command(
    run: RunArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    form: Annotated[
        Literal["jsonl", "csv", "parquet"] | None, typer.Option("--format", help="Its form (default: by its ending).")
    ] = None,
    training: Annotated[
        bool, typer.Option("--training", help="Write the reasoning as a training set in chat form (JSONL).")
    ] = False,
    min_score: Annotated[
        int | None, typer.Option(min=1, max=10, help="With --training: lowest score (default: the run's threshold).")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Write a run's answers as a table, or its reasoning as a training set."""
    from aurelia.bench import export as exporting

    if training:
        count = exporting.export_training_set(run, out, min_score)
    elif min_score is not None:
        raise InputError("--min-score goes with --training: leave it out, or add that.")
    else:
        count = exporting.export_table(run, out, form)
    typer.echo(f"{count} rows written to {out.name}.", err=True)


def _print_json(event: dict[str, Any]) -> None:
    sys.stdout.write(dump_visible_json(event) + "\n")
    sys.stdout.flush()
