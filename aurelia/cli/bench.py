"""The commands under `aurelia bench`, on top of `aurelia.bench`. Progress goes to stderr, results to stdout."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurelia.cli import bench_import as bench_import_cli
from aurelia.cli import bench_recipes as bench_recipes_cli
from aurelia.cli import bench_report as bench_report_cli
from aurelia.cli.options import (
    CandidatesOption,
    DebugOption,
    JsonOption,
    ModelOption,
    ProfileOption,
    SettingOption,
    StrategyOption,
    context_from_options,
)
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.sanitize import dump_visible_json, escape_invisible
from aurelia_core.settings import Settings

bench_app = typer.Typer(no_args_is_help=True, help="Make benchmarks, run them, and read the results.")
bench_app.add_typer(bench_import_cli.import_app)
bench_app.add_typer(bench_report_cli.report_app)
bench_app.add_typer(bench_recipes_cli.recipe_app, name="recipe")

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Run file written by bench run.")]


@bench_app.command("run")
def run_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Benchmark records, one per line (JSONL).")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run file; an existing run is resumed.")],
    media: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the media; files outside it are refused.")
    ] = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    setting: SettingOption = None,
    threshold: Annotated[
        int | None, typer.Option(min=1, max=10, help="Score at which the loop ends (default: the profile's).")
    ] = None,
    max_iterations: Annotated[
        int | None, typer.Option(min=1, max=10, help="Maximum number of attempts (default: the profile's).")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Make all attempts, also after the threshold is met, as bench ablate needs it."),
    ] = False,
    inject: Annotated[
        Literal["steps", "steps+answers", "full"] | None,
        typer.Option(help="Part of the best reasoning that the target receives (default: the profile's)."),
    ] = None,
    strategy: StrategyOption = None,
    candidates: CandidatesOption = None,
    arms: Annotated[str, typer.Option(metavar="ARM,…", help="zero_shot, aurelia, or both.")] = "zero_shot,aurelia",
    task: Annotated[list[str] | None, typer.Option(metavar="TASK", help="Only this task; repeatable.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first N questions; a later run may raise it.")
    ] = None,
    rollout: Annotated[int, typer.Option(min=0, help="Number of this independent repetition.")] = 0,
    concurrency: Annotated[
        int,
        typer.Option(min=1, help="Questions at once, and calls at once to each provider, over all --workers together."),
    ] = 8,
    rpm: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER=N", help="Maximum calls per minute to a provider; repeatable.")
    ] = None,
    max_tries: Annotated[
        int, typer.Option(min=1, help="Maximum tries of a failing question; each run of this command makes one.")
    ] = 3,
    stop_after_failures: Annotated[
        int, typer.Option(min=0, metavar="N", help="Stop if the first N answers all fail with one error (0: never).")
    ] = 8,
    max_cost_usd: Annotated[float | None, typer.Option(help="Budget of the whole run in US dollars.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Budget of the whole run in tokens.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="Budget of the whole run in calls of models.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Budget of the whole run in seconds of processing.")] = None,
    require_media: Annotated[
        bool, typer.Option("--require-media", help="Skip questions whose media are missing.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="URL of a LangGraph server that answers the questions."),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="AURELIA_SERVER_TOKEN", metavar="TOKEN", help="Access token of the server.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Hold the models in Ray actors: the address of a cluster, auto for a running one, local to start one.",
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of Ray actors.")] = 2,
    gpus_per_worker: Annotated[float, typer.Option(min=0.0, help="GPUs of each Ray actor; 0.5: two share one.")] = 0.0,
    cpus_per_worker: Annotated[float, typer.Option(min=0.0, help="CPUs reserved for each Ray actor.")] = 1.0,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            envvar="AURELIA_BENCH_CHECKPOINT",
            help="Also store each question as a thread: a SQLite file or a postgresql:// URL.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one JSON object per line.")] = False,
    debug: DebugOption = False,
) -> None:
    """Ask the questions of a benchmark. Finished questions are not asked or paid again."""
    overrides: dict[str, Any] = {
        "threshold": threshold,
        "max_iterations": max_iterations,
        "inject": inject,
        "rollout": rollout,
    }
    overrides |= {"strategy": strategy, "candidates": candidates}
    if full:
        overrides["early_stop"] = False
    context = context_from_options(profile, model, overrides, setting)
    from aurelia.bench.run_plan import Budget, make_plan

    plan = make_plan(
        arms=arms,
        tasks=task or [],
        limit=limit,
        concurrency=concurrency,
        rpm=rpm or [],
        max_tries=max_tries,
        require_media=require_media,
        stop_after_failures=stop_after_failures,
        budget=Budget(max_cost_usd, max_tokens, max_seconds, max_calls),
    )
    from aurelia.bench.progress import ProgressDisplay
    from aurelia.bench.ray_models import RayPlan
    from aurelia.bench.runner import RunResources, run_bench, run_interruptibly

    settings = Settings.from_environment(local=True)
    ray_plan: RayPlan | None = None
    if ray:
        ray_plan = RayPlan(ray, workers, gpus_per_worker, cpus_per_worker)
    resources = RunResources(settings, media, server=server, token=token, checkpoint=checkpoint, ray=ray_plan)

    def run_with(on_event: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        return run_interruptibly(
            lambda stop: run_bench(file, out, context, plan, resources, on_event=on_event, interrupted=stop)
        )

    if as_json:
        end = run_with(_print_json)
    else:
        with ProgressDisplay() as display:
            end = run_with(display.event)
    _check_outcome(end, out)


def _check_outcome(end: dict[str, Any], out: Path) -> None:
    """Check how a run ended.

    Raises:
        KeyboardInterrupt: it was interrupted.
        AureliaError: no question was answered.
    """
    from aurelia.bench.session import INTERRUPTED

    if end["stopped_by"] == INTERRUPTED:
        raise KeyboardInterrupt
    if end["last_error"] and not any(count["answered"] for count in end["arms"].values()):
        raise AureliaError(f"No question of {out.name} was answered. Last error: {end['last_error']}")


@bench_app.command("status")
def status_command(run: RunArgument, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Show the progress and the cost of a run."""
    from aurelia.bench.export import run_status

    found = run_status(run)
    if as_json:
        _print_json(found)
        return
    from aurelia.bench.progress import ARM_LABELS, count_text
    from aurelia.bench.tally import ARM_COUNTS

    lines = {"run": found["run"], "questions": _questions_text(found), "answers": _progress_text(found)}
    for arm, label in ARM_LABELS.items():
        if arm in found["answered"]:
            lines[label] = count_text({name: found[name][arm] for name in ARM_COUNTS})
    cost = "unknown"
    if found["cost_usd"] is not None:
        cost = f"${found['cost_usd']:.4f}"
    lines["cost"] = f"{cost}, {found['calls']} calls, {found['tokens']} tokens, {found['seconds']} s of work"
    for name in ("models", "servers", "reported"):
        if found[name]:
            lines[name] = dump_visible_json(found[name])
    for name, text in lines.items():
        sys.stdout.write(f"{name:<14}{escape_invisible(text)}\n")


