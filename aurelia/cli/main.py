"""The command line, on top of `aurelia.run`. Progress goes to stderr, the answer to stdout.

Nothing heavy is imported before the input is checked, so that help and errors appear at once. The exit statuses are in
`aurelia.cli.ending`.
"""

import asyncio
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aurelia.cli import bench as bench_cli
from aurelia.cli.clean import clean_command
from aurelia.cli.ending import PROGRAM, STATUS_HELP, print_output, run_to_exit
from aurelia.cli.env_file import load_env_file
from aurelia.cli.home import check_home
from aurelia.cli.options import (
    CandidatesOption,
    DebugOption,
    JsonOption,
    ModelOption,
    ProfileOption,
    SettingOption,
    StrategyOption,
    context_from_options,
    models_by_role,
)
from aurelia.cli.targets import targets_app
from aurelia.cli.threads import CheckpointOption, ThreadChoice, ThreadOption, trace_command
from aurelia.cli.train import train_command
from aurelia.report.files import check_page_path
from aurelia.shadowing import check_packages
from aurelia_core import plugins
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.installation import check_system, installed_version
from aurelia_core.sanitize import dump_visible_json, escape_invisible
from aurelia_core.settings import Settings
from aurelia_core.types import Media, arrange_media, is_still, is_video

if TYPE_CHECKING:
    from state.context import Context

main_app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=STATUS_HELP,
)
main_app.add_typer(bench_cli.bench_app, name="bench")
main_app.add_typer(targets_app, name="targets")


def _print_version(wanted: bool) -> None:
    if wanted:
        print_output(f"{PROGRAM} {installed_version()}")
        raise typer.Exit


VideoOption = Annotated[
    str | None, typer.Option(metavar="PATH", help="Clip: mp4, mov, mkv, webm or avi; or a sound or an image alone.")
]
AudioOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH", help="Separate sound track; repeatable: several are candidates to choose from."),
]
ImageOption = Annotated[
    list[str] | None, typer.Option(metavar="PATH", help="Still picture: png, jpeg or webp; repeatable.")
]
AudioTrackOption = Annotated[
    str | None,
    typer.Option(metavar="N|LANGUAGE", help="Sound track of the video: its number, from 1, or its language, as eng."),
]
FallbackOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="ROLE=PROVIDER:MODEL",
        help="Model that replaces a role's model when that one fails permanently; repeatable.",
    ),
]


@main_app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """AURELIA: better answers from a frozen audio-visual model, with reasoning that is checked against the clip."""


