"""The files in docs/extending.md are real: each is taken from the page and used as it says."""

import asyncio
import json
import re
import tomllib
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aurelia.bench.export import export_table
from aurelia.bench.importers.registry import DATASET_KINDS
from aurelia.bench.run_file import RunFile
from aurelia.bench.score_run import score_run_file
from aurelia.report.build import build_report
from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import Capability
from aurelia_core.settings import Settings
from targets import find_target, read_target_rows
from tests.support.bench_records import made_run

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = {
    name: text
    for text, name in re.findall(r"^```(?:python|toml)\n(# ([\w./]+)(?::[^\n]*)?\n.*?)^```", PAGE, re.M | re.S)
}


def used(name: str, folder: Path) -> ModuleType:
    """A file of the page as the module that it would be."""
    path = folder / name
    path.write_text(FILES[name], encoding="utf-8")
    spec = util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_of_the_page_is_used_here() -> None:
    mine = Path(__file__).read_text(encoding="utf-8")
    assert len(FILES) == PAGE.count("\n```python") + PAGE.count("\n```toml") == 5
    for name in FILES:
        assert f'"{name}"' in mine, name


async def test_a_provider_of_ones_own_plays_a_role(tmp_path: Path, settings: Settings, duet: Path) -> None:
    module = used("longest.py", tmp_path)
    choices = ["one", "two", "three"]
    result = await module.run(str(duet), "How many sounds are heard?", choices, "longest:60", settings)
    assert (result["answer"], result["choice"], result["models"]["target"]) == ("three", "three", "longest:60")
    assert result["iterations"][0]["score"] and result["usage"]["cost_usd"] == 0
    with pytest.raises(InputError, match="takes 1 s of a clip"):
        await module.run(str(duet), "How many sounds are heard?", choices, "longest:1", settings)


def test_a_capability_row_can_be_used() -> None:
    (row,) = tomllib.loads(FILES["capabilities.toml"])["model"]
    found = Capability.model_validate(row)
    assert (found.sees, found.hears, found.price.output) == ("video", ["wav", "mp3"], 1.6)


def test_a_target_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "studio_omni.toml").write_text(FILES["targets/studio_omni.toml"], encoding="utf-8")
    (name, row), *more = read_target_rows(tmp_path).items()
    assert name == "studio_omni" and not more
    exact, alike = row.fit("compatible:studio-omni-7b"), row.fit("compatible:studio-omni-72b")
    assert exact > alike > find_target("compatible:studio-omni-72b").fit("compatible:studio-omni-72b")
    assert row.fit("compatible:other") == 0
    (tmp_path / "bad.toml").write_text('title = "x"', encoding="utf-8")
    with pytest.raises(InputError, match=r"targets/bad\.toml"):
        read_target_rows(tmp_path)


def test_a_kind_is_one_class_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASET_KINDS, "songs", DATASET_KINDS["jsonl"])
    module = used("songs.py", tmp_path)
    rows: list[Any] = [{"clip": "7", "asks": "Who sings?", "says": "a child"}, {"clip": "8", "asks": "What?"}]
    (tmp_path / "songs.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "7.mp4").write_bytes(b"")
    found = module.songs(tmp_path / "songs.json", tmp_path)
    (record,) = found.records
    assert (record.video, record.answers, record.licence, record.missing) == ("7.mp4", ["a child"], "CC-BY-4.0", [])
    assert [noted.row for noted in found.report.malformed] == [1]


def test_a_metric_is_a_script_over_the_run(tmp_path: Path) -> None:
    run = made_run(tmp_path / "made.run", 6, change=lambda number, parts: parts.update(values=[]))
    module = used("words.py", tmp_path)
    answers = module.measure(run)
    assert answers == 12
    # A score of one's own does not stand in the way of the built-in ones.
    assert asyncio.run(score_run_file(run)) == answers
    with RunFile.open(run) as opened:
        marks = list(opened.marks())
        said = {(found.record, found.arm): found.answer for found in opened.outcomes(state="answered")}
    assert {mark.metric for mark in marks} >= {"words", "correct"}
    for mark in marks:
        if mark.metric == "words":
            assert mark.value == len((said[mark.record, mark.arm] or "").split())
    export_table(run, tmp_path / "made.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "made.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all("words" in line["marks"] for line in lines)
    said = build_report([run], tmp_path / "report").markdown.read_text(encoding="utf-8")
    assert re.search(r"\*\*Other metrics, made\*\*\n\n\| .*\bwords \|", said)
