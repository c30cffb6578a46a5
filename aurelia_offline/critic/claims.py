"""What a caption claims that could be measured: the records. Reading them out of prose is in `critic_readers`."""

from dataclasses import dataclass, field
from typing import Literal

from aurelia_offline.critic.caption_text import Spans

ClaimKind = Literal[
    "sound", "sound_count", "rank", "compare", "order", "silence", "tempo", "motion", "motion_count",
    "background", "colour", "cut", "flash", "sync", "duration",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description:
    """How a caption describes one sound or one moving thing; what it leaves open is empty or None.

    Attributes:
        voices: accepted voices.
        pitch: Hz.
        height, level: high or low; loud or soft.
        rank: first, last, loudest and so on.
        spans: when, seconds; the end is None for a moment.
        colours, places: in words.
        track: index of the candidate sound track it speaks of.
        onset: whether its moment is said to be its beginning.
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
        """Whether nothing tells it apart from any other."""
        return self == Description(self.topic, track=self.track, onset=self.onset)


@dataclass(frozen=True, slots=True)
class Claim:
    """One checkable statement.

    Attributes:
        kind: what it is about.
        clause: the words it came from.
        sentence: number of the sentence.
        negated: whether it says that this is not so.
        about, other: what is described; `other` is the second of a comparison or an order (about comes first).
        number: a count, beats a minute, or seconds, by kind.
        least: whether `number` is a lower bound ("several").
        word: fast, slow or steady of a beat; the rank compared; "partly" of a silence that is not the whole clip's.
    """

    kind: ClaimKind
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
    """The claims of a caption, and how many of its clauses hold nothing that can be measured."""

    claims: tuple[Claim, ...]
    unchecked: int
