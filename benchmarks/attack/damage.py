"""Damaged and half-written files: every range of every kept file overwritten or cut off, then read and gone on with.

What is kept is either right, or refused by an error that names the file. SQLite and the cache keep no checksums, so a
byte that changes inside a stored text, picture or sound and leaves it well-formed is not noticed: that is counted, and
is no defect here.
"""

import asyncio
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aurelia.bench.costs import costs_by_role
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger, ModelCall
from benchmarks.attack import machine
from benchmarks.attack.machine import QUESTIONS, Site
from benchmarks.attack.row import Row
from tests.support.bench_runs import player
from tests.support.scripted import scripted

RIGHT, NAMED, CHANGED = "right", "refused by name", "changed unnoticed"
Read = Callable[[Path], str]


def mutants(content: bytes, parts: int, dice: random.Random) -> Iterator[bytes]:
    """The content with each of so many ranges zeroed, filled with noise, and cut off before it."""
    size = max(1, -(-len(content) // parts))
    for start in range(0, len(content), size):
        part = content[start : start + size]
        yield content[:start] + bytes(len(part)) + content[start + len(part) :]
        yield content[:start] + dice.randbytes(len(part)) + content[start + len(part) :]
        yield content[:start]


class Ends(NamedTuple):
    """How the trials of one kind of file ended, and what is wrong with that."""

    counts: Counter[str]
    wrong: list[str]

    def row(self, what: str) -> Row:
        """The figure."""
        for text in self.wrong[:5]:
            print(f"damage: {what}: {text}", file=sys.stderr)
        told = ", ".join(f"{self.counts[name]} {name}" for name in (RIGHT, NAMED, CHANGED) if self.counts[name])
        measured = f"{len(self.wrong)} ({told})"
        what = f"{what}, {self.counts.total()} times: neither read nor refused by name"
        return Row("crashes", what, measured, "0", not self.wrong and self.counts.total() > 0)


def trials(path: Path, parts: int, dice: random.Random, until: float, read: Read) -> Ends:
    """Reads every mutant of a file in its place."""
    content, ends, wrong = path.read_bytes(), Counter[str](), []
    for number, mutant in enumerate([content, *mutants(content, parts, dice)]):
        if time.monotonic() > until:
            break
        for beside in ("-wal", "-shm", ".lock"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        path.write_bytes(mutant)
        try:
            how = read(path)
            ends[how] += 1
            wrong += [] if number or how == RIGHT else ["whole, it is not read as it was"]
        except AureliaError as fault:
            ends[NAMED] += 1
            wrong += [] if number else ["whole, it is refused"]
            wrong += _ill_told(str(fault), path.name)
        except Exception as fault:
            ends["wrong"] += 1
            wrong.append(f"untyped: {type(fault).__name__}: {str(fault)[:200]}")
    path.write_bytes(content)
    return Ends(ends, wrong)


def _ill_told(said: str, name: str) -> list[str]:
    """What is wrong with an error's words."""
    found = []
    if not any(known in said for known in (name, "The cache", "kept of a thread", "duet.mp4")):
        found.append(f"not named: {said}")
    if "/tmp/" in said or len(said) > 300 or not said.isprintable():
        found.append(f"not one plain line: {said}")
    return found


def run_file(at: Site, parts: int, dice: random.Random, until: float) -> Row:
    """A run that is half done: read whole, and gone on with."""
    out = at.disk / "x.run"
    at.bench(player(), out, Plan(limit=1))
    with RunFile.open(out) as run:
        whole = list(run.outcomes())

    def read(path: Path) -> str:
        with RunFile.open(path) as run:
            found = list(run.outcomes())
            assert [*run.records(), *run.scores()] and run.meta and run.usage() and run.reported_versions() is not None
        costs_by_role(path)
        before = machine.calls(path)
        model = player()
        at.bench(model, path)
        if len(machine.answers(path)) != 2 * QUESTIONS or sum(model.said.values()) != machine.calls(path) - before:
            raise AssertionError("it was not gone on with")
        return RIGHT if found == whole else CHANGED

    return trials(out, parts, dice, until, read).row("run file damaged")


def ledger(at: Site, parts: int, dice: random.Random, until: float) -> Row:
    """A ledger with paid replies: all of them asked for again."""
    path = at.disk / "ledger.sqlite"

    def all_of(model: Any) -> list[str]:
        async def ask() -> list[str]:
            book = CallLedger(path)
            try:
                return [(await book.call(_call(model, number))).message.text for number in range(30)]
            finally:
                book.close()

        return asyncio.run(ask())

    model = scripted(target=lambda fields, messages: f"answer to {messages[-1].content}")
    whole = all_of(model)

    def read(path: Path) -> str:
        size, again = path.stat().st_size, scripted(target=["paid for again"])
        found = all_of(again)
        # A file that is cut off before its first byte is a new, empty one: nothing tells that it was not.
        if again.said["target"] and size > 0:
            raise AssertionError(f"{again.said['target']} paid replies were lost without a word")
        return RIGHT if found == whole or size == 0 else CHANGED

    return trials(path, parts, dice, until, read).row("call ledger damaged")


def _call(model: Any, number: int) -> ModelCall:
    from langchain_core.messages import HumanMessage

    fields = {"role": "target", "reasoning": None}
    message = HumanMessage(f"{number} " * 200, additional_kwargs={"request": fields})
    return ModelCall(model, "scripted:one", "target", "run", 0, [message])


def threads(at: Site, parts: int, dice: random.Random, until: float) -> Row:
    """A thread that was stopped before its target: gone on with."""
    path, stopped = at.disk / "threads.sqlite", player(target=[AureliaError("no")])
    ledger = at.disk / "paid.sqlite"
    try:
        at.ask(stopped, path, ledger, compare=False)
    except AureliaError:
        whole = at.ask(player(), at.disk / "whole.sqlite", ledger, compare=False)

    def read(path: Path) -> str:
        found = at.ask(player(), path, ledger, compare=False)
        return RIGHT if _told(found) == _told(whole) else CHANGED

    return trials(path, parts, dice, until, read).row("threads file damaged")


def _told(result: dict[str, Any]) -> Any:
    attempts = [[attempt[name] for name in ("reasoning", "caption", "score")] for attempt in result["iterations"]]
    return result["answer"], result["score"], attempts


def cache(at: Site, parts: int, dice: random.Random, until: float) -> Row:
    """Every file of a decoded clip: its frames and its sound read again, by a store that knows nothing of it."""

    def content() -> Any:
        store = ClipStore(at.settings)
        ref = store.admit("duet.mp4")
        sound = store.audio(ref)[0].samples
        return {**ref, "name": ""}, np.array(store.frames(ref, [], 4).images), np.array(sound)

    whole, total = content(), Ends(Counter(), [])

    def read(path: Path) -> str:
        half = path.stat().st_size < size
        found = content()
        same = found[0] == whole[0] and all(np.array_equal(*pair) for pair in zip(found[1:], whole[1:], strict=True))
        if half and not same:
            raise AssertionError(f"{path.name} was half written, and taken for whole")
        return RIGHT if same else CHANGED

    files = [path for path in sorted(at.settings.cache_folder.rglob("*")) if path.is_file()]
    for path in files:
        size = path.stat().st_size
        ends = trials(path, parts, dice, until, read)
        total = Ends(total.counts + ends.counts, total.wrong + ends.wrong)
        shutil.rmtree(at.settings.cache_folder)
        content()
    return total.row(f"each of {len(files)} files of the clip cache damaged")


def faults(folder: Path, parts: int, seed: int, until: float) -> list[Row]:
    """All kinds of files, each in so many ranges."""
    dice, now = random.Random(seed), time.monotonic()
    shares = [now + (until - now) * part / 4 for part in range(1, 5)]
    sites = [machine.site(folder / name) for name in ("ledger", "threads", "run", "cache")]
    found = [ledger(sites[0], parts, dice, shares[0]), threads(sites[1], parts, dice, shares[1])]
    found.append(run_file(sites[2], parts, dice, shares[2]))
    return [*found, cache(sites[3], max(2, parts // 4), dice, shares[3])]
