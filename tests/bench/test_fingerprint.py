"""A run never mixes two wordings: what a model reads, and how a target is asked, is part of the run's fingerprint."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import targets
from aurelia.bench import run_plan
from aurelia_core.errors import InputError
from prompts.render import PromptTexts
from tests.support.bench_runs import Bench, line, player


@pytest.fixture
def place(tmp_path: Path, duet: Path) -> Bench:
    return Bench.with_copy(duet, tmp_path, player())


async def test_a_sentence_that_is_written_in_code_is_part_of_it(place: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.run([line(1)])
    monkeypatch.setattr(PromptTexts, "frame_time", lambda self, seconds: f"{seconds:.1f} s:")
    with pytest.raises(InputError, match=r"prompts\.render: [0-9a-f]{12} -> [0-9a-f]{12}"):
        await place.run([line(1)])


async def test_the_row_of_the_target_is_part_of_it(place: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.run([line(1)])
    row = targets.find_target("scripted:one").model_copy(update={"short": "One word."})
    monkeypatch.setattr(run_plan, "find_target", lambda model_id: row)
    with pytest.raises(InputError, match=r"target_rows\.scripted:one: [0-9a-f]{12} -> [0-9a-f]{12}"):
        await place.run([line(1)])


async def test_a_run_of_the_last_release_is_resumed(place: Bench) -> None:
    """It recorded neither texts nor rows, named a setting differently, and lacks a setting that is new."""
    await place.run([line(1)])
    asked = place.model.said.total()

    def rewrite(key: str, change: Any) -> None:
        with sqlite3.connect(place.out) as connection:
            (text,) = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
            value = json.loads(text)
            change(value)
            connection.execute("UPDATE meta SET value = ? WHERE key = ?", (json.dumps(value), key))
        connection.close()

    def old_settings(settings: dict[str, Any]) -> None:
        settings["when_deaf"] = settings.pop("unsupported_modality")
        del settings["agents"]

    def old_prompts(prompts: dict[str, Any]) -> None:
        del prompts["render"], prompts["schemas"]

    rewrite("settings", old_settings)
    rewrite("prompts", old_prompts)
    with sqlite3.connect(place.out) as connection:
        connection.execute("DELETE FROM meta WHERE key = 'target_rows'")
    connection.close()
    await place.run([line(1)])
    assert place.model.said.total() == asked
    with pytest.raises(InputError, match="threshold: 8 -> 9"):
        await place.run([line(1)], threshold=9)
