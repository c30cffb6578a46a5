"""The command line: a thin skin over `aurelia.run.ask`. Progress goes to stderr, the answer to stdout.

Exit status 0: an answer; 2: bad input or usage; 3: a model or provider failed. Nothing heavy is imported before the
input has been checked, so that help and errors come at once.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from aurelia.cli import bench as bench_cli
from aurelia.cli.options import Debug, Json, Model, Profile, by_role, context_of
from aurelia.cli.threads import Checkpoint, Keeping, Thread, trace
from aurelia_core import plugins
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.sanitize import dump_visible_json, escape_invisible, redact
from aurelia_core.settings import Settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="AURELIA: better answers from a frozen audio-visual model, by reasoning that is checked against the clip.",
)
app.add_typer(bench_cli.app, name="bench")

_INTERRUPTED = 130

Video = Annotated[str, typer.Option(metavar="PATH", help="The clip: mp4, mov, mkv, webm or avi.")]
Audio = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH", help="A separate sound track; several are candidates to choose from."),
]
Fallback = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROLE=PROVIDER:MODEL", help="Model that is asked instead when that role's model fails for good."
    ),
]


@app.command()
def ask(
    video: Video,
    question: Annotated[str, typer.Option(metavar="TEXT", help="The question, in ordinary words.")],
    audio: Audio = None,
    choice: Annotated[
        list[str] | None, typer.Option(metavar="TEXT", help="A possible answer; give it once for each.")
    ] = None,
    profile: Profile = "offline",
    model: Model = None,
    fallback: Fallback = None,
    threshold: Annotated[
        int | None,
        typer.Option(min=1, max=10, help="Score at which the loop ends (8 unless the profile says otherwise)."),
    ] = None,
    max_iterations: Annotated[
        int | None, typer.Option(min=1, max=10, help="Attempts at most (5 unless the profile says otherwise).")
    ] = None,
    inject: Annotated[
        Literal["steps", "steps+answers", "full"] | None,
        typer.Option(help="What of the best reasoning the target is given (steps unless the profile says otherwise)."),
    ] = None,
    compare: Annotated[
        bool | None, typer.Option("--compare/--no-compare", help="Also answer without reasoning (on by default).")
    ] = None,
    review: Annotated[
        bool, typer.Option("--review", help="Accept, edit or send back the reasoning before the target has it.")
    ] = False,
    thread: Thread = None,
    checkpoint: Checkpoint = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Answer a question about a clip, with and without AURELIA."""
    overrides: dict[str, Any] = {
        "threshold": threshold,
        "max_iterations": max_iterations,
        "inject": inject,
        "compare": compare,
    }
    overrides |= {f"{role}_fallback": spec for role, spec in by_role("--fallback", fallback).items()}
    keeping = Keeping.of(thread, checkpoint, review)
    context = context_of(profile, model, {**overrides, "review": "reasoning" if review else None})
    media = _Media(video, audio)
    from aurelia.cli.progress import Progress, answer_lines

    progress = Progress(context)
    asked: Any = {"video": media.clip["id"], "audio": [track["id"] for track in media.tracks]}
    asked |= {"question": question, "choices": choice or []}
    result = asyncio.run(keeping.ask(asked, context, media.desk(), progress))
    progress.result(result)
    _print(dump_visible_json(result) if as_json else answer_lines(result))


@app.command()
def score(
    video: Video,
    caption: Annotated[str, typer.Option(metavar="TEXT", help="What is claimed to be seen and heard.")],
    audio: Audio = None,
    profile: Profile = "offline",
    model: Model = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Score a caption against a clip, 1 to 10: the evaluator alone."""
    context = context_of(profile, model, {})
    if not caption.strip():
        raise InputError("The caption is empty: say what is claimed to be seen and heard.")
    media = _Media(video, audio)
    from aurelia.run.ask import score as run

    verdict = asyncio.run(run(media.clip, media.tracks, caption.strip(), context, media.desk()))
    if as_json:
        _print(dump_visible_json(verdict))
    elif verdict["score"] is None:
        raise AureliaError(f"{context.evaluator} gives no score: {verdict['justification']}")
    else:
        typer.echo(escape_invisible(verdict["justification"]), err=True)
        _print(str(verdict["score"]))


@app.command()
def doctor(
    ask: Annotated[
        bool, typer.Option(help="Also ask providers whether key and model names are good; costs nothing.")
    ] = True,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Show what is installed, which profiles can run here, and what each lacks."""
    from aurelia.cli.doctor import examine, lines

    found = examine(Settings.from_environment(local=True), ask=ask)
    _print(dump_visible_json(found) if as_json else lines(found))


@app.command()
def targets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One target to explain in full.")] = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """List the known target models, or explain one: what it takes, how it is run, what is missing."""
    from targets import explain

    if name is None:
        found = explain.list_targets()
        _print(dump_visible_json(found) if as_json else explain.render_target_list(found))
        return
    explain.find_target_row(name)
    from aurelia_core.models.registry import providers

    row = explain.explain_target(name, providers())
    _print(dump_visible_json(row) if as_json else explain.render_target(row))


@app.command()
def graph(
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into this PNG file instead.")] = None,
    debug: Debug = False,
) -> None:
    """Print the graph as Mermaid text, or draw it as a picture on this machine."""
    from aurelia.run import draw

    if png is None:
        _print(draw.mermaid())
    else:
        draw.png(png)
        typer.echo(f"Drawn into {png}.", err=True)


app.command()(trace)


def add_commands(arguments: Sequence[str]) -> None:
    """Adds the commands of installed packages (entry point `aurelia.commands`: a function or a `typer.Typer`).

    A package is imported only when its command is named, or when all commands are listed.
    """
    own = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    own |= {str(group.name) for group in app.registered_groups}
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    for name in plugins.entry_points("aurelia.commands"):
        if name in own or named not in (None, name):
            continue
        command = plugins.load_entry_point("aurelia.commands", name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)


class _Media:
    """The named media, admitted before anything heavy is imported."""

    def __init__(self, video: str, audio: Sequence[str] | None) -> None:
        from aurelia_core.media import ClipStore

        self._store = ClipStore(Settings.from_environment(local=True))
        self.clip = self._store.admit(video)
        self.tracks = [self._store.admit(name, kind="audio") for name in audio or []]

    def desk(self) -> Any:
        from aurelia_core.models.client import ModelClient

        return ModelClient(Settings.from_environment(local=True), store=self._store)


def _print(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")


def main() -> None:
    """Runs the command line; an error is one line on stderr and an exit status, a traceback only with --debug."""
    debug = "--debug" in sys.argv[1:]
    try:
        add_commands(sys.argv[1:])
        # Typer hands an interrupt back as a status and says nothing of it.
        if (status := app(standalone_mode=False)) == _INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(status)
    except (typer.Abort, KeyboardInterrupt):
        _fail("stopped; what was answered is kept, and the same command goes on from there.", _INTERRUPTED)
    except Exception as fault:
        if debug:
            raise
        _explain(fault)


def _explain(fault: Exception) -> NoReturn:
    if isinstance(fault, AureliaError):
        _fail(str(fault), fault.exit_status)
    if isinstance(fault, typer.TyperException):
        said = getattr(fault, "format_message", lambda: str(fault))()
        _fail(f"{said} See aurelia --help.", getattr(fault, "exit_code", 2))
    _fail(f"an unexpected {type(fault).__name__}: {fault}. Run it again with --debug to see where.", 1)


def _fail(message: str, status: int) -> NoReturn:
    sys.stderr.write(f"aurelia: {' '.join(escape_invisible(redact(message)).split())}\n")
    sys.exit(status)
