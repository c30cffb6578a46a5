"""A question as data: the events (`Pick`), and what is asked about them (`Query`)."""

from dataclasses import dataclass
from typing import Literal

from aurelia_core.types import Span

Domain = Literal[
    "sound",
    "motion",
    "cut",
    "flash",
    "fade",
    "fade_out",
    "fade_in",
    "silence",
    "background",
    "clip",
    "track",
    "any",
]
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
    "palette",
    "silent",
    "duration",
    "has_audio",
    "track",
    "unknowable",
]


@dataclass(frozen=True, slots=True)
class Pick:
    """A description of events: their kind, properties, and relation to others.

    Attributes:
        domain: the kind of event.
        voice, colour, place: the required property, or None.
        outline: whether the words name a geometric shape, which is not measured.
        rank: property and direction of an extreme ("level+" is the loudest), or None.
        nth: the position among the matching events, from 1, or from the end if negative; or None.
        relation: during, throughout, apart, after, right_after, before, right_before, between; unclear: named, and not
            understood; or None.
        other: the events of the relation, or None.
        span: the time span of the relation in seconds (with `half`: as fractions of the clip), or None.
        half: whether `span` is in fractions of the clip.
        distinct: whether different things are counted instead of events.
        words: the wording in the question.
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
        """Whether the description means one event instead of all that match."""
        return self.rank is not None or self.nth is not None


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed question.

    Attributes:
        ask: what is asked about the events.
        pick: the events.
        other: the second description in a comparison, or None.
        prop: for compare, choose, same, trend and bound, the property with its direction ("level+"), or None.
        bound: for `bound` the relation (more, less, least, most, exact); either: one of two values is offered; or None.
        value: for `bound` the number, or None.
        negated: whether a yes/no question denies ("Is there no cut?").
        yes_no: whether the answer is yes or no.
        reason: for `unknowable`, the reason in words.
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


def span_in_seconds(span: Span, half: bool, duration: float) -> Span:
    """A span of a question in seconds from the start of a clip of this length; it may reach beyond the clip.

    Args:
        span: with `half`: fractions of the clip; else seconds, and below 0 seconds from its end.
        half: whether `span` is in fractions.
        duration: the length of the clip, seconds.
    """
    scale = duration if half else 1.0
    shift = duration if span[0] < 0 else 0.0
    return span[0] * scale + shift, span[1] * scale + shift
