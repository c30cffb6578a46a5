"""How motion and sound go together in time: by their onsets (`coincide`) and by the time they share (`overlap`)."""

from collections.abc import Sequence

import numpy as np

from aurelia_core.arrays import Vector
from aurelia_core.signals.observation import AudiovisualSync, DetectedSound, Motion

_MAX_LAG_SECONDS = 1.0
"""Seconds of lag that are tried."""


def estimate_sync(
    motions: Sequence[Motion], sounds: Sequence[DetectedSound], gap: float = 0.0
) -> AudiovisualSync | None:
    """The lag at which most onsets of motion fall on onsets of sound, and how well they then agree.

    The strength is the harmonic mean of the shares of motions and of sounds that find a partner, weakened by the
    scatter of their lags. A few onsets can be brought together by some lag always: with fewer than three pairs a lag
    counts against the strength.

    Args:
        motions: events in any order.
        sounds: events in any order.
        gap: spacing of the frames, seconds; onsets of motion are known no better.

    Returns:
        None without any motion or without any sound.
    """
    seen = _onsets([(m.start, m.confidence) for m in motions])
    heard = _onsets([(s.start, s.confidence) for s in sounds])
    if not len(seen) or not len(heard):
        return None
    tolerance = max(0.1, 0.6 * gap) if np.isfinite(gap) else 0.5
    differences = (seen[:, None] - heard[None, :]).ravel()
    lags = np.concatenate([[0.0], differences[np.abs(differences) <= _MAX_LAG_SECONDS]])
    found = [_at(float(lag), seen, heard, tolerance) for lag in lags]
    return max(found, key=lambda c: (round(c.strength - 0.02 * abs(c.lag), 2), -abs(c.lag)))


def activity_overlap(motions: Sequence[Motion], sounds: Sequence[DetectedSound]) -> float:
    """The share of the time with motion or sound that has both, 0..1: tells apart sound tracks for one picture."""
    step = 0.02
    ends = [motion.end for motion in motions] + [sound.end for sound in sounds]
    if not motions or not sounds:
        return 0.0
    clock = np.arange(0.0, max(ends) + step, step)
    moving, sounding = np.zeros(len(clock), bool), np.zeros(len(clock), bool)
    for motion in motions:
        moving |= (clock >= motion.start) & (clock < motion.end)
    for sound in sounds:
        sounding |= (clock >= sound.start) & (clock < max(sound.end, sound.start + 0.15))
    either = int((moving | sounding).sum())
    return round(float((moving & sounding).sum()) / either, 3) if either else 0.0


def _onsets(events: Sequence[tuple[float, float]]) -> Vector:
    """Onsets of the events worth counting; parts that start together count once."""
    times = sorted(start for start, confidence in events if confidence >= 0.3)
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] > 0.08:
            kept.append(time)
    return np.array(kept)


def _at(lag: float, seen: Vector, heard: Vector, tolerance: float) -> AudiovisualSync:
    """How well the onsets agree when motion is taken to come `lag` seconds after sound."""
    free = list(range(len(heard)))
    found: list[float] = []
    for onset in seen:
        if not free:
            break
        nearest = min(free, key=lambda j: abs(onset - lag - heard[j]))
        if abs(onset - lag - heard[nearest]) <= tolerance:
            free.remove(nearest)
            found.append(float(onset - heard[nearest]))
    if not found:
        return AudiovisualSync(0.0, 0.0)
    share = 2 * len(found) / (len(seen) + len(heard))
    scatter = float(np.std(found)) / tolerance
    middle = float(np.median(found))
    excess = max(0.0, abs(middle) - tolerance)
    chance = 1.0 if len(found) >= 3 else max(0.0, 1 - excess / _MAX_LAG_SECONDS * 2)
    return AudiovisualSync(round(middle, 3), round(share * max(0.0, 1 - 0.4 * scatter) * chance, 3))
