"""A child process that answers JSON lines; started at the first request, with time limits, restarted after a crash."""

import atexit
import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any

from aurelia_core.errors import ModelError
from aurelia_core.models.worker.setup import PROTOCOL_VERSION

_POLL_SECONDS = 1.0
_MAX_REPLY_BYTES = 4_000_000
_REMOVED_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class WorkerProcess:
    """A worker process; safe for several threads, which take turns.

    Attributes:
        start_count: number of starts so far.
        facts: what the worker said of itself at its last start: protocol, python, packages.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        log: Path,
        folder: Path | None,
        options: dict[str, Any],
        load_seconds: float,
    ) -> None:
        """Start nothing.

        Args:
            name: its name in error messages.
            command: program and arguments.
            log: file for its stderr.
            folder: its working folder.
            options: argument of the script's `load`.
            load_seconds: time limit of starting and loading.
        """
        self.start_count = 0
        self.facts: dict[str, Any] = {}
        self._name = name
        self._command = command
        self._log = log
        self._folder = folder
        self._options = options
        self._load_seconds = load_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._number = 0
        self._turn = threading.Lock()
        atexit.register(self.stop)

    def ask(self, operation: str, seconds: float, **fields: Any) -> Any:
        """Run one operation; starts the process and loads the model if necessary.

        Args:
            operation: answer.
            seconds: time limit without loading.
            fields: the operation's arguments.

        Raises:
            ModelError: the process died or exceeded the time limit (transient: the next request starts it again), it
                refused the operation, ran out of memory, or wrote something that is no reply.
        """
        with self._turn:
            self._ensure_started()
            return self._exchange(operation, seconds, fields)

    def start(self) -> dict[str, Any]:
        """Start the process and load the model if necessary; returns `facts`.

        Raises:
            ModelError: as for `ask`.
        """
        with self._turn:
            self._ensure_started()
        return self.facts

    def stop(self) -> None:
        """Kill the process and its children."""
        child = self._child
        self._child = None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        if child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                child.stdin.close()

    def _ensure_started(self) -> None:
        if self._child is None or self._child.poll() is not None:
            self._start()

    def _start(self) -> None:
        self.stop()
        self.start_count += 1
        self._log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._log.open("ab") as log:
                self._child = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=self._folder,
                    env=_environment(),
                    start_new_session=True,
                )
        except OSError as fault:
            raise ModelError(f"{self._name} cannot be started ({type(fault).__name__}). {self._remedy()}") from None
        assert self._child.stdout is not None
        self._lines = queue.Queue()
        threading.Thread(target=_read, args=(self._child.stdout, self._lines), daemon=True).start()
        try:
            facts = self._exchange("load", self._load_seconds, {"options": self._options})
            self._check_protocol(facts)
        except ModelError:
            self.stop()
            raise
        self.facts = facts

    def _check_protocol(self, facts: Any) -> None:
        version = facts.get("protocol") if isinstance(facts, dict) else None
        if version != PROTOCOL_VERSION:
            raise ModelError(
                f"{self._name} speaks protocol {version} of workers, and this version speaks {PROTOCOL_VERSION}: adapt"
                " its script as docs/workers.md says, and start it with this project's host.py."
            )

    def _exchange(self, operation: str, seconds: float, fields: dict[str, Any]) -> Any:
        self._number += 1
        self._write({"id": self._number, "op": operation, **fields})
        reply = self._await(operation, time.monotonic() + seconds, seconds)
        if reply.get("ok") is True:
            return reply.get("result")
        said = _brief(str(reply.get("error")))
        if reply.get("memory"):
            # Memory that is fragmented or held by the failed request is free again in a new process.
            self.stop()
            raise ModelError(
                f"{self._name} ran out of memory: {said}. Lower frames or decoding.target.max_tokens, free memory, or"
                f" use smaller weights. {self._remedy()}"
            )
        raise ModelError(f"{self._name} refused to {operation}: {said}. {self._remedy()}")

    def _write(self, message: dict[str, Any]) -> None:
        assert self._child is not None and self._child.stdin is not None
        try:
            self._child.stdin.write((json.dumps(message) + "\n").encode())
            self._child.stdin.flush()
        except (BrokenPipeError, ValueError):
            raise self._died() from None

    def _await(self, operation: str, deadline: float, seconds: float) -> dict[str, Any]:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self.stop()
                raise ModelError(
                    f"{self._name} did not {operation} within {seconds:g} s and was stopped. {self._remedy()}",
                    transient=True,
                )
            try:
                line = self._lines.get(timeout=min(left, _POLL_SECONDS))
            except queue.Empty:
                # A child of the worker may keep the pipe open, so a dead worker does not always end the file.
                if self._child is None or self._child.poll() is not None:
                    raise self._died() from None
                continue
            if line is None or (not line.endswith(b"\n") and len(line) < _MAX_REPLY_BYTES):
                raise self._died()
            reply = self._parse(line)
            if reply["id"] == self._number:
                return reply

    def _parse(self, line: bytes) -> dict[str, Any]:
        reply: Any = None
        with contextlib.suppress(ValueError):
            reply = json.loads(line)
        if isinstance(reply, dict) and "id" in reply:
            return reply
        self.stop()
        raise ModelError(
            f"{self._name} wrote {_brief(line[:80].decode(errors='replace'))!r} instead of a reply and was stopped:"
            f" only host.py may write to its standard output. {self._remedy()}"
        )

    def _died(self) -> ModelError:
        """Reap the process; returns an error with its exit status."""
        child = self._child
        status = None
        if child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = child.wait(timeout=_POLL_SECONDS)
        self.stop()
        end = f"with status {status}"
        if status is None:
            end = "without a status"
        elif status < 0:
            end = f"by signal {-status}"
        if status == -signal.SIGKILL:
            end += " (the system kills a process that takes too much memory)"
        return ModelError(f"{self._name} died {end}. {self._remedy()}", transient=True)

    def _remedy(self) -> str:
        return f"Its log is workers/{self._log.name} in AURELIA_HOME."


def _read(pipe: IO[bytes], lines: "queue.Queue[bytes | None]") -> None:
    """Put every line into the queue, and None at the end."""
    with pipe:
        while line := pipe.readline(_MAX_REPLY_BYTES):
            lines.put(line)
    lines.put(None)


def _environment() -> dict[str, str]:
    """The environment without the variables of this Python and without API keys."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _REMOVED_VARIABLES and not name.endswith("_API_KEY")
    }


def _brief(text: str) -> str:
    """The text as one line; absolute paths are shortened to their last part."""
    words = []
    for word in text.split():
        if word.startswith(("/", "'/", '"/')):
            word = Path(word).name
        words.append(word)
    return " ".join(words)[:300].rstrip(".")
