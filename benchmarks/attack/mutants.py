"""Hostile clips: thousands of mutants of small valid clips, and bombs, through the intake of a process of its own.

The process under attack is `intake.py`; here it is started, watched and counted. A mutant that breaks a bound is kept
in build/attack, named by its number.
"""

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.attack.bombs import BOMB_BYTES, BOMB_MAIN_MB, BOMB_SECONDS, write
from benchmarks.attack.intake import LONGEST
from benchmarks.attack.row import Row
from benchmarks.attack.seeds import MARK

MUTANTS = 10_000
SILENCE = 60.0
"""Seconds without a line after which the process counts as hung."""
MAIN_MB, CHILD_MB = 1024, 4096
"""Two clips at once, each of the hour that is allowed by default: its sound (230 MB) mapped from disk, and a copy."""
ROOT = Path(__file__).resolve().parents[2]
KEPT = Path("build") / "attack"


def attack(minutes: float, seed: int, trials: int = MUTANTS) -> list[Row]:
    """10,000 mutants, or as many as four fifths of the time allow, and the bombs."""
    began = time.monotonic()
    rows = mutants(trials, minutes * 48, seed)
    return rows + bombs(max(10.0, minutes * 60 - (time.monotonic() - began)))


def mutants(many: int, seconds: float, seed: int) -> list[Row]:
    """Takes mutants in; what became of them."""
    found = Found()
    until = time.monotonic() + seconds
    first = 0
    while first < many and time.monotonic() < until:
        with _folder() as folder:
            given = (str(seed), str(first), str(many - first), f"{until - time.monotonic():.0f}")
            first = watched("intake", folder, given, found, first)
            _keep(folder, found)
    return found.rows()


def bombs(seconds: float, names: Sequence[str] = ()) -> list[Row]:
    """Takes bombs in (all, if none is named), under limits of their own."""
    found = Found()
    with _folder() as folder:
        write(folder, names)
        watched("bombs", folder, (f"{seconds:.0f}",), found, 0)
    main, child = found.memory()
    outcome = f"{found.frames} within the limits, {found.refused} refused"
    bound = 3 * BOMB_SECONDS
    return [
        Row(
            "clips",
            f"{found.ended} bombs ({outcome}): deaths, hangs, untyped errors",
            str(found.broken),
            "0",
            found.broken == 0 and found.finished and found.refused > 0,
        ),
        Row(
            "clips",
            f"slowest bomb, three jobs of {BOMB_SECONDS:.0f} s at most",
            f"{found.slowest:.1f} s",
            f"{bound:.0f} s",
            found.slowest < bound,
        ),
        Row(
            "clips",
            "memory with bombs, main process and largest child",
            f"{main:.0f} and {child:.0f} MB",
            f"{BOMB_MAIN_MB} and {BOMB_BYTES >> 20} MB",
            main < BOMB_MAIN_MB and child < BOMB_BYTES >> 20,
        ),
        found.leaks("bombs"),
        found.left(),
    ]


