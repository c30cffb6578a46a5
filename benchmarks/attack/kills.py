"""Processes killed at random moments: a benchmark run, and questions in threads kept in SQLite and in PostgreSQL.

Each life of the command line is ended by `kill -9`, before a reply or moments later, and the next one goes on. After
every death the files must open cleanly, hold all that they held, and nothing that is stored may be asked for again. The
development server keeps its threads in memory: nothing of them is promised, so nothing of them is killed.
"""

import json
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from aurelia.bench.run_file import RunFile
from aurelia_offline.world.scene import parse_scene, write_scene
from benchmarks.attack import damage, machine
from benchmarks.attack.outages import SCENE
from benchmarks.attack.row import Row
from tests.support.kill_process import AT_ONCE, Place, killer, plain, prompt_of, stored
from tests.support.postgres import NoDatabase, started

KILLS = 100
ENOUGH = 20
"""Kills below which an attack that ran out of time says nothing."""


class Tally:
    """What was found over many deaths."""

    def __init__(self) -> None:
        self.kills = 0
        self.lost = self.repeated = self.twice = self.unclean = 0
        self.ends: Counter[str] = Counter()

    def file(self, path: Path) -> None:
        """Looks into a SQLite file as a stranger does."""
        if path.exists():
            with closing(sqlite3.connect(path)) as connection:
                self.unclean += connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]

    def rows(self, of: str, wanted: int, under_way: int, most: int, same: bool) -> list[Row]:
        """The figures."""
        after = f"over {self.kills} kills of {of}"
        bad = [f"{count} {name}" for name, count in self.ends.items()]
        sound = self.kills >= min(wanted, ENOUGH) and not bad
        return [
            Row("crashes", f"lives of {of} that were killed, or came to their end", f"{self.kills} killed"
                + "".join(f", {text}" for text in bad), f"at least {min(wanted, ENOUGH)}, no other end", sound),
            Row("crashes", f"stored replies lost, asked for again, {after}", f"{self.lost}, {self.repeated}", "0, 0",
                self.lost == self.repeated == 0),
            Row("crashes", f"replies stored twice, files that do not open cleanly, {after}",
                f"{self.twice}, {self.unclean}", "0, 0", self.twice == self.unclean == 0),
            Row("crashes", f"calls under way that were paid and lost, {after}", str(under_way), f"at most {most}",
                0 <= under_way <= most),
            Row("crashes", f"end of {of}, beside one that nobody killed", "the same" if same else "another",
                "the same", same),
        ]  # fmt: skip


def bench(place: Place, kills: int, until: float, dice: random.Random) -> list[Row]:
    """One benchmark run, killed so often or until the time is over."""
    tally, out = Tally(), place.folder / "x.run"
    while tally.kills < kills and time.monotonic() < until:
        paid, before = stored(out), len(place.server.sent)
        status = place.run("x.run", killer(dice))
        after = stored(out)
        tally.file(out)
        tally.lost += sum((paid - after).values())
        tally.repeated += len(paid.keys() & {prompt_of(sent) for sent in place.server.sent[before:]})
        if status == 0:
            break
        tally.kills += status == signal.SIGKILL
        tally.ends.update([] if status == signal.SIGKILL else [ended(status, place.folder / "x.run.log")])
        tally.ends.update(failed(out))
    place.run("x.run")
    paid, calls = stored(out), len(place.server.sent)
    tally.twice = sum(count > 1 for count in paid.values())
    place.run("undisturbed.run")
    same = plain(out) == plain(place.folder / "undisturbed.run") and len(place.server.sent) - calls == len(paid)
    return tally.rows("one benchmark run", kills, calls - len(paid), tally.kills * AT_ONCE, same)


def ended(status: int, log: Path) -> str:
    """How a life ended, with its last word."""
    said = log.read_text(errors="replace").splitlines() if log.exists() else []
    return f"status {status} ({said[-1][:300] if said else 'not a word'})"


def failed(out: Path) -> list[str]:
    """Why answers in a run file failed, though no provider did."""
    if not out.exists() or not RunFile.holds_run(out):
        return []
    with RunFile.open(out) as run:
        return [str(outcome.error) for outcome in run.outcomes(state="failed")]


