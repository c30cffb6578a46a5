"""The answer as a person reads it: the cleaned reply, or the choice that it names; for "unknown" also the reason."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from aurelia_core.answers.cleaning import clean_reply

UNKNOWN = "unknown"
# "Answer: …" is taken out by `clean_reply`; a sentence is the words of the target, and stays in what is scored.
_ANSWER_SENTENCE = re.compile(
    r"^[^\w\n]*(?:the\s+)?(?:final\s+)?answer\s+is\s*:?\s*(?=\S)", re.IGNORECASE | re.MULTILINE
)
_UNKNOWN = re.compile(rf"{UNKNOWN}\s*(?:[:;.,–—-]\s*(?P<reason>\S.*)?)?", re.IGNORECASE | re.DOTALL)


class CleanAnswer(NamedTuple):
    """The answer alone, and for "unknown" the reason that the reply gives; "" for none."""

    text: str
    reason: str = ""


def clean_answer(reply: str, choice: str | None = None, steps: Sequence[str] = ()) -> CleanAnswer:
    """Take the answer out of a reply.

    Args:
        reply: the target's reply.
        choice: the choice that the reply names, if there is one; it is then the answer.
        steps: the reasoning steps that the target was given; restated ones are removed.
    """
    if choice is not None:
        return CleanAnswer(choice)
    text = clean_reply(reply, steps) or reply.strip()
    if stated := list(_ANSWER_SENTENCE.finditer(text)):
        text = text[stated[-1].end() :].strip()
        if text.count(".") == 1:
            text = text.removesuffix(".")
    if match := _UNKNOWN.fullmatch(text):
        return CleanAnswer(UNKNOWN, match["reason"] or "")
    return CleanAnswer(text)
