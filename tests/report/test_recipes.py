"""`aurelia bench report`, `ablate` and the recipes as a user runs them, offline, on one small clip."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aurelia.bench.run_file import RunFile
from aurelia.cli.bench import bench_app
from aurelia_core.errors import InputError

QUESTIONS = [
    (
        "av-compositional",
        "On which side is the shape that moves while the highest sound is heard?",
        ["left", "right"],
        "right",
    ),
    ("music-avqa", "How many sounds are heard?", [], "2"),
    ("music-avqa", "Which is louder?", ["the first sound", "the second sound"], "the first sound"),
]


@pytest.fixture
def folder(tmp_path: Path, duet: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three questions about one clip, and a home of the test's own."""
    (tmp_path / "clips").mkdir()
    shutil.copy(duet, tmp_path / "clips" / "duet.mp4")
    lines = [
        {
            "id": f"q:{n}",
            "column": column,
            "video": "duet.mp4",
            "question": text,
            "choices": choices,
            "answers": [truth],
        }
        for n, (column, text, choices, truth) in enumerate(QUESTIONS)
    ]
    source = {"source": {"dataset": "made"}}
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps({**line, **source}) + "\n" for line in lines))
    monkeypatch.setenv("AURELIA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Any:
    found = CliRunner().invoke(bench_app, [*arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found


def test_table5_then_the_whole_grid_then_a_report(folder: Path) -> None:
    told = call("recipe", "table5", "questions.jsonl", "--media", "clips", "--out", "out")
    assert "Table 5, against T = 1" in told.stdout and "\\$" not in told.stdout and "| ---" not in told.stdout
    shown = (folder / "out" / "tables" / "01-table-5-against-t-1.csv").read_text()
    rows = {row[""]: row for row in csv.DictReader(shown.splitlines())}
    assert all("(n = 3)" in rows[f"T = {cap}"]["accuracy, %"] for cap in (1, 2, 3, 4, 5))
    with RunFile.open(folder / "out" / "full.run") as run:
        calls = run.usage()["calls"]
        assert {len(found.result["iterations"]) for found in run.outcomes("aurelia") if found.result} == {5}
    call("ablate", "out/full.run", "--media", "clips", "--out", "grid")
    found = json.loads((folder / "grid" / "ablation.json").read_text())
    assert len(found["cells"]) == 50
    with RunFile.open(folder / "out" / "full.run") as run:
        assert run.usage()["calls"] <= 1.3 * calls
    for cell in found["cells"]:
        if cell["threshold"] == 8:
            row = rows[f"T = {cell['max_iterations']}"]
            assert row["accuracy, %"].startswith(f"{cell['accuracy']:.1f} ")
    call("report", "out/full.run", "--out", "again", "--embed", "none")
    text = (folder / "again" / "report.md").read_text(encoding="utf-8")
    assert "## Ablation" in text and text.count("| steps | 3 |") == 50
    assert "Accuracy over the threshold" in (folder / "again" / "report.html").read_text(encoding="utf-8")


def test_the_floor_asks_the_target_alone_on_a_sample(folder: Path) -> None:
    call("recipe", "floor", "questions.jsonl", "--media", "clips", "--size", "2", "--out", "out")
    told = call("recipe", "floor", "questions.jsonl", "--media", "clips", "--size", "2", "--out", "dry", "--dry-run")
    assert "To come, without retries" in told.stdout and not (folder / "dry" / "floor.run").exists()
    with RunFile.open(folder / "out" / "floor.run") as run:
        assert [outcome.arm for outcome in run.outcomes()] == ["zero_shot"] * 2
        assert run.usage()["calls"] == 2
        assert {mark.metric for mark in run.scores()} >= {"correct"}


def test_a_mixture_compares_its_profiles_and_wants_one_target(folder: Path) -> None:
    (folder / "coarse.toml").write_text("frames = 4\nmax_iterations = 1\n")
    (folder / "other.toml").write_text('target = "offline:other"\n')
    profiles = ["--profile", "offline", "--profile", "coarse.toml"]
    call("recipe", "table4", "questions.jsonl", "--media", "clips", *profiles, "--out", "out")
    text = (folder / "out" / "table4.md").read_text(encoding="utf-8")
    assert "| offline |" in text and "| coarse |" in text
    with pytest.raises(InputError, match="same target"):
        call("recipe", "table4", "questions.jsonl", "--profile", "offline", "--profile", "other.toml")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ablate", "none.run"], "no run file"),
        (["ablate", "none.run", "--iterations", "one"], "--iterations one"),
        (["report", "none.run"], "no run file"),
        (["recipe", "table5", "questions.jsonl", "--task", "dance"], "no task 'dance'"),
        (["recipe", "floor", "none.jsonl"], "no benchmark file"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        call(*arguments)


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from aurelia.cli.bench import bench_app as app\n"
        "try: app(['recipe', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'matplotlib', 'jinja2', 'langgraph', 'langchain_core', 'numpy'} & sys.modules.keys()\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert ended.returncode == 0, ended.stderr[-300:]
