"""What a machine can do to what is kept: its disk is full or read-only, its clock goes back, two runs at once.

Damaged and half-written files are `damage.py`'s. All of it goes through the real runner, graph, stores and
checkpointer, around a scripted model. A disk is a small tmpfs where this process may mount one; a limit on the size of
files stands for a full disk everywhere.
"""

import asyncio
import itertools
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia.run.ask import answer_question
from aurelia.run.checkpointers import open_checkpointer
from aurelia.run.history import read_thread
from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.attack.disks import closed, filled, limited, mounted
from benchmarks.attack.outages import SCENE
from benchmarks.attack.row import Row
from state.context import ROLES, make_context
from tests.support.bench_runs import line, player, write_lines
from tests.support.stage import no_wait

QUESTIONS = 3
BACK = 3600.0
Squeeze = Callable[[], AbstractContextManager[None]]


class Site(NamedTuple):
    """A folder with media and records, and the disk on which all is kept that is attacked."""

    folder: Path
    disk: Path

    @property
    def settings(self) -> Settings:
        """Everything is kept on the disk."""
        return Settings(home=self.disk / "home", media_roots=(self.folder / "media",))

    def bench(self, model: Any, out: Path, plan: Plan | None = None) -> Any:
        """One session of a benchmark run."""
        return asyncio.run(self._bench(model, out, plan or Plan(concurrency=2)))

    async def _bench(self, model: Any, out: Path, plan: Plan) -> Any:
        store = ClipStore(self.settings)
        resources = RunResources(self.settings, None, {"scripted": lambda name, clips: model}, store, no_wait)
        context = make_context(dict.fromkeys(ROLES, "scripted:one"))
        return await run_bench(self.folder / "bench.jsonl", out, context, plan, resources)

    def ask(self, model: Any, threads: Path, ledger: Path | None = None, **context: Any) -> dict[str, Any]:
        """One question, kept in thread "one"."""
        return asyncio.run(self._ask(model, threads, ledger or self.settings.ledger_file, context))

    async def _ask(self, model: Any, threads: Path, ledger: Path, context: dict[str, Any]) -> dict[str, Any]:
        book = CallLedger(ledger, sleep=no_wait)
        desk = ModelClient(self.settings, providers={"scripted": lambda name, clips: model}, ledger=book)
        known = make_context({**dict.fromkeys(ROLES, "scripted:one"), **context})
        question: Any = {"video": "duet.mp4", "question": "What is heard?"}
        try:
            async with open_checkpointer(threads) as saver:
                return await answer_question(question, known, client=desk, thread="one", checkpointer=saver)
        finally:
            desk.close()


def site(folder: Path) -> Site:
    """A new one; its disk is an empty folder."""
    (folder / "media").mkdir(parents=True)
    (folder / "disk").mkdir()
    write_scene(parse_scene(SCENE), folder / "media" / "duet.mp4")
    write_lines(folder / "bench.jsonl", [line(number) for number in range(QUESTIONS)])
    return Site(folder, folder / "disk")


def answers(out: Path) -> dict[tuple[str, str], Outcome]:
    """The answers that a run file holds; none where there is no run yet."""
    if not out.exists() or not RunFile.holds_run(out):
        return {}
    with RunFile.open(out) as run:
        return {(found.record, found.arm): found for found in run.outcomes(state="answered")}


