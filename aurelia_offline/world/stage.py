"""The questions of the mini world as data: their wording, and the parser from the wording back to the data.

A clip shows a stage with four spots in a row and four turns of one second. In each turn one instrument sounds and the
shape at its spot moves. A `TurnTable` holds this, true or measured; `stage_chain` finds answers in it.
"""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

from aurelia_core.types import MediaRef

Relation = Literal["right", "left", "after", "before"]
RANKS = ("loudest", "softest", "first", "last")
RELATIONS: tuple[Relation, ...] = ("right", "left", "after", "before")


class StageNames(NamedTuple):
    """The names of instruments, spots, turns and numbers, the known facts, and the format of a clip (`stage.toml`)."""

    instruments: list[str]
    spots: list[str]
    turns: list[str]
    counts: list[str]
    facts: dict[str, dict[str, str]]
    clip: dict[str, float]


@cache
def stage_names() -> StageNames:
    """The names and facts of the stage."""
    return StageNames(**tomllib.loads((files("aurelia_offline.world") / "stage.toml").read_text("utf-8")))


class StageTurn(NamedTuple):
    """One turn: the instrument that sounds or None, the spot of the motion from 0 or None, the level in dBFS."""

    instrument: str | None
    spot: int | None
    level: float


TurnTable = tuple[StageTurn, ...]


class Referent(NamedTuple):
    """The instrument that is meant: a rank, or the name of an instrument or spot, and relations in order from there."""

    start: str
    path: tuple[Relation, ...] = ()


class StageQuestion(NamedTuple):
    """A question.

    Attributes:
        kind: what is read out of `one` (instrument, spot, continent, ...), or before, after (how many sound before it),
            left (is it left of `other`), order (which of both comes first), odd, or caption.
        one, other: who is meant.
    """

    kind: str
    one: Referent = Referent("first")
    other: Referent | None = None


def referent_text(one: Referent) -> str:
    """The referent in words."""
    text = f"the {one.start}"
    if one.start in RANKS:
        text = f"the {one.start} instrument"
    if one.start in stage_names().spots:
        text = f"the instrument at spot {one.start}"
    for relation in one.path:
        text = f"the instrument {_RELATION_WORDS[relation]} {text}"
    return text


_RELATION_WORDS: dict[Relation, str] = {
    "right": "to the right of",
    "left": "to the left of",
    "after": "after",
    "before": "before",
}
_READ_TEMPLATES = {
    "instrument": "Which instrument is {}?",
    "spot": "At which spot is {}?",
    "continent": "Which continent does {} come from?",
    "food": "What is eaten where {} comes from?",
    "currency": "With what does one pay where {} comes from?",
    "before": "How many instruments sound before {}?",
    "after": "How many instruments sound after {}?",
}
_PAIR_TEMPLATES = {"left": "Is {} to the left of {}?", "order": "Which sounds earlier, {} or {}?"}
_PLAIN_QUESTIONS = {"odd": "What is odd in this clip?", "caption": "What happens, turn by turn?"}


def question_text(asked: StageQuestion) -> str:
    """The question in words."""
    if asked.kind in _PLAIN_QUESTIONS:
        return _PLAIN_QUESTIONS[asked.kind]
    if asked.kind in _PAIR_TEMPLATES and asked.other is not None:
        return _PAIR_TEMPLATES[asked.kind].format(referent_text(asked.one), referent_text(asked.other))
    return _READ_TEMPLATES[asked.kind].format(referent_text(asked.one))


_DIALOGUE = re.compile(r"The dialogue about this clip so far: .* A: (\w+) The question now: (.*)")


def follow_up_text(asked: StageQuestion) -> str | None:
    """The question with "it" in place of the instrument's name; None if it does not name exactly one instrument."""
    start = asked.one.start
    if start not in stage_names().instruments or asked.other is not None or asked.kind in _PLAIN_QUESTIONS:
        return None
    return re.sub(rf"\bthe {start}\b", "it", question_text(asked))


def parse_stage_question(question: str) -> StageQuestion | None:
    """The question that these words ask; None if it is not a question of the stage.

    After a dialogue, "it" means the instrument that the dialogue's last answer names.
    """
    text = " ".join(question.split())
    if (talk := _DIALOGUE.fullmatch(text)) and talk[1] in stage_names().instruments:
        text = re.sub(r"\bit\b", f"the {talk[1]}", talk[2])
    for kind, words in _PLAIN_QUESTIONS.items():
        if text == words:
            return StageQuestion(kind)
    for kind, words in _PAIR_TEMPLATES.items():
        if found := re.fullmatch(_template_pattern(words), text):
            ones = [_parse_referent(part) for part in found.groups()]
            if ones[0] and ones[1]:
                return StageQuestion(kind, ones[0], ones[1])
    for kind, words in _READ_TEMPLATES.items():
        if (found := re.fullmatch(_template_pattern(words), text)) and (one := _parse_referent(found[1])):
            return StageQuestion(kind, one)
    return None


def is_stage_question(question: str, clip: MediaRef) -> bool:
    """Whether a question and a clip belong to the mini world, judged by wording and clip format."""
    like = stage_names().clip
    alike = abs(clip["duration"] - like["seconds"]) < 0.1 and clip["has_audio"]
    same = all(clip[side] == like[side] for side in ("width", "height", "fps"))
    # The request for the target's own steps follows the question mark.
    return alike and same and parse_stage_question(question[: question.rfind("?") + 1]) is not None


def _template_pattern(words: str) -> str:
    return re.escape(words).replace(r"\{\}", "(.+?)").replace(r"{}", "(.+?)")


def _parse_referent(text: str) -> Referent | None:
    path: list[Relation] = []
    while found := re.fullmatch(r"the instrument (to the right of|to the left of|after|before) (.+)", text):
        path.append(next(relation for relation in RELATIONS if _RELATION_WORDS[relation] == found[1]))
        text = found[2]
    known = stage_names()
    for start in (*RANKS, *known.instruments, *known.spots):
        if text == referent_text(Referent(start)):
            return Referent(start, tuple(reversed(path)))
    return None
