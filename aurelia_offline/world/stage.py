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
Modality = Literal["audio", "visual", "both", "knowledge"]
RANKS = ("loudest", "softest", "first", "last")
RELATIONS: tuple[Relation, ...] = ("right", "left", "after", "before")


class Names(NamedTuple):
    """What things are called, and what every clip is like: seconds, width, height, fps (`perception/stage.toml`)."""

    instruments: list[str]
    spots: list[str]
    turns: list[str]
    counts: list[str]
    facts: dict[str, dict[str, str]]
    clip: dict[str, float]


@cache
def names() -> Names:
    """The names and facts of the stage."""
    return Names(**tomllib.loads((files("aurelia_offline.world") / "stage.toml").read_text("utf-8")))


class Turn(NamedTuple):
    """One turn: which instrument sounds (None: nothing), at which spot a shape moves (0.., None: none), dBFS."""

    instrument: str | None
    spot: int | None
    level: float


Table = tuple[Turn, ...]


class One(NamedTuple):
    """Who is meant: a rank, an instrument's name or a spot's, and relations from there, the nearest to it first."""

    start: str
    path: tuple[Relation, ...] = ()


class Asked(NamedTuple):
    """A question.

    Attributes:
        kind: what is read out of `one` (instrument, spot, continent, ...), or before, after (how many sound before it),
            left (is it left of `other`), order (which of both comes first), odd, or caption.
        one, other: who is meant.
    """

    kind: str
    one: One = One("first")
    other: One | None = None


def phrase(one: One) -> str:
    """Who is meant, in words."""
    said = f"the {one.start} instrument" if one.start in RANKS else f"the {one.start}"
    if one.start in names().spots:
        said = f"the instrument at spot {one.start}"
    for relation in one.path:
        said = f"the instrument {_RELATION[relation]} {said}"
    return said


_RELATION: dict[Relation, str] = {
    "right": "to the right of",
    "left": "to the left of",
    "after": "after",
    "before": "before",
}
_READ = {
    "instrument": "Which instrument is {}?",
    "spot": "At which spot is {}?",
    "continent": "Which continent does {} come from?",
    "food": "What is eaten where {} comes from?",
    "currency": "With what does one pay where {} comes from?",
    "before": "How many instruments sound before {}?",
    "after": "How many instruments sound after {}?",
}
_PAIR = {"left": "Is {} to the left of {}?", "order": "Which sounds earlier, {} or {}?"}
_PLAIN = {"odd": "What is odd in this clip?", "caption": "What happens, turn by turn?"}


def worded(asked: Asked) -> str:
    """The question in words."""
    if asked.kind in _PLAIN:
        return _PLAIN[asked.kind]
    if asked.kind in _PAIR and asked.other is not None:
        return _PAIR[asked.kind].format(phrase(asked.one), phrase(asked.other))
    return _READ[asked.kind].format(phrase(asked.one))


_DIALOGUE = re.compile(r"The dialogue about this clip so far: .* A: (\w+) The question now: (.*)")


def follow_up(asked: Asked) -> str | None:
    """The words of a question that is asked after an instrument was named; None where it is not about one by name."""
    start = asked.one.start
    if start not in names().instruments or asked.other is not None or asked.kind in _PLAIN:
        return None
    return re.sub(rf"\bthe {start}\b", "it", worded(asked))


def understood(question: str) -> Asked | None:
    """The question that these words ask; None when they are none of the stage's.

    "It" in a question after a dialogue is what the dialogue's last answer names.
    """
    said = " ".join(question.split())
    if (talk := _DIALOGUE.fullmatch(said)) and talk[1] in names().instruments:
        said = re.sub(r"\bit\b", f"the {talk[1]}", talk[2])
    for kind, words in _PLAIN.items():
        if said == words:
            return Asked(kind)
    for kind, words in _PAIR.items():
        if found := re.fullmatch(_pattern(words), said):
            ones = [_meant(part) for part in found.groups()]
            if ones[0] and ones[1]:
                return Asked(kind, ones[0], ones[1])
    for kind, words in _READ.items():
        if (found := re.fullmatch(_pattern(words), said)) and (one := _meant(found[1])):
            return Asked(kind, one)
    return None


def staged(question: str, clip: MediaRef) -> bool:
    """Whether a question and a clip are of the mini world, as far as wording and size tell."""
    like = names().clip
    alike = abs(clip["duration"] - like["seconds"]) < 0.1 and clip["has_audio"]
    same = all(clip[side] == like[side] for side in ("width", "height", "fps"))
    # Whoever asks for steps of the target's own says so behind the question.
    return alike and same and understood(question[: question.rfind("?") + 1]) is not None


def _pattern(words: str) -> str:
    return re.escape(words).replace(r"\{\}", "(.+?)").replace(r"{}", "(.+?)")


def _meant(said: str) -> One | None:
    path: list[Relation] = []
    while found := re.fullmatch(r"the instrument (to the right of|to the left of|after|before) (.+)", said):
        path.append(next(relation for relation in RELATIONS if _RELATION[relation] == found[1]))
        said = found[2]
    known = names()
    for start in (*RANKS, *known.instruments, *known.spots):
        if said == phrase(One(start)):
            return One(start, tuple(reversed(path)))
    return None
