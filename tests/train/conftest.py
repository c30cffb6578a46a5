"""Runs about rendered clips, as `aurelia bench run` writes them, and a folder of the clips."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aurelia.bench.records import Record, RecordSource
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.runner import RunResources, run_bench
from aurelia_core.models.local import loading
from aurelia_core.settings import Settings
from aurelia_offline.world import mini_world
from aurelia_offline.world.scene import write_scene
from state.context import ROLES, make_context
from tests.support.bench_runs import player, write_lines
from tests.support.stage import no_wait

CLIPS = 4


class Runs(NamedTuple):
    """A folder with `clips`, and runs about them."""

    folder: Path
    settings: Settings

    @property
    def media(self) -> Path:
        return self.folder / "clips"

    @property
    def resources(self) -> RunResources:
        return RunResources(self.settings, self.media)

    async def make(self, name: str, lines: list[dict[str, Any]], script: Any = None, **context: Any) -> Path:
        """A run of these records by scripted agents."""
        file, out = write_lines(self.folder / f"{name}.jsonl", lines), self.folder / f"{name}.run"
        model = player(**(script or {}))
        resources = RunResources(self.settings, self.media, {"scripted": lambda one, store: model}, sleep=no_wait)
        roles = {role: "scripted:one" for role in ROLES}
        settings = make_context({**roles, "frames": 2, "max_iterations": 1, "early_stop": True, **context})
        await run_bench(file, out, settings, Plan(arms=("aurelia",)), resources)
        return out


def record(number: int, **more: Any) -> dict[str, Any]:
    """A question about clip `number` modulo CLIPS."""
    source = RecordSource(dataset="made", split=more.pop("split", "train"))
    fields: dict[str, Any] = {"answers": ["with"], "question": f"What is heard ({number})?", **more}
    made = Record(id=f"q{number}", column="music-avqa", video=f"{number % CLIPS}.mp4", source=source, **fields)
    return made.model_dump(exclude_defaults=True)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learned") / "clips"
    folder.mkdir()
    for number in range(CLIPS):
        write_scene(mini_world.clip_scene(mini_world.draw_clip(900_000 + number)), folder / f"{number}.mp4")
    return folder


@pytest.fixture
def runs(tmp_path: Path, settings: Settings, clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    for name in ("DTYPE", "CACHE_MB", "THREADS", "MODELS"):
        monkeypatch.delenv(f"AURELIA_LOCAL_{name}", raising=False)
    monkeypatch.setenv("AURELIA_LOCAL_DEVICE", "cpu")
    monkeypatch.setenv("AURELIA_LOCAL_TOKENS", "8")
    (tmp_path / "clips").symlink_to(clip_folder)
    loading.unload_all()
    yield Runs(tmp_path, settings)
    loading.unload_all()


def outcome_count(path: Path) -> int:
    with RunFile.open(path) as run:
        return len(list(run.outcomes("aurelia", state="answered")))
