"""Comparison of a reply to an open question with the reference answers, by rules on the wording.

The rules cover yes and no, numbers, and a few closed groups of answers (`answers.toml`). Other cases, such as an
unknown synonym, stay undecided; a judge model can decide them.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from aurelia_core.answers.cleaning import clean_reply, is_json_reply
from aurelia_core.answers.multiple_choice import UNPARSED
from aurelia_core.answers.tokens import (
    ComparisonKey,
    Mention,
    asserted,
    comparison_key,
    find_mentions,
    is_negated,
    is_number,
    strip_reply_markup,
    tokenize_text,
)

_STATED = re.compile(r"\banswers?\s*(?:is|:)\s*(?=\S)|\\(?:boxed|fbox|framebox)(?=\{)", re.IGNORECASE)
_BEGINS = re.compile(
    r"\W*(?:(?P<yes>yes|yeah|yep|yup)|(?P<no>no|nope|nah))\b(?=\W*$|[.,;:!\n]|\s+[-–—]\s|\s+(?:it|there|they|he|she|this)\b)",
    re.IGNORECASE,
)
_CONTRARY = {
    "yes": re.compile(r"\b(?:no|nope|nah)\b(?=\W*$|[.,;!])", re.IGNORECASE),
    "no": re.compile(r"\b(?:yes|yeah|yep|yup)\b", re.IGNORECASE),
}
_OPEN = re.compile(
    r"\b(?:or|either|both|than|compared|besides|apart from|except|unsure|not sure|unknown|unclear)\b"
    r"|\?|\w\s*/\s*[^\W\d]",
    re.IGNORECASE,
)
_LISTED_AFTER = re.compile(r"\W*(?:and\b|&)", re.IGNORECASE)
_LISTED_BEFORE = re.compile(r"(?:\band|&)\s*(?:(?:an?|the)\s+)?$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"([^\W\d_]+)\s+(?:(?:an?|the)\s+)?$", re.IGNORECASE)
_WORD_AFTER = re.compile(r"\s+([^\W\d_]+)")
_PLAIN = re.compile(
    r"is|are|was|were|be|being|called|named|say|says|of|on|in|at|to|from|by|with|for|as|it|that|this|which|who|while|when|"
    r"because|since|has|have|had|can|could|will|must|and|but|a|an|the|just|only|clearly|probably|here|there|then|now",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class OpenAnswerMatch:
    """Whether the reply gives a reference answer (None: undecided), and the deciding rule or "unparsed"."""

    correct: bool | None
    rule: str


_UNDECIDED = OpenAnswerMatch(None, UNPARSED)


class _Answers(NamedTuple):
    """The right answers, and the other answers of their closed group (empty: no closed group)."""

    right: list[ComparisonKey]
    other: list[ComparisonKey]


def match_open_answer(
    reply: str, answers: Sequence[str], synonyms: Mapping[str, Sequence[str]] | None = None
) -> OpenAnswerMatch:
    """Compare a reply with the reference answers of an open question.

    The rules in their order; the name is the `rule` of the result:

    * `equal`: the reply is a reference answer or a synonym, apart from case, articles, marks, number words, plurals.
    * `polar`: the references are "yes" or "no", and the reply begins with one of the two.
    * `number`: the references are numbers, and the reply asserts exactly one number.
    * `named`: the reply asserts a reference answer, without comparison, list or alternative.
    * `other`: the reply asserts in the same way another answer of the same closed group (an instrument, a position).

    Args:
        reply: a model's reply.
        answers: the reference answers; each of them is right.
        synonyms: further right words by reference answer.
    """
    text = _final_statement(reply)
    expanded = _expand(answers, synonyms or {})
    key = _singular_key(text)
    if key and key in expanded.right:
        return OpenAnswerMatch(True, "equal")
    if set(expanded.right) <= {("yes",), ("no",)}:
        return _match_polar(text, expanded)
    if all(len(right) == 1 and is_number(right[0]) for right in expanded.right):
        return _match_number(text, key, expanded)
    return _match_named(" ".join(text.split()), expanded)


def _final_statement(reply: str) -> str:
    """The reply without markup; if it says "the answer is", only the sentence after the last such words."""
    cleaned = clean_reply(reply)
    if is_json_reply(cleaned):
        # JSON without an answer, or with several.
        return ""
    text = strip_reply_markup(cleaned)
    statements = [match for match in _STATED.finditer(text) if not is_negated(text, match.start())]
    if not statements:
        return text
    return re.split(r"(?<=[.!?])\s|\n", text[statements[-1].end() :])[0].strip(" {}")


def _expand(answers: Sequence[str], synonyms: Mapping[str, Sequence[str]]) -> _Answers:
    """The reference answers and the other answers of their groups, all with their synonyms."""
    groups, known_synonyms = _closed_groups()
    right = {_singular_key(answer) for answer in answers}
    other: set[ComparisonKey] = set()
    for group in groups:
        if right & group:
            other |= group
    other -= right
    given_synonyms = {_singular_key(answer): words for answer, words in synonyms.items()}
    for answer in list(right):
        words = [*given_synonyms.get(answer, ()), *known_synonyms.get(answer, ())]
        right |= {_singular_key(word) for word in words}
    for answer in list(other):
        other |= {_singular_key(word) for word in known_synonyms.get(answer, ())}
    return _Answers(sorted(right - {()}), sorted(other - right))


@lru_cache
def _closed_groups() -> tuple[list[frozenset[ComparisonKey]], dict[ComparisonKey, list[str]]]:
    """The groups of answers that exclude each other, and their synonyms."""
    table = tomllib.loads(files("aurelia_core.answers").joinpath("answers.toml").read_text(encoding="utf-8"))
    groups = [frozenset(_singular_key(name) for name in names) for names in table["groups"].values()]
    return groups, {_singular_key(name): words for name, words in table["synonyms"].items()}


def _singular_key(text: str) -> ComparisonKey:
    return tuple(_singular(word) for word in comparison_key(text))


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")):
        return word[:-1]
    return word


def _match_polar(text: str, answers: _Answers) -> OpenAnswerMatch:
    beginning = _BEGINS.match(text)
    if beginning is None:
        return _UNDECIDED
    side = "no"
    if beginning["yes"]:
        side = "yes"
    if _CONTRARY[side].search(text, beginning.end()):
        return _UNDECIDED
    return OpenAnswerMatch((side,) in answers.right, "polar")


def _match_number(text: str, key: ComparisonKey, answers: _Answers) -> OpenAnswerMatch:
    if key == ("none",):
        return OpenAnswerMatch(("0",) in answers.right, "number")
    numbers = [word.text for word in tokenize_text(text) if is_number(word.text)]
    keys: list[ComparisonKey] = [(number,) for number in dict.fromkeys(numbers)]
    mentions = find_mentions(text, keys)
    found = asserted(mentions)
    if len(found) != 1 or len(mentions) != len(numbers) or _OPEN.search(text):
        return _UNDECIDED
    return OpenAnswerMatch(keys[found.pop()] in answers.right, "number")


def _match_named(text: str, answers: _Answers) -> OpenAnswerMatch:
    mentions = find_mentions(text, [*answers.right, *answers.other], _singular)
    found = asserted(mentions)
    if not found or _OPEN.search(_without(text, mentions)) or any(_is_listed(text, mention) for mention in mentions):
        return _UNDECIDED
    right = {index for index in found if index < len(answers.right)}
    if right == found and (answers.other or all(_is_whole_name(text, mention) for mention in mentions)):
        return OpenAnswerMatch(True, "named")
    if right or len(found) > 1:
        return _UNDECIDED
    return OpenAnswerMatch(False, "other")


def _without(text: str, mentions: list[Mention]) -> str:
    """The text with every mention replaced by an ellipsis."""
    for mention in reversed(mentions):
        text = f"{text[: mention.start]}…{text[mention.end :]}"
    return text


def _is_listed(text: str, mention: Mention) -> bool:
    """Whether an "and" joins the mention to something else."""
    return bool(_LISTED_AFTER.match(text, mention.end) or _LISTED_BEFORE.search(text[: mention.start]))


def _is_whole_name(text: str, mention: Mention) -> bool:
    """Whether the mention is not a part of a longer name ("York" in "New York"), judged by the words beside it."""
    neighbours = (_WORD_BEFORE.search(text[: mention.start]), _WORD_AFTER.match(text, mention.end))
    return all(word is None or _PLAIN.fullmatch(word[1]) for word in neighbours)
