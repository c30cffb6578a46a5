"""The answer alone: what is taken out of a reply, and what stays as the target wrote it."""

import pytest

from aurelia.run.result import make_result, warn_of_low_score
from aurelia_core.answers.clean_answer import clean_answer
from aurelia_core.types import NO_USAGE

CLIP = dict.fromkeys(("id", "duration", "width", "height", "fps", "has_audio", "audio_channels", "audio_seconds"), None)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("1. reed 2. second third flute 3. third two 4. one\nAnswer: one", "one"),
        ("Answer: dollar", "dollar"),
        ("The answer is 3.", "3"),
        ("Answer: two\nWait, no.\nFinal answer: three", "three"),
        ("<think>left or right</think>right", "right"),
        ("**right**", "right"),
        ('{"answer": "two"}', "two"),
        (" a bell rings at 1.1 s ", "a bell rings at 1.1 s"),
        ("H₂O, 5 µm", "H₂O, 5 µm"),
        ("I think the answer is left", "I think the answer is left"),
        ("Answer:", "Answer:"),
        ("unknown territory lies ahead", "unknown territory lies ahead"),
        ("", ""),
    ],
)
def test_the_answer_is_taken_out_of_the_reply(reply: str, answer: str) -> None:
    assert clean_answer(reply) == (answer, "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("unknown", ""),
        ("Unknown.", ""),
        ("unknown: the question speaks of 'animal': no names", "the question speaks of 'animal': no names"),
        ("Answer: unknown, nothing is heard", "nothing is heard"),
    ],
)
def test_an_unknown_has_its_reason_apart(reply: str, reason: str) -> None:
    assert clean_answer(reply) == ("unknown", reason)


def test_a_choice_that_the_reply_names_is_the_answer() -> None:
    assert clean_answer("B. It is the horn.", "a horn").text == "a horn"


def output(**more: object) -> dict[str, object]:
    return {"clip": CLIP, "choices": [], "best": None, "score": 9, "warnings": [], "usage": NO_USAGE, **more}


def test_a_result_has_the_answers_and_the_replies_beside_them() -> None:
    step = {"step": "Look.", "justification": "it names no animals", "answer": "unknown", "modality": "knowledge"}
    found = make_result(
        output(
            answer="unknown",
            zero_shot_answer="Plan.\nAnswer: b",
            choices=["a", "b"],
            best={"steps": [step], "answer": "unknown"},
        ),
        1.0,
    )
    assert (found["answer"], found["reply"], found["why_unknown"]) == ("unknown", "unknown", "it names no animals")
    assert (found["zero_shot_answer"], found["zero_shot_reply"]) == ("b", "Plan.\nAnswer: b")
    known = make_result(output(answer="**2**", zero_shot_answer=None), 1.0)
    assert (known["answer"], known["reply"], known["why_unknown"]) == ("2", "**2**", None)
    assert known["zero_shot_answer"] is known["zero_shot_reply"] is None


@pytest.mark.parametrize(("score", "warned"), [(3, True), (7, True), (8, False), (10, False), (None, False)])
def test_an_answer_that_stands_on_a_low_score_is_warned_of(score: int | None, warned: bool) -> None:
    found = warn_of_low_score(make_result(output(answer="2", score=score, warnings=["before"]), 1.0), 8)
    assert found["warnings"][0] == "before"
    assert (len(found["warnings"]) == 2) == warned
    if warned:
        assert f"scored {score}/10, below the threshold 8" in found["warnings"][1]
