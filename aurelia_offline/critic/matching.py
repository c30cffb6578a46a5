"""How well a description fits a measured event: one verdict per property, from -1 (contradicted) to 1 (supported)."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from aurelia_offline.critic.caption_text import CLIP_END
from aurelia_offline.critic.claims import Description
from aurelia_offline.critic.evidence import HeardSound, SeenMotion

_START_GOOD, _START_BAD = 0.16, 0.3
_LASTING_SECONDS = 0.6
"""Length in seconds from which a sound is not a stroke; nothing described as starting inside it fits it."""
_END_GOOD, _END_BAD = 0.22, 0.45
_MIDDLE_GOOD, _MIDDLE_BAD = 0.36, 0.52
"""Distance in seconds between the middles of a stated and a seen movement. Where a movement begins and ends is seen
only to within a frame, and it begins slowly: an observer with few frames states one end late or early. A movement that
is not the one that is meant has another middle."""
_PITCH_GOOD, _PITCH_BAD = 0.06, 0.1
PART_SECONDS = 0.25
"""What a stated part of a movement may stick out of it, in seconds: the distance of frames of an observer."""
_LOW_HZ, _SHORT_SECONDS = 200.0, 0.15
"""A low sound has half of its energy below this frequency, in Hz; a short sound is at most this long, in seconds."""
SURE_CONFIDENCE = 0.45
"""Confidence from which an event counts as certain."""


class Fact(NamedTuple):
    """The result of checking one detail of a caption.

    Attributes:
        verdict: from -1 (contradicted) to 1 (supported); about 0 is unsure.
        weight: importance for the score.
        claim_text: the detail in the caption, in words.
        clip_text: what the clip has instead, in words; may be empty.
        window: the time span concerned, in seconds, or None for the whole clip.
    """

    verdict: float
    weight: float
    claim_text: str
    clip_text: str = ""
    window: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class TrackScale:
    """The range of levels and pitches in one track; it defines loud, soft, high and low."""

    top: float
    bottom: float
    highest: float
    lowest: float

    @classmethod
    def of(cls, sounds: tuple[HeardSound, ...]) -> "TrackScale":
        """The scale of these sounds."""
        levels = (
            [heard.level for heard in sounds if heard.confidence >= SURE_CONFIDENCE]
            or [heard.level for heard in sounds]
            or [-40.0]
        )
        pitches = [heard.pitch for heard in sounds if heard.pitch and heard.confidence >= SURE_CONFIDENCE] or [440.0]
        return cls(max(levels), min(levels), max(pitches), min(pitches))


def heard_sound_name(heard: HeardSound) -> str:
    """The name of a sound: its voice if that is certain, else its length and height."""
    low = heard.brightness < _LOW_HZ
    if heard.voice_confidence > SURE_CONFIDENCE and not (low and heard.voice != "tone"):
        return heard.voice
    words = ["sound"]
    if low:
        words.insert(0, "low")
    if heard.end - heard.start < _SHORT_SECONDS:
        words.insert(0, "short")
    return " ".join(words)


def grade(distance: float, good: float, bad: float) -> float:
    """1 up to `good`, -1 from `bad`, linear between."""
    return float(min(1.0, max(-1.0, 1 - 2 * (distance - good) / (bad - good))))


def as_verdict(holds: bool) -> float:
    """The verdict of a definite check: 1 if it holds, else -1."""
    if holds:
        return 1.0
    return -1.0


def sound_facts(about: Description, heard: HeardSound, scale: TrackScale) -> list[Fact]:
    """The facts of a description for one sound, property by property."""
    window = (heard.start, heard.end)
    end = heard.end
    if heard.ambient and about.spans and about.spans[0][1] is None:
        end = heard.start + 0.1
    until = None
    if about.spans:
        until = about.spans[0][1]
    if until is not None and heard.faded_at is not None and end - heard.start > _LASTING_SECONDS:
        end = min(end, max(until, heard.faded_at))
    facts = [*_time_facts(about, heard.start, end, 0.0, "sound")]
    if about.voices:
        fits = heard.voice in about.voices
        verdict = as_verdict(fits) * max(0.0, 1.4 * heard.voice_confidence - 0.4)
        if not fits and ("click" in about.voices or (heard.voice == "click" and "noise" in about.voices)):
            verdict *= _length_difference(heard)
        facts.append(Fact(verdict, 1.0, f"a {'/'.join(sorted(about.voices))}", f"a {heard_sound_name(heard)}", window))
    if about.pitch is not None:
        facts.append(_pitch_fact(about.pitch, heard, window))
    if about.level is not None:
        facts.append(_level_fact(about.level, heard, scale, window))
    if about.height is not None:
        facts.append(_height_fact(about.height, heard, scale, window))
    return facts


def _length_difference(heard: HeardSound) -> float:
    """How clearly the length of a sound separates click from noise or tone, 0..1; a beep may be as short as a click."""
    octaves = math.log2(max(heard.end - heard.start, 0.01) / 0.12)
    return min(1.0, max(0.0, octaves) if heard.voice == "tone" else abs(octaves))


def _pitch_fact(pitch: float, heard: HeardSound, window: tuple[float, float]) -> Fact:
    claim_text = f"{pitch:.0f} Hz"
    if heard.pitch is None:
        return Fact(-0.8 * heard.voice_confidence, 1.0, claim_text, "no pitch", window)
    away = 1.0
    if pitch:
        away = abs(heard.pitch / pitch - 1)
    return Fact(grade(away, _PITCH_GOOD, _PITCH_BAD), 1.0, claim_text, f"about {heard.pitch:.0f} Hz", window)


def _level_fact(level: str, heard: HeardSound, scale: TrackScale, window: tuple[float, float]) -> Fact:
    """Loud and soft are relative within the clip; with similar levels, the absolute level decides."""
    span = scale.top - scale.bottom
    if span < 6:
        verdict = float(min(1, max(-1, (heard.level + 33) / 14)))
    else:
        verdict = 2 * (heard.level - scale.bottom) / span - 1
    if level != "loud":
        verdict = -verdict
    verdict = min(1.0, verdict + 0.35)
    return Fact(verdict, 0.7, level, f"{heard.level:.0f} dBFS in a clip up to {scale.top:.0f}", window)


def _height_fact(height: str, heard: HeardSound, scale: TrackScale, window: tuple[float, float]) -> Fact:
    value = heard.pitch or heard.brightness
    octaves = math.log2(scale.highest / scale.lowest)
    absolute = min(1.0, max(-1.0, math.log2(value / 500)))
    relative = absolute
    if octaves > 0.5 and heard.pitch:
        relative = 2 * math.log2(value / scale.lowest) / octaves - 1
    verdict = max(-absolute, -relative)
    if height == "high":
        verdict = max(absolute, relative)
    return Fact(float(min(1, verdict + 0.3)), 0.6, height, f"about {value:.0f} Hz", window)


def motion_facts(about: Description, moved: SeenMotion, gap: float) -> list[Fact]:
    """The facts of a description for one motion; `gap` is the time between frames, in seconds."""
    window = (moved.start, moved.end)
    facts = [
        _lenient_span(fact, about, moved) if number == 0 and about.spans else fact
        for number, fact in enumerate(_time_facts(about, moved.start, moved.end, min(gap, 0.3), "motion"))
    ]
    if about.colours and moved.colours:
        fits = bool(set(about.colours) & set(moved.colours))
        facts.append(Fact(as_verdict(fits), 1.0, " ".join(about.colours), moved.colours[0], window))
    for place in about.places:
        across = place in ("left", "right", "centre")
        target = {"left": 0.2, "centre": 0.5, "right": 0.8, "top": 0.2, "bottom": 0.8}[place]
        value = moved.y
        if across:
            value = moved.x
        distance = abs(value - 0.5)
        if target < 0.5:
            distance = max(0.0, value - target)
        elif target > 0.5:
            distance = max(0.0, target - value)
        verdict = grade(distance, 0.14, 0.26)
        if moved.extent >= 0.3:
            verdict *= 0.4
        facts.append(Fact(verdict, 1.0, place, f"x {moved.x:.2f}, y {moved.y:.2f}", window))
    return facts


def _lenient_span(fact: Fact, about: Description, moved: SeenMotion) -> Fact:
    """The fact of a movement's time, not contradicted where it states a part of it, or differs at one end alone."""
    start, end = about.spans[0]
    if end is None or end >= CLIP_END or min(end, moved.end) <= max(start, moved.start):
        return fact
    if moved.start - PART_SECONDS <= start and end <= moved.end + PART_SECONDS:
        return fact._replace(verdict=max(fact.verdict, 0.3))
    apart = abs((start + end) / 2 - (moved.start + moved.end) / 2)
    return fact._replace(verdict=max(fact.verdict, min(0.5, grade(apart, _MIDDLE_GOOD, _MIDDLE_BAD))))


