"""The study's controls and tables: what is given to the target, what leaks, and what the figures come to."""

from typing import Any

import numpy as np

from aurelia.bench.records import Record, RecordSource
from aurelia_offline.study.conditions import value_answer
from aurelia_offline.study.controls import make_controls, other_value, steps_leak
from aurelia_offline.study.tables import chance_accuracy, comparison_table, group_label, hops_label


def record(number: int, **more: Any) -> Record:
    known: dict[str, Any] = {"id": f"mini/{number}", "column": "av-geoiq", "video": f"{number}.mp4", "question": "Who?"}
    known |= {"choices": ["bell", "drum"], "answers": ["bell"], "category": "2 hops, never"}
    return Record(source=RecordSource(dataset="aurelia-mini"), **{**known, **more})


def plan(*steps: tuple[str, str], answer: str = "bell") -> Any:
    told = [{"step": text, "justification": "", "answer": found, "modality": "audio"} for text, found in steps]
    return {"steps": told, "answer": answer}


RECORDS = [record(number) for number in range(4)]
PLANS = {one.id: plan((f"Find thing {number}.", "two"), ("Look.", "bell")) for number, one in enumerate(RECORDS)}


def test_every_control_asks_what_it_says() -> None:
    found = make_controls(RECORDS, PLANS)
    assert [given.record.video for given in found["blind, steps"]] == ["2.mp4", "3.mp4", "0.mp4", "1.mp4"]
    assert all(given.reasoning is None for given in found["own steps"])
    assert all(given.record.question != "Who?" for given in found["own steps"])
    for given in found["another question's steps"]:
        assert given.reasoning is not None and given.reasoning != PLANS[given.record.id]
    for given in found["corrupted, steps+answers"]:
        assert given.reasoning is not None and given.reasoning["answer"] == "drum"
        assert [step["answer"] == "two" for step in given.reasoning["steps"]][0] is False


def test_a_wrong_value_is_another_of_its_kind() -> None:
    rng = np.random.default_rng(0)
    assert other_value("yes", rng) == "no" and other_value("bell, drum", rng) == "drum, bell"
    assert other_value("euro", rng) in {"yen", "rand", "dollar"} and other_value("unknown", rng) == "unknown"


def test_steps_leak_where_they_name_an_option_or_a_finding() -> None:
    assert steps_leak(RECORDS[0], plan(("Find the spot of the drum.", "two")))
    assert steps_leak(RECORDS[0], plan(("Find spot two.", "two")))
    assert not steps_leak(RECORDS[0], plan(("Find the loudest instrument.", "bell"), ("Find its spot.", "unknown")))


def test_the_tables_figures() -> None:
    ones, none = {one.id: 1.0 for one in RECORDS}, {one.id: 0.0 for one in RECORDS}
    told = comparison_table("All", {"zero-shot": none, "steps": ones}, RECORDS, "zero-shot")
    assert "| steps | 4 | 100.0 [100.0, 100.0] | +100.0 [+100.0, +100.0] | 4 / 0 | 0.12 |" in told
    assert (hops_label(RECORDS[0]), group_label(RECORDS[0]), chance_accuracy(RECORDS)) == ("2 hops", "never", 0.5)


def test_a_caption_is_worth_its_true_turns() -> None:
    true = record(9, column="av-captioning", choices=[], answers=["bell at one, then drum at two"])
    assert value_answer(true, "Answer: bell at one, then drum at three") == 0.5
    assert value_answer(true, "1. bell, drum 2. one, two\nAnswer: bell at one, then drum at two") == 1.0
    assert value_answer(true, None) == 0.0 and value_answer(RECORDS[0], "Answer: bell") == 1.0
