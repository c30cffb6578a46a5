"""The program under attack, as a process of its own: takes mutants in, one after another, and tells how each ended.

Each clip goes the way that a question's clip goes: admitted, its frames as perception and as providers take them, its
sound; every number of it is read. One line of JSON is printed when a clip begins, one when it ends, one at the end.
`python -m benchmarks.attack.intake FOLDER SEED N 1` does mutant N of a seed again.
"""

import gc
import json
import os
import resource
import shutil
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.media.pool import close_decode_pools
from aurelia_core.settings import Settings
from benchmarks.attack.mutations import mutant
from benchmarks.attack.seeds import MARK, Seed, seeds

ROUND = 200
"""Clips after which the cache is emptied, which otherwise would be measured instead."""
WORKERS = 2
LONGEST = 10.0
"""Seconds in which each mutant has to end; one that does not is kept."""


def looked_at(store: ClipStore, path: Path, use: Any) -> None:
    """All that a question may want of a clip.

    Raises:
        AureliaError: it cannot be had.
    """
    ref = store.admit(path, use)
    if use == "video":
        middle = ref["duration"] / 2
        for frames in (
            store.frames(ref, [], 480),
            store.frames(ref, [{"start": 0.0, "end": middle}], 4),
            store.frames(ref, [], 4, height=512),
        ):
            if not len(frames.times) or len(frames.times) != len(frames.images):
                raise RuntimeError("frames without times")
            float(np.asarray(frames.images).mean())
    for rate in (16000, 8000):
        for sound in store.audio(ref, [], rate):
            if not np.isfinite(np.abs(sound.samples).sum()):
                raise RuntimeError("sound that is no number")


def wrong_with(error: BaseException, folder: Path) -> str:
    """What is wrong with an error's message as a person would see it; nothing when all is well."""
    text = str(error)
    if not isinstance(error, AureliaError):
        return f"untyped: {type(error).__name__}: {text[:200]}"
    if MARK.casefold() in text.casefold():
        return f"leaks: {text[:200]}"
    if str(folder) in text or "/proc" in text:
        return f"shows a folder: {text[:200]}"
    return "" if text.isprintable() and 0 < len(text) < 400 else f"is no line: {text[:200]!r}"


def held() -> dict[str, int]:
    """What this process holds open or has started."""
    gc.collect()
    here = psutil.Process()
    # The tracker of shared memory is the standard library's, one a program, and ends with it.
    children = [child for child in here.children() if "resource_tracker" not in " ".join(child.cmdline())]
    return {"files": here.num_fds(), "children": len(children), "threads": threading.active_count()}


def tell(**facts: Any) -> None:
    """Prints a line at once."""
    os.write(1, (json.dumps(facts) + "\n").encode())


def peak() -> int:
    """The most memory that this process has held, bytes; ru_maxrss would count whoever started it, too."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) << 10


def summary(before: dict[str, int], left: list[str]) -> None:
    """Prints the last line: what is still held now, and the most memory that this process and a child of it took."""
    memory = [peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10]
    tell(done=True, before=before, after=held(), memory=memory, left=left)


class _Attack:
    """The threads that take mutants in, and what they print."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.clips = folder / "clips"
        self.clips.mkdir(exist_ok=True)
        self.made: list[Seed] = seeds(folder)
        self.lock = threading.Lock()
        settings = Settings(home=folder / "home", media_roots=(self.clips,), decode_workers=WORKERS)
        # Half of the clips go through each of the two libraries that decode pictures.
        self.stores = [ClipStore(settings, reader=reader) for reader in ("decord", "pyav")]
        self.cached = settings.cache_folder

    def whole(self) -> None:
        """Takes in the undamaged clips, which have to pass."""
        for number, seed in enumerate(self.made):
            path = self.clips / f"whole{number}.{seed.ending}"
            path.write_bytes(seed.data)
            for store in self.stores:
                looked_at(store, path, seed.kind)

    def round(self, numbers: Sequence[int], until: float) -> None:
        """Takes in these mutants, as many as the time allows, several at once."""
        todo = iter(numbers)

        def work() -> None:
            while time.monotonic() < until:
                with self.lock:
                    number = next(todo, None)
                if number is None:
                    return
                self._one(number)

        threads = [threading.Thread(target=work) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _one(self, number: int) -> None:
        made = mutant(self.made, self.seed, number)
        path = self.clips / f"m{number}.{made.ending}"
        path.write_bytes(made.data)
        tell(begun=number, kind=made.kind)
        began, end, wrong = time.monotonic(), "", ""
        try:
            looked_at(self.stores[number % 2], path, made.use)
        except Exception as error:
            end, wrong = str(error)[:300], wrong_with(error, self.folder)
        tell(ended=number, seconds=time.monotonic() - began, kind=made.kind, error=end, wrong=wrong)
        if not wrong and time.monotonic() - began < LONGEST:
            path.unlink()


def _ended(fault: threading.ExceptHookArgs) -> None:
    """A thread that fails ends the process, so that it counts."""
    traceback.print_exception(fault.exc_value)
    os._exit(70)


def main() -> None:
    """Takes in mutants FIRST to FIRST + MANY of a seed, for SECONDS at most."""
    folder = Path(sys.argv[1])
    seed, first, many = map(int, sys.argv[2:5])
    until = time.monotonic() + float(sys.argv[5] if len(sys.argv) > 5 else 600)
    threading.excepthook = _ended
    attack = _Attack(folder, seed)
    attack.whole()
    close_decode_pools()
    before = held()
    left: list[str] = []
    for start in range(first, first + many, ROUND):
        attack.round(range(start, min(start + ROUND, first + many)), until)
        left += [path.name for path in attack.cached.glob(".making-*")]
        shutil.rmtree(attack.cached, ignore_errors=True)
    close_decode_pools()
    summary(before, left)


if __name__ == "__main__":
    main()
