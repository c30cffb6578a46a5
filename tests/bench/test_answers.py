"""Answers are stored cleaned with the raw reply beside them, and every reader of a run counts the same."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest

from aurelia.bench import export
from aurelia.bench.answers import cleaned_answer, raw_answer
from aurelia.bench.caption_metrics import CORPUS_SCORES
from aurelia.bench.local_runner import answer_fields
from aurelia.bench.records import Record
from aurelia.bench.run_file import RunFile
from aurelia.bench.run_plan import Plan
from aurelia.bench.score_run import score_run_file
from aurelia.bench.tally import ARM_COUNTS, count_run, counts_as_dict
from aurelia.bench.training import TrainingOptions, export_training_set
from aurelia.report.build import build_report
from aurelia.report.langsmith_export import export_experiments
from aurelia.report.measure import arm_figures
from aurelia.report.rows import read_report_rows
from aurelia_core.errors import ModelError
from tests.support.bench_records import made_record, made_run
from tests.support.bench_runs import Bench, line, player
from tests.support.scripted import verdict

CAPTIONS = ["A dog barks twice.", "Rain falls on a tin roof.", "A woman sings with a piano."]


def captioned(number: int, parts: dict[str, Any]) -> None:
    """Word for word the same captions; the AURELIA arm's stand behind thinking and restated steps."""
    caption = CAPTIONS[number % 3]
    parts["record"] |= {"column": "av-captioning", "history": [], "choices": [], "answers": [f"{caption} It is dark."]}
    steps = [step["step"] for step in (parts["result"]["best"] or {"steps": []})["steps"]]
    restated = "\n".join(f"{place}. {step}" for place, step in enumerate(steps, 1))
    parts["result"] |= {"answer": f"<think>A cat?</think>{restated}\nAnswer: {caption}"}
    parts["result"] |= {"models": {"generator": "made:agent", "target": "made:target"}}
    parts |= {"zero": caption, "failed": False, "values": []}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return made_run(tmp_path / "made.run", 9, change=captioned)


async def test_two_arms_with_the_same_captions_have_the_same_scores(run: Path, tmp_path: Path) -> None:
    await score_run_file(run)
    with RunFile.open(run) as opened:
        corpora = opened.meta[CORPUS_SCORES]
        marks: dict[str, list[float | None]] = {}
        for mark in opened.scores():
            marks.setdefault(mark.arm, []).append(mark.value)
        answers = {(each.record, each.arm): cleaned_answer(each) for each in opened.outcomes()}
    assert corpora["aurelia/0"] == corpora["zero_shot/0"]
    assert marks["aurelia"] == marks["zero_shot"]
    assert corpora["aurelia/0"]["n"] == 9 and corpora["aurelia/0"]["cider"] > 0
    assert answers["made:0", "aurelia"] == answers["made:0", "zero_shot"] == CAPTIONS[0]
    written = build_report([run], tmp_path / "report").markdown.read_text(encoding="utf-8")
    assert "bleu1" in written and f"{corpora['aurelia/0']['bleu2']:.4f}" in written


