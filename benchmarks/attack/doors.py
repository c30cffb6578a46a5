"""Names and files that lead elsewhere, tried at every door: nothing outside the allowed folders is opened or asked.

Canaries are valid clips, so that opening one would succeed: every opening of one is counted by the system itself, and
every connection by a server on loopback. What is given to the server's door over the web is in `addresses.py`.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.run.ask import answer_question
from aurelia_core.errors import AureliaError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from benchmarks.attack.addresses import attack_addresses
from benchmarks.attack.lures import files, names
from benchmarks.attack.row import Row
from benchmarks.attack.swaps import attack_swaps
from benchmarks.attack.witnesses import Files, Server, answer
from state.context import make_context
from tests.support import clips

ROOT = Path(__file__).resolve().parent.parent.parent


def attack(minutes: float, seed: int) -> list[Row]:
    """All doors; links are swapped for a quarter of the time, half a minute at most."""
    with tempfile.TemporaryDirectory(prefix="aurelia-attack-") as name, Stage(Path(name).resolve()) as stage:
        rows = [through_names(stage, int(minutes * 20)), through_files(stage)]
        rows += attack_swaps(stage, min(30.0, minutes * 15), 1_000_000)
        return rows + attack_addresses(stage.clip)


class Tried(NamedTuple):
    """What a door said: nothing when it let the name in, and the ids of the clips it took."""

    error: str
    typed: bool
    clip: str


class Stage:
    """A folder that may be read, canaries beside it, and the doors.

    Attributes:
        root: the only folder that may be read; `good.mp4` lies in it.
        outside: the canaries: secret.mp4, secret.wav, part.ts.
        clip: the bytes of a valid clip that is no canary.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.root, self.outside = folder, folder / "root", folder / "outside"
        self.root.mkdir()
        self.outside.mkdir()
        self.clip = clips.film(
            self.root / "good.mp4", seconds=0.4, fps=10, size=(64, 48), sound_seconds=0.4
        ).read_bytes()
        for canary in ("secret.mp4", "part.ts"):
            clips.film(self.outside / canary, seconds=0.5, fps=10, size=(96, 64), sound_seconds=0.5)
        clips.tune(self.outside / "secret.wav", seconds=0.3)
        self.server = Server(answer((self.outside / "secret.mp4").read_bytes()))
        self.settings = Settings(home=folder / "home", media_roots=(self.root,), decode_workers=1)
        self.witness = Files([self.outside])
        self.context = make_context({"profile": "offline"})
        self.desk = ModelClient(self.settings, store=ClipStore(self.settings))

    def __enter__(self) -> "Stage":
        """Is ready."""
        return self

    def __exit__(self, *fault: object) -> None:
        """Closes the doors."""
        self.desk.ledger.close()
        self.witness.close()
        self.server.close()

    def touched(self) -> int:
        """How often canaries were opened or asked for since the last call."""
        callers, self.server.callers = self.server.callers, 0
        return len(self.witness.touched()) + callers

    def store(self, name: str, kind: Any = "video", reader: str = "decord", copy: bool = False) -> Tried:
        """The store's door; `copy` makes it the server's."""
        # Each library has a cache of its own, so that both really read.
        settings = replace(self.settings, home=self.settings.home / reader)
        store = ClipStore(settings, copy=copy, reader=reader)

        def take() -> str:
            ref = store.admit(name, kind)
            if kind == "video":
                store.frames(ref, [], 4)
            store.audio(ref)
            return ref["id"]

        return _tried(take)

    def python(self, name: str) -> Tried:
        """`aurelia.run.ask.ask`, with the name as a clip and as a track."""
        video: Any = {"video": name, "question": "What is heard?"}
        track: Any = {"video": "good.mp4", "audio": [name], "question": "What is heard?"}
        first = _tried(lambda: asyncio.run(answer_question(video, self.context, client=self.desk))["answer"])
        second = _tried(lambda: asyncio.run(answer_question(track, self.context, client=self.desk))["answer"])
        return first if first.typed < second.typed or not first.error else second

    def command_line(self, name: str) -> Tried:
        """`aurelia ask`, with the folder as the only one that may be read."""
        known = {key: value for key, value in os.environ.items() if not key.startswith("AURELIA_")}
        known |= {"AURELIA_HOME": str(self.folder / "home"), "AURELIA_MEDIA_ROOTS": str(self.root)}
        known |= {"HOME": str(self.outside), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "aurelia", "ask", f"--video={name}", "--question", "What is heard?"]
        done = subprocess.run(
            command, capture_output=True, env=known, cwd=self.folder, stdin=subprocess.DEVNULL, timeout=120
        )
        said = done.stderr.decode(errors="replace")
        typed = done.returncode == 2 and said.startswith("aurelia: ") and said.count("\n") == 1
        return Tried(said if done.returncode else "", typed, "")


def through_names(stage: Stage, by_command: int, every: int = 1) -> Row:
    """Names at every door, or every so many of them; the command line is slow and gets some `by_command` of them."""
    tries, wrong = 0, []
    given = names(stage.root, stage.outside, stage.server.port)[::every]
    stage.touched()
    for number, name in enumerate(given):
        doors: list[Callable[[str], Tried]] = [stage.store, stage.python]
        doors.append(lambda name: stage.store(name, copy=True))
        doors.append(lambda name: stage.store(name, kind="audio"))
        # A process cannot be given a name with a zero byte, nor one longer than its system takes.
        if number % max(1, len(given) // by_command) == 0 and "\0" not in name and len(name) < 4096:
            doors.append(stage.command_line)
        for door in doors:
            found = door(name)
            tries += 1
            if not found.error or not found.typed:
                wrong.append(name)
                sys.stderr.write(f"{name[:80]!r}: {found}\n")
    touched = stage.touched()
    what = f"{len(given)} names that lead elsewhere, {tries} tries at four doors: canaries touched, no refusals"
    return Row("paths", what, f"{touched}, {len(wrong)}", "0, 0", touched == 0 and not wrong)


def through_files(stage: Stage, every: int = 1) -> Row:
    """Files that refer elsewhere (or every so many of them), by both libraries, as clips and as sound."""
    tries, wrong, own = 0, 0, 0
    given = files(stage.root, stage.outside, stage.server.port, stage.clip)[::every]
    stage.touched()
    for path in given:
        for reader in ("decord", "pyav"):
            for kind in ("video", "audio"):
                found = stage.store(str(path), kind, reader)
                tries += 1
                own += not found.error
                if not found.typed and found.error:
                    wrong += 1
                    sys.stderr.write(f"{path.name}: {found}\n")
    touched = stage.touched()
    what = f"{len(given)} files that refer elsewhere, {tries} tries ({own} let in): canaries touched, untyped errors"
    return Row("paths", what, f"{touched}, {wrong}", "0, 0", touched == 0 and not wrong)


def _tried(take: Callable[[], str]) -> Tried:
    try:
        return Tried("", True, str(take()))
    except Exception as fault:
        return Tried(f"{type(fault).__name__}: {fault}", isinstance(fault, AureliaError), "")
