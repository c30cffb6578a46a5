"""Benchmark runs for tests: record files, and the real runner around a scripted model."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia_core.media import ClipStore
from aurelia_core.settings import Settings
from state.context import ROLES, make_context
from tests.support.scripted import ScriptedChat, reasoning, scripted
from tests.support.stage import no_wait


def player(price: float | None = 0.01, **script: Any) -> ScriptedChat:
    """A scripted model whose captions differ from question to question: equal ones would be judged once for all."""
    return scripted(price, **{"generator": lambda fields, messages: reasoning(fields["question"]), **script})


def line(number: int, **more: Any) -> dict[str, Any]:
    """The record of one open question about duet.mp4, whose answer is "with"."""
    told = {"id": f"q{number}", "column": "music-avqa", "video": "duet.mp4", "question": f"What is heard ({number})?"}
    return {**told, "answers": ["with"], "source": {"dataset": "test"}, **more}


def write_lines(path: Path, lines: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


class Bench(NamedTuple):
    """A folder with records and a run, and the model that answers."""

    folder: Path
    model: ScriptedChat
    settings: Settings
    store: ClipStore
    media: Path

    @classmethod
    def reading(cls, media: Path, folder: Path, model: ScriptedChat) -> Self:
        """A bench that reads the clips of a media folder."""
        settings = Settings(home=folder / "home", media_roots=(media,))
        return cls(folder, model, settings, ClipStore(settings), media)

    @classmethod
    def with_copy(cls, clip: Path, folder: Path, model: ScriptedChat) -> Self:
        """A bench with a copy of a clip in a media folder of its own."""
        media = folder / "media"
        media.mkdir()
        shutil.copy(clip, media)
        return cls.reading(media, folder, model)

    @property
    def out(self) -> Path:
        return self.folder / "x.run"

    async def run(self, lines: Sequence[dict[str, Any]], plan: Plan | None = None, **context: Any) -> Any:
        """Runs the records; `events` and `interrupted` go to the runner, the rest are settings."""
        file = write_lines(self.folder / "bench.jsonl", lines)
        events: list[dict[str, Any]] = context.pop("events", [])
        stop: asyncio.Event | None = context.pop("interrupted", None)
        roles = {role: "scripted:one" for role in ROLES}
        resources = RunResources(self.settings, None, {"scripted": lambda name, store: self.model}, self.store, no_wait)
        context_of = make_context({**roles, **context})
        return await run_bench(
            file, self.out, context_of, plan or Plan(), resources, on_event=events.append, interrupted=stop
        )

    def outcomes(self) -> list[Outcome]:
        with RunFile.open(self.out) as run:
            return list(run.outcomes())
