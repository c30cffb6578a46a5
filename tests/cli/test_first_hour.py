"""A first hour at the command line: help, mistakes, closed and full streams, Ctrl-C, a home that is no folder."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aurelia.cli.ending import run_to_exit
from aurelia_core.errors import InputError

COMMAND = [sys.executable, "-m", "aurelia"]
FULL = Path("/dev/full")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def environment(home: Path, **more: str) -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith("AURELIA_")}
    return {**known, "AURELIA_HOME": str(home), "OMP_NUM_THREADS": "1", "COLUMNS": "120", **more}


def run(home: Path, *arguments: str, **more: str) -> Any:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=environment(home, **more))


@pytest.mark.parametrize("arguments", [[], ["bench"], ["-h"], ["ask", "-h"]], ids=" ".join)
def test_the_help_is_printed_for_reading(home: Path, arguments: list[str]) -> None:
    ended = run(home, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: aurelia")
    assert len(ended.stdout.splitlines()) > 10


def test_the_help_names_every_status_and_the_version_is_printed(home: Path) -> None:
    text = " ".join(run(home).stdout.split())
    assert all(f" {status}: " in text for status in (0, 1, 2, 3, 130))
    ended = run(home, "--version")
    assert ended.returncode == 0 and ended.stdout.startswith("aurelia ")


def test_commands_are_completed(home: Path) -> None:
    ended = run(home, _AURELIA_COMPLETE="complete_bash", COMP_WORDS="aurelia sc", COMP_CWORD="1")
    assert ended.stdout.split() == ["score"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "--foo"], "See aurelia ask --help."),
        (["bench", "rnu"], "See aurelia bench --help."),
        (["frobnicate"], "See aurelia --help."),
        (
            ["ask", "--video", "x.mp4", "--question", "x", "--model", "target=gpt4"],
            "target: 'gpt4' is no model name: write PROVIDER:MODEL",
        ),
        (["ask", "--video", "x.mp4", "--question", "x", "--html", "nowhere/a.html"], "'a.html' cannot be written"),
    ],
)
def test_a_mistake_says_where_to_look(home: Path, arguments: list[str], said: str) -> None:
    ended = run(home, *arguments)
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (2, "", 1)
    assert said in ended.stderr and "^[a-z" not in ended.stderr


def test_a_caption_that_cannot_be_checked_ends_alike_in_both_forms(home: Path, duet: Path) -> None:
    score = ["score", "--video", str(duet), "--caption", "Grandmother is proud of her garden."]
    plain, as_json = run(home, *score), run(home, *score, "--json")
    assert plain.returncode == as_json.returncode == 3
    assert plain.stderr == as_json.stderr
    assert json.loads(as_json.stdout)["score"] is None


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path, duet: Path) -> None:
    (tmp_path / "file").write_text("")
    home = tmp_path / "file" / "home"
    ended = run(home, "ask", "--video", str(duet), "--question", "How many sounds are heard?")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert f"{home} cannot be written (Not a directory): set AURELIA_HOME" in ended.stderr
    shown = run(home, "doctor", "--no-ask").stdout.splitlines()[1]
    assert shown.startswith(f"Home: {home} (cannot be written") and "MB" in shown and "aurelia clean" in shown


def test_a_run_that_nobody_reads_ends_and_its_thread_resumes(home: Path, duet: Path) -> None:
    ask = [*COMMAND, "ask", "--video", str(duet), "--no-compare", "--thread", "read"]
    reader = subprocess.Popen(
        [*ask, "--question", "How many sounds are heard?"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(home),
    )
    assert reader.stdout is not None
    assert reader.stdout.readline().startswith("Clip")
    reader.stdout.close()
    assert reader.wait() in (0, 1)
    ended = run(home, *ask[3:], "--question", "How many sounds are heard?")
    assert (ended.returncode, ended.stdout) == (0, "2\n"), ended.stderr


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["bench", "schema"], ["graph"], ["-h"]], ids=" ".join)
def test_a_full_stdout_is_one_line(home: Path, arguments: list[str]) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=environment(home)
        )
    assert ended.returncode == 1
    said = "aurelia: the output cannot be written (No space left on device): write it elsewhere."
    assert ended.stderr.splitlines() == [f"{said} Finished answers are saved."]


def test_a_closed_stdout_is_refused_before_anything_is_asked(home: Path) -> None:
    command = f'"{sys.executable}" -m aurelia ask --video nowhere.mp4 --question x >&-'
    ended = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, env=environment(home))
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
    assert "stdout is closed" in ended.stderr


def test_a_reader_that_stops_early_gets_what_it_read(home: Path) -> None:
    command = f'"{sys.executable}" -m aurelia bench schema | head -1'
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment(home))
    assert ended.stdout == "{\n"
    assert "Traceback" not in ended.stderr and len(ended.stderr.splitlines()) <= 1


EARLY = """
import builtins
import aurelia.__main__
real = builtins.__import__
def interrupted(name, *more):
    if name == "aurelia.cli.main":
        raise KeyboardInterrupt
    return real(name, *more)
builtins.__import__ = interrupted
aurelia.__main__.main()
"""


def test_an_interrupt_during_the_first_imports_is_one_line(home: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", EARLY], capture_output=True, text=True, env=environment(home))
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "aurelia: interrupted. Run the same command again.\n"


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted. Finished answers are saved; run the same command to resume."),
        (InputError("No clip."), 2, "No clip."),
        (BrokenPipeError(32, "Broken pipe"), 1, "the output was closed before all was written."),
        (ZeroDivisionError("x"), 1, "an unexpected ZeroDivisionError: x. Run it again with --debug"),
        (FileNotFoundError(2, "gone", "a file"), 1, "an unexpected FileNotFoundError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_end_is_one_line_and_a_status(
    fault: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int | None:
        raise fault

    import signal

    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            run_to_exit(fail)
    finally:
        signal.signal(signal.SIGINT, before)
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (status, "")
    assert printed.err.startswith(f"aurelia: {said}") and printed.err.count("\n") == 1
