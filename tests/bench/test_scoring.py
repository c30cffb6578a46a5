"""Scores: rules first, then a judge through the real client and its ledger, else unparsed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aurelia.bench.records import Record, RecordSource
from aurelia.bench.scoring import Judge, score_answer, score_captions
from aurelia_core.errors import ModelError
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.settings import Settings
from tests.support.scripted import Script, ScriptedChat, scripted

SOUNDS = ["a dog barking", "a car horn", "a piano"]


def record(**known: Any) -> Record:
    column = known.pop("column", "av-meme" if "choices" in known else "music-avqa")
    facts = {"id": "r1", "question": "What is heard?", "answers": ["a car horn"]} | known
    return Record(column=column, video="v.mp4", source=RecordSource(dataset="test"), **facts)


@pytest.fixture
def court(settings: Settings, tmp_path: Path) -> Iterator[Any]:
    desks: list[ModelClient] = []

    def judge(said: Script) -> tuple[Judge, ScriptedChat]:
        chat = scripted(judge=said)
        client = ModelClient(
            settings, providers={"scripted": lambda name, store: chat}, ledger=CallLedger(tmp_path / "calls.sqlite")
        )
        desks.append(client)
        return Judge(client, "scripted:judge"), chat

    yield judge
    for client in desks:
        client.close()


@pytest.mark.parametrize(
    ("answer", "value", "how", "said"),
    [
        ("B", 1.0, "rule", "whole: a car horn"),
        ("Keys are struck, so the answer is C.", 0.0, "rule", "stated: a piano"),
        ("A honk.", None, "unparsed", "No rule reads a choice."),
        ("", None, "unparsed", "There is no answer."),
        (None, None, "unparsed", "There is no answer."),
    ],
)
async def test_a_choice_by_rule(answer: str | None, value: float | None, how: str, said: str) -> None:
    (mark,) = await score_answer(record(choices=SOUNDS), answer)
    assert (mark.metric, mark.value, mark.how, mark.said) == ("correct", value, how, said)


async def test_an_open_answer_by_rule() -> None:
    (mark,) = await score_answer(record(answers=["two"]), "There are 2 of them.")
    assert (mark.value, mark.how, mark.said) == (1.0, "rule", "number")


async def test_the_judge_is_not_asked_what_a_rule_decides(court: Any) -> None:
    judge, chat = court([ModelError("never")])
    (mark,) = await score_answer(record(choices=SOUNDS), "(A)", judge=judge)
    assert (mark.value, mark.how, chat.said["judge"]) == (0.0, "rule", 0)


@pytest.mark.parametrize(
    ("chosen", "value", "how"), [("B", 1.0, "judge"), ("C", 0.0, "judge"), ("none", None, "unparsed")]
)
async def test_the_judge_reads_a_choice_and_is_not_told_the_right_one(
    court: Any, chosen: str, value: float | None, how: str
) -> None:
    judge, chat = court([{"choice": chosen, "reason": "A honk is a horn."}])
    (mark,) = await score_answer(record(choices=SOUNDS), "It honks.", judge=judge)
    assert (mark.value, mark.how) == (value, how)
    assert "A honk is a horn." in mark.said
    (_, fields, messages) = chat.heard[0]
    told = json.dumps(fields) + str(messages[-1].content)
    assert "It honks." in told and "answers" not in fields
    assert not any(word in told for word in ("zero_shot", "aurelia", "with reasoning"))


async def test_the_judge_can_only_name_a_choice_that_there_is(court: Any) -> None:
    judge, chat = court([{"choice": "D"}, {"choice": "B"}])
    (mark,) = await score_answer(record(choices=SOUNDS), "It honks.", judge=judge)
    assert (mark.value, mark.how, chat.said["judge"]) == (1.0, "judge", 2)


@pytest.mark.parametrize(
    ("verdict", "value", "how"), [(True, 1.0, "judge"), (False, 0.0, "judge"), (None, None, "unparsed")]
)
async def test_the_judge_decides_on_an_open_answer(
    court: Any, verdict: bool | None, value: float | None, how: str
) -> None:
    judge, chat = court([{"correct": verdict, "reason": "So it says."}])
    asked = record(answers=["violin"], synonyms={"violin": ["viola"]})
    (mark,) = await score_answer(asked, "A fiddle, I think.", judge=judge)
    assert (mark.value, mark.how, mark.said) == (value, how, "So it says.")
    assert chat.heard[0][1]["answers"] == ["violin", "viola"]


async def test_the_same_question_to_the_judge_is_paid_for_once(court: Any) -> None:
    judge, chat = court([{"correct": True}])
    for _ in range(2):
        (mark,) = await score_answer(record(answers=["violin"]), "A fiddle.", judge=judge)
        assert mark.value == 1.0
    assert chat.said["judge"] == 1


@pytest.mark.parametrize("said", [["no JSON at all"], [ModelError("The judge is ill.")]])
async def test_a_judge_that_fails_leaves_the_answer_unparsed(court: Any, said: Script) -> None:
    judge, _ = court(said)
    (mark,) = await score_answer(record(choices=SOUNDS), "It honks.", judge=judge)
    assert (mark.value, mark.how) == (None, "unparsed")
    assert mark.said.startswith("The judge failed: ")


def test_a_reference_outside_the_choices_is_no_record() -> None:
    with pytest.raises(ValidationError, match="'a bell' is none of the choices"):
        record(choices=SOUNDS, answers=["a bell"])
    assert record(choices=["The Bell.", "the horn"], answers=["bell"]).correct_choices == {0}


async def test_captions_are_scored_together() -> None:
    rain, wind = (
        record(id=name, column="av-captioning", answers=[f"{name} is heard in the dark"]) for name in ("rain", "wind")
    )
    assert await score_answer(rain, "Rain.") == []
    marks = score_captions(
        [rain, wind, record(answers=["two"])], {"rain": "Rain is heard in the dark.", "wind": "Birds."}
    )
    assert marks.each.keys() == {"rain", "wind"}
    assert {mark.metric: mark.value for mark in marks.each["rain"]} == pytest.approx(
        {"bleu4": 1.0, "rouge_l": 1.0, "meteor": 1.0, "cider": 10.0}
    )
    assert all(mark.value == 0 for mark in marks.each["wind"])
    assert marks.corpus.keys() == {"bleu1", "bleu2", "bleu3", "bleu4", "rouge_l", "meteor", "cider"}
    assert score_captions([rain], {}) == ({}, {})
