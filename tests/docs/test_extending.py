"""The files in docs/extending.md are real: the package of the page is installed and its commands are run."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aurelia import Context
from aurelia.bench.export import export_table
from aurelia.bench.importers.registry import DATASET_KINDS
from aurelia.bench.importers.run import ImportOptions, import_records
from aurelia.bench.run_file import RunFile
from aurelia.bench.score_run import score_run_file
from aurelia.report.build import build_report
from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError
from aurelia_core.models.capabilities import Capability
from aurelia_core.models.client import ModelClient
from aurelia_core.models.replies import (
    CaptionReply,
    FeedbackReply,
    ModelReply,
    ReasoningReply,
    VerdictReply,
    parse_reply,
)
from aurelia_core.settings import Settings
from targets import find_target, read_target_rows
from tests.support.bench_records import made_run

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = {
    name: text
    for text, name in re.findall(r"^```(?:python|toml)\n(# ([\w./]+)(?::[^\n]*)?\n.*?)^```", PAGE, re.M | re.S)
}
PACKAGE = {name: text for name, text in FILES.items() if name == "pyproject.toml" or name.startswith("aurelia_songs/")}
ROWS: list[Any] = [{"clip": "7", "asks": "Who sings?", "says": "a child"}, {"clip": "8", "asks": "What?"}]

Aurelia = Callable[..., subprocess.CompletedProcess[str]]


def load(name: str, folder: Path) -> ModuleType:
    """A file of the page as the module that it would be."""
    path = folder / Path(name).name
    path.write_text(FILES[name], encoding="utf-8")
    spec = util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_of_the_page_is_used_here() -> None:
    mine = Path(__file__).read_text(encoding="utf-8")
    assert len(FILES) == PAGE.count("\n```python") + PAGE.count("\n```toml") == 8
    for name in FILES.keys() - PACKAGE.keys():
        assert f'"{name}"' in mine, name
    listed = re.findall(r"^  ([\w./]+\.(?:py|toml))(?: +empty)?", PAGE, re.M)
    empty = re.findall(r"^  ([\w./]+\.py) +empty$", PAGE, re.M)
    assert set(listed) == {*PACKAGE, *empty}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which pip installed the package of the page; nothing is downloaded."""
    source, site = tmp_path_factory.mktemp("aurelia-songs"), tmp_path_factory.mktemp("site")
    empty = dict.fromkeys(re.findall(r"^  ([\w./]+\.py) +empty$", PAGE, re.M), "")
    for name, text in {**PACKAGE, **empty}.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", str(site)]
    command = [sys.executable, "-m", "pip", "install", *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
    return site


@pytest.fixture
def aurelia(installed: Path, tmp_path: Path, duet: Path) -> Aurelia:
    """Runs `aurelia` in a process that has the package, in a folder with the clip and the annotations of the page."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "7.mp4").symlink_to(duet)
    (tmp_path / "songs.json").write_text(json.dumps(ROWS), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AURELIA_")}
    environment = {**kept, "AURELIA_HOME": "home", "PYTHONPATH": os.pathsep.join([str(installed), str(ROOT)])}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "aurelia", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=120)

    return run


def test_the_installed_package_adds_a_command(aurelia: Aurelia, duet: Path) -> None:
    assert "Count the sounds of a clip." in aurelia("--help").stdout
    done = aurelia("sounds", str(duet))
    assert (done.returncode, done.stdout) == (0, "2\n"), done.stderr


def test_the_installed_package_adds_a_provider(aurelia: Aurelia, duet: Path) -> None:
    question = ["ask", "--video", str(duet), "--question", "How many?", "--choice", "one", "--choice", "three"]
    done = aurelia(*question, "--model", "target=longest:60", "--max-iterations", "1", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["answer"], result["choice"], result["models"]["target"]) == ("three", "three", "longest:60")
    refused = aurelia(*question, "--model", "target=longest:1")
    assert refused.returncode == 2
    assert refused.stderr == "aurelia: longest:1 takes 1 s of a clip: name another target.\n"


def test_the_installed_package_adds_a_target_row(aurelia: Aurelia) -> None:
    assert "Longest choice" in aurelia("targets").stdout
    done = aurelia("targets", "longest", "--json")
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert (row["name"], row["spec"], row["lacks"]) == ("longest", "longest:60", [])


def test_the_installed_package_adds_a_data_set(aurelia: Aurelia, tmp_path: Path) -> None:
    done = aurelia("bench", "import", "songs", "songs.json", "--media", "clips", "--out", "songs.jsonl")
    assert done.returncode == 0, done.stderr
    (record,) = [json.loads(line) for line in (tmp_path / "songs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (record["video"], record["answers"], record["licence"]) == ("7.mp4", ["a child"], "CC-BY-4.0")
    unknown = aurelia("bench", "import", "hymns", "songs.json", "--media", "clips", "--out", "hymns.jsonl")
    assert unknown.returncode == 2 and "songs" in unknown.stderr


def test_the_commands_of_the_page_are_those_that_are_tested() -> None:
    (commands,) = re.findall(r"^```sh\n(aurelia.*?)^```", PAGE, re.M | re.S)
    mine = Path(__file__).read_text(encoding="utf-8")
    named = [line.split()[1] for line in commands.splitlines()]
    assert named == ["sounds", "ask", "targets", "bench"]
    assert all(f'"{name}"' in mine for name in named)


async def test_a_provider_of_ones_own_plays_a_role(tmp_path: Path, settings: Settings, duet: Path) -> None:
    module = load("aurelia_songs/longest.py", tmp_path)
    client = ModelClient(settings, providers={"longest": module.make})
    asked: Any = {"video": str(duet), "question": "How many sounds are heard?", "choices": ["one", "two", "three"]}
    result = await answer_question(asked, Context(target="longest:60"), client=client)
    assert (result["answer"], result["choice"], result["models"]["target"]) == ("three", "three", "longest:60")
    assert result["iterations"][0]["score"] and result["usage"]["cost_usd"] == 0
    with pytest.raises(InputError, match="takes 1 s of a clip"):
        await answer_question(asked, Context(target="longest:1"), client=client)
    client.close()


async def test_a_provider_for_one_script(tmp_path: Path, duet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    provider = load("aurelia_songs/longest.py", tmp_path)
    result = await load("one_script.py", tmp_path).run(str(duet), provider.make)
    assert (result.choice, result.models["target"]) == ("three", "longest:60")


def test_a_capability_row_can_be_used() -> None:
    (row,) = tomllib.loads(FILES["capabilities.toml"])["model"]
    found = Capability.model_validate(row)
    assert (found.sees, found.hears, found.price.output) == ("video", ["wav", "mp3"], 1.6)


def test_a_target_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "longest.toml").write_text(FILES["aurelia_songs/targets/longest.toml"], encoding="utf-8")
    (name, row), *more = read_target_rows(tmp_path).items()
    assert name == "longest" and not more
    exact, alike = row.fit("longest:60"), row.fit("longest:61")
    assert exact > alike > find_target("longest:61").fit("longest:61")
    assert row.fit("compatible:other") == 0
    (tmp_path / "bad.toml").write_text('title = "x"', encoding="utf-8")
    with pytest.raises(InputError, match=r"targets/bad\.toml"):
        read_target_rows(tmp_path)


def test_a_kind_is_one_class_and_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("aurelia_songs/dataset.py", tmp_path)
    monkeypatch.setitem(DATASET_KINDS, "songs", module.SONGS)
    (tmp_path / "songs.json").write_text(json.dumps(ROWS), encoding="utf-8")
    (tmp_path / "7.mp4").write_bytes(b"")
    found = import_records(tmp_path / "songs.json", ImportOptions("songs", tmp_path))
    (record,) = found.records
    assert (record.video, record.answers, record.licence, record.missing) == ("7.mp4", ["a child"], "CC-BY-4.0", [])
    assert [noted.row for noted in found.report.malformed] == [1]


def test_a_metric_is_a_script_over_the_run(tmp_path: Path) -> None:
    run = made_run(tmp_path / "made.run", 6, change=lambda number, parts: parts.update(values=[]))
    module = load("words.py", tmp_path)
    answers = module.measure(run)
    assert answers == 12
    # A score of one's own does not stand in the way of the built-in ones.
    assert asyncio.run(score_run_file(run)) == answers
    with RunFile.open(run) as opened:
        marks = list(opened.scores())
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


REPLIES: dict[str, type[ModelReply]] = {
    "generator": ReasoningReply,
    "summarizer": CaptionReply,
    "evaluator": VerdictReply,
    "feedback": FeedbackReply,
}


def bare(value: Any) -> Any:
    """A schema without its titles and descriptions, which restrict nothing."""
    if isinstance(value, dict):
        named = {"title", "description"}
        return {key: bare(part) for key, part in value.items() if key not in named or not isinstance(part, str)}
    if isinstance(value, list):
        return [bare(part) for part in value]
    return value


@pytest.mark.parametrize("role", REPLIES)
def test_the_replies_of_the_page_are_read_and_their_schemas_are_those_of_the_code(role: str) -> None:
    part = PAGE.split(f"\nThe {role} returns, for example\n")[1]
    example, schema = (json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", part, re.M | re.S)[:2])
    model = REPLIES[role]
    reply = parse_reply(f"Here it is: {json.dumps(example)}", model)
    assert reply.model_dump() == example
    assert schema == bare(model.model_json_schema())
    assert f"`aurelia_core.models.replies.{model.__name__}`" in part
