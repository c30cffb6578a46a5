"""The commands of `aurelia bench` that read runs: report, score, view, rate, ablate, langsmith. Quick to import."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from aurelia.cli.options import DebugOption
from aurelia_core.errors import InputError
from aurelia_core.settings import Settings

report_app = typer.Typer(no_args_is_help=True, help="Read the results of benchmark runs.")

RUN_ARGUMENT = typer.Argument(metavar="RUN", help="Run file written by bench run.")
FolderOut = Annotated[Path, typer.Option(metavar="DIR", help="Folder of the output.")]
MediaOption = Annotated[Path | None, typer.Option("--media", metavar="DIR", help="Folder of the clips.")]
QuestionsArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Benchmark records, one per line (JSONL).")]
ConcurrencyOption = Annotated[int, typer.Option(min=1, help="Questions at once, and calls at once to each provider.")]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge", metavar="PROVIDER:MODEL", help="Model that reads answers that no rule can read (default: none)."
    ),
]


@report_app.command("report")
def report_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run files; several are compared.")],
    out: FolderOut = Path("report"),
    embed: Annotated[
        Literal["full", "few", "none"],
        typer.Option(help="Pictures in the page: of all questions, of 40 questions, or none."),
    ] = "few",
    media: MediaOption = None,
    blind: Annotated[
        Path | None,
        typer.Option(
            "--blind", metavar="RUN", help="Run of the same questions without their clips; shown beside the accuracy."
        ),
    ] = None,
    judge: JudgeOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """Score runs and write their report. The report is report.html, one self-contained page, report.md, and tables."""
    from aurelia.bench.score_run import score_run_file
    from aurelia.report.build import build_report

    resources = _resources(media)
    for path in [*runs, *filter(None, [blind])]:
        count = asyncio.run(score_run_file(path, resources=resources, judge=judge, concurrency=concurrency))
        typer.echo(f"{path.name}: {count} answers scored.", err=True)
    store = None
    if embed != "none":
        store = resources.clip_store()
    written = build_report(runs, out, media=embed, store=store, blind=blind)
    typer.echo(f"Written: {written.html} and {written.markdown.name}.", err=True)


@report_app.command("score")
def add_metric_command(
    run: Annotated[Path, RUN_ARGUMENT],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="meteor-1.5, spice, caption-judge, caption-critic, factual-consistency or core-inference; repeatable.",
        ),
    ] = None,
    media: MediaOption = None,
    judge: JudgeOption = None,
    nli: Annotated[
        str | None, typer.Option(metavar="NAME|DIR", help="Local entailment model for core-inference.")
    ] = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """Score a run: by rules (and a judge), then by further metrics of captions and reasoning, beside the accuracy."""
    from aurelia.bench.further_scores import FurtherModels, score_further
    from aurelia.bench.score_run import score_run_file
    from aurelia.cli.tables import print_table
    from aurelia.report.score_summary import score_summary

    resources = _resources(media)
    count = asyncio.run(score_run_file(run, resources=resources, judge=judge, concurrency=concurrency))
    typer.echo(f"{run.name}: {count} answers scored.", err=True)
    models = FurtherModels(judge, nli)
    counts = asyncio.run(score_further(run, metric or [], resources, models, concurrency=concurrency))
    for name, number in counts.items():
        typer.echo(f"{name}: {number} new scores.", err=True)
    print_table(score_summary(run, metric or []))


@report_app.command("view")
def view_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run files; one may still be going.")],
    media: MediaOption = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine (0: any free one).")] = 8765,
    pictures: Annotated[bool, typer.Option("--pictures", help="Show pictures of 40 questions.")] = False,
    debug: DebugOption = False,
) -> None:
    """Show the report in a browser with clips and sounds to play. The page follows a run that is going."""
    from aurelia.report.view import ReportServer

    store = None
    if pictures:
        store = _resources(media).clip_store()
    if media is not None and not media.is_dir():
        raise InputError(f"There is no media folder {media.name!r}: check its path.")
    server = ReportServer(runs, media, store, port)
    typer.echo(f"{server.address} shows the report. Press Ctrl-C to stop.", err=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()


@report_app.command("rate")
def rate_command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run files; their reasoning is mixed.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Page to write.")] = Path("rate.html"),
    size: Annotated[
        int | None, typer.Option(min=1, help="Number of reasonings, drawn at random (default: all).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the draw.")] = 0,
    debug: DebugOption = False,
) -> None:
    """Write a page on which people rate the reasoning, blind to run and score, and its key."""
    from aurelia.report.rating import write_rating_page

    written = write_rating_page(runs, out, size=size, seed=seed)
    typer.echo(
        f"{written.items} reasonings to rate in {written.page.name}: send it with the clips in a folder media beside "
        f"it. Keep {written.key.name} to yourself.",
        err=True,
    )


@report_app.command("agreement")
def agreement_command(
    key: Annotated[Path, typer.Argument(metavar="KEY", help="Key that bench rate wrote (NAME.key.json).")],
    ratings: Annotated[list[Path], typer.Argument(metavar="RATINGS…", help="Files of ratings, one a rater.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the table as CSV and LaTeX.")] = None,
    debug: DebugOption = False,
) -> None:
    """Measure how far raters agree with each other and with the evaluator."""
    from aurelia.cli.tables import print_table
    from aurelia.report.agreement import agreement_table, measure_agreement
    from aurelia.report.table_files import write_table_files

    table = agreement_table(measure_agreement(key, ratings))
    print_table(table)
    if out is not None:
        write_table_files([table], out)


@report_app.command("ablate")
def ablate_command(
    run: Annotated[Path, RUN_ARGUMENT],
    out: FolderOut = Path("ablation"),
    iterations: Annotated[
        str, typer.Option(metavar="N..M", help="Maximum numbers of attempts: 1..5 or 1,3,5.")
    ] = "1..5",
    thresholds: Annotated[str, typer.Option(metavar="N..M", help="Thresholds: 1..10 or 4,8.")] = "1..10",
    inject: Annotated[
        list[str] | None,
        typer.Option(metavar="WHAT", help="steps, steps+answers or full; repeatable (default: the run's)."),
    ] = None,
    media: MediaOption = None,
    concurrency: ConcurrencyOption = 8,
    debug: DebugOption = False,
) -> None:
    """Evaluate smaller settings from one full run. Only the target is asked again."""
    caps = _parse_numbers(iterations, "--iterations")
    taus = _parse_numbers(thresholds, "--thresholds")
    resources = _resources(media)
    from aurelia.bench.ablation import run_context, setting_grid
    from aurelia.bench.run_file import RunFile
    from aurelia.report.recipes import write_ablation

    with RunFile.open(run) as opened:
        injections: Any = inject or [run_context(opened).inject]
    cells = asyncio.run(
        write_ablation(run, setting_grid(caps, taus, injections), resources, out, concurrency=concurrency)
    )
    typer.echo(f"{len(cells)} settings written to {out.name}/ablation.md, .csv and .json.", err=True)


@report_app.command("langsmith")
def langsmith_command(
    run: Annotated[Path, RUN_ARGUMENT],
    debug: DebugOption = False,
) -> None:
    """Send a scored run to LangSmith: a data set and one experiment per arm. Without a key it is only printed."""
    import os

    from aurelia.bench.run_file import RunFile

    with RunFile.open(run) as opened:
        from langsmith import Client

        from aurelia.bench.progress import count_text
        from aurelia.report.langsmith_export import export_experiments

        client = None
        if os.environ.get("LANGSMITH_API_KEY"):
            client = Client()
        for experiment in export_experiments(opened, client):
            scores = ", ".join(f"{name} {mean:.3f}" for name, mean in experiment.scores.items())
            typer.echo(f"{experiment.name}: {count_text(experiment.count.as_dict())}; means: {scores or 'none'}")
        if client is None:
            typer.echo("Nothing was sent: LANGSMITH_API_KEY is not set.", err=True)


def _resources(media: Path | None) -> Any:
    from aurelia.bench.runner import RunResources

    return RunResources(Settings.from_environment(local=True), media)


def _parse_numbers(text: str, option: str) -> Sequence[int]:
    """Read "1..5" or "1,3,5" as whole numbers."""
    if found := re.fullmatch(r"(\d+)\.\.(\d+)", text.strip()):
        return range(int(found[1]), int(found[2]) + 1)
    if re.fullmatch(r"\d+(,\d+)*", text.strip()):
        return sorted({int(part) for part in text.split(",")})
    raise InputError(f"{option} {text} cannot be used: write it as 1..5 or as 1,3,5.")
