"""The measurable claims of a caption, as records. `caption_parser` reads them from the text."""

from dataclasses import dataclass, field
from typing import Literal

from aurelia_offline.critic.caption_text import Spans

DetailKind = Literal[
    "sound", "sound_count", "rank", "compare", "order", "silence", "tempo", "motion", "motion_count",
    "background", "colour", "cut", "flash", "sync", "duration",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description:
    """How a caption describes one sound or one moving thing; unstated properties are empty or None.

    Attributes:
        voices: accepted voices.
        pitch: Hz.
        height, level: high or low; loud or soft.
        rank: first, last, loudest and so on.
        spans: times in seconds; the end is None for a moment.
        seconds: length in seconds.
        colours, places: names.
        track: index of the candidate sound track.
        onset: whether the stated moment is the start of the event.
        topic: sound or motion.
    """

    topic: Literal["sound", "motion"] = "sound"
    voices: frozenset[str] = frozenset()
    pitch: float | None = None
    height: str | None = None
    level: str | None = None
    rank: str | None = None
    spans: Spans = ()
    seconds: float | None = None
    colours: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    track: int | None = None
    onset: bool = False

    @property
    def empty(self) -> bool:
        """Whether it states no property."""
        return self == Description(self.topic, track=self.track, onset=self.onset)


@dataclass(frozen=True, slots=True)
class Detail:
    """One checkable statement.

    Attributes:
        kind: the subject of the claim.
        clause: the text of the claim.
        sentence: number of the sentence.
        negated: whether the claim is a denial.
        about, other: the described events; `other` is the second in a comparison or an order.
        number: a count, beats per minute, or seconds, depending on the kind.
        least: whether `number` is a lower bound ("several").
        word: fast, slow or steady for a beat; the compared rank; "partly" for a silence in part of the clip.
    """

    kind: DetailKind
    clause: str
    sentence: int
    negated: bool = False
    about: Description = field(default_factory=Description)
    other: Description | None = None
    number: float | None = None
    least: bool = False
    word: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedCaption:
    """The claims of a caption, the number of its parts that cannot be measured, and the text of those clauses.

    `whole` says that every sentence was taken up whole by `plain_claims`.
    """

    claims: tuple[Detail, ...]
    unchecked: int
    unread: tuple[str, ...] = ()
    whole: bool = False
