"""The command line's kept threads as a user meets them: a pseudo terminal, a real editor script, a trace."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

COMMAND = [sys.executable, "-m", "aurelia"]
CTRL_C, CLOSED = "ctrl-c", "\x04"
QUESTION = "How many sounds are heard?"


class Ended(NamedTuple):
    status: int
    out: str
    seen: str


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def environment(home: Path, **more: str) -> dict[str, str]:
    known = {**os.environ, "AURELIA_HOME": str(home), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}
    known.pop("AURELIA_MEDIA_ROOTS", None)
    return {**known, **more}


def run(home: Path, *arguments: str) -> Any:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=environment(home))


def at_terminal(home: Path, *arguments: str, typed: list[tuple[str, str]], **more: str) -> Ended:
    """Runs a command with stdin and stderr at a pseudo terminal, typing each text when its prompt is there."""
    mine, theirs = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=environment(home, **more),
    )
    os.close(theirs)
    seen = bytearray()
    reader = threading.Thread(target=_answer, args=(mine, seen, list(typed), child))
    reader.start()
    out, _ = child.communicate()
    reader.join()
    os.close(mine)
    return Ended(child.returncode, out, seen.decode().replace("\r\n", "\n"))


def _answer(terminal: int, seen: bytearray, typed: list[tuple[str, str]], child: Any) -> None:
    read = 0
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            return
        if not part:
            return
        seen += part
        if typed and (at := seen.find(typed[0][0].encode(), read)) >= 0:
            read = at + len(typed[0][0])
            said = typed.pop(0)[1]
            if said == CTRL_C:
                child.send_signal(signal.SIGINT)
            else:
                os.write(terminal, f"{said}\n".encode())


@pytest.fixture
def asked(home: Path, duet: Path) -> Callable[..., list[str]]:
    return lambda *more: ["ask", "--video", str(duet), "--question", QUESTION, "--no-compare", *more]


PROMPT, FEEDBACK, WHERE = "[a/e/t]", "look or listen for?", "everywhere)"
# Spoils the JSON at first; then, from the spoilt draft, edits it as a person would.
EDITOR = """import pathlib, sys
path = pathlib.Path(sys.argv[1])
text = path.read_text()
spoilt = text.startswith("oops")
path.write_text(text.removeprefix("oops").replace("Find", "Seek") if spoilt else "oops" + text)
"""


def test_a_person_edits_and_the_answer_stays_alone_on_stdout(home: Path, asked: Any, tmp_path: Path) -> None:
    (tmp_path / "editor.py").write_text(EDITOR)
    editor = f"{sys.executable} {tmp_path / 'editor.py'}"
    typed = [(PROMPT, "what?"), (PROMPT, "e"), (PROMPT, "e")]
    ended = at_terminal(home, *asked("--review", "--json"), typed=typed, EDITOR=editor, VISUAL="")
    assert ended.status == 0, ended.seen
    result = json.loads(ended.out)
    assert result["best"]["steps"][0]["step"].startswith("Seek")
    assert (result["score"], result["best_iteration"]) == (None, None)
    assert "edited the reasoning of attempt 1" in result["warnings"][0]
    for said in (
        "'what?' is not an answer",
        "is not JSON",
        "the reasoning is edited",
        "edited by a person, without a score",
    ):
        assert said in ended.seen
    assert "resume it with --thread review-" in ended.seen


def test_a_person_asks_for_another_attempt_and_a_trace_tells_of_it(home: Path, asked: Any) -> None:
    typed = [(PROMPT, "t"), (FEEDBACK, "The end."), (WHERE, "1-x"), (PROMPT, "t"), (FEEDBACK, "The end.")]
    typed += [(WHERE, "1.2-1.8"), (PROMPT, "")]
    ended = at_terminal(home, *asked("--review", "--thread", "mine"), typed=typed)
    assert (ended.status, ended.out) == (0, "2\n"), ended.seen
    assert "'1-x' is not a part of the clip" in ended.seen
    assert "another attempt: The end." in ended.seen
    told = json.loads(run(home, "trace", "mine", "--json").stdout)
    assert [(node["node"], node["attempt"]) for node in told["nodes"]] == [
        ("prepare", None),
        *[("reasoning_generator", 1), ("summarizer", 1), ("evaluator", 1), ("review", 1)],
        *[("reasoning_generator", 2), ("summarizer", 2), ("evaluator", 2), ("review", 2)],
        ("target_model", None),
    ]
    reviews = [node for node in told["nodes"] if node["node"] == "review"]
    assert [(node["text"], node["seconds"]) for node in reviews] == [("try again: The end.", None), ("accepted", None)]
    assert (told["stands"], told["answer"], told["attempts"], told["elsewhere"]) == ("done", "2", 2, 0)
    shown = run(home, "trace", "mine").stdout.splitlines()
    assert shown[0].startswith(f"mine: {QUESTION}  [")
    assert shown[1].startswith("  answer: 2 (attempt 2, ")
    assert [line.split()[1] for line in shown if line[0] in "├└"] == [node["node"] for node in told["nodes"]]
    assert max(map(len, shown)) <= 110


def test_a_run_that_waits_says_so_and_goes_on_without_a_review(home: Path, asked: Any) -> None:
    ended = at_terminal(home, *asked("--review", "--thread", "left"), typed=[(PROMPT, CTRL_C)])
    assert ended.status == 130, ended.seen
    waiting = json.loads(run(home, "trace", "left", "--json").stdout)
    assert (waiting["stands"], waiting["nodes"][-1]["state"]) == ("waiting for a review", "waiting")
    assert "waiting for a review, after 1 attempt" in run(home, "trace", "left").stdout
    assert "--no-review" in run(home, *asked("--thread", "left")).stderr
    ended = run(home, *asked("--thread", "left", "--no-review"))
    assert (ended.returncode, ended.stdout) == (0, "2\n"), ended.stderr
    assert "left is resumed after 1 attempt: review" in ended.stderr
    assert "Attempt 1" not in ended.stderr


def test_a_place_for_threads_may_come_from_the_environment(home: Path, asked: Any, tmp_path: Path) -> None:
    place = {"AURELIA_CHECKPOINT": str(tmp_path / "kept.sqlite")}
    for more, kept in (([], False), (["--thread", "elsewhere"], True)):
        ended = subprocess.run(
            [*COMMAND, *asked(*more)], capture_output=True, text=True, env=environment(home, **place)
        )
        assert ended.returncode == 0, ended.stderr
        assert (tmp_path / "kept.sqlite").exists() == kept
    assert run(home, "trace", "elsewhere", "--checkpoint", str(tmp_path / "kept.sqlite")).returncode == 0


def test_a_terminal_that_is_closed_leaves_the_pause(home: Path, asked: Any) -> None:
    typed = [(PROMPT, "t"), (FEEDBACK, CLOSED)]
    ended = at_terminal(home, *asked("--review", "--thread", "closed"), typed=typed)
    assert (ended.status, ended.out) == (130, "")
    assert "waiting for a review" in run(home, "trace", "closed").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "--video", "x.mp4", "--question", "x", "--review"], "--review asks at a terminal"),
        (["ask", "--video", "x.mp4", "--question", "x", "--checkpoint", "x.sqlite"], "name the thread with --thread"),
        (["ask", "--video", "x.mp4", "--question", "x", "--threshhold", "3"], "--threshold"),
        (["trace", "nobody"], "There is no thread 'nobody'"),
        (["trace", "nobody", "--checkpoint", "nowhere.sqlite"], "There is no thread 'nobody'"),
        (["trace", "nobody", "--checkpoint", "mysql://user:secret@host/x"], "a postgresql:// URL"),
        (["trace"], "THREAD"),
    ],
)
def test_a_mistake_is_one_line(home: Path, arguments: list[str], said: str) -> None:
    ended = run(home, *arguments)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("aurelia: ")]
    assert (ended.returncode, ended.stdout, len(lines)) == (2, "", 1)
    assert said in lines[0] and "secret" not in lines[0]
