"""Threads on the command line: `ask --thread`, `ask --review` and `trace`, on top of `aurelia.run.threads`.

Questions to a person go to stderr, like progress; stdout holds only the answer.
"""

import asyncio
import json
import os
import re
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

from aurelia.cli.options import DebugOption, JsonOption
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
    typer.Option("--thread", metavar="ID", help="Store the run under this name; an interrupted run is resumed."),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        envvar=CHECKPOINT_VARIABLE,
        help="Storage of threads: a SQLite file or a postgresql:// URL (default: in AURELIA_HOME).",
    ),
]
_EMPTY_REASONING = {
    "steps": [{"step": "What to find out.", "justification": "", "answer": "", "modality": "both"}],
    "answer": "",
}


@dataclass(frozen=True, slots=True)
class ThreadChoice:
    """The thread that stores a run, its storage, and whether a person reviews the reasoning."""

    thread: str | None
    checkpoint: str | None
    review: bool

    @classmethod
    def from_options(cls, thread: str | None, checkpoint: str | None, review: bool) -> "ThreadChoice":
        """Read the options of a command; a review without a thread gets a new one.

        Raises:
            InputError: a review without a terminal, or a storage without a thread.
        """
        if review and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise InputError("--review asks at a terminal, and this is none: run it in a terminal, or leave it out.")
        if checkpoint not in (None, os.environ.get(CHECKPOINT_VARIABLE)) and thread is None and not review:
            raise InputError("--checkpoint is the storage of a thread: name the thread with --thread.")
        if review and not thread:
            thread = f"review-{uuid.uuid4().hex[:8]}"
        return cls(thread, checkpoint, review)

    async def ask(
        self, question: Any, context: "Context", client: "ModelClient", progress: "ProgressPrinter"
    ) -> dict[str, Any]:
        """Answer the question, stored in the thread if there is one."""
        from aurelia.run.ask import answer_question

        if self.thread is None:
            return await answer_question(question, context, client=client, on_event=progress.event)
        from aurelia.run.checkpointers import open_checkpointer

        reviewer = None
        if self.review:
            progress.note("Thread", f"{self.thread} (resume it with --thread {shlex.quote(self.thread)})")
            reviewer = _TerminalReviewer(progress)
        async with open_checkpointer(self.checkpoint or client.settings.threads_file) as checkpointer:
            return await answer_question(
                question,
                context,
                client=client,
                on_event=progress.event,
                thread=self.thread,
                checkpointer=checkpointer,
                reviewer=reviewer,
            )


