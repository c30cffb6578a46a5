"""The tempo and the regularity of a steady beat in the onsets of sounds."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aurelia_core.arrays import Vector
from aurelia_core.signals.observation import DetectedSound, Tempo

_MIN_BEAT_SECONDS = 0.2
_MAX_BEAT_SECONDS = 2.0
"""Range of the time between beats: 300 to 30 beats a minute."""
_MIN_ONSETS = 4
"""Least number of onsets: two intervals of three onsets can be equal by chance."""
_MAX_UNEVENNESS = 0.12
"""Largest difference between an even interval and the beat, as a fraction of the beat."""
_MIN_EVEN_SHARE = 0.6
"""Least share of even intervals."""
_MAX_SPREAD_DECIBELS = 4.0
_MAX_OTHER_SHARE = 0.34
"""Standard deviation of the beats' levels, and share of other sounds, up to which the beats are alike."""
_MIN_STRENGTH = 0.55
"""Least strength of a reported tempo."""


def estimate_tempo(sounds: Sequence[DetectedSound]) -> Tempo | None:
    """The steadiest beat of all onsets, or of the onsets of one sound class; None without a steady beat.

    Args:
        sounds: events in any order.
    """
    ordered = sorted(sounds, key=lambda sound: sound.start)
    groups = [ordered, *([one for one in ordered if one.sound_class == name] for name in ("click", "tone", "noise"))]
    found = []
    for group in groups:
        if tempo := _steadiest(np.array([sound.start for sound in group])):
            found.append(replace(tempo, alike=_are_alike(group, len(sounds))))
    return max(found, key=lambda tempo: tempo.strength, default=None)


def _are_alike(beats: Sequence[DetectedSound], number: int) -> bool:
    """Whether the beats are equally loud, and nearly all of a number of sounds."""
    spread = float(np.std([sound.level for sound in beats]))
    return spread <= _MAX_SPREAD_DECIBELS and number - len(beats) <= _MAX_OTHER_SHARE * len(beats)


def _steadiest(onsets: Vector) -> Tempo | None:
    if len(onsets) < _MIN_ONSETS:
        return None
    gaps = np.diff(onsets)
    best: Tempo | None = None
    for period in sorted({*gaps.tolist(), float(np.median(gaps))}, reverse=True):
        if not _MIN_BEAT_SECONDS <= period <= _MAX_BEAT_SECONDS:
            continue
        tempo = _fit(onsets, period)
        if tempo.strength >= _MIN_STRENGTH and (best is None or tempo.strength > best.strength + 0.02):
            best = tempo
    return best


def _fit(onsets: Vector, period: float) -> Tempo:
    """Fit a grid of beats; the strength falls with the distance of the onsets and with the share of empty beats."""
    for _ in range(3):
        number = np.rint((onsets - onsets[0]) / period)
        if number[-1] < 1:
            return Tempo(0.0, 0.0)
        slope, offset = np.polyfit(number, onsets, 1)
        period = max(float(slope), 1e-3)
    distance = np.abs(onsets - (offset + slope * number)) / period
    if len(np.unique(number)) < len(number):
        return Tempo(0.0, 0.0)
    steps = np.diff(number)
    beats = np.diff(onsets) / period
    even = (steps == 1) & (np.abs(beats - 1) < _MAX_UNEVENNESS)
    # With the fewest onsets, every interval must be even.
    uneven = len(onsets) == _MIN_ONSETS and np.any(np.abs(beats - steps) > _MAX_UNEVENNESS)
    if even.mean() < _MIN_EVEN_SHARE or uneven:
        return Tempo(round(60 / period, 1), 0.0)
    near = float(np.mean(np.clip(1 - distance / 0.2, 0, 1)))
    filled = len(onsets) / (float(number[-1] - number[0]) + 1)
    enough = min(1.0, 0.7 + 0.1 * (len(onsets) - 3))
    return Tempo(round(60 / period, 1), round(near * filled * enough, 2))