def _questions_text(found: dict[str, Any]) -> str:
    text = f"{found['questions']} in the run file"
    if found["limit"] is not None and found["limit"] < found["questions"]:
        text += f", the first {found['limit']} are asked"
    if found["left_out"]:
        text += f", {found['left_out']} left out because their media are missing"
    return text


def _progress_text(found: dict[str, Any]) -> str:
    """Answers made of those to be made in all arms, and the time left."""
    text = f"{found['planned'] - found['left']} of {found['planned']} answers"
    failed = sum(found["failed"].values())
    if failed:
        text += f", {failed} failed"
    if found["left"] and found["seconds_left"] is not None:
        minutes, seconds = divmod(round(found["seconds_left"]), 60)
        text += f", about {minutes} min {seconds} s left at the pace so far"
    return text


@bench_app.command("salvage")
def salvage_command(
    run: RunArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="New run file for what can be read.")],
    debug: DebugOption = False,
) -> None:
    """Copy what is whole in a damaged run file into a new one. The damaged file is not changed."""
    from aurelia.bench.salvage import salvage_run

    for name, rows in salvage_run(run, out).items():
        sys.stdout.write(f"{name:<14}{rows.read} rows{f', about {rows.lost} lost' if rows.lost else ''}\n")
    sys.stderr.write(f"Written: {out.name}. bench run resumes it and asks what is missing.\n")


@bench_app.command("export")
def export_command(
    run: RunArgument,
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write.")],
    form: Annotated[
        Literal["jsonl", "csv", "parquet"] | None,
        typer.Option("--format", help="Format of the file (default: by its ending)."),
    ] = None,
    training: Annotated[
        bool, typer.Option("--training", help="Write the reasoning as a training set of chats (JSONL).")
    ] = False,
    min_score: Annotated[
        int | None,
        typer.Option(
            min=1, max=10, help="With --training: lowest score of a reasoning (default: the run's threshold)."
        ),
    ] = None,
    style: Annotated[
        Literal["trl", "swift", "llama-factory"] | None,
        typer.Option(help="With --training: the trainer that reads the file (default: trl)."),
    ] = None,
    right_only: Annotated[bool, typer.Option("--right-only", help="With --training: only right answers.")] = False,
    media: Annotated[
        str | None, typer.Option(metavar="DIR", help="With --training: folder before the names of the media.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Export the answers or the reasoning of a run. Answers give a table, reasoning a training set with a card.

    A training set has no question of a test split, and no answer that abstains or cannot be read.
    """
    from aurelia.bench import export as exporting

    if training:
        from aurelia.bench.training import TrainingOptions, export_training_set

        options = TrainingOptions(min_score, style or "trl", right_only, media)
        written = export_training_set(run, out, options)
        typer.echo(f"{out.name}: {written}.", err=True)
        return
    if min_score is not None or style or right_only or media:
        raise InputError("--min-score, --style, --right-only and --media need --training: add it, or leave them out.")
    count = exporting.export_table(run, out, form)
    typer.echo(f"{count} rows written to {out.name}.", err=True)


def _print_json(event: dict[str, Any]) -> None:
    sys.stdout.write(dump_visible_json(event) + "\n")
    sys.stdout.flush()