def _time_facts(about: Description, start: float, end: float, slack: float, what: str) -> list[Fact]:
    """The facts of an event's times against the described moment or time span, and length."""
    sudden = about.onset or "click" in about.voices
    facts = [_span_fact(span, start, end, slack, what, sudden) for span in about.spans[:1]]
    if about.seconds is not None:
        off = abs(end - start - about.seconds)
        facts.append(
            Fact(grade(off, 0.25 + slack, 0.6 + slack), 0.6, f"{about.seconds:g} s long", f"{end - start:.1f} s")
        )
    return facts


def _span_fact(
    span: tuple[float, float | None], start: float, end: float, slack: float, what: str, sudden: bool
) -> Fact:
    verdict = _span_verdict(span, start, end, slack)
    if sudden and span[1] is None and span[0] > start + _START_BAD + slack and end - start > _LASTING_SECONDS:
        verdict = -1.0
    claim_text = f"{what} at {span[0]:g} s"
    if span[1] is not None:
        claim_text = f"{what} from {span[0]:g} s to {span[1]:g} s"
    claimed_end = span[0]
    if span[1] is not None and span[1] < CLIP_END:
        claimed_end = span[1]
    window = (min(start, span[0]), max(end, claimed_end))
    if window[1] - window[0] >= 3:
        window = (start, end)
    return Fact(verdict, 1.2, claim_text, f"{what} from {start:.1f} s to {end:.1f} s", window)


def _span_verdict(span: tuple[float, float | None], start: float, end: float, slack: float) -> float:
    """How well an event fits a moment (it starts or continues there) or a time span (it fills it)."""
    at, until = span
    if until is None:
        if start <= at <= end and end - start > 0.4:
            return max(grade(abs(at - start), _START_GOOD + slack, _START_BAD + slack), 0.5)
        away = min(abs(at - start), abs(at - (start + end) / 2))
        return grade(away, _START_GOOD + slack, _START_BAD + slack)
    first = grade(abs(at - start), _START_GOOD + slack, _START_BAD + slack)
    last = 1.0
    if not (until >= CLIP_END):
        last = grade(abs(until - end), _END_GOOD + slack, _END_BAD + slack)
    overlap = min(end, until) - max(start, at)
    if overlap > 0:
        return min(first, last)
    return -1.0
