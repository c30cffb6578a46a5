"""A counting server and a process that forks the command line: for runs that are killed, stopped and gone on with."""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aurelia.bench.run_file import RunFile
from tests.support.bench_runs import line, write_lines
from tests.support.openai_server import VARIABLES, Sent, WireOpenAI, role_of
from tests.support.scripted import reasoning, verdict

AT_ONCE = 4
SETTINGS = {"frames": 2, "max_iterations": 2, "threshold": 8}
ZYGOTE = """
import json, os, resource, sys
import aurelia.bench.progress, aurelia.bench.runner, aurelia_core.models.openai.factory
import aurelia_core.models.openai.chat, aurelia_core.models.media_encoding
from aurelia.cli.main import main
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        arguments, log, limit = json.loads(line)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
        os.dup2(1, 2)
        sys.argv = ["aurelia", *arguments]
        try:
            main()
        except SystemExit as end:
            os._exit(int(end.code or 0))
    sys.stdout.write(f"{child}\\n")
    sys.stdout.flush()
    sys.stdout.write(f"{os.waitpid(child, 0)[1]}\\n")
    sys.stdout.flush()
"""


def mark(body: dict[str, Any]) -> int:
    """A number that the request's words decide."""
    return int(hashlib.sha256(json.dumps(body["messages"]).encode()).hexdigest()[:8], 16)


def answer(body: dict[str, Any]) -> Any:
    """The same reply to the same request, whenever it comes."""
    number = mark(body)
    said: dict[str, Callable[[], Any]] = {
        "generator": lambda: reasoning(f"r{number}"),
        "summarizer": lambda: {"caption": f"Caption {number}."},
        "evaluator": lambda: verdict(1 + number % 10),
        "feedback": lambda: {"feedback": f"Look again {number}.", "windows": []},
        "target": lambda: f"answer {number}",
    }
    return said[role_of(body)]()


def prompt_of(sent: Sent) -> str:
    """The role's prompt: no two requests of these runs have the same."""
    return str(next(part["text"] for part in reversed(sent.parts) if part["type"] == "text"))


def stored(path: Path) -> Counter[str]:
    """The prompt of every request whose reply is in the run file."""
    if not path.exists():
        return Counter()
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
            return Counter()
        rows = connection.execute("SELECT request FROM calls").fetchall()
    return Counter(str(json.loads(row[0])[1][1][-1]["text"]) for row in rows)


class Place:
    """A counting server, and a process that forks the command line with everything imported."""

    def __init__(self, folder: Path, clip: Path, questions: int, **context: Any) -> None:
        self.folder, self.clip = folder, clip
        self.server = WireOpenAI(
            key=None, **dict.fromkeys(("generator", "summarizer", "evaluator", "feedback", "target"), self._reply)
        )
        self.server.handle_error = lambda request, address: None  # type: ignore[method-assign]
        self.plot: Callable[[], None] = lambda: None
        (folder / "mine.toml").write_text(
            "".join(
                f'{role} = "compatible:omni"\n'
                for role in ("generator", "summarizer", "evaluator", "feedback", "target")
            )
            + "".join(f"{name} = {value}\n" for name, value in {**SETTINGS, **context}.items())
        )
        write_lines(folder / "bench.jsonl", [line(number) for number in range(questions)])
        known = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        known |= {"AURELIA_HOME": str(folder / "home"), "AURELIA_COMPATIBLE_URL": self.server.url}
        known |= {"AURELIA_COMPATIBLE_MEDIA": "images+audio"}
        self.zygote = subprocess.Popen(
            [sys.executable, "-c", ZYGOTE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=known,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip

    def _reply(self, body: dict[str, Any]) -> Any:
        self.plot()
        return answer(body)

    def run(
        self,
        out: str,
        plot: Callable[[int], Callable[[], None]] = lambda pid: lambda: None,
        options: Sequence[str] = (),
        **limits: int,
    ) -> int:
        """One life of `aurelia bench run`: its exit status as the system tells it."""
        arguments = ["bench", "run", str(self.folder / "bench.jsonl"), "--out", str(self.folder / out)]
        arguments += ["--media", str(self.clip.parent), "--profile", str(self.folder / "mine.toml")]
        arguments += ["--concurrency", str(AT_ONCE), *options]
        return self.live(arguments, self.folder / f"{Path(out).name}.log", plot, **limits)

    def live(
        self,
        arguments: Sequence[str],
        log: Path,
        plot: Callable[[int], Callable[[], None]] = lambda pid: lambda: None,
        **limits: int,
    ) -> int:
        """One life of the command line; `file_bytes` is the largest file that it may write, if there is a limit."""
        assert self.zygote.stdin and self.zygote.stdout
        self.zygote.stdin.write(json.dumps([list(arguments), str(log), limits.get("file_bytes")]) + "\n")
        self.zygote.stdin.flush()
        self.plot = plot(int(self.zygote.stdout.readline()))
        status = int(self.zygote.stdout.readline())
        self.plot = lambda: None
        return status

    def close(self) -> None:
        self.zygote.communicate()
        self.server.close()


def killer(dice: random.Random, most: int = 7) -> Callable[[int], Callable[[], None]]:
    """Kills a process before its first call now and then, else at its n-th: before the reply, or a moment later."""

    def aim(pid: int) -> Callable[[], None]:
        left = dice.choice([0, *range(1, most + 1)])
        moment = dice.choice([0.0, dice.uniform(0.0, 0.05)])

        def kill(after: float) -> None:
            time.sleep(after)
            # It may have come to its end meanwhile.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        def plot() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                if moment:
                    threading.Thread(target=kill, args=(moment,)).start()
                else:
                    kill(0.0)

        if left == 0:
            kill(dice.uniform(0.0, 0.3))
        return plot

    return aim


def plain(path: Path, *, bill_by_arm: bool = True) -> list[dict[str, Any]]:
    """The outcomes of a run without times and without what the server's own cache changes.

    Without `bill_by_arm` the bill is one of the whole run: a request that both arms send is paid by the one that asks
    first, which differs from run to run.
    """
    with RunFile.open(path) as run:
        outcomes = [asdict(outcome) for outcome in run.outcomes()]
    dropped = ["seconds", "feedback_seconds", "created", "cached_tokens", "media_uploads"]
    bill: dict[str, Any] = {}
    if not bill_by_arm:
        dropped.append("usage")
        for name in ("calls", "input_tokens", "output_tokens"):
            bill[name] = sum(outcome["usage"][name] for outcome in outcomes)

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(part) for name, part in value.items() if name not in dropped}
        return [kept(part) for part in value] if isinstance(value, list) else value

    return [*(kept(outcome) for outcome in outcomes), *([bill] if bill else [])]
