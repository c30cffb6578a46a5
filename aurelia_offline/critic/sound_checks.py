"""Checks claims about sounds: counts, ranks, comparisons, silence, tempo."""

import math
import re
from dataclasses import replace
from itertools import pairwise

from aurelia_offline.critic.base_checks import BaseChecks, weighted_total
from aurelia_offline.critic.caption_text import caption_words
from aurelia_offline.critic.claims import Description, Detail
from aurelia_offline.critic.evidence import HeardSound
from aurelia_offline.critic.matching import SURE_CONFIDENCE, Fact, TrackScale, as_verdict, grade, sound_facts

_NEARLY = re.compile(r"\b(?:nearly|almost|mostly|largely|there is a silence|pause)\b")
_INTERVAL_TOLERANCE = 0.15
ORDINAL_RANKS = ("first", "second", "third", "fourth", "fifth")


class SoundChecks(BaseChecks):
    """The checks of claims that need the sound track."""

    def _no_sound(self, claim: Detail) -> None:
        if not claim.negated or self.is_track_unclear(claim.about):
            return
        if not claim.about.voices:
            self._silence(replace(claim, negated=False))
            return
        sounds = [heard for heard in self.sounds(claim.about) if heard.confidence >= SURE_CONFIDENCE]
        found = [
            heard
            for heard in sounds
            if weighted_total(sound_facts(claim.about, heard, TrackScale.of(tuple(sounds)))) > 0.3
        ]
        if not found:
            self.add_fact(-1.0, claim)
            return
        self.add_fact(1.0, claim, "there is one", window=(found[0].start, found[0].end))

    def _sound_count(self, claim: Detail) -> None:
        if self.is_track_unclear(claim.about) or claim.number is None:
            return
        about = claim.about
        inside = [
            (index, heard)
            for index, heard in enumerate(self.sounds(about))
            if self.inside(about, heard.start, heard.end)
            and _matches_description(replace(about, spans=()), heard, self.sounds(about))
        ]
        surely = [index for index, heard in inside if heard.confidence >= SURE_CONFIDENCE]
        perhaps = sum(heard.confidence >= 0.2 for _, heard in inside)
        self._count(claim, len(surely), perhaps, "sounds")
        if claim.about.spans or claim.about.voices:
            self.results.sounds |= set(surely)

    def _count(self, claim: Detail, surely: int, perhaps: int, what: str) -> None:
        number = int(claim.number or 0)
        low, high = min(surely, perhaps), max(surely, perhaps)
        right = low <= number <= high
        if claim.least:
            right = high >= number
        if right and low == high:
            verdict = 1.0
        elif right:
            verdict = 0.7
        else:
            verdict = -1.0
        self.add_fact(verdict, claim, f"{surely} {what}", 1.3)

    def _ranked(self, rank: str, about: Description) -> int | None:
        """The index of the sound with this rank, or None if there is none."""
        sounds = [
            (index, heard) for index, heard in enumerate(self.sounds(about)) if heard.confidence >= SURE_CONFIDENCE
        ]
        if about.voices and rank in (*ORDINAL_RANKS, "last"):
            rest = [pair for pair in sounds if pair[1].voice in about.voices]
            if rank not in (*ORDINAL_RANKS, "last"):
                sounds = rest
        if rank in ORDINAL_RANKS or rank == "last":
            place = len(sounds) - 1
            if rank in ORDINAL_RANKS:
                place = ORDINAL_RANKS.index(rank)
            if 0 <= place < len(sounds):
                return sounds[place][0]
            return None
        values = [(_rank_value(rank, heard), index) for index, heard in sounds if _rank_value(rank, heard) is not None]
        if values:
            return max(values, key=lambda pair: pair[0] or 0.0)[1]
        return None

    def _rank(self, claim: Detail) -> None:
        about, rank = claim.about, claim.about.rank
        if self.is_track_unclear(about) or rank is None:
            return
        index = self._ranked(rank, about)
        sounds = self.sounds(about)
        if index is None:
            verdict = -1.0
            if sounds:
                verdict = -0.6
            self.add_fact(verdict, claim, f"no {rank} sound")
            return
        self._rank_pair(claim, rank, index, sounds)
        rest = replace(about, rank=None)
        if not rest.empty:
            self.results.sounds.add(index)
        facts = sound_facts(rest, sounds[index], TrackScale.of(sounds))
        if rank == "loudest" and _is_loudest_elsewhere(rest, sounds):
            self.add_fact(-1.0, claim, "its loudest moments elsewhere", 1.6, (sounds[index].start, sounds[index].end))
            return
        if rank not in (*ORDINAL_RANKS, "last") and facts:
            facts = self._nearly(rest, rank, index, facts)
        self.results.facts += facts

    def _rank_pair(self, claim: Detail, rank: str, index: int, sounds: tuple[HeardSound, ...]) -> None:
        """Check a clause with two ranks ("the loudest is the second"): both must mean the same sound."""
        others = [other for other in caption_words().all("ranks", claim.clause) if other != rank]
        for other in others[:1]:
            same = self._ranked(other, replace(claim.about, voices=frozenset()))
            close = same is not None and _is_close_call(other, rank, sounds[index], sounds[same])
            if same == index:
                verdict = 1.0
            elif close or same is None:
                verdict = -0.2
            else:
                verdict = -1.0
            self.add_fact(verdict, claim, "another sound is", 1.4, (sounds[index].start, sounds[index].end))

    def _nearly(self, about: Description, rank: str, index: int, facts: list[Fact]) -> list[Fact]:
        """Facts that allow for a near tie: the verdicts are unsure if a sound with a similar value fits better."""
        sounds = self.sounds(about)
        top = _rank_value(rank, sounds[index]) or 0.0
        for heard in sounds:
            value = _rank_value(rank, heard)
            fitting = sound_facts(about, heard, TrackScale.of(sounds))
            if value is not None and heard is not sounds[index] and weighted_total(fitting) > weighted_total(facts):
                room = 2.0
                if heard.voice != sounds[index].voice:
                    room = 6.0
                limit = {"loudest": room, "softest": room, "highest": 0.03, "lowest": 0.03}.get(rank, 0.12)
                if top - value < limit:
                    return [fact._replace(verdict=min(0.3, fact.verdict)) for fact in fitting]
        return facts

    def _compare(self, claim: Detail) -> None:
        first, second = self._best(claim.about), self._best(claim.other or claim.about)
        if first is None or second is None or claim.word is None:
            return
        sounds = self.sounds(claim.about)
        one, two = _rank_value(claim.word, sounds[first]), _rank_value(claim.word, sounds[second])
        if one is None or two is None or first == second:
            return
        scale = {"loudest": 6.0, "softest": 6.0, "highest": 0.1, "lowest": 0.1}.get(claim.word, 0.2)
        self.add_fact(max(-1.0, min(1.0, (one - two) / scale)), claim, "the other way round", 1.3)

    def _best(self, about: Description) -> int | None:
        """The index of the sound that a description means, or None."""
        if about.rank:
            return self._ranked(about.rank, about)
        sounds = self.sounds(about)
        sums = [weighted_total(sound_facts(about, heard, TrackScale.of(sounds))) * heard.confidence for heard in sounds]
        if sums and max(sums) > 0.2:
            return max(range(len(sums)), key=sums.__getitem__)
        return None

    def _silence(self, claim: Detail) -> None:
        if self.is_track_unclear(claim.about):
            return
        track = self.track(claim.about)
        if track is None:
            self.add_fact(1.0, claim, "no sound track")
            return
        certain = [
            heard
            for heard in track.sounds
            if heard.confidence >= SURE_CONFIDENCE and not (heard.ambient and heard.level < -55)
        ]
        spans = [span for span in claim.about.spans if span[1] is not None]
        if not spans and not claim.about.spans:
            self._whole_silence(claim, track.seconds, certain)
            return
        for start, end in spans:
            self._quiet(claim, start, min(end or start, track.seconds), certain)

    def _whole_silence(self, claim: Detail, track_seconds: float, certain: list[HeardSound]) -> None:
        """Check a claim that the whole track, or nearly all of it, is silent."""
        allowed = 0.02
        if claim.word == "partly" or _NEARLY.search(claim.clause):
            allowed = 0.5 * track_seconds
        silent = sum(heard.end - heard.start for heard in certain) <= allowed
        if claim.negated:
            silent = not certain
        truth = "nothing is heard"
        if certain:
            truth = f"{len(certain)} sounds"
        self.add_fact(as_verdict(silent), claim, truth, 1.6)

    def _quiet(self, claim: Detail, start: float, end: float, certain: list[HeardSound]) -> None:
        inside = sum(max(0.0, min(heard.end, end) - max(heard.start, start)) for heard in certain if not heard.ambient)
        brief = [heard for heard in certain if start + 0.15 < heard.start < end - 0.15]
        if _NEARLY.search(claim.clause):
            verdict = grade(inside / max(end - start, 0.1), 0.15, 0.4)
        else:
            verdict = -1.0
            if not brief:
                verdict = grade(inside, 0.2, 0.4)
        truth = f"{inside:.1f} s of sound"
        if brief:
            truth = f"a sound at {brief[0].start:.1f} s"
        self.add_fact(verdict, claim, truth, 1.2, (start, end))

    def _tempo(self, claim: Detail) -> None:
        track = self.track(claim.about)
        bpm = None
        if track:
            bpm = track.bpm
        if self.is_track_unclear(claim.about):
            return
        if bpm is None:
            verdict = -0.8
            if track and claim.number and _has_interval(track.sounds, 60 / claim.number):
                verdict = 0.0
            self.add_fact(verdict, claim, "no steady beat")
            return
        truth = f"about {bpm:.0f} beats a minute"
        if track and claim.about.track in (None, 0):
            self.results.sounds |= set(range(len(track.sounds)))
        if claim.number is not None:
            self.add_fact(grade(abs(bpm / claim.number - 1), 0.06, 0.12), claim, truth, 1.3)
        elif claim.word in ("fast", "slow"):
            verdict = max(-1.0, min(1.0, (bpm - 100) / 40))
            if claim.word == "slow":
                verdict = -verdict
            self.add_fact(min(1.0, verdict + 0.3), claim, truth, 0.8)
        else:
            self.add_fact(1.0, claim, truth)


