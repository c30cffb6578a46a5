"""The stage of the mini world: its questions as data, their wording and its inverse, and the chain of hops behind.

Four spots in a row, four turns of one second; in each turn one instrument sounds and the shape at its spot moves. A
chain is what a question asks to be found out, hop by hop; what each hop finds is read off a `Table`, true or measured.
Nothing here sees or hears.
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
    """What things are called, and what every clip is like: seconds, width, height, fps (`perception/stage.toml`)."""

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
    """One turn: which instrument sounds (None: nothing), at which spot a shape moves (0.., None: none), dBFS."""

    instrument: str | None
    spot: int | None
    level: float


TurnTable = tuple[StageTurn, ...]


class Referent(NamedTuple):
    """Who is meant: a rank, an instrument's name or a spot's, and relations from there, the nearest to it first."""

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
    """Who is meant, in words."""
    said = f"the {one.start} instrument" if one.start in RANKS else f"the {one.start}"
    if one.start in stage_names().spots:
        said = f"the instrument at spot {one.start}"
    for relation in one.path:
        said = f"the instrument {_RELATION_WORDS[relation]} {said}"
    return said


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
    """The words of a question that is asked after an instrument was named; None where it is not about one by name."""
    start = asked.one.start
    if start not in stage_names().instruments or asked.other is not None or asked.kind in _PLAIN_QUESTIONS:
        return None
    return re.sub(rf"\bthe {start}\b", "it", question_text(asked))


def parse_stage_question(question: str) -> StageQuestion | None:
    """The question that these words ask; None when they are none of the stage's.

    "It" in a question after a dialogue is what the dialogue's last answer names.
    """
    said = " ".join(question.split())
    if (talk := _DIALOGUE.fullmatch(said)) and talk[1] in stage_names().instruments:
        said = re.sub(r"\bit\b", f"the {talk[1]}", talk[2])
    for kind, words in _PLAIN_QUESTIONS.items():
        if said == words:
            return StageQuestion(kind)
    for kind, words in _PAIR_TEMPLATES.items():
        if found := re.fullmatch(_template_pattern(words), said):
            ones = [_parse_referent(part) for part in found.groups()]
            if ones[0] and ones[1]:
                return StageQuestion(kind, ones[0], ones[1])
    for kind, words in _READ_TEMPLATES.items():
        if (found := re.fullmatch(_template_pattern(words), said)) and (one := _parse_referent(found[1])):
            return StageQuestion(kind, one)
    return None


def is_stage_question(question: str, clip: MediaRef) -> bool:
    """Whether a question and a clip are of the mini world, as far as wording and size tell."""
    like = stage_names().clip
    alike = abs(clip["duration"] - like["seconds"]) < 0.1 and clip["has_audio"]
    same = all(clip[side] == like[side] for side in ("width", "height", "fps"))
    # Whoever asks for steps of the target's own says so behind the question.
    return alike and same and parse_stage_question(question[: question.rfind("?") + 1]) is not None


def _template_pattern(words: str) -> str:
    return re.escape(words).replace(r"\{\}", "(.+?)").replace(r"{}", "(.+?)")


def _parse_referent(said: str) -> Referent | None:
    path: list[Relation] = []
    while found := re.fullmatch(r"the instrument (to the right of|to the left of|after|before) (.+)", said):
        path.append(next(relation for relation in RELATIONS if _RELATION_WORDS[relation] == found[1]))
        said = found[2]
    known = stage_names()
    for start in (*RANKS, *known.instruments, *known.spots):
        if said == referent_text(Referent(start)):
            return Referent(start, tuple(reversed(path)))
    return None
