"""The base class of all checks: the evidence, the results so far, and shared lookups."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aurelia_offline.critic.activity_checks import CLEAR_PICTURE
from aurelia_offline.critic.claims import Description, Detail
from aurelia_offline.critic.evidence import AudioEvidence, Evidence, HeardSound
from aurelia_offline.critic.matching import Fact, TrackScale, motion_facts, sound_facts
from aurelia_offline.critic.signal_activity import Activity

_FAINTEST_CONFIDENCE = 0.15
_NO_SOUNDS: tuple[HeardSound, ...] = ()


@dataclass
class CheckResults:
    """The results of checking: the facts, and the sounds, motions and topics that the caption mentions."""

    facts: list[Fact] = field(default_factory=list)
    sounds: set[int] = field(default_factory=set)
    motions: set[int] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)


class BaseChecks:
    """The evidence of one clip and the results for one caption."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.results = CheckResults()

    def track(self, about: Description) -> AudioEvidence | None:
        """The sound track that a description means; None if there is none, or if it is unclear which."""
        if about.track is not None and about.track < len(self.evidence.tracks):
            return self.evidence.tracks[about.track]
        return self.evidence.audio

    def sounds(self, about: Description) -> tuple[HeardSound, ...]:
        """The sounds of that track."""
        track = self.track(about)
        if track:
            return track.sounds
        return _NO_SOUNDS

    @property
    def textured_activity(self) -> Activity | None:
        """The activity of a textured picture, in which single moving things cannot be separated; else None."""
        if self.evidence.video.clearness < CLEAR_PICTURE:
            return self.evidence.video.activity
        return None

    def is_track_unclear(self, about: Description) -> bool:
        """Whether there are several tracks and the caption does not say which one it means."""
        return len(self.evidence.tracks) > 1 and self.track(about) is None

    def score_events(self, about: Description, topic: str) -> list[list[Fact]]:
        """The facts of a description for each sound, or each motion, of the clip."""
        if topic == "sound":
            sounds = self.sounds(about)
            scale = TrackScale.of(sounds)
            return [_limit_by_confidence(sound_facts(about, heard, scale), heard) for heard in sounds]
        return [motion_facts(about, moved, self.evidence.video.gap) for moved in self.evidence.video.motions]

    def add_fact(
        self,
        verdict: float,
        claim: Detail,
        truth: str = "",
        weight: float = 1.0,
        window: tuple[float, float] | None = None,
    ) -> None:
        """Add the result of a claim; the verdict of a negated claim is reversed."""
        self.results.facts.append(Fact(-verdict if claim.negated else verdict, weight, claim.clause, truth, window))

    @staticmethod
    def inside(about: Description, start: float, end: float) -> bool:
        """Whether an event lies mostly in one of the described time spans; True if none is described."""
        overlaps = [min(end, b if b is not None else a + 0.2) - max(start, a) for a, b in about.spans]
        return not overlaps or max(overlaps) > 0.3 * (end - start)


def _limit_by_confidence(facts: list[Fact], heard: HeardSound) -> list[Fact]:
    """The facts of a sound; a very uncertain sound supports nothing and contradicts the description."""
    if heard.confidence >= _FAINTEST_CONFIDENCE:
        return facts
    return [fact._replace(verdict=min(fact.verdict, -1.0)) for fact in facts]


def weighted_total(facts: Sequence[Fact]) -> float:
    """The weighted sum of verdicts."""
    return sum(fact.verdict * fact.weight for fact in facts)