def trace_command(
    thread: Annotated[
        str, typer.Argument(metavar="THREAD|RUN", help="Name of a thread, or the run file of a benchmark.")
    ],
    record: Annotated[str | None, typer.Argument(metavar="RECORD", help="With a run file: id of the question.")] = None,
    checkpoint: CheckpointOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what a stored run did, node by node. Nothing leaves this machine."""
    trace = _trace_thread(thread, checkpoint) if record is None else _trace_record(thread, record, checkpoint)
    from aurelia.cli.trace_view import render_trace

    text = dump_visible_json(trace) if as_json else render_trace(trace)
    sys.stdout.write(f"{text}\n")


def _trace_thread(thread: str, checkpoint: str | None) -> dict[str, Any]:
    storage = checkpoint or str(Settings.from_environment(local=True).threads_file)
    if "://" not in storage and not Path(storage).expanduser().exists():
        raise InputError(f"There is no thread {thread!r}: none is stored here yet (aurelia ask --thread stores one).")
    return asyncio.run(_read_thread(thread, storage))


def _trace_record(run: str, record: str, checkpoint: str | None) -> dict[str, Any]:
    """The trace of the question's thread if the run stored one, else what its run file holds."""
    from aurelia.bench.question_history import read_question_history
    from aurelia.bench.threads import BENCH_CHECKPOINT_VARIABLE, read_question_thread

    path = Path(run).expanduser()
    given = checkpoint != os.environ.get(CHECKPOINT_VARIABLE)
    storage = os.environ.get(BENCH_CHECKPOINT_VARIABLE)
    if given:
        storage = checkpoint
    if storage and (trace := asyncio.run(read_question_thread(path, record, storage))):
        return dict(trace)
    if storage and given:
        raise InputError(f"No thread of question {record!r} is stored there: bench run --checkpoint stores them.")
    return dict(read_question_history(path, record))


async def _read_thread(thread: str, storage: str) -> dict[str, Any]:
    from aurelia.run.checkpointers import open_checkpointer
    from aurelia.run.history import read_thread
    from graph.build import build_graph

    async with open_checkpointer(storage) as checkpointer:
        return dict(await read_thread(build_graph(checkpointer=checkpointer), thread))


class _TerminalReviewer:
    """Asks the person at the terminal until the answer can be used; a rejected edit is offered again."""

    def __init__(self, progress: "ProgressPrinter") -> None:
        self._progress = progress
        self._draft = ""

    async def __call__(self, pause: Mapping[str, Any]) -> dict[str, Any]:
        from nodes.review import check_review_answer

        self._progress.pause(pause)
        self._draft = _as_json_text(pause["reasoning"] or _EMPTY_REASONING)
        while True:
            try:
                # Blocking the event loop is fine here: nothing else runs meanwhile.
                decided = self._answer(_as_json_text(pause["reasoning"] or {}))
                if decided is not None:
                    check_review_answer(decided, pause)
                    return decided
            except InputError as fault:
                typer.echo(escape_invisible(str(fault)), err=True)

    def _answer(self, before: str) -> dict[str, Any] | None:
        """Ask once; None if an edit changed nothing."""
        reply = _prompt("Accept, edit, or try again? [a/e/t]")
        match reply.casefold():
            case "" | "a" | "accept":
                return {"action": "accept"}
            case "e" | "edit":
                self._draft = _edit_text(self._draft)
                return _edit_decision(before, self._draft)
            case "t" | "again" | "try again":
                feedback = _prompt("What should it look or listen for?")
                windows = _prompt("Where, in seconds (1.5-3, 7-8; empty: everywhere)")
                return {"action": "again", "feedback": feedback, "windows": _parse_windows(windows)}
        raise InputError(f"{reply!r} is not an answer: type a (accept), e (edit) or t (try again).")


def _prompt(prompt: str) -> str:
    """Read a line from the person; the prompt goes to stderr, and Ctrl-C works inside an event loop.

    Raises:
        typer.Abort: the terminal was closed.
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
    for part in re.split(r"[,;]", text):
        if not part.strip():
            continue
        start, _, end = part.partition("-")
        try:
            windows.append({"start": float(start), "end": float(end)})
        except ValueError:
            raise InputError(f"{part.strip()!r} is not a part of the clip: write it as 1.5-3 (seconds).") from None
    return windows


def _as_json_text(reasoning: Mapping[str, Any]) -> str:
    return dump_visible_json(reasoning, indent=2) + "\n"


def _edit_text(text: str) -> str:
    """Let the person edit a text in $VISUAL, $EDITOR or vi; the old text if the editor fails."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="aurelia-") as folder:
        path = Path(folder) / "reasoning.json"
        path.write_text(text, encoding="utf-8")
        try:
            # The editor draws on stderr, so that stdout holds only the answer.
            status = subprocess.run([*command, str(path)], stdout=sys.stderr.fileno()).returncode
        except OSError as fault:
            raise InputError(f"The editor {command[0]!r} cannot be started ({fault.strerror}): set EDITOR.") from None
        if status:
            return text
        return path.read_text(encoding="utf-8")


def _edit_decision(before: str, after: str) -> dict[str, Any] | None:
    if after.strip() == before.strip():
        typer.echo("Nothing was changed.", err=True)
        return None
    try:
        return {"action": "edit", "reasoning": json.loads(after)}
    except ValueError as fault:
        raise InputError(f"The edited reasoning is not JSON ({fault}): edit it again.") from None