def calls(out: Path) -> int:
    """How many replies a file holds."""
    if not out.exists():
        return 0
    with closing(sqlite3.connect(out)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
            return 0
        return int(connection.execute("SELECT count(*) FROM calls").fetchone()[0])


def wrong(work: Callable[[], Any], at: Site) -> list[str]:
    """What speaks against how a piece of work ended: with a result, or with an error of ours in one line."""
    try:
        work()
    except AureliaError as fault:
        said = str(fault)
        return [f"not one plain line: {said}"] if "\n" in said or str(at.folder) in said else []
    except Exception as fault:
        return [f"untyped: {type(fault).__name__}: {fault}"]
    return []


def untyped(out: Path) -> list[str]:
    """Failures that a run file holds and nobody foresaw."""
    if not out.exists() or not RunFile.holds_run(out):
        return []
    with RunFile.open(out) as run:
        return [str(found.error) for found in run.outcomes(state="failed") if "unexpected" in str(found.error)]


def squeezed(at: Site, squeeze: Squeeze) -> list[str]:
    """A run and a thread on a disk that gives out, and once more on one with room: what speaks against either."""
    out, threads, found = at.disk / "x.run", at.disk / "threads.sqlite", []
    with squeeze():
        found += wrong(lambda: at.bench(player(), out), at)
        found += wrong(lambda: at.ask(player(), threads), at)
    found += untyped(out)
    before, paid = answers(out), calls(out)
    model = player()
    found += wrong(lambda: at.bench(model, out), at)
    after = answers(out)
    if len(after) != 2 * QUESTIONS:
        found.append(f"{len(after)} answers after there was room again")
    if any(after.get(key) != one for key, one in before.items()):
        found.append("a stored answer was lost or changed")
    if sum(model.said.values()) != calls(out) - paid:
        found.append(f"{sum(model.said.values())} calls for {calls(out) - paid} new replies")
    found += wrong(lambda: at.ask(player(), threads), at)
    return found


def full(folder: Path, sizes: Sequence[int], until: float) -> list[Row]:
    """A disk that is full at so many different moments."""
    found, done, rows = [], 0, []
    for size in sizes:
        if time.monotonic() < until:
            at, done = site(folder / f"limit{size}"), done + 1
            found += [f"{size}: {text}" for text in squeezed(at, partial(limited, size))]
    rows.append(_row(f"files that may grow no more, at {done} sizes: run and thread", found))
    found, done = [], 0
    for size in sizes:
        if time.monotonic() < until:
            at = site(folder / f"disk{size}")
            with mounted(at.disk, 8_000_000) as there:
                if not there:
                    break
                done += 1
                found += [f"{size}: {text}" for text in squeezed(at, partial(filled, at.disk, size))]
    if done:
        rows.append(_row(f"disks that are full, at {done} moments: run and thread", found))
    return rows


def read_only(folder: Path) -> list[Row]:
    """A home that cannot be written: empty, and one in which the clip lies already; and a run file in it."""
    at, found = site(folder / "closed"), []
    with mounted(at.disk, 8_000_000) as there:
        if not there:
            return []
        with closed(at.disk):
            found += wrong(lambda: at.bench(player(), at.folder / "cold.run"), at)
            found += wrong(lambda: at.bench(player(), at.disk / "y.run"), at)
            found += wrong(lambda: at.ask(player(), at.disk / "threads.sqlite"), at)
        at.bench(player(), at.disk / "x.run")
        at.ask(player(), at.disk / "threads.sqlite")
        kept_answers = answers(at.disk / "x.run")
        with closed(at.disk):
            found += wrong(lambda: at.bench(player(), at.folder / "warm.run"), at)
            found += wrong(lambda: at.bench(player(), at.disk / "x.run"), at)
            found += wrong(lambda: at.ask(player(), at.disk / "threads.sqlite"), at)
        if len(answers(at.folder / "warm.run")) != 2 * QUESTIONS:
            found.append("a run whose clip lies in the cache did not go on")
        if answers(at.disk / "x.run") != kept_answers:
            found.append("a stored answer was lost or changed")
    return [_row("a home that is read-only, empty and not, in 6 ways", found)]


def clock(folder: Path) -> list[Row]:
    """A clock that goes back an hour whenever it is read, and one that went back between two lives of a thread."""
    at, found, real = site(folder / "clock"), [], time.time
    hours = itertools.count()
    with patch("time.time", lambda: real() - BACK * next(hours)):
        found += wrong(lambda: at.bench(player(), at.disk / "x.run", Plan(limit=1)), at)
        found += wrong(lambda: at.bench(player(), at.disk / "x.run"), at)
    with RunFile.open(at.disk / "x.run") as run:
        if run.worked_seconds() < 0:
            found.append(f"the run took {run.worked_seconds()} s")
    if len(answers(at.disk / "x.run")) != 2 * QUESTIONS:
        found.append("not all was answered")
    return [_row("a clock that goes back an hour whenever it is read", found), thread_in_the_past(at)]


def thread_in_the_past(at: Site) -> Row:
    """A thread that is stopped, gone on with while the clock is an hour behind and after that, and looked at."""
    threads, real, found = at.disk / "threads.sqlite", time.time_ns, []

    async def state() -> Any:
        from graph.build import build_graph

        async with open_checkpointer(threads) as saver:
            return await read_thread(build_graph(checkpointer=saver), "one")

    stopped = player(target=[AureliaError("no")])
    wrong(lambda: at.ask(stopped, threads, compare=False), at)
    with patch("time.time_ns", lambda: real() - int(BACK * 1e9)):
        found += wrong(lambda: at.ask(player(), threads, compare=False), at)
    found += wrong(lambda: at.ask(player(), threads, compare=False), at)
    seen = asyncio.run(state())
    if seen["stands"] != "done":
        found.append(f"the thread stands {seen['stands']}")
    return _row("a thread gone on with after the clock went back", found)


def together(folder: Path) -> list[Row]:
    """Two processes on one run file, and two on one cache that is empty."""
    at, found = site(folder / "together"), []
    environment = {**os.environ, "AURELIA_HOME": str(at.disk), "OMP_NUM_THREADS": "1"}

    def start(out: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "aurelia", "bench", "run", str(at.folder / "bench.jsonl")]
        command += ["--out", str(at.folder / out), "--media", str(at.folder / "media")]
        return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    for names in (("one.run", "one.run"), ("two.run", "three.run")):
        both = [start(name) for name in names]
        said = [process.communicate(timeout=500)[1] for process in both]
        ends = sorted(process.returncode for process in both)
        refused = any("Another process works on one.run right now" in text for text in said)
        if ends != [0, 0] and not (names[0] == names[1] and ends == [0, 2] and refused):
            found.append(f"{names}: {ends}: {said[0][-200:]} {said[1][-200:]}")
    told_of = [{key: one.answer for key, one in answers(at.folder / name).items()} for name in
               ("one.run", "two.run", "three.run")]  # fmt: skip
    if len(told_of[0]) != 2 * QUESTIONS or told_of[1:] != told_of[:1] * 2:
        found.append("their answers differ")
    return [_row("two processes on one run file, and two on one empty cache", found)]


def _row(what: str, found: Sequence[str]) -> Row:
    for text in found[:5]:
        print(f"machine: {what}: {text}", file=sys.stderr)
    return Row("crashes", f"{what}: ends that are neither right nor a typed error", str(len(found)), "0", not found)


def faults(folder: Path, minutes: float) -> list[Row]:
    """All of them; the full disk until the time is over."""
    sizes = [0, *(int(4096 * 1.5**step) for step in range(14))]
    rows = full(folder, sizes, time.monotonic() + minutes * 60)
    return [*rows, *read_only(folder), *clock(folder), *together(folder)]
