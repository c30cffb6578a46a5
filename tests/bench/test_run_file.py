"""The run file: what goes in comes out, a run is made whole or not at all, and other files are refused by name."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile, StoredScore
from aurelia_core.errors import AureliaError, InputError
from aurelia_core.types import NO_USAGE


def record(name: str, **more: Any) -> Record:
    told = {"id": name, "column": "music-avqa", "video": "a.mp4", "question": "How many?", "answers": ["one"]}
    return Record.model_validate({**told, "source": {"dataset": "X"}, **more})


def outcome(name: str, **more: Any) -> Outcome:
    known: dict[str, Any] = {
        "record": name, "arm": "aurelia", "rollout": 0, "state": "answered", "answer": "one", "choice": None,
        "result": {"best": None, "iterations": [{"score": 3}]}, "error": None, "tries": 1, "seconds": 0.5,
        "usage": {**NO_USAGE, "calls": 4, "cost_usd": 0.25}, "created": 12.5,
    }  # fmt: skip
    return Outcome(**{**known, **more})


@pytest.fixture
def run(tmp_path: Path) -> Any:
    records = [record("b", question="où ?"), record("a")]
    with RunFile.create(tmp_path / "deep" / "x.run", records, {"settings": {"threshold": 8}}) as made:
        yield made


def test_records_and_meta_come_back(run: RunFile) -> None:
    with RunFile.open(run.path) as again:
        assert [found.question for found in again.records()] == ["où ?", "How many?"]
        assert again.record("a").id == "a"
        assert again.meta["settings"] == {"threshold": 8}
        assert again.meta["format"] == 1
        again.store_meta("limit", 5)
    assert run.meta["limit"] == 5
    with pytest.raises(InputError, match="no record 'c'"):
        run.record("c")


def test_outcomes_come_back_in_the_order_of_the_records(run: RunFile) -> None:
    failed = outcome("a", arm="zero_shot", state="failed", answer=None, result=None, error="why")
    run.store_outcomes(outcome("a"), failed)
    run.store_outcomes(outcome("b", rollout=1))
    assert list(run.outcomes()) == [outcome("b", rollout=1), outcome("a"), failed]
    assert list(run.outcomes("zero_shot")) == [failed]
    assert list(run.outcomes(state="answered", rollout=0)) == [outcome("a")]
    run.store_outcomes(outcome("a", answer="two", tries=2))
    assert [(found.answer, found.tries) for found in run.outcomes("aurelia", rollout=0)] == [("two", 2)]


def test_it_may_be_written_while_it_is_read_and_others_write(run: RunFile) -> None:
    run.store_outcomes(outcome("a"), outcome("b"))
    reading = run.outcomes()
    first = next(reading)
    with RunFile.open(run.path) as other:
        other.store_meta("reported", {})
    run.store_scores([StoredScore(first.record, "aurelia", 0, "correct", 1.0, "rule")])
    assert [found.record for found in reading] == ["a"]
    assert len(list(run.scores())) == 1


def test_marks_come_back_and_are_replaced(run: RunFile) -> None:
    first = StoredScore("a", "aurelia", 0, "correct", 1.0, "rule")
    run.store_scores([first, StoredScore("b", "aurelia", 0, "correct", None, "unparsed", "no choice named")])
    run.store_scores(
        [StoredScore("a", "aurelia", 0, "bleu4", 0.5, "rule"), StoredScore("a", "aurelia", 0, "correct", 0.0, "judge")]
    )
    assert [(mark.record, mark.value, mark.how) for mark in run.scores("correct")] == [
        ("b", None, "unparsed"),
        ("a", 0.0, "judge"),
    ]
    assert [mark.metric for mark in run.scores()] == ["correct", "bleu4", "correct"]


def test_a_run_without_calls_has_an_empty_bill(run: RunFile) -> None:
    assert run.usage() == NO_USAGE
    assert run.reported_versions() == {}


def test_the_seconds_of_every_session_count(run: RunFile, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 103.0, 200.0, 204.5])
    monkeypatch.setattr("aurelia.bench.run_file.time.time", lambda: next(clock))
    for _ in range(2):
        run.store_outcomes(session=run.begin_session())
    assert run.worked_seconds() == 7.5


def test_a_run_is_made_once_and_whole(run: RunFile, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="x.run holds a run already"):
        RunFile.create(run.path, [], {})

    def broken() -> Any:
        yield record("a")
        raise InputError("line 2 is no record")

    path = tmp_path / "new.run"
    assert not RunFile.holds_run(path)
    with pytest.raises(InputError, match="line 2"):
        RunFile.create(path, broken(), {})
    assert not RunFile.holds_run(path)
    with RunFile.create(path, [record("a")], {}) as made:
        assert RunFile.holds_run(path)
        assert [found.id for found in made.records()] == ["a"]


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    text, other, later = tmp_path / "notes.txt", tmp_path / "other.sqlite", tmp_path / "later.run"
    text.write_text("not a database, but long enough to be read as the header of one " * 20)
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE calls (key TEXT)")
    connection.close()
    with RunFile.create(later, [], {}) as made:
        made.store_meta("format", 2)
    for path, said in (
        (tmp_path / "none.run", "no run file 'none.run'"),
        (text, "notes.txt is not a run file"),
        (other, "other.sqlite is not a run file"),
        (later, "later.run has format 2, and this version reads 1"),
    ):
        with pytest.raises(InputError, match=said):
            RunFile.open(path)
    for path in (text, other):
        with pytest.raises(InputError, match="is not a run file"):
            RunFile.create(path, [], {})
    with pytest.raises(AureliaError, match="cannot be used|cannot be written"):
        RunFile.create(text / "x.run", [], {})
