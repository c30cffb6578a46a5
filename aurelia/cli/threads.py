"""The command line's kept threads: `ask --thread`, `ask --review` and `trace`. A thin skin over `aurelia.run.threads`.

What is asked of a person goes to stderr, where progress goes; stdout stays the answer's.
"""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurelia_core.errors import InputError
from aurelia_core.sanitize import dump_visible_json, escape_invisible
from aurelia_core.settings import Settings

if TYPE_CHECKING:
    from aurelia.cli.progress import ProgressPrinter
    from aurelia_core.models.client import ModelClient
    from state.context import Context

CHECKPOINT_VARIABLE = "AURELIA_CHECKPOINT"
ThreadOption = Annotated[
    str | None,
    typer.Option("--thread", metavar="ID", help="Keep the run under this name; a stopped one goes on where it was."),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        envvar=CHECKPOINT_VARIABLE,
        help="Where threads are kept: a SQLite file or a postgresql:// URL (default: in the home).",
    ),
]
_EMPTY_REASONING = {
    "steps": [{"step": "What to find out.", "justification": "", "answer": "", "modality": "both"}],
    "answer": "",
}


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """Which thread a run is kept in, where, and whether a person is asked."""

    thread: str | None
    where: str | None
    review: bool

    @classmethod
    def of(cls, thread: str | None, where: str | None, review: bool) -> "ThreadChoice":
        """What the options say; a review without a thread gets one of its own.

        Raises:
            InputError: there is nobody to ask, or a place without a thread.
        """
        if review and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise InputError("--review asks at a terminal, and this is none: leave it out, or run it in one.")
        if where not in (None, os.environ.get(CHECKPOINT_VARIABLE)) and thread is None and not review:
            raise InputError("--checkpoint says where a thread is kept: name the thread with --thread.")
        return cls(thread or (f"review-{uuid.uuid4().hex[:8]}" if review else None), where, review)

    async def ask(
        self, question: Any, context: "Context", desk: "ModelClient", progress: "ProgressPrinter"
    ) -> dict[str, Any]:
        """Answers the question, kept in the thread if there is one."""
        from aurelia.run.ask import answer_question

        if self.thread is None:
            return await answer_question(question, context, client=desk, on_event=progress.event)
        from aurelia.run.checkpointers import open_checkpointer

        if self.review:
            progress.note("Thread", f"{self.thread} (stopped, it goes on with --thread {shlex.quote(self.thread)})")
        async with open_checkpointer(self.where or desk.settings.threads) as saver:
            return await answer_question(
                question,
                context,
                client=desk,
                on_event=progress.event,
                thread=self.thread,
                checkpointer=saver,
                reviewer=_TerminalReviewer(progress) if self.review else None,
            )