@dataclass
class Found:
    """What was counted, over all processes that were needed."""

    begun: set[int] = field(default_factory=set)
    ended: int = 0
    frames: int = 0
    deaths: int = 0
    wrong: list[str] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)
    slowest: float = 0.0
    seconds: float = 0.0
    printed: int = 0
    orphans: int = 0
    ends: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False

    @property
    def refused(self) -> int:
        """Those that ended with an error."""
        return self.ended - self.frames

    @property
    def broken(self) -> int:
        """What must not happen, leaks aside: deaths, and errors that are not fit for a person."""
        return self.deaths + len([text for text in self.wrong if not text.startswith("leaks")])

    def count(self, line: dict[str, Any]) -> None:
        """One line of the process."""
        if "begun" in line:
            self.begun.add(line["begun"])
        elif "ended" in line:
            self.begun.discard(line["ended"])
            self.ended += 1
            self.frames += not line["error"]
            self.slowest = max(self.slowest, line["seconds"])
            if line["wrong"]:
                self.wrong.append(line["wrong"])
                sys.stderr.write(f"{line['ended']} ({line['kind']}): {line['wrong']}\n")
            if line["wrong"] or line["seconds"] >= LONGEST:
                self.odd.append(line["ended"])
        elif line.get("done"):
            self.finished = True
            self.ends.append(line)

    def memory(self) -> tuple[float, float]:
        """The most that the main process and one child took, MB."""
        main, child = zip(*[end["memory"] for end in self.ends], strict=True) if self.ends else ([0], [0])
        return max(main) / (1 << 20), max(child) / (1 << 20)

    def leaks(self, what: str) -> Row:
        """Whether anything that a clip says was repeated."""
        leaks = self.printed + len([text for text in self.wrong if text.startswith("leaks")])
        return Row("clips", f"outputs that repeat what is in {what} (errors, output)", str(leaks), "0", not leaks)

    def left(self) -> Row:
        """What the processes did not close, end or remove."""
        grown = sum(max(0, end["after"][name] - end["before"][name]) for end in self.ends for name in end["after"])
        files = sum(len(end["left"]) for end in self.ends)
        shown = f"{grown}, {files}, {self.orphans}"
        fine = bool(self.ends) and grown + files + self.orphans == 0
        return Row("clips", "descriptors or threads, unfinished files, processes left behind", shown, "0, 0, 0", fine)

    def rows(self) -> list[Row]:
        """The figures of the mutants."""
        main, child = self.memory()
        untyped = self.broken - self.deaths
        both = self.frames > 0 and self.refused > 0
        outcome = f"{self.frames:,} gave frames or sound, {self.refused:,} a typed error"
        rate = self.ended / max(self.seconds, 1e-9)
        return [
            Row(
                "clips",
                f"{self.ended:,} mutants ({outcome}; {rate:.0f} a second): deaths, hangs of the main process",
                str(self.deaths),
                "0",
                self.deaths == 0 and both,
            ),
            Row(
                "clips",
                "errors without a type, or that are not one plain line without folders",
                str(untyped),
                "0",
                untyped == 0,
            ),
            Row("clips", "slowest mutant", f"{self.slowest:.1f} s", f"under {LONGEST:.0f} s", self.slowest < LONGEST),
            Row(
                "clips",
                "memory, main process and largest child",
                f"{main:.0f} and {child:.0f} MB",
                f"{MAIN_MB} and {CHILD_MB} MB",
                0 < main < MAIN_MB and 0 < child < CHILD_MB,
            ),
            self.leaks("mutants"),
            self.left(),
        ]


def watched(script: str, folder: Path, given: tuple[str, ...], found: Found, first: int) -> int:
    """Runs a process to its end, its death or its silence; the number of the first mutant that it did not begin."""
    command = [sys.executable, "-m", f"benchmarks.attack.{script}", str(folder), *given]
    began = time.monotonic()
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env=known, start_new_session=True)
    found.finished, last = False, first
    try:
        for line in _lines(process):
            found.printed += MARK.casefold() in json.dumps(line).casefold() and not line.get("wrong")
            found.count(line)
            last = max(last, line.get("begun", -1) + 1)
        status = process.wait(SILENCE) if found.finished else process.poll()
    finally:
        process.kill()
        process.wait()
    if not found.finished or status != 0:
        found.deaths += 1
        found.odd += found.begun
        sys.stderr.write(f"the process ended with {status} during {sorted(found.begun)}\n")
        sys.stderr.write((folder / "stderr").read_text(errors="replace")[-2000:])
        last = max(last, first + 1)
    found.seconds += time.monotonic() - began
    found.printed += MARK.casefold() in (folder / "stderr").read_text(errors="replace").casefold()
    found.orphans += _orphans(process.pid)
    found.begun.clear()
    return last


def _lines(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What a process prints, until it ends or is silent for too long."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as ready, process.stdout as out:
        ready.register(out, selectors.EVENT_READ)
        while ready.select(SILENCE):
            block = os.read(out.fileno(), 1 << 16)
            if not block:
                return
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield json.loads(line)


def _orphans(session: int) -> int:
    """Ends and counts what a process started and left."""
    left = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process)
        except (OSError, psutil.Error):
            continue
    _, alive = psutil.wait_procs(left, timeout=5)
    for process in alive:
        process.kill()
    return len(alive)


def _keep(folder: Path, found: Found) -> None:
    for number in found.odd:
        for file in (folder / "clips").glob(f"m{number}.*"):
            KEPT.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, KEPT / file.name)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="aurelia-attack-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()
