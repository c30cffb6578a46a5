"""The answer alone, without thinking, plans and markup around it, as a person reads it. Scores read the whole reply."""

import re
import unicodedata
from typing import NamedTuple

from aurelia_core.answers.tokens import parse_json_answer, strip_reply_markup

UNKNOWN = "unknown"
_ANSWER_LINE = re.compile(
    r"^[^\w\n]*(?:the\s+)?(?:final\s+)?answer\s*(?:is\s*:?|:)\s*(?=\S)", re.IGNORECASE | re.MULTILINE
)
_UNKNOWN = re.compile(rf"{UNKNOWN}\s*(?:[:;.,–—-]\s*(?P<reason>\S.*)?)?", re.IGNORECASE | re.DOTALL)


class CleanAnswer(NamedTuple):
    """The answer alone, and for "unknown" the reason that the reply gives; "" for none."""

    text: str
    reason: str = ""


def clean_answer(reply: str, choice: str | None = None) -> CleanAnswer:
    """Take the answer out of a reply.

    The last line that begins with "Answer:" counts, and so does the answer of a JSON object. A reply of another form
    is the answer as it is.

    Args:
        reply: the target's reply.
        choice: the choice that the reply names, if there is one; it is then the answer.
    """
    if choice is not None:
        return CleanAnswer(choice)
    text = reply.strip()
    parsed = parse_json_answer(text)
    if parsed is not None and parsed.answer:
        text = parsed.answer
    plain = strip_reply_markup(text)
    # Without markup the text stays as it was written: the removal also changes the form of letters.
    if plain and plain != unicodedata.normalize("NFKC", text).strip():
        text = plain
    if stated := list(_ANSWER_LINE.finditer(text)):
        text = text[stated[-1].end() :].strip()
        if text.count(".") == 1:
            text = text.removesuffix(".")
    if match := _UNKNOWN.fullmatch(text):
        return CleanAnswer(UNKNOWN, match["reason"] or "")
    return CleanAnswer(text)
