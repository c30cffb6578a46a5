"""Whether a reply to an open question gives a reference answer: by wording alone, or left undecided.

It knows yes and no, numbers, and a few closed kinds of answers (`answers.toml`). What it cannot decide by wording, such
as another word for the same thing, is left to a judge.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

from aurelia_core.answers.multiple_choice import UNPARSED
from aurelia_core.answers.tokens import (
    ComparisonKey,
    Mention,
    asserted,
    comparison_key,
    find_mentions,
    is_negated,
    is_number,
    parse_json_answer,
    strip_reply_markup,
    tokenize_text,
)

_STATED = re.compile(r"\banswers?\s*(?:is|:)\s*(?=\S)", re.IGNORECASE)
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
    """Whether the reply gives a reference answer (None: it cannot be told), and by which rule, or "unparsed"."""

    correct: bool | None
    rule: str


_UNDECIDED = OpenAnswerMatch(None, UNPARSED)


class _Group(NamedTuple):
    """What counts as right, and what is another answer of the same closed kind (empty: the kind is open)."""

    right: list[ComparisonKey]
    other: list[ComparisonKey]


def match_open_answer(
    reply: str, answers: Sequence[str], synonyms: Mapping[str, Sequence[str]] | None = None
) -> OpenAnswerMatch:
    """Compares a reply with the reference answers of an open question.

    The rules, in this order (each is the `how` of what it decides):

    * `equal`: the reply is a reference answer or a synonym, but for case, articles, marks, number words, plurals.
    * `polar`: the references are "yes" or "no", and the reply begins with one of the two.
    * `number`: the references are numbers, and the reply stands by exactly one number.
    * `named`: the reply stands by a reference answer, and compares, lists or offers nothing beside it.
    * `other`: it so names another answer of the same closed kind (an instrument, a position).

    Args:
        reply: what a model said.
        answers: the reference answers; any of them counts.
        synonyms: other words that count, by reference answer.
    """
    text, group = _stated(reply), _group(answers, synonyms or {})
    found = _form(comparison_key(text))
    if found and found in group.right:
        return OpenAnswerMatch(True, "equal")
    if set(group.right) <= {("yes",), ("no",)}:
        return _polar(text, group)
    if all(len(right) == 1 and is_number(right[0]) for right in group.right):
        return _number(text, found, group)
    return _named(" ".join(text.split()), group)


def _stated(reply: str) -> str:
    """What was said; where it says "the answer is", the sentence that follows."""
    given = parse_json_answer(reply)
    text = strip_reply_markup(reply if given is None else given.answer or "")
    stated = [match for match in _STATED.finditer(text) if not is_negated(text, match.start())]
    return re.split(r"(?<=[.!?])\s|\n", text[stated[-1].end() :])[0].strip() if stated else text


def _group(answers: Sequence[str], synonyms: Mapping[str, Sequence[str]]) -> _Group:
    groups, known = _closed()
    right = {_form(comparison_key(answer)) for answer in answers}
    given = {_form(comparison_key(name)): words for name, words in synonyms.items()}
    other = {name for names in groups if right & names for name in names} - right
    right |= {
        _form(comparison_key(word)) for answer in right for word in (*given.get(answer, ()), *known.get(answer, ()))
    }
    other |= {_form(comparison_key(word)) for name in other for word in known.get(name, ())}
    return _Group(sorted(right - {()}), sorted(other - right))


@lru_cache
def _closed() -> tuple[list[frozenset[ComparisonKey]], dict[ComparisonKey, list[str]]]:
    found = tomllib.loads(files("aurelia_core.answers").joinpath("answers.toml").read_text(encoding="utf-8"))
    groups = [frozenset(_form(comparison_key(name)) for name in names) for names in found["groups"].values()]
    return groups, {_form(comparison_key(name)): words for name, words in found["synonyms"].items()}


def _form(words: ComparisonKey) -> ComparisonKey:
    return tuple(_singular(word) for word in words)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) else word


def _polar(text: str, group: _Group) -> OpenAnswerMatch:
    begins = _BEGINS.match(text)
    side = "" if begins is None else "yes" if begins["yes"] else "no"
    if begins is None or _CONTRARY[side].search(text, begins.end()):
        return _UNDECIDED
    return OpenAnswerMatch((side,) in group.right, "polar")


def _number(text: str, found: ComparisonKey, group: _Group) -> OpenAnswerMatch:
    if found == ("none",):
        return OpenAnswerMatch(("0",) in group.right, "number")
    numbers = [word.text for word in tokenize_text(text) if is_number(word.text)]
    keys: list[ComparisonKey] = [(number,) for number in dict.fromkeys(numbers)]
    seen = find_mentions(text, keys)
    stood_by = asserted(seen)
    if len(stood_by) != 1 or len(seen) != len(numbers) or _OPEN.search(text):
        return _UNDECIDED
    return OpenAnswerMatch(keys[stood_by.pop()] in group.right, "number")


def _named(text: str, group: _Group) -> OpenAnswerMatch:
    seen = find_mentions(text, [*group.right, *group.other], _singular)
    stood_by = asserted(seen)
    right = {which for which in stood_by if which < len(group.right)}
    if not stood_by or _OPEN.search(_without(text, seen)) or not all(_alone(text, mention) for mention in seen):
        return _UNDECIDED
    if right == stood_by and (group.other or all(_plain(text, mention) for mention in seen)):
        return OpenAnswerMatch(True, "named")
    return _UNDECIDED if right or len(stood_by) > 1 else OpenAnswerMatch(False, "other")


def _without(text: str, seen: list[Mention]) -> str:
    for mention in reversed(seen):
        text = f"{text[: mention.start]}…{text[mention.end :]}"
    return text


def _alone(text: str, mention: Mention) -> bool:
    """Whether no "and" joins the mention to something else."""
    return not (_LISTED_AFTER.match(text, mention.end) or _LISTED_BEFORE.search(text[: mention.start]))


def _plain(text: str, mention: Mention) -> bool:
    """Whether the words beside a mention do not make it a part of a longer name ("New York" for "York")."""
    beside = (_WORD_BEFORE.search(text[: mention.start]), _WORD_AFTER.match(text, mention.end))
    return all(word is None or _PLAIN.fullmatch(word[1]) for word in beside)