def _has_interval(sounds: tuple[HeardSound, ...], seconds: float) -> bool:
    """Whether sounds follow each other at an interval at least twice: too few for a beat, too many to deny it."""
    starts = sorted(heard.start for heard in sounds)
    found = [abs((later - earlier) / seconds - 1) < _INTERVAL_TOLERANCE for earlier, later in pairwise(starts)]
    return sum(found) >= 2


def _is_loudest_elsewhere(about: Description, sounds: tuple[HeardSound, ...]) -> bool:
    """Whether no sound about as loud as the loudest starts or peaks at the described moment."""
    if not about.spans or about.spans[0][1] is not None:
        return False
    top = max(heard.level for heard in sounds)
    near = [heard for heard in sounds if heard.level > top - 6]
    moments = [time for heard in near for time in (heard.start, heard.peak or heard.start)]
    moments += [(heard.start + heard.end) / 2 for heard in near if heard.end - heard.start < 1]
    return all(abs(time - about.spans[0][0]) > 0.45 for time in moments)


def _matches_description(about: Description, heard: HeardSound, sounds: tuple[HeardSound, ...]) -> bool:
    return all(
        fact.verdict > -0.4
        for fact in sound_facts(replace(about, spans=(), seconds=None), heard, TrackScale.of(sounds))
    )


def _rank_value(rank: str, heard: HeardSound) -> float | None:
    """The value that a rank maximizes; for pitch, its natural logarithm."""
    if rank in ("highest", "lowest"):
        value = None
        if heard.pitch:
            value = math.log(heard.pitch)
        if value is None:
            return None
        if rank == "highest":
            return value
        return -value
    length = heard.end - heard.start
    table = {"loudest": heard.level, "softest": -heard.level, "longest": length, "shortest": -length}
    return table.get(rank)


def _is_close_call(one: str, two: str, heard: HeardSound, other: HeardSound) -> bool:
    """Whether two sounds are too close in level for the ranks to separate them.

    A noise or a click has power above the frequencies that are listened to: it is louder than measured, never softer.
    """
    louder, softer = sorted((heard, other), key=lambda sound: -sound.level)
    allowed_db = 2.0
    if louder.voice == "tone" and softer.voice != "tone":
        allowed_db = 6.0
    elif louder.voice != "tone" and softer.voice == "tone":
        allowed_db = 0.0
    by_level = one in ("loudest", "softest") or two in ("loudest", "softest")
    return by_level and louder.level - softer.level < allowed_db
