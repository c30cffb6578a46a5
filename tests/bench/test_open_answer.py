"""Open answers: what wording decides, and what it leaves to a judge."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurelia_core.answers.open_answer import match_open_answer

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data" / "open_replies.jsonl").read_text(encoding="utf-8").splitlines()
]
INSTRUMENTS = ["violin", "piano", "acoustic_guitar", "congas", "bagpipe"]


def test_no_open_reply_is_marked_wrongly_and_few_are_left_undecided() -> None:
    found = [(row, match_open_answer(row["reply"], row["answers"], row.get("synonyms"))) for row in ROWS]
    wrong = [(row["reply"], got) for row, got in found if got.correct not in (None, row["correct"])]
    undecided = [row["reply"] for row, got in found if got.correct is None and row["correct"] is not None]
    assert len(found) == 118
    assert wrong == []
    assert len(undecided) <= 2, undecided


@pytest.mark.parametrize(
    ("reply", "answers", "correct", "how"),
    [
        ("The Acoustic Guitar!", ["acoustic_guitar"], True, "equal"),
        ("No, it is silent.", ["yes"], False, "polar"),
        ("I count 4 of them.", ["four"], True, "number"),
        ("It is a flute that is heard.", ["flute"], True, "named"),
        ("It is a flute that is heard.", ["tuba"], False, "other"),
        ("Something metallic.", ["tuba"], None, "unparsed"),
    ],
)
def test_each_rule_says_its_name(reply: str, answers: list[str], correct: bool | None, how: str) -> None:
    found = match_open_answer(reply, answers)
    assert (found.correct, found.rule) == (correct, how)


def test_synonyms_of_the_record_count() -> None:
    assert match_open_answer("bucks", ["dollar"]).correct is None
    assert match_open_answer("bucks", ["dollar"], {"dollar": ["bucks"]}).correct is True


@given(st.permutations(INSTRUMENTS), st.sampled_from(["{0}", "The {0}.", "It is the {0}.", "The answer is the {0}."]))
def test_an_instrument_is_right_for_itself_and_wrong_for_another(order: list[str], frame: str) -> None:
    reply = frame.format(order[0].replace("_", " "))
    assert match_open_answer(reply, [order[0]]).correct is True
    assert match_open_answer(reply, [order[1]]).correct is False


@given(st.permutations(INSTRUMENTS), st.sampled_from(["{0} or {1}", "not the {0}", "{0} and {1}", "Is it the {0}?"]))
def test_what_is_offered_or_denied_is_not_an_answer(order: list[str], frame: str) -> None:
    assert match_open_answer(frame.format(*order), [order[0]]).correct is None


@given(st.text(max_size=120), st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=3))
def test_no_reply_breaks_the_matching(reply: str, answers: list[str]) -> None:
    assert match_open_answer(reply, answers).correct in (True, False, None)
