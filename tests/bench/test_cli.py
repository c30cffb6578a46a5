"""`aurelia bench` as its users meet it: the offline profile, what goes where, exit statuses, JSON events."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from aurelia.bench.progress import ProgressDisplay
from aurelia.cli.main import main
from tests.support.bench_runs import line, write_lines


class Home(NamedTuple):
    """A folder with media, records and everything that is kept."""

    folder: Path

    def bench(self, *arguments: str) -> Any:
        known = {**os.environ, "AURELIA_HOME": str(self.folder / "home"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "aurelia", "bench", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=known)

    def arguments(self) -> list[str]:
        folder = self.folder
        return [str(folder / "bench.jsonl"), "--out", str(folder / "x.run"), "--media", str(folder / "media")]

    def run(self, *more: str) -> Any:
        return self.bench("run", *self.arguments(), *more)


@pytest.fixture
def home(tmp_path: Path, duet: Path) -> Home:
    (tmp_path / "media").mkdir()
    shutil.copy(duet, tmp_path / "media")
    question = {"question": "How many sounds are heard?", "answers": ["2"]}
    write_lines(tmp_path / "bench.jsonl", [line(1, **question), line(2, question="Sing!", column="avsd")])
    return Home(tmp_path)


def test_a_run_reads_well_without_a_terminal_and_goes_on_for_free(home: Home) -> None:
    first = home.run()
    assert (first.returncode, first.stdout) == (0, "")
    said = first.stderr.splitlines()
    assert said[0] == "x.run: 2 questions"
    assert said[1].startswith("To come: 4 answers, ")
    assert said[5].startswith("4/4  zero-shot 50.0%  AURELIA 50.0%  $0.0000")
    assert said[6] == "zero-shot 2 answered, 50.0% right, 1 unparsed"
    again = home.run("--json", "--limit", "2")
    assert again.returncode == 0 and again.stderr == ""
    events = [json.loads(text) for text in again.stdout.splitlines()]
    assert [event["event"] for event in events] == ["start", "end"]
    assert events[1]["arms"]["aurelia"] == {
        "answered": 2,
        "failed": 0,
        "captions": 0,
        "scored": 2,
        "unparsed": 1,
        "right": 1,
        "accuracy": 0.5,
    }

    shown = home.bench("status", str(home.folder / "x.run"), "--json")
    assert json.loads(shown.stdout)["answered"] == {"zero_shot": 2, "aurelia": 2}
    told = home.bench("status", str(home.folder / "x.run")).stdout
    assert re.search(r"^questions +2 in the run file$", told, re.MULTILINE)
    assert re.search(r"^zero-shot +2 answered, 50.0% right, 1 unparsed$", told, re.MULTILINE)
    written = home.bench("export", str(home.folder / "x.run"), "--out", str(home.folder / "x.csv"))
    assert (written.returncode, written.stderr) == (0, "4 rows written to x.csv.\n")
    trained = home.bench("export", str(home.folder / "x.run"), "--out", str(home.folder / "t.jsonl"), "--training")
    assert trained.returncode == 0
    changed = home.run("--threshold", "9")
    assert changed.returncode == 2
    assert changed.stderr.startswith("aurelia: x.run was made with other settings (threshold: 8 -> 9)")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--arms", "both"], "The arms 'both' cannot be run: use zero_shot or aurelia"),
        (["--task", "music"], "There is no task 'music': use one of av-qa"),
        (["--rpm", "openai"], "--rpm openai cannot be used: write PROVIDER=CALLS_A_MINUTE"),
        (["--rpm", "openai=60"], "--rpm names 'openai', which this run does not ask: use offline."),
        (["--rpm", "openai=0"], "The rpm of openai is 0.0: it must be more than 0."),
        (["--max-cost-usd", "-1"], "The budget in dollars is -1.0: it must be more than 0."),
        (["--task", "av-meme"], "bench.jsonl holds no questions of the tasks av-meme"),
        (["--model", "target=nowhere:x"], "There is no model 'nowhere:x'"),
        (["--media", "nowhere"], "There is no media folder 'nowhere'"),
    ],
)
def test_bad_input_is_one_line_and_makes_no_run(
    home: Home, more: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AURELIA_HOME", str(home.folder / "home"))
    monkeypatch.setattr(sys, "argv", ["aurelia", "bench", "run", *home.arguments(), *more])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err.startswith(f"aurelia: {said}") and printed.err.count("\n") == 1
    assert not (home.folder / "x.run").exists()


def test_a_run_in_which_nothing_is_answered_ends_with_status_3(home: Home) -> None:
    (home.folder / "media" / "duet.mp4").write_bytes((home.folder / "media" / "duet.mp4").read_bytes()[:900])
    ended = home.run("--arms", "aurelia")
    assert ended.returncode == 3
    assert "AURELIA   0 answered, 2 failed" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("aurelia: No question of x.run was answered. Last error: duet")


def test_on_a_terminal_a_bar_shows_accuracy_cost_and_what_is_left() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    count = {"answered": 2, "failed": 1, "captions": 0, "scored": 2, "unparsed": 0, "accuracy": 0.5}
    standing = {"arms": {"aurelia": count}, "done": 3, "to_do": 4, "planned": 4}
    standing |= {"usage": {"calls": 9, "cost_usd": 0.25}}
    end = {"stopped_by": "the budget of $0.2 is used up", "left": 1, "given_up": 0, "last_error": "no", "seconds": 5.0}
    coming = {"to_do": 4, "calls_to_come": [4, 12], "tokens_to_come": None, "cost_usd_to_come": None}
    with ProgressDisplay(console) as display:
        display.event({"event": "start", "run": "x.run", "questions": 4, "left_out": 2, **coming, **standing})
        display.event({"event": "outcome", **coming, **standing})
        display.event({"event": "end", **standing, **end})
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())  # type: ignore[attr-defined]
    for text in (
        "4 questions, 2 left out because their media are missing",
        "2/4",
        "AURELIA 50.0%  $0.2500",
        "2 answered, 1 failed",
    ):
        assert text in said
    assert "Answers left: 1. Finished answers are saved; run the same command to resume, with a larger budget." in said