@main_app.command("ask")
def ask_command(
    command: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]... [QUESTION]",
            help="Video, sounds and images, then the question; the options do the same.",
            show_default=False,
        ),
    ] = None,
    video: VideoOption = None,
    question: Annotated[str | None, typer.Option(metavar="TEXT", help="Question about the clip.")] = None,
    audio: AudioOption = None,
    image: ImageOption = None,
    audio_track: AudioTrackOption = None,
    choice: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A possible answer; repeatable.")] = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    setting: SettingOption = None,
    fallback: FallbackOption = None,
    threshold: Annotated[
        int | None,
        typer.Option(min=1, max=10, help="Score at which the loop ends (default: the profile's, else 8)."),
    ] = None,
    max_iterations: Annotated[
        int | None, typer.Option(min=1, max=10, help="Maximum number of attempts (default: the profile's, else 5).")
    ] = None,
    inject: Annotated[
        Literal["steps", "steps+answers", "full"] | None,
        typer.Option(help="Part of the best reasoning that the target receives (default: the profile's, else steps)."),
    ] = None,
    strategy: StrategyOption = None,
    candidates: CandidatesOption = None,
    compare: Annotated[
        bool | None, typer.Option("--compare/--no-compare", help="Also answer without reasoning (default: yes).")
    ] = None,
    review: Annotated[
        bool | None,
        typer.Option(
            "--review/--no-review",
            help="Accept, edit or reject the reasoning before the target receives it (default: the thread's, else no).",
        ),
    ] = None,
    thread: ThreadOption = None,
    checkpoint: CheckpointOption = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the answer as a page: clip, attempts, reasoning.")
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Answer a question about a clip, with and without AURELIA."""
    files = list(words or [])
    if question is None:
        if not files:
            raise InputError("There is no question: write it after the files, or give it with --question.")
        question = files.pop()
    overrides: dict[str, Any] = {
        "threshold": threshold,
        "max_iterations": max_iterations,
        "inject": inject,
        "strategy": strategy,
        "candidates": candidates,
        "compare": compare,
        "audio_track": audio_track,
    }
    if review is not None:
        overrides["review"] = "reasoning" if review else "none"
    for role, model_id in models_by_role("--fallback", fallback).items():
        overrides[f"{role}_fallback"] = model_id
    target_thread = ThreadChoice.from_options(thread, checkpoint, bool(review))
    context = context_from_options(profile, model, overrides, setting, profile_given=_is_given(command, "profile"))
    from aurelia.cli.progress import ProgressPrinter, render_answer

    if html:
        check_page_path(html)
    progress = ProgressPrinter(context)
    check_home(Settings.from_environment(local=True))
    with progress.waiting("Checking the clip"):
        media = _AdmittedMedia([*filter(None, [video]), *files], image, audio, context.audio_track or None)
        asked: dict[str, Any] = {**media.as_input(), "question": question, "choices": choice or []}
        progress.doing("Loading the models and the graph")
        from aurelia.cli.profile_hint import print_hints

        client = media.client()
        print_hints(progress, client, context, asked, profile_named=_is_given(command, "profile"))
        result = asyncio.run(target_thread.ask(asked, context, client, progress))
    from aurelia.run.result import all_attempts_failed, warn_of_low_score

    result = warn_of_low_score(result, context.threshold)
    if html:
        media.write_page(html, result, asked, context)
    progress.result(result)
    print_output(dump_visible_json(result) if as_json else render_answer(result))
    if all_attempts_failed(result):
        raise AureliaError("no attempt could be scored, because models failed; the target answered without reasoning.")


@main_app.command("score")
def score_command(
    caption: Annotated[str, typer.Option(metavar="TEXT", help="Statement about what is seen and heard.")],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Video, sounds and images.", show_default=False)
    ] = None,
    video: VideoOption = None,
    audio: AudioOption = None,
    image: ImageOption = None,
    audio_track: AudioTrackOption = None,
    profile: ProfileOption = "offline",
    model: ModelOption = None,
    setting: SettingOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score a caption, 1 to 10, with the evaluator alone, or claim by claim (--set critic=claims)."""
    context = context_from_options(profile, model, {}, setting)
    if not caption.strip():
        raise InputError("The caption is empty: state what is seen and heard.")
    check_home(Settings.from_environment(local=True))
    media = _AdmittedMedia([*filter(None, [video]), *(files or [])], image, audio, audio_track)
    from aurelia.run.ask import score_caption

    found = media.arranged()
    scored = score_caption(found.clip, found.tracks, caption.strip(), context, media.client(), pictures=found.pictures)
    verdict = asyncio.run(scored)
    if as_json:
        print_output(dump_visible_json(verdict))
    if verdict["score"] is None:
        raise AureliaError(f"{context.evaluator} gives no score: {verdict['justification']}")
    if as_json:
        return
    for warning in verdict["warnings"]:
        typer.echo(escape_invisible(f"Warning: {warning}"), err=True)
    if verdict["claims"]:
        from aurelia.cli.progress import ProgressPrinter

        ProgressPrinter(context).claims(verdict["claims"])
    else:
        typer.echo(escape_invisible(verdict["justification"]), err=True)
    print_output(str(verdict["score"]))


@main_app.command("sheet")
def sheet_command(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="Clip: mp4, mov, mkv, webm or avi.")],
    html: Annotated[Path, typer.Option(metavar="FILE", help="Page to write.")] = Path("sheet.html"),
    frames: Annotated[
        int | None, typer.Option(min=2, max=256, help="Frames of one look (default: the profile's, else 16).")
    ] = None,
    audio: AudioOption = None,
    audio_track: AudioTrackOption = None,
    profile: ProfileOption = "offline",
    debug: DebugOption = False,
) -> None:
    """Write a page with what a model is shown of a clip: the frames of one look with their times, and the sound."""
    context = context_from_options(profile, None, {"frames": frames})
    check_page_path(html)
    check_home(Settings.from_environment(local=True))
    _AdmittedMedia([clip], None, audio, audio_track).write_sheet(html, context.frames)
    typer.echo(f"Written into {html}.", err=True)


