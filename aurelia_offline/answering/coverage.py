"""What a look may state: an absence, a count or an extreme only if nothing of the clip escaped it.

The whole clip says which sounds a look missed. If it missed none, the finer measurements of the whole clip are used;
else a question about sound is open, and the finding names the windows to listen to. The picture is that of every frame,
except in a long clip: there a question about motion, cuts and flashes is open.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from aurelia_core.signals.observation import DetectedSound, Observation
from aurelia_core.signals.whole_clip import WholeClip
from aurelia_offline.answering.finding import MeasuredAnswer, join_words, seconds_text, unknown_finding
from aurelia_offline.answering.selection import is_continuous
from aurelia_offline.questions.query import Pick, Query

_SOUND_ASKS = {"tempo", "steady", "sync", "lag", "trend", "silent", "has_audio"}
_PICTURE_ASKS = {"sync", "lag", "still"}
_PICTURE_DOMAINS = {"motion", "cut", "flash", "fade", "fade_out", "fade_in", "any"}
_FINE_FRAME_GAP = 0.25
_PAD_SECONDS = 0.25
_WHOLE_BAND = 12_000
"""Samples a second from which a look hears as much as the whole clip does."""
_MAX_NAMED = 4


def cover_clip(seen: Observation, whole: WholeClip | None, pieces: Sequence[Observation] = ()) -> Observation:
    """A look with the picture of the whole clip and, if it missed no sound, with its sound."""
    if whole is None:
        return seen
    covered = replace(whole.with_picture(seen), levels=whole.observation.levels)
    if not covered.has_audio or _missed_sounds(seen, whole, pieces):
        return covered
    return whole.with_sound(covered)


def find_uncovered(
    query: Query, seen: Observation, whole: WholeClip | None, pieces: Sequence[Observation] = ()
) -> MeasuredAnswer | None:
    """Why a look may not answer a query: it missed something that the answer may depend on. None if it did not."""
    if whole is None:
        return None
    domains = _domains(query)
    if seen.has_audio and (query.ask in _SOUND_ASKS or domains & {"sound", "silence", "any"}):
        missed = _missed_sounds(seen, whole, pieces)
        if missed:
            last = _sound_end(whole)
            spans = [(max(0.0, sound.start - _PAD_SECONDS), min(last, sound.end + _PAD_SECONDS)) for sound in missed]
            named = join_words(
                [f"between {seconds_text(start)} and {seconds_text(end)}" for start, end in spans[:_MAX_NAMED]]
            )
            return unknown_finding(f"not everything was heard clearly yet: there is more to hear {named}", "audio")
    coarse = not whole.every_frame and seen.video_spans and seen.frame_gap > _FINE_FRAME_GAP
    if coarse and (query.ask in _PICTURE_ASKS or domains & _PICTURE_DOMAINS):
        unseen = f"only frames {seen.frame_gap:.0f} s apart were looked at; what happens between them is not known"
        if not isfinite(seen.frame_gap):
            unseen = "only one frame was looked at; what happens before and after it is not known"
        return unknown_finding(unseen, "visual")
    return None


def _sound_end(whole: WholeClip) -> float:
    """The time at which the clip ends, seconds: its sound may go on after its picture."""
    return max(whole.observation.duration, *(end for _, end in whole.observation.audio_spans), 0.0)


def _missed_sounds(
    seen: Observation, whole: WholeClip, pieces: Sequence[Observation] = ()
) -> tuple[DetectedSound, ...]:
    """The sounds that the looks missed, and that none of them listened to closely.

    A continuous sound has no parts that could be missed. A look with the whole band has heard what is in its windows;
    alone, it may divide it into other sounds than the whole clip does.
    """
    if is_continuous("sound", whole.observation):
        return ()
    closely = [span for piece in pieces if piece.sample_rate >= _WHOLE_BAND for span in piece.audio_spans]
    missed = whole.missed_sounds(seen)
    return tuple(one for one in missed if not any(start <= one.start and one.end <= end for start, end in closely))


def _domains(query: Query) -> set[str]:
    """The kinds of events that a query is about."""
    found: set[str] = set()
    for first in (query.pick, query.other):
        pick: Pick | None = first
        while pick is not None:
            found.add(pick.domain)
            pick = pick.other
    if query.ask in _SOUND_ASKS | _PICTURE_ASKS:
        found.discard("any")
    return found
