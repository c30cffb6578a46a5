"""Reading what a model says: extraction and validation, never a default."""

import pytest

from aurelia_core.errors import ReplyError
from aurelia_core.models.replies import CaptionReply, FeedbackReply, ReasoningReply, VerdictReply, parse_reply


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 7}', 7),
        ('{"score": 8.0, "justification": "good"}', 8),
        ('{"score": "8/10"}', 8),
        ('{"score": "9"}', 9),
        ('Here it is:\n```json\n{"score": 3}\n```\nThanks.', 3),
        ('<think>{"score": 2} perhaps</think>{"score": 6}', 6),
        ('At first {"score": 2}, but no: {"score": 5}', 5),
        ('{"score": 4, "justification": "the angle \\(x\\) is \\alpha"}', 4),
        ('{"score": 4, "justification": "a\nb"}', 4),
        ('{"score": null, "justification": "nothing to check"}', None),
        ('{"score": 10, "surprise": true}', 10),
    ],
)
def test_a_verdict_is_read(text: str, score: int | None) -> None:
    assert parse_reply(text, VerdictReply).score == score


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("<think>hm</think>", "empty"),
        ("Eight out of ten.", "no JSON object"),
        ('{"score": 0}', "score"),
        ('{"score": 11}', "score"),
        ('{"score": 7.5}', "score"),
        ('{"score": "4/5"}', "score"),
        ('{"score": "high"}', "score"),
        ('{"score": true}', "score"),
        ('{"justification": "fine"}', "score: Field required"),
        ('{"score": 7, "windows": [{"start": NaN, "end": 2}]}', "windows"),
        ('{"score": 7, "justific', "no JSON object"),
        ("I cannot help with that.", "no JSON object"),
        ('{"score": "10/10!!"}', "score"),
        ('{"score": "\u0661\u0660/10"}', "score"),
        ('{"score": "1_0"}', "score"),
        ('{"score": [10]}', "score"),
        ('{"score": ' + "1" * 5000 + "}", "score"),
        ('{"score": 3, "score": 10}', "twice"),
        ('{"verdict": {"score": 10}}', "score"),
        ('{"verdict": {"score": 10}, "justification": "cut', "no JSON object"),
        ('{"score": 7, "windows": ' + "[" * 100_000, "nested too deeply"),
        ("x" * 300_000, "300000 characters"),
        ("{" * 200_000, "no JSON object"),
    ],
)
def test_what_is_no_verdict_is_refused_with_the_reason(text: str, fault: str) -> None:
    with pytest.raises(ReplyError, match=fault):
        parse_reply(text, VerdictReply)


def test_what_is_not_text_is_left_out_of_a_reply() -> None:
    found = parse_reply('{"score": 7, "justification": "a\\u0000b \\ud83d c\\u001b[31m\\r\\nd"}', VerdictReply)
    assert found.justification == "a b \ufffd c [31m\nd"


def test_an_object_after_a_mended_one_is_found_where_it_stands() -> None:
    text = '{"score": 1, "justification": "\\alpha \\beta"}{"score": 2, "justification": "\\gamma"} {"score": 3}'
    assert parse_reply(text, VerdictReply).score == 3


def test_latex_and_later_objects_are_both_read() -> None:
    text = 'First {"feedback": "use \\(a\\) and \\(b\\)"} then {"feedback": "look"}'
    assert parse_reply(text, FeedbackReply).feedback == "look"


@pytest.mark.parametrize(
    "text", ['{"steps": []}', '{"steps": [{"step": " "}]}', '{"steps": [{"step": "a", "modality": "smell"}]}']
)
def test_a_reasoning_without_usable_steps_is_refused(text: str) -> None:
    with pytest.raises(ReplyError, match="steps"):
        parse_reply(text, ReasoningReply)


def test_an_empty_caption_is_refused() -> None:
    with pytest.raises(ReplyError, match="must not be empty"):
        parse_reply('{"caption": "  "}', CaptionReply)