@main_app.command("doctor")
def doctor_command(
    ask: Annotated[
        bool, typer.Option(help="Also check keys and model names with the providers; free of charge.")
    ] = True,
    probe: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROVIDER:MODEL", help="Also find out whether this model hears and sees: 16 calls; repeatable."
        ),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is installed and which profiles can run. It names what the other profiles lack."""
    from aurelia.cli.doctor import examine_machine, render_findings

    found = examine_machine(Settings.from_environment(local=True), ask=ask, probe=probe or [])
    print_output(dump_visible_json(found) if as_json else render_findings(found))


@main_app.command("graph")
def graph_command(
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="PNG file to draw the graph into.")] = None,
    debug: DebugOption = False,
) -> None:
    """Print the graph as Mermaid text, or draw it. The drawing is made on this machine."""
    from aurelia.run import draw

    if png is None:
        print_output(draw.render_mermaid())
    else:
        draw.draw_png(png)
        typer.echo(f"Drawn into {png}.", err=True)


main_app.command("trace")(trace_command)
main_app.command("clean")(clean_command)
main_app.command("train")(train_command)


def add_commands(arguments: Sequence[str]) -> None:
    """Add the commands of installed packages (entry point `aurelia.commands`: a function or a `typer.Typer`).

    A package is imported only when its command is named, or when all commands are listed.
    """
    own = {command.name or command.callback.__name__ for command in main_app.registered_commands if command.callback}
    own |= {str(group.name) for group in main_app.registered_groups}
    named = next((argument for argument in arguments if not argument.startswith("-")), None)
    if named in own:
        return
    for name in plugins.entry_points("aurelia.commands"):
        if name in own or named not in (None, name):
            continue
        command = plugins.load_entry_point("aurelia.commands", name)
        if isinstance(command, typer.Typer):
            main_app.add_typer(command, name=name)
        else:
            main_app.command(name)(command)


class _AdmittedMedia:
    """The media of a command, checked before anything heavy is imported; the content of a file says what it is.

    Attributes:
        videos: the video; [] for a question about images or sounds alone.
        images: the still pictures.
        sounds: the sounds.
    """

    def __init__(
        self,
        files: Sequence[str],
        images: Sequence[str] | None,
        audio: Sequence[str] | None,
        audio_track: str | None = None,
    ) -> None:
        from aurelia_core.media import ClipStore

        check_system()
        self._store = ClipStore(Settings.from_environment(local=True))
        shown = [self._store.admit(name) for name in images or []]
        for ref in shown:
            if not is_still(ref):
                raise InputError(f"{ref['name']} is not a still picture: give it without --image.")
        found = [*(self._store.admit(name, audio_track=audio_track) for name in files), *shown]
        self.videos = [ref for ref in found if is_video(ref)]
        self.images = [ref for ref in found if is_still(ref)]
        self.sounds = [ref for ref in found if ref["width"] is None]
        self.sounds += [self._store.admit(name, kind="audio") for name in audio or []]
        if len(self.videos) > 1:
            names = ", ".join(ref["name"] for ref in self.videos)
            raise InputError(f"A question is about one video, and these are {len(self.videos)}: {names}.")
        if not (found or self.sounds):
            raise InputError(
                "There is no clip: name a video, a sound or an image before the question, or with --video."
            )

    def arranged(self) -> Media:
        """The media as a role receives them."""
        return arrange_media([*self.videos, *self.images, *self.sounds])

    def as_input(self) -> dict[str, Any]:
        """The media as input of the graph."""
        named: dict[str, Any] = {"audio": [ref["id"] for ref in self.sounds]}
        if self.videos:
            named["video"] = self.videos[0]["id"]
        if self.images:
            named["images"] = [ref["id"] for ref in self.images]
        return named

    def write_page(self, path: Path, result: dict[str, Any], asked: dict[str, Any], context: "Context") -> None:
        """Write the page of an answer."""
        from aurelia.report.answer_page import AskedQuestion, write_answer_page

        write_answer_page(
            path, result, AskedQuestion(**asked, inject=context.inject, frames=context.frames), self._store
        )

    def write_sheet(self, path: Path, frames: int) -> None:
        """Write the page that shows the clip."""
        from aurelia.report.answer_page import write_sheet_page

        write_sheet_page(path, self.arranged(), frames, self._store)

    def client(self) -> Any:
        """A model client that knows these media."""
        from aurelia_core.models.client import ModelClient

        return ModelClient(Settings.from_environment(local=True), store=self._store)


def _is_given(command: typer.Context, name: str) -> bool:
    """Whether a user gave a parameter, as an option or in the environment."""
    source = command.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


def _format_notice(message: Warning | str, *place: Any, **more: Any) -> str:
    """A notice (for instance about a renamed setting) as one line, without the place in the code."""
    return f"{PROGRAM}: {message}\n"


def main() -> None:
    """Run the command line; an error is one line on stderr and an exit status, with --debug a traceback."""
    warnings.formatwarning = _format_notice
    run_to_exit(_run, debug="--debug" in sys.argv[1:])


def _run() -> int | None:
    load_env_file()
    check_packages()
    add_commands(sys.argv[1:])
    status: int | None = main_app(standalone_mode=False, prog_name=PROGRAM)
    return status
