"""Checks claims about the picture, and about picture and sound together."""

from collections.abc import Sequence
from dataclasses import replace

from aurelia_offline.critic.activity_checks import stillness_verdict
from aurelia_offline.critic.claims import Description, Detail
from aurelia_offline.critic.evidence import AudioEvidence, HeardSound, SeenMotion
from aurelia_offline.critic.matching import SURE_CONFIDENCE, as_verdict, grade, motion_facts
from aurelia_offline.critic.sound_checks import SoundChecks

_LASTING = 0.85
"""Share of a shot from which its background lasts."""


class PictureChecks(SoundChecks):
    """The checks of claims that need the picture."""

    def _no_motion(self, claim: Detail) -> None:
        if not claim.negated or not self.evidence.video.shows_motion:
            return
        about, gap = claim.about, self.evidence.video.gap
        if self.textured_activity is not None:
            verdict = 0.0
            if not (about.places or about.colours):
                verdict = stillness_verdict(about, self.textured_activity)
            self.add_fact(-verdict, claim, "motion", 1.6)
            return
        found = [
            moved
            for moved in self.evidence.video.motions
            if moved.confidence >= SURE_CONFIDENCE and self.inside(about, moved.start, moved.end)
        ]
        bare = replace(about, spans=(), seconds=None)
        found = [moved for moved in found if all(fact.verdict > 0 for fact in motion_facts(bare, moved, gap))]
        if not found:
            self.add_fact(-1.0, claim, "", 1.6)
            return
        start, end = found[0].start, found[0].end
        self.add_fact(1.0, claim, f"motion from {start:.1f} s to {end:.1f} s", 1.6, (start, end))

    def _motion_count(self, claim: Detail) -> None:
        if claim.number is None or self.textured_activity is not None or not self.evidence.video.shows_motion:
            return
        moves = [moved for moved in self.evidence.video.motions if moved.confidence >= 0.3]
        facts = [motion_facts(replace(claim.about, seconds=None), moved, self.evidence.video.gap) for moved in moves]
        fitting = [
            moved for moved, found in zip(moves, facts, strict=True) if all(fact.verdict > -0.5 for fact in found)
        ]
        things: list[SeenMotion] = []
        for moved in fitting:
            if not any(abs(moved.x - thing.x) + abs(moved.y - thing.y) < 0.16 for thing in things):
                things.append(moved)
        self._count(claim, len(things), len(fitting), "moving things")

    def _background(self, claim: Detail) -> None:
        shots = list(self.evidence.video.shots)
        if not shots or not claim.about.colours:
            return
        moment = bool(claim.about.spans) and claim.about.spans[0][1] is None
        for start, end in claim.about.spans[:1]:
            middle = start + 0.3
            if end is not None:
                middle = (start + min(end, self.evidence.duration)) / 2
            shots = [shot for shot in shots if shot.start <= middle < shot.end] or shots
        for colour in claim.about.colours:
            shot = max(shots, key=lambda shot, colour=colour: (colour in shot.background[:3]) + shot.plain)  # type: ignore[misc]
            known = colour in shot.background
            verdict = 1.0
            if shot.lasting < _LASTING and not moment:
                verdict = 0.0
            elif not known:
                verdict = -min(1.0, max(0.0, 3 * shot.plain - 0.7)) * (shot.colours.get(colour, 0) < 0.25)
            window = None
            if len(shots) > 1:
                window = (shot.start, shot.end)
            self.add_fact(verdict, claim, shot.background[0], 1.2, window)

    def _colour(self, claim: Detail) -> None:
        present: dict[str, float] = {}
        for shot in self.evidence.video.shots:
            for name, share in shot.colours.items():
                present[name] = max(present.get(name, 0.0), share)
        for moved in self.evidence.video.motions:
            present.update({name: max(present.get(name, 0.0), moved.extent) for name in moved.colours[:1]})
        for colour in claim.about.colours:
            self.add_fact(grade(-present.get(colour, 0.0), -0.004, -0.0005), claim, f"no {colour}", 0.9)

    def _cut(self, claim: Detail) -> None:
        self._marks(claim, self.evidence.video.cuts, "cut")

    def _flash(self, claim: Detail) -> None:
        self._marks(claim, self.evidence.video.flashes, "flash")

    def _marks(self, claim: Detail, times: tuple[float, ...], what: str) -> None:
        gap = self.evidence.video.gap
        if not self.evidence.video.shows_motion:
            return
        truth = f"no {what}"
        if times:
            truth = f"{what} at " + ", ".join(f"{time:.1f} s" for time in times)
        window = None
        if times:
            window = (times[0] - 0.2, times[0] + 0.2)
        if claim.number is not None and not (claim.number == 0 and claim.negated):
            self.add_fact(as_verdict(claim.number == len(times)), replace(claim, negated=False), truth, 1.3, window)
        elif not claim.about.spans or claim.negated:
            self.add_fact(as_verdict(bool(times)), claim, truth, 1.3, window)
        if claim.negated:
            return
        for start, end in claim.about.spans:
            off = min((_distance(time, start, end) for time in times), default=9.0)
            self.add_fact(
                grade(off, 0.15 + gap, 0.3 + gap), claim, truth, 1.1, (max(0.0, start - 0.2), (end or start) + 0.2)
            )

    def _starts(self, about: Description) -> list[tuple[float, float]]:
        """The time spans of all events that fit a description."""
        bare = replace(about, rank=None, spans=about.spans)
        if about.topic == "motion" and self.textured_activity is not None:
            return []
        if about.topic == "sound" and about.rank:
            index = self._ranked(about.rank, about)
            if index is None:
                return []
            return [(self.sounds(about)[index].start, self.sounds(about)[index].end)]
        fits = self.score_events(bare, about.topic)
        events: Sequence[HeardSound | SeenMotion] = self.evidence.video.motions
        if about.topic == "sound":
            events = self.sounds(about)
        return [
            (event.start, event.end)
            for event, facts in zip(events, fits, strict=True)
            if event.confidence >= 0.3 and all(fact.verdict > -0.2 for fact in facts)
        ]

    def _order(self, claim: Detail) -> None:
        if self.is_track_unclear(claim.about) or claim.other is None:
            return
        before, after = self._starts(claim.about), self._starts(claim.other)
        if not before or not after:
            return
        lead = max(start for start, _ in after) - min(start for start, _ in before)
        self.add_fact(max(-1.0, min(1.0, lead / 0.2)), claim, "the other order", 1.2)

    def _sync(self, claim: Detail) -> None:
        if claim.other is not None:
            self._overlap(claim)
            return
        strengths = [self._agreement(track) for track in self.evidence.tracks]
        if claim.about.track is not None and claim.about.track < len(strengths):
            own = strengths[claim.about.track]
            best = max(
                (value for index, value in enumerate(strengths) if index != claim.about.track and value is not None),
                default=0.5,
            )
            if own is not None:
                self.add_fact(max(-1.0, min(1.0, 3 * (own - best))), claim, "another track fits better", 1.5)
        elif len(strengths) == 1 and strengths[0] is not None:
            self.add_fact(max(-1.0, min(1.0, 4 * (strengths[0] - 0.55))), claim, "", 1.3)

    def _overlap(self, claim: Detail) -> None:
        """Check two descriptions joined by "while": two fitting events must overlap in time."""
        if claim.other is None or self.is_track_unclear(claim.about):
            return
        first, second = self._starts(claim.about), self._starts(claim.other)
        if first and second:
            shared = max(min(a[1], b[1]) - max(a[0], b[0]) for a in first for b in second)
            self.add_fact(max(-1.0, min(1.0, (shared + 0.1) / 0.15)), claim, "they are not at one time", 1.2)

    def _agreement(self, track: AudioEvidence) -> float | None:
        """Mean share of motions that start with a sound and of sounds that start with a motion; None without both."""
        if self.textured_activity is not None:
            return None
        sounds = [heard.start for heard in track.sounds if heard.confidence >= SURE_CONFIDENCE and not heard.ambient]
        moves = [moved.start for moved in self.evidence.video.motions if moved.confidence >= SURE_CONFIDENCE]
        if not sounds or not moves:
            return None
        near = 0.12 + self.evidence.video.gap
        met = sum(any(abs(sound - move) < near for sound in sounds) for move in moves) / len(moves)
        back = sum(any(abs(sound - move) < near for move in moves) for sound in sounds) / len(sounds)
        return (met + back) / 2

    def _duration(self, claim: Detail) -> None:
        number = claim.number or 0.0
        off = abs(self.evidence.duration - number)
        room = max(0.5, 0.08 * self.evidence.duration)
        self.add_fact(grade(off, room, 2 * room), claim, f"{self.evidence.duration:.1f} s", 0.8)


def _distance(time: float, start: float, end: float | None) -> float:
    """The distance of a time from a moment (`end` is None) or a time span, in seconds."""
    if end is None:
        return abs(time - start)
    return max(0.0, start - time, time - end)