def trace_command(
    thread: Annotated[
        str, typer.Argument(metavar="THREAD|RUN", help="The name that a run was kept under, or a benchmark's run file.")
    ],
    record: Annotated[
        str | None, typer.Argument(metavar="RECORD", help="With a run file: the id of the question.")
    ] = None,
    checkpoint: CheckpointOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Show what a kept run did, node by node, as a trace would; nothing leaves this machine."""
    told = _trace_thread(thread, checkpoint) if record is None else _trace_record(thread, record, checkpoint)
    from aurelia.cli.trace_view import render_trace

    sys.stdout.write((dump_visible_json(told) if as_json else render_trace(told)) + "\n")


def _trace_thread(thread: str, checkpoint: str | None) -> dict[str, Any]:
    where = checkpoint or str(Settings.from_environment(local=True).threads)
    if "://" not in where and not Path(where).expanduser().exists():
        raise InputError(f"There is no thread {thread!r}: none is kept here yet (aurelia ask --thread keeps one).")
    return asyncio.run(_read_thread(thread, where))


def _trace_record(run: str, record: str, checkpoint: str | None) -> dict[str, Any]:
    """The question's thread where the run kept one, else what its run file knows."""
    from aurelia.bench.question_history import read_question_history
    from aurelia.bench.threads import BENCH_CHECKPOINT_VARIABLE as OF_RUNS
    from aurelia.bench.threads import read_question_thread

    path, named = Path(run).expanduser(), checkpoint != os.environ.get(CHECKPOINT_VARIABLE)
    where = checkpoint if named else os.environ.get(OF_RUNS)
    if where and (found := asyncio.run(read_question_thread(path, record, where))):
        return dict(found)
    if where and named:
        raise InputError(f"No thread of question {record!r} is kept there: bench run --checkpoint keeps them.")
    return dict(read_question_history(path, record))


async def _read_thread(thread: str, where: str) -> dict[str, Any]:
    from aurelia.run.checkpointers import open_checkpointer
    from aurelia.run.history import read_thread
    from graph.build import build_graph

    async with open_checkpointer(where) as saver:
        return dict(await read_thread(build_graph(checkpointer=saver), thread))


class _TerminalReviewer:
    """Asks the person at the terminal, again until the answer can be used; what they have edited is not lost."""

    def __init__(self, progress: "ProgressPrinter") -> None:
        self._progress = progress
        self._draft = ""

    async def __call__(self, pause: Mapping[str, Any]) -> dict[str, Any]:
        from nodes.review import check_review_answer

        self._progress.pause(pause)
        self._draft = _as_json_text(pause["reasoning"] or _EMPTY_REASONING)
        while True:
            try:
                # It holds up the event loop on purpose: nothing else runs meanwhile.
                decided = self._answer(_as_json_text(pause["reasoning"] or {}))
                if decided is not None:
                    check_review_answer(decided, pause)
                    return decided
            except InputError as fault:
                typer.echo(escape_invisible(str(fault)), err=True)

    def _answer(self, before: str) -> dict[str, Any] | None:
        """One answer; None when an edit changed nothing."""
        said = _prompt("Accept, edit, or try again? [a/e/t]")
        match said.casefold():
            case "" | "a" | "accept":
                return {"action": "accept"}
            case "e" | "edit":
                self._draft = _edit_text(self._draft)
                return _edit_decision(before, self._draft)
            case "t" | "again" | "try again":
                feedback = _prompt("What should it look or listen for?")
                looks = _prompt("Where, in seconds (1.5-3, 7-8; empty: everywhere)")
                return {"action": "again", "feedback": feedback, "windows": _parse_windows(looks)}
        raise InputError(f"{said!r} is no answer: type a (accept), e (edit) or t (try again).")


def _prompt(prompt: str) -> str:
    """What the person types, without a letter on stdout; Ctrl-C ends it at once, also inside an event loop.

    Raises:
        Abort: the terminal was closed.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.stderr.write(f"{prompt} ")
        sys.stderr.flush()
        line = sys.stdin.readline()
    finally:
        signal.signal(signal.SIGINT, before)
    if not line:
        raise typer.Abort
    return line.strip()


def _parse_windows(text: str) -> list[dict[str, float]]:
    windows = []
    for part in filter(None, (part.strip() for part in text.replace(";", ",").split(","))):
        start, dash, end = part.partition("-")
        try:
            windows.append({"start": float(start), "end": float(end)})
        except ValueError:
            raise InputError(f"{part!r} is no stretch of the clip: write it as 1.5-3 (seconds).") from None
    return windows


def _as_json_text(reasoning: Mapping[str, Any]) -> str:
    return dump_visible_json(reasoning, indent=2) + "\n"


def _edit_text(text: str) -> str:
    """The text as the person's editor leaves it."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="aurelia-") as folder:
        path = Path(folder) / "reasoning.json"
        path.write_text(text, encoding="utf-8")
        try:
            # The answer's stdout stays clean: the editor draws where progress goes.
            ended = subprocess.run([*command, str(path)], stdout=sys.stderr.fileno()).returncode
        except OSError as fault:
            raise InputError(f"The editor {command[0]!r} cannot be started ({fault.strerror}): set EDITOR.") from None
        return text if ended else path.read_text(encoding="utf-8")


def _edit_decision(before: str, after: str) -> dict[str, Any] | None:
    if after.strip() == before.strip():
        typer.echo("Nothing was changed.", err=True)
        return None
    try:
        return {"action": "edit", "reasoning": json.loads(after)}
    except ValueError as fault:
        raise InputError(f"The edited reasoning is not JSON ({fault}): edit it again.") from None
