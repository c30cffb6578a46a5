"""The command line as its users meet it: what goes where, the exit status, the JSON contract; the offline profile."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia_offline.demo import CHOICES, QUESTION, SCENE
from aurelia_offline.world.scene import parse_scene, write_scene

TOP = {
    "answer", "choice", "zero_shot_answer", "stop_reason", "score", "best_iteration", "best", "leaks", "iterations",
    "clip", "models", "usage", "seconds",
}  # fmt: skip
ITERATION = {"iteration", "score", "caption", "reasoning", "feedback", "seconds", "usage"}
CLIP = {"id", "duration", "width", "height", "fps", "has_audio", "audio_channels", "audio_seconds"}
USAGE = {"calls", "input_tokens", "output_tokens", "cost_usd", "media_uploads"}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo") / "three shapes é.mp4"
    write_scene(parse_scene(SCENE), path)
    return path


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def aurelia(home: Path, *arguments: str, **environment: str) -> Any:
    known = {**os.environ, "AURELIA_HOME": str(home), "OMP_NUM_THREADS": "1", **environment}
    known.pop("AURELIA_MEDIA_ROOTS", None) if "AURELIA_MEDIA_ROOTS" not in environment else None
    return subprocess.run([sys.executable, "-m", "aurelia", *arguments], capture_output=True, text=True, env=known)


def ask(home: Path, clip: Path, *more: str, question: str = QUESTION) -> Any:
    choices = [part for choice in CHOICES for part in ("--choice", choice)]
    return aurelia(home, "ask", "--video", str(clip), "--question", question, *choices, *more)


def test_the_demo_is_answered_better_with_aurelia_and_free_the_second_time(home: Path, demo: Path) -> None:
    ended = ask(home, demo, "--json")
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert result.keys() >= TOP
    assert result["clip"].keys() == CLIP
    assert result["usage"].keys() >= USAGE
    assert all(attempt.keys() >= ITERATION for attempt in result["iterations"])
    assert result["models"] == dict.fromkeys(
        ("generator", "summarizer", "evaluator", "feedback", "target"), "offline:measure"
    )
    assert (result["answer"], result["choice"]) == ("right", "right")
    assert result["zero_shot_answer"] != "right"
    first, last = result["iterations"][0], result["iterations"][-1]
    assert first["score"] < last["score"]
    assert result["score"] == max(attempt["score"] for attempt in result["iterations"])
    assert first["feedback"] and last["feedback"] is None
    assert {step["modality"] for step in result["best"]["steps"]} <= {"audio", "visual", "both", "knowledge"}
    assert (result["clip"]["width"], result["clip"]["height"], result["clip"]["fps"]) == (480, 270, 24.0)
    assert result["clip"]["duration"] == pytest.approx(10.0, abs=0.05)
    assert result["usage"]["cost_usd"] == 0

    again = json.loads(ask(home, demo, "--json").stdout)
    assert again["usage"]["calls"] == 0
    assert again["answer"] == "right"


def test_the_answer_is_alone_on_stdout_and_progress_on_stderr(home: Path, demo: Path) -> None:
    ended = ask(home, demo)
    assert ended.stdout == "right\n"
    for word in ("Clip", "Attempt 1", "Attempt 2", "feedback:", "Reasoning", "Zero-shot", "AURELIA"):
        assert word in ended.stderr


def test_one_attempt_without_comparison(home: Path, demo: Path) -> None:
    ended = ask(home, demo, "--json", "--no-compare", "--max-iterations", "1", "--threshold", "10", "--inject", "full")
    result = json.loads(ended.stdout)
    assert (result["zero_shot_answer"], len(result["iterations"])) == (None, 1)
    assert result["stop_reason"] == "max_iterations"


def test_the_terminal_says_how_a_vote_went(home: Path, demo: Path) -> None:
    ended = ask(home, demo, "--strategy", "vote", "--candidates", "3")
    (votes,) = [line for line in ended.stderr.splitlines() if line.startswith("Votes")]
    assert sum(int(count) for count in re.findall(r"(\d) for '", votes)) == 3


def test_any_setting_is_given_by_its_name(home: Path, demo: Path) -> None:
    result = json.loads(ask(home, demo, "--json", "--set", "critic=claims", "--set", "max_iterations = 1").stdout)
    (attempt,) = result["iterations"]
    assert attempt["claims"]


def test_a_caption_is_scored_alone(home: Path, demo: Path) -> None:
    true = "Three sounds are heard. A red circle moves, then a yellow square, then a blue triangle."
    true += " The background is black."
    false = "Five sounds are heard. A green square moves at the top. The background is white."
    scores = [int(aurelia(home, "score", "--video", str(demo), "--caption", text).stdout) for text in (true, false)]
    assert scores[0] >= 8
    assert scores[1] <= 4


def test_a_caption_of_which_nothing_can_be_measured_has_no_score(home: Path, demo: Path) -> None:
    ended = aurelia(home, "score", "--video", str(demo), "--caption", "Grandmother is proud of her garden.")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "gives no score" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "--video", "missing.mp4", "--question", "x"], "missing.mp4"),
        (["ask", "--video", "missing.mp4"], "--question"),
        (["ask", "--video", "{clip}", "--question", " "], "The question is empty"),
        (["ask", "--video", "{clip}", "--question", "x", "--choice", "one"], "1 choices"),
        (["ask", "--video", "{clip}", "--question", "x", "--threshold", "11"], "threshold"),
        (["ask", "--video", "{clip}", "--question", "x", "--inject", "all"], "inject"),
        (["ask", "--video", "{clip}", "--question", "x", "--set", "critic"], "write NAME=VALUE"),
        (["ask", "--video", "{clip}", "--question", "x", "--set", "critik=claims"], "did you mean 'critic'?"),
        (["ask", "--video", "{clip}", "--question", "x", "--set", "gate=agree", "--set", "gate=always"], "gate=always"),
        (["ask", "--video", "{clip}", "--question", "x", "--profile", "nowhere"], "nowhere"),
        (["ask", "--video", "{clip}", "--question", "x", "--model", "evaluator"], "ROLE=PROVIDER:MODEL"),
        (["ask", "--video", "{clip}", "--question", "x", "--model", "judge=offline:measure"], "ROLE one of generator"),
        (["ask", "--video", "{clip}", "--question", "x", "--model", "target=nowhere:x"], "nowhere:x"),
        (["ask", "--video", "{clip}", "--question", "x", "--model", "target=offline:x"], "offline:x"),
        (["ask", "--video", "{clip}", "--audio", "missing.wav", "--question", "x"], "missing.wav"),
        (["score", "--video", "{clip}", "--caption", ""], "The caption is empty"),
        (["graph", "--png", "/nonexistent/graph.png"], "graph.png"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(home: Path, demo: Path, arguments: list[str], said: str) -> None:
    ended = aurelia(home, *[part.replace("{clip}", str(demo)) for part in arguments])
    assert (ended.returncode, ended.stdout) == (2, "")
    lines = [line for line in ended.stderr.splitlines() if line.startswith("aurelia: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert "Traceback" not in ended.stderr
    assert str(demo.parent) not in ended.stderr


def test_debug_shows_the_traceback(home: Path) -> None:
    ended = aurelia(home, "ask", "--video", "missing.mp4", "--question", "x", "--debug")
    assert ended.returncode not in (0, None)
    assert "Traceback" in ended.stderr


def test_doctor_names_the_profiles(home: Path) -> None:
    found = json.loads(aurelia(home, "doctor", "--json").stdout)
    offline = next(profile for profile in found["profiles"] if profile["name"] == "offline")
    assert offline["lacks"] == []
    assert "can run here" in aurelia(home, "doctor").stdout


def test_the_graph_is_printed_and_drawn_without_a_web_service(home: Path, tmp_path: Path) -> None:
    text = aurelia(home, "graph").stdout
    for name in ("prepare", "reasoning_generator", "summarizer", "evaluator", "feedback", "target_model", "zero_shot"):
        assert f"{name}({name})" in text
    assert re.search(r"evaluator -\. .*score.* \.-> feedback", text)
    assert "feedback --> reasoning_generator" in text
    pytest.importorskip("pygraphviz", reason="drawing needs pygraphviz")
    ended = aurelia(home, "graph", "--png", str(tmp_path / "graph.png"))
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")


def test_media_roots_bound_what_is_read(home: Path, demo: Path, tmp_path: Path) -> None:
    inside = aurelia(
        home, "score", "--video", demo.name, "--caption", "Three sounds.", AURELIA_MEDIA_ROOTS=str(demo.parent)
    )
    assert inside.returncode == 0, inside.stderr
    outside = aurelia(
        home, "score", "--video", str(demo), "--caption", "Three sounds.", AURELIA_MEDIA_ROOTS=str(tmp_path)
    )
    assert outside.returncode == 2
    assert "AURELIA_MEDIA_ROOTS" in outside.stderr


def test_models_that_fail_in_every_attempt_are_a_status_and_the_answer_stays(
    home: Path, demo: Path, tmp_path: Path
) -> None:
    """The address comes from a `.env` in the current folder."""
    (tmp_path / ".env").write_text("AURELIA_COMPATIBLE_URL=http://127.0.0.1:9/v1\n")
    arguments = [
        "ask",
        "--video",
        str(demo),
        "--question",
        QUESTION,
        "--model",
        "summarizer=compatible:nobody",
        "--json",
    ]
    known = {**os.environ, "AURELIA_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
    known.pop("AURELIA_COMPATIBLE_URL", None)
    ended = subprocess.run(
        [sys.executable, "-m", "aurelia", *arguments], capture_output=True, text=True, env=known, cwd=tmp_path
    )
    assert ended.returncode == 3, ended.stderr
    result = json.loads(ended.stdout)
    assert result["answer"] and (result["stop_reason"], result["best"]) == ("no_valid_score", None)
    assert len(result["iterations"]) == 5
    assert ended.stderr.splitlines()[-1] == (
        "aurelia: no attempt could be scored, because models failed; the target answered without reasoning."
    )
