"""Checks each claim of a caption against the evidence of the clip: supported, contradicted or unsure. No scoring."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf

from aurelia_core.signals.observation import MAX_MOTION_GAP
from aurelia_offline.critic.activity_checks import activity_facts
from aurelia_offline.critic.base_checks import CheckResults, weighted_total
from aurelia_offline.critic.caption_text import CLIP_END
from aurelia_offline.critic.claims import Detail
from aurelia_offline.critic.matching import PART_SECONDS, Fact, motion_facts
from aurelia_offline.critic.picture_checks import PictureChecks

_MISSED_WEIGHT = 1.6


class ClaimChecker(PictureChecks):
    """Checks the claims of one caption against the evidence of one clip."""

    def check(self, claims: Sequence[Detail]) -> CheckResults:
        """Check all claims; the sounds and motions of one sentence are matched to different events."""
        for number in sorted({claim.sentence for claim in claims}):
            own = [claim for claim in claims if claim.sentence == number]
            self._events([claim for claim in own if claim.kind == "sound" and not claim.negated], "sound")
            self._events([claim for claim in own if claim.kind == "motion" and not claim.negated], "motion")
            for claim in own:
                self.results.topics.add(claim.kind)
                handler = self._handlers().get(claim.kind)
                if handler is not None:
                    handler(claim)
        return self.results

    def _handlers(self) -> dict[str, Callable[[Detail], None]]:
        return {
            "sound": self._no_sound,
            "motion": self._no_motion,
            "sound_count": self._sound_count,
            "motion_count": self._motion_count,
            "rank": self._rank,
            "compare": self._compare,
            "order": self._order,
            "silence": self._silence,
            "tempo": self._tempo,
            "background": self._background,
            "colour": self._colour,
            "cut": self._cut,
            "flash": self._flash,
            "sync": self._sync,
            "duration": self._duration,
        }

    def _events(self, claims: list[Detail], topic: str) -> None:
        """Match the descriptions of one sentence to events, one to one, with the best total fit."""
        claims = [claim for claim in claims if not (topic == "sound" and self.is_track_unclear(claim.about))]
        if topic == "motion" and MAX_MOTION_GAP < self.evidence.video.gap < inf:
            return
        film = self.textured_activity
        if film is not None and topic == "motion":
            self.results.facts += [fact for claim in claims for fact in activity_facts(claim.about, film)]
            return
        if not claims:
            return
        from scipy.optimize import linear_sum_assignment

        fits = [self.score_events(claim.about, topic) for claim in claims]
        count = max((len(row) for row in fits), default=0)
        used = self.results.motions
        if topic == "sound":
            used = self.results.sounds
        if not count:
            self.results.facts += [self._missed(claim, topic) for claim in claims]
            return
        cost = [
            [-weighted_total(row[event]) + 0.01 * event if event < len(row) else 9.0 for event in range(count)]
            for row in fits
        ]
        rows, columns = linear_sum_assignment([*map(list, cost)])
        matched = dict(zip(rows.tolist(), columns.tolist(), strict=True))
        for index, claim in enumerate(claims):
            event = matched.get(index)
            facts = None
            if event is not None and event < len(fits[index]):
                facts = fits[index][event]
            missed = facts is None or bool(facts and weighted_total(facts) <= -0.9 and facts[0].verdict <= -0.9)
            wrong = missed or any(fact.verdict < 0 for fact in facts or ())
            if topic == "motion" and wrong and (part := self._part_of_motion(claim)):
                self.results.facts.append(part)
            elif missed:
                self.results.facts.append(self._missed(claim, topic))
            else:
                used.add(event or 0)
                self.results.facts += facts or [Fact(0.6, 0.5, claim.clause)]

    def _part_of_motion(self, claim: Detail) -> Fact | None:
        """The support of a claim that states a part of one movement as a movement of its own; None if it is not so."""
        if not claim.about.spans or not (claim.about.colours or claim.about.places):
            return None
        start, end = claim.about.spans[0]
        bare = replace(claim.about, spans=(), seconds=None)
        for moved in self.evidence.video.motions:
            inside = moved.start - PART_SECONDS <= start and (end or start) <= moved.end + PART_SECONDS
            if inside and all(fact.verdict > 0 for fact in motion_facts(bare, moved, self.evidence.video.gap)):
                return Fact(0.5, 0.5, claim.clause, "a part of a longer movement", (moved.start, moved.end))
        return None

    def _missed(self, claim: Detail, topic: str) -> Fact:
        spans = claim.about.spans
        window = None
        if spans:
            start, end = spans[0]
            window = (start, end if end is not None and end < CLIP_END else start + 0.3)
        return Fact(-1.0, _MISSED_WEIGHT, claim.clause, f"no such {topic}", window)
