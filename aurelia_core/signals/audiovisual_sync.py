"""Agreement of motion and sound in time: by onsets (`estimate_sync`) and by shared time (`activity_overlap`)."""

from collections.abc import Sequence

import numpy as np

from aurelia_core.arrays import Vector
from aurelia_core.signals.observation import AudiovisualSync, DetectedSound, Motion

_MAX_LAG_SECONDS = 1.0
"""Largest lag that is tried, seconds."""


def estimate_sync(
    motions: Sequence[Motion], sounds: Sequence[DetectedSound], gap: float = 0.0
) -> AudiovisualSync | None:
    """The lag at which most onsets of motion meet onsets of sound, and the strength of this agreement.

    The strength is the harmonic mean of the shares of motions and of sounds with a partner, reduced by the scatter of
    the lags. A few onsets always agree at some lag: with fewer than three pairs, a lag reduces the strength.

    Args:
        motions: events in any order.
        sounds: events in any order.
        gap: spacing of the frames, seconds; it limits the precision of motion onsets.

    Returns:
        None without motion or without sound.
    """
    motion_onsets = _onsets([(motion.start, motion.confidence) for motion in motions])
    sound_onsets = _onsets([(sound.start, sound.confidence) for sound in sounds])
    if not len(motion_onsets) or not len(sound_onsets):
        return None
    tolerance = 0.5
    if np.isfinite(gap):
        tolerance = max(0.1, 0.6 * gap)
    differences = (motion_onsets[:, None] - sound_onsets[None, :]).ravel()
    lags = np.concatenate([[0.0], differences[np.abs(differences) <= _MAX_LAG_SECONDS]])
    candidates = [_sync_at_lag(float(lag), motion_onsets, sound_onsets, tolerance) for lag in lags]
    return max(candidates, key=lambda sync: (round(sync.strength - 0.02 * abs(sync.lag), 2), -abs(sync.lag)))


def activity_overlap(motions: Sequence[Motion], sounds: Sequence[DetectedSound]) -> float:
    """The share of the time with motion or sound that has both, 0..1; it compares sound tracks for one picture."""
    step = 0.02
    ends = [motion.end for motion in motions] + [sound.end for sound in sounds]
    if not motions or not sounds:
        return 0.0
    clock = np.arange(0.0, max(ends) + step, step)
    moving = np.zeros(len(clock), bool)
    sounding = np.zeros(len(clock), bool)
    for motion in motions:
        moving |= (clock >= motion.start) & (clock < motion.end)
    for sound in sounds:
        sounding |= (clock >= sound.start) & (clock < max(sound.end, sound.start + 0.15))
    either = int((moving | sounding).sum())
    return round(float((moving & sounding).sum()) / max(1, either), 3)


def _onsets(events: Sequence[tuple[float, float]]) -> Vector:
    """Onsets of the events with enough confidence; events that start together count once."""
    times = sorted(start for start, confidence in events if confidence >= 0.3)
    onsets: list[float] = []
    for time in times:
        if not onsets or time - onsets[-1] > 0.08:
            onsets.append(time)
    return np.array(onsets)


def _sync_at_lag(lag: float, motion_onsets: Vector, sound_onsets: Vector, tolerance: float) -> AudiovisualSync:
    """The agreement of the onsets if motion comes `lag` seconds after sound."""
    free = list(range(len(sound_onsets)))
    lags: list[float] = []
    for onset in motion_onsets:
        if not free:
            break
        nearest = min(free, key=lambda number: abs(onset - lag - sound_onsets[number]))
        if abs(onset - lag - sound_onsets[nearest]) <= tolerance:
            free.remove(nearest)
            lags.append(float(onset - sound_onsets[nearest]))
    if not lags:
        return AudiovisualSync(0.0, 0.0)
    share = 2 * len(lags) / (len(motion_onsets) + len(sound_onsets))
    scatter = float(np.std(lags)) / tolerance
    median_lag = float(np.median(lags))
    strength = share * max(0.0, 1 - 0.4 * scatter)
    if len(lags) < 3:
        excess = max(0.0, abs(median_lag) - tolerance)
        strength *= max(0.0, 1 - excess / _MAX_LAG_SECONDS * 2)
    return AudiovisualSync(round(median_lag, 3), round(strength, 3))