def test_exports_and_langsmith_have_the_cleaned_answer_beside_the_raw_one(run: Path, tmp_path: Path) -> None:
    export.export_table(run, tmp_path / "table.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "table.jsonl").read_text(encoding="utf-8").splitlines()]
    ours = next(row for row in rows if row["arm"] == "aurelia")
    assert ours["answer"] == CAPTIONS[0]
    assert "<think>" in ours["raw_answer"]
    export_training_set(run, tmp_path / "set.jsonl", TrainingOptions(1))
    assert "<think>" not in (tmp_path / "set.jsonl").read_text(encoding="utf-8")


def test_what_is_stored_is_cleaned(tmp_path: Path) -> None:
    record = Record.model_validate(made_record(1, random.Random(0)))
    reply = f"<think>x</think>**{record.choices[1]}**"
    result = {"answer": record.choices[1], "reply": reply, "choice": None, "usage": {}, "seconds": 1.0}
    fields = answer_fields(result, record, "aurelia")
    assert (fields["answer"], fields["choice"]) == (record.choices[1], record.choices[1])
    assert fields["result"]["raw_answer"] == reply


@pytest.fixture
def choices(tmp_path: Path) -> Iterator[RunFile]:
    with RunFile.open(made_run(tmp_path / "made.run", 60)) as opened:
        yield opened


def all_counts(path: Path, folder: Path) -> dict[str, Any]:
    """The counts of a run's arms from everything that shows them; of the exports only what the verdicts give."""
    with RunFile.open(path) as run:
        cases = [row.case for row in read_report_rows(run)]
        sent = {each.arm: each.count.as_dict() for each in export_experiments(run, None)}
    status = export.run_status(path)
    export.export_table(path, folder / "x.csv")
    export.export_table(path, folder / "x.jsonl")
    tables = {
        "csv": pandas.read_csv(folder / "x.csv"),
        "pandas": pandas.read_json(folder / "x.jsonl", lines=True),
    }
    learned = export_training_set(path, folder / "t.jsonl", TrainingOptions(1))
    found: dict[str, Any] = {"langsmith": sent, "training": (learned.examples, learned.left_out)}
    found["status"] = {arm: {name: status[name][arm] for name in ARM_COUNTS} for arm in status["answered"]}
    found["report"] = {arm: arm_figures(cases, arm) for arm in status["answered"]}
    for name, table in tables.items():
        found[name] = {arm: Counter(rows["verdict"]) for arm, rows in table.groupby("arm")}
    return found


class Events(list[dict[str, Any]]):
    """Events of a run, which say when there were so many outcomes."""

    def __init__(self, outcomes: int) -> None:
        super().__init__()
        self.enough = asyncio.Event()
        self._left = outcomes

    def append(self, event: dict[str, Any]) -> None:
        super().append(event)
        self._left -= event["event"] == "outcome"
        if self._left <= 0:
            self.enough.set()


def check_counts(found: dict[str, Any], bar: dict[str, Any]) -> None:
    """Everything says what the bar says."""
    for arm, count in bar.items():
        assert found["status"][arm] == found["langsmith"][arm] == count
        report = found["report"][arm]
        assert (report.n, report.unparsed, report.failed, report.captions) == (
            count["scored"], count["unparsed"], count["failed"], count["captions"],
        )  # fmt: skip
        assert report.accuracy.value == pytest.approx(100 * count["accuracy"], abs=0.01)
        verdicts = {"captioned": count["captions"], "failed": count["failed"], "right": count["right"]}
        verdicts |= {"unparsed": count["unparsed"]}
        verdicts["wrong"] = count["scored"] - count["right"] - count["unparsed"]
        for name in ("csv", "pandas"):
            assert found[name][arm] == Counter(verdicts)
    examples, left_out = found["training"]
    ours = bar["aurelia"]
    assert (left_out["failed"], examples + left_out.total()) == (ours["failed"], ours["answered"] + ours["failed"])


async def test_everything_counts_alike_on_a_run_that_was_killed(tmp_path: Path, duet: Path) -> None:
    """Captions, failures, unparsed replies and attempts without a score; the run is killed, looked at, and resumed."""
    answers = {0: "A. ohne", 1: "B. with", 2: "who knows", 3: ModelError("no answer")}

    def target(fields: dict[str, Any], messages: Any) -> Any:
        number = int(fields["question"].split("(")[1].rstrip(")?"))
        return answers[number % 4 if fields["reasoning"] else 1]

    def evaluator(fields: dict[str, Any], messages: Any) -> Any:
        return "no verdict at all" if "(5)" in fields["caption"] else verdict(9)

    place = Bench.reading(duet.parent, tmp_path, player(target=target, evaluator=evaluator))
    lines = [line(number, choices=["ohne", "with"]) for number in range(10)]
    lines += [line(number, column="av-captioning") for number in (10, 11)]
    events = Events(11)
    task = asyncio.create_task(place.run(lines, Plan(concurrency=2), max_iterations=1, events=events))
    await events.enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    bar = [event for event in events if event["event"] == "outcome"][-1]
    check_counts(all_counts(place.out, tmp_path), bar["arms"])
    shown = export.run_status(place.out)
    assert (shown["planned"], bar["planned"]) == (24, 24)
    assert shown["left"] == 24 - sum(count["answered"] for count in bar["arms"].values()) > 0
    events.clear()
    end = await place.run(lines, Plan(concurrency=2), max_iterations=1, events=events)
    assert events[0]["arms"] == bar["arms"], "a resumed run starts where it was left"
    check_counts(all_counts(place.out, tmp_path), end["arms"])
    assert end["arms"]["zero_shot"] == {
        "answered": 12, "failed": 0, "captions": 2, "scored": 10, "unparsed": 0, "right": 10, "accuracy": 1.0,
    }  # fmt: skip
    assert end["arms"]["aurelia"]["failed"] == 3 and end["arms"]["aurelia"]["captions"] == 1
    table = build_report([place.out], tmp_path / "report", media="none").markdown.read_text("utf-8")
    row = next(text for text in table.splitlines() if text.startswith("| all |"))
    assert (row.split(" | ")[1], row.split(" | ")[4]) == ("10 / 8", "8")
    again = await place.run(lines, Plan(concurrency=2), max_iterations=1)
    assert again["arms"] == end["arms"], "a question that fails again is one failure"


def test_report_status_and_langsmith_have_the_same_denominators(choices: RunFile) -> None:
    cases = [row.case for row in read_report_rows(choices)]
    counts = counts_as_dict(count_run(choices))
    told = export.run_status(choices.path)
    sent = {each.arm: each.scores["correct"] for each in export_experiments(choices, None)}
    for arm in ("zero_shot", "aurelia"):
        shown = arm_figures(cases, arm)  # type: ignore[arg-type]
        assert shown.accuracy.value is not None
        accuracy = pytest.approx(shown.accuracy.value / 100, abs=1e-4)
        assert counts[arm]["accuracy"] == accuracy
        assert told["accuracy"][arm] == accuracy
        assert sent[arm] == accuracy  # type: ignore[index]
        assert (counts[arm]["unparsed"], counts[arm]["failed"]) == (shown.unparsed, shown.failed)
    assert raw_answer(next(choices.outcomes("zero_shot"))) == "a guess"
    assert told["left"] == told["planned"] - sum(told["answered"].values())
