"""What a question asks, as data: which events (`Pick`), and what about them (`Query`)."""

from dataclasses import dataclass
from typing import Literal

Domain = Literal["sound", "motion", "cut", "flash", "silence", "background", "clip", "track", "any"]
Ask = Literal[
    "count",
    "which",
    "when",
    "end",
    "length",
    "level",
    "pitch",
    "voice",
    "place",
    "colour",
    "exists",
    "check",
    "same",
    "compare",
    "choose",
    "order",
    "sequence",
    "relative",
    "gap",
    "bound",
    "tempo",
    "steady",
    "sync",
    "lag",
    "trend",
    "still",
    "background",
    "silent",
    "duration",
    "has_audio",
    "track",
    "unknowable",
]


@dataclass(frozen=True, slots=True)
class Pick:
    """A description of events: of a kind, with these properties, standing in this relation to others.

    Attributes:
        domain: what kind of event.
        voice, colour, place: what they must be, or None.
        outline: whether the words name a geometric outline, which is not measured.
        rank: property and direction of an extreme ("level+" is the loudest), or None.
        nth: the position among those left, from 1, from the end when negative, or None.
        relation: during, after, right_after, before, right_before, between; or None.
        other: the events that the relation is to, or None.
        span: the stretch that the relation is to, seconds, or None; for `half` a share of the clip.
        half: whether `span` is in shares of the clip.
        distinct: whether different ones are meant, rather than every event.
        words: how the question says it.
    """

    domain: Domain = "any"
    voice: str | None = None
    colour: str | None = None
    place: str | None = None
    outline: bool = False
    rank: str | None = None
    nth: int | None = None
    relation: str | None = None
    other: "Pick | None" = None
    span: tuple[float, float] | None = None
    half: bool = False
    distinct: bool = False
    words: str = ""

    @property
    def singles_out(self) -> bool:
        """Whether the description means one event rather than all that fit."""
        return self.rank is not None or self.nth is not None


@dataclass(frozen=True, slots=True)
class Query:
    """A question understood.

    Attributes:
        ask: what is asked about the picked events.
        pick: the events it is about.
        other: the second party of a comparison, or None.
        prop: for compare, choose, same, trend and bound the property with its direction ("level+"), or None.
        bound: for `bound` the relation (more, less, least, most, exact), or None.
        value: for `bound` the number, or None.
        negated: whether a yes/no question denies ("Is there no cut?").
        yes_no: whether yes or no answers it.
        reason: for `unknowable` why, in plain words.
    """

    ask: Ask
    pick: Pick = Pick()
    other: Pick | None = None
    prop: str | None = None
    bound: str | None = None
    value: float | None = None
    negated: bool = False
    yes_no: bool = False
    reason: str = ""
