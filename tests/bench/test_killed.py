"""A run that is killed 25 times: nothing stored is paid again, nothing is stored twice, and the end is the same."""

import os
import random
import re
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aurelia.bench.run_file import RunFile
from tests.support.kill_process import AT_ONCE, Place, killer, mark, plain, prompt_of, stored

pytestmark = pytest.mark.enable_socket
KILLS = 25
QUESTIONS = 18


@pytest.fixture
def place(tmp_path: Path, duet: Path) -> Iterator[Place]:
    made = Place(tmp_path, duet, QUESTIONS)
    yield made
    made.close()


@pytest.mark.timeout(600)
def test_25_kills_lose_and_repeat_no_more_than_what_was_under_way(place: Place) -> None:
    dice = random.Random(7)
    for _ in range(KILLS):
        paid, before = stored(place.folder / "x.run"), len(place.server.sent)
        status = place.run("x.run", killer(dice))
        assert status == signal.SIGKILL, (place.folder / "x.run.log").read_text()[-500:]
        repeated = paid.keys() & {prompt_of(sent) for sent in place.server.sent[before:]}
        assert not repeated
    assert 0 < sum(paid.values()) < len(place.server.sent)
    assert place.run("x.run") == 0
    asked = Counter(prompt_of(sent) for sent in place.server.sent)
    paid = stored(place.folder / "x.run")
    assert paid.keys() == asked.keys()
    assert set(paid.values()) == {1}
    assert len(place.server.sent) - len(paid) <= KILLS * AT_ONCE

    calls = len(place.server.sent)
    assert place.run("x.run") == 0
    assert len(place.server.sent) == calls
    assert place.run("undisturbed.run") == 0
    assert len(place.server.sent) - calls == len(paid)
    assert plain(place.folder / "x.run") == plain(place.folder / "undisturbed.run")
    ends = [(outcome["state"], outcome["tries"]) for outcome in plain(place.folder / "x.run")]
    assert ends == [("answered", 1)] * 2 * QUESTIONS
    with RunFile.open(place.folder / "x.run") as run:
        assert run.usage()["calls"] == len(paid)
        assert run.reported_versions() == {"compatible:omni": {"model_name": ["omni"]}}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("strategy", ["best_of_n", "vote"])
def test_kills_in_the_middle_of_candidates_repeat_no_stored_call(tmp_path: Path, duet: Path, strategy: str) -> None:
    settings = {"strategy": f'"{strategy}"', "candidates": 3, "frames": 4}
    place, dice = Place(tmp_path, duet, 4, **settings), random.Random(3)
    try:
        for _ in range(6):
            before, numbers = len(place.server.sent), stored_numbers(tmp_path / "x.run")
            place.run("x.run", killer(dice, 12))
            assert not numbers & {mark(sent.body) for sent in place.server.sent[before:]}
        assert place.run("x.run") == 0
        calls = len(place.server.sent)
        assert place.run("x.run") == 0
        assert len(place.server.sent) == calls
        assert place.run("undisturbed.run") == 0
        # A vote's first request is the zero-shot one.
        one, other = (plain(tmp_path / name, bill_by_arm=False) for name in ("x.run", "undisturbed.run"))
        assert one == other
        with RunFile.open(tmp_path / "x.run") as run:
            found = [outcome.result["iterations"] for outcome in run.outcomes("aurelia") if outcome.result]
            assert [[one["candidate"] for one in attempts] for attempts in found] == [[1, 2, 3]] * 4
            assert run.usage()["calls"] == len(place.server.sent) - calls
    finally:
        place.close()


def stored_numbers(path: Path) -> set[int]:
    """The numbers in the replies of a run file: that of a request is in its reply (`kill_process.answer`)."""
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchone():
            return set()
        rows = connection.execute("SELECT reply FROM calls WHERE role != 'evaluator'").fetchall()
    return {int(number) for (reply,) in rows for number in re.findall(r"(?:r|Caption |answer )(\d{4,})", reply)}


def test_ctrl_c_stores_the_calls_under_way_and_says_how_to_go_on(place: Place) -> None:
    def interrupt(pid: int) -> Callable[[], None]:
        calls = iter(range(1, 1000))
        return lambda: os.kill(pid, signal.SIGINT) if next(calls) == 9 else None

    assert os.waitstatus_to_exitcode(place.run("x.run", interrupt)) == 130
    asked = Counter(prompt_of(sent) for sent in place.server.sent)
    assert stored(place.folder / "x.run") == asked
    assert 9 <= sum(asked.values()) < 9 + AT_ONCE
    said = (place.folder / "x.run.log").read_text()
    assert "running calls. Press Ctrl-C again to stop at once." in said
    assert said.rstrip().endswith("run the same command to resume.")
    assert place.run("x.run") == 0
    assert set(Counter(prompt_of(sent) for sent in place.server.sent).values()) == {1}
