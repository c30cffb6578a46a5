"""Answers are stored cleaned with the raw reply beside them, and every reader of a run counts the same."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aurelia.bench import export
from aurelia.bench.answers import cleaned_answer, raw_answer
from aurelia.bench.caption_metrics import CORPUS_SCORES
from aurelia.bench.local_runner import answer_fields
from aurelia.bench.records import Record
from aurelia.bench.run_file import RunFile
from aurelia.bench.score_run import score_run_file
from aurelia.bench.tally import count_run, counts_as_dict
from aurelia.bench.training import TrainingOptions, export_training_set
from aurelia.report.build import build_report
from aurelia.report.langsmith_export import export_experiments
from aurelia.report.measure import arm_figures
from aurelia.report.rows import read_report_rows
from tests.support.bench_records import made_record, made_run

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
