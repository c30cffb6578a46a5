"""A steady beat among the onsets of sounds: its tempo, and how regular it is. None is reported where there is none."""

from collections.abc import Sequence

import numpy as np

from aurelia_core.arrays import Vector
from aurelia_core.signals.observation import DetectedSound, Tempo

_MIN_BEAT_SECONDS, _MAX_BEAT_SECONDS = 0.2, 2.0
"""Seconds between beats: 300 to 30 beats a minute."""
_MIN_ONSETS = 4
"""Onsets; three are two intervals, which may be equal by chance."""
_MAX_UNEVENNESS, _MIN_EVEN_SHARE = 0.12, 0.6
"""Fraction of a beat by which a gap may differ from it, and share of the gaps that must not differ by more."""
_MIN_STRENGTH = 0.55
"""Strength below which no tempo is claimed."""


def estimate_tempo(sounds: Sequence[DetectedSound]) -> Tempo | None:
    """The steadiest beat among all onsets, or among those of one voice.

    Args:
        sounds: events in any order.
    """
    groups = [sorted(s.start for s in sounds)]
    groups += [sorted(s.start for s in sounds if s.sound_class == voice) for voice in ("click", "tone", "noise")]
    found = [tempo for onsets in groups if (tempo := _steadiest(np.array(onsets)))]
    return max(found, key=lambda tempo: tempo.strength, default=None)


def _steadiest(onsets: Vector) -> Tempo | None:
    if len(onsets) < _MIN_ONSETS:
        return None
    gaps = np.diff(onsets)
    best: Tempo | None = None
    for period in sorted({float(g) for g in gaps} | {float(np.median(gaps))}, reverse=True):
        if not _MIN_BEAT_SECONDS <= period <= _MAX_BEAT_SECONDS:
            continue
        tempo = _fit(onsets, period)
        if tempo.strength >= _MIN_STRENGTH and (best is None or tempo.strength > best.strength + 0.02):
            best = tempo
    return best


def _fit(onsets: Vector, period: float) -> Tempo:
    """Fit a grid of beats; its strength falls with the onsets' distance from it and with beats left empty."""
    for _ in range(3):
        number = np.rint((onsets - onsets[0]) / period)
        if number[-1] < 1:
            return Tempo(0.0, 0.0)
        slope, offset = np.polyfit(number, onsets, 1)
        period = max(float(slope), 1e-3)
    apart = np.abs(onsets - (offset + slope * number)) / period
    if len(np.unique(number)) < len(number):
        return Tempo(0.0, 0.0)
    steps, gaps = np.diff(number), np.diff(onsets)
    even = (steps == 1) & (np.abs(gaps / period - 1) < _MAX_UNEVENNESS)
    if even.mean() < _MIN_EVEN_SHARE or (
        len(onsets) == _MIN_ONSETS and np.any(np.abs(gaps / period - steps) > _MAX_UNEVENNESS)
    ):
        return Tempo(round(60 / period, 1), 0.0)
    near = float(np.mean(np.clip(1 - apart / 0.2, 0, 1)))
    filled = len(onsets) / (float(number[-1] - number[0]) + 1)
    enough = min(1.0, 0.7 + 0.1 * (len(onsets) - 3))
    return Tempo(round(60 / period, 1), round(near * filled * enough, 2))