def held(where: str, thread: str) -> int:
    """How many checkpoints of a thread are kept."""
    query = "SELECT count(*) FROM checkpoints WHERE thread_id = "
    if where.startswith("postgresql"):
        import psycopg

        with psycopg.connect(where) as database:
            if not (database.execute("SELECT to_regclass('checkpoints')").fetchone() or [None])[0]:
                return 0
            return int((database.execute(f"{query}%s", (thread,)).fetchone() or [0])[0])
    if not Path(where).exists():
        return 0
    with closing(sqlite3.connect(where)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").fetchone():
            return 0
        return int(connection.execute(f"{query}?", (thread,)).fetchone()[0])


def said(log: Path) -> dict[str, Any]:
    """What a life of `aurelia ask --json` answered, without times and bills."""
    found = json.loads(log.read_text().splitlines()[-1])
    kept = [
        [attempt[name] for name in ("reasoning", "caption", "score", "feedback")] for attempt in found["iterations"]
    ]
    return {**{name: found[name] for name in ("answer", "zero_shot_answer", "score", "stop_reason")}, "attempts": kept}


def threads(place: Place, where: str, kills: int, until: float, dice: random.Random) -> list[Row]:
    """Questions in threads, one after the other, each gone on with until it is answered."""
    tally, ledger, same, number = Tally(), place.folder / "home" / "ledger.sqlite", True, 0
    kind = "PostgreSQL" if where.startswith("postgresql") else "SQLite"
    begun = len(place.server.sent)
    others = len(stored(ledger))

    def life(thread: str, plot: Any = lambda pid: lambda: None) -> int:
        words = ["ask", "--video", str(place.clip), "--question", f"What is heard ({kind} {number})?", "--json"]
        words += ["--profile", str(place.folder / "mine.toml"), "--thread", thread, "--checkpoint", where]
        return place.live(words, place.folder / f"{thread}.log", plot)

    while tally.kills < kills and time.monotonic() < until:
        number += 1
        thread, status = f"{kind}-{number}", -1
        while status != 0:
            paid, before, kept = stored(ledger), len(place.server.sent), held(where, thread)
            status = life(thread, killer(dice, 3) if tally.kills < kills else lambda pid: lambda: None)
            tally.lost += sum((paid - stored(ledger)).values()) + (held(where, thread) < kept)
            tally.repeated += len(paid.keys() & {prompt_of(sent) for sent in place.server.sent[before:]})
            tally.file(ledger)
            if kind == "SQLite":
                tally.file(Path(where))
            tally.kills += status == signal.SIGKILL
            if status not in (0, signal.SIGKILL):
                tally.ends.update([ended(status, place.folder / f"{thread}.log")])
                break
        if status == 0:
            # All of it is in the ledger by now: another thread comes to the same end, and asks for nothing.
            calls = len(place.server.sent)
            same &= life(f"{thread}-again") == 0 and len(place.server.sent) == calls
            same &= said(place.folder / f"{thread}.log") == said(place.folder / f"{thread}-again.log")
    paid = stored(ledger)
    tally.twice = sum(count > 1 for count in paid.values())
    return tally.rows(
        f"questions in {kind} threads",
        kills,
        len(place.server.sent) - begun - len(paid) + others,
        tally.kills * 2,
        same,
    )


def all_kills(folder: Path, questions: int, kills: int, minutes: float, seed: int) -> list[Row]:
    """The three of them, a third of the time each."""
    dice, third = random.Random(seed), minutes * 20
    clip = folder / "media" / "duet.mp4"
    clip.parent.mkdir()
    write_scene(parse_scene(SCENE), clip)
    rows: list[Row] = []
    place = Place(folder, clip, questions)
    try:
        rows += bench(place, kills, time.monotonic() + third, dice)
        rows += threads(place, str(folder / "threads.sqlite"), kills, time.monotonic() + third, dice)
        try:
            with started() as url:
                rows += threads(place, url, kills, time.monotonic() + third, dice)
        except NoDatabase as why:
            print(f"kills: {why}", file=sys.stderr)
    finally:
        place.close()
    return rows


def attack(minutes: float, seed: int, trials: int = KILLS) -> list[Row]:
    """Kills for most of the time; then what a machine can do to the files, and damaged ones."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        # A life takes about two seconds, the end and the run that nobody disturbs as long as twenty.
        rows = all_kills(Path(name), 120, trials, minutes * 0.6, seed)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        rows += machine.faults(Path(name), minutes * 0.1)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        return [*rows, *damage.faults(Path(name), 64, seed, time.monotonic() + minutes * 12)]
