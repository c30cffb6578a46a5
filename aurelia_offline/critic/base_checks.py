"""The critic's desk: the evidence, what has been found so far, and what every check of a claim needs."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from aurelia_offline.critic.activity_checks import CLEAR_PICTURE
from aurelia_offline.critic.claims import Claim, Description
from aurelia_offline.critic.evidence import AudioEvidence, Evidence, HeardSound
from aurelia_offline.critic.matching import Fact, TrackScale, motion_facts, sound_facts
from aurelia_offline.critic.signal_activity import Activity

_FAINTEST_CONFIDENCE = 0.15
_NO_SOUNDS: tuple[HeardSound, ...] = ()


@dataclass
class CheckResults:
    """What came of checking: the facts, and which sounds and motions the caption has spoken of."""

    facts: list[Fact] = field(default_factory=list)
    sounds: set[int] = field(default_factory=set)
    motions: set[int] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)


class BaseChecks:
    """Holds one clip's evidence and the ledger of one caption."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.ledger = CheckResults()

    def track(self, about: Description) -> AudioEvidence | None:
        """The sound track a description speaks of; None when there is none, or when it cannot be told which."""
        if about.track is not None and about.track < len(self.evidence.tracks):
            return self.evidence.tracks[about.track]
        return self.evidence.audio

    def sounds(self, about: Description) -> tuple[HeardSound, ...]:
        """The sounds of that track."""
        track = self.track(about)
        return track.sounds if track else _NO_SOUNDS

    @property
    def film(self) -> Activity | None:
        """The stir of the picture, where single moving things in it cannot be told apart; else None."""
        return self.evidence.video.activity if self.evidence.video.clear < CLEAR_PICTURE else None

    def untold(self, about: Description) -> bool:
        """Whether several tracks are there and the caption does not say which it means."""
        return len(self.evidence.tracks) > 1 and self.track(about) is None

    def fits(self, about: Description, topic: str) -> list[list[Fact]]:
        """Facts of a description held against each sound, or each motion, of the clip."""
        if topic == "sound":
            sounds = self.sounds(about)
            scale = TrackScale.of(sounds)
            return [_limit_by_confidence(sound_facts(about, heard, scale), heard) for heard in sounds]
        return [motion_facts(about, moved, self.evidence.video.gap) for moved in self.evidence.video.motions]

    def say(
        self,
        verdict: float,
        claim: Claim,
        truth: str = "",
        weight: float = 1.0,
        window: tuple[float, float] | None = None,
    ) -> None:
        """Enter what a claim came to; a negated claim is supported by what contradicts it."""
        self.ledger.facts.append(Fact(-verdict if claim.negated else verdict, weight, claim.clause, truth, window))

    @staticmethod
    def inside(about: Description, start: float, end: float) -> bool:
        """Whether an event lies, for the most part, in one of the stretches a description names (all, when none)."""
        overlaps = [min(end, b if b is not None else a + 0.2) - max(start, a) for a, b in about.spans]
        return not overlaps or max(overlaps) > 0.3 * (end - start)


def _limit_by_confidence(facts: list[Fact], heard: HeardSound) -> list[Fact]:
    """The facts of a sound; one that is hardly there bears nothing out, and stands against what is said of it."""
    return (
        facts
        if heard.sure >= _FAINTEST_CONFIDENCE
        else [fact._replace(verdict=min(fact.verdict, -1.0)) for fact in facts]
    )


def weighted_total(facts: Sequence[Fact]) -> float:
    """The weighted sum of verdicts."""
    return sum(fact.verdict * fact.weight for fact in facts)
