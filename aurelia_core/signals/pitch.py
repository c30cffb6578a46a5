"""Tonality and pitch of one sound event, and whether its overtones are whole multiples of the pitch.

The short-time spectrum of the loudest part of the event is analyzed. `sound_events` finds the events.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import find_peaks

from aurelia_core.arrays import Mask, Samples, Vector

_TONALITY_FRAME_SECONDS = 0.12
"""Length of one spectrum for tonality: it resolves harmonics 65 Hz apart and follows a gliding voice."""
_PART_SECONDS = 0.12
"""Length of the parts of a sound whose partials are compared."""
_STEADY_ENERGY_SHARE = 0.5
"""Least share of a part's energy, beyond chance, at the partials of the sound, for a steady part."""
_STEADY_PART_SHARE = 0.75
"""Least share of steady parts in a sound with steady partials."""
_PITCH_WINDOW_SECONDS = 0.3
"""Length of the spectrum for the pitch."""
_PROMINENCE_DB = 15.0
"""Least height of a peak above the local median; noise reaches it less than once in some thousand bins."""
_MIN_PITCH_HZ = 45.0
"""Lowest pitch that is reported; below are hum and rumble."""
_MAX_MULTIPLES = 12


class ToneAnalysis(NamedTuple):
    """Tonality and pitch of a sound.

    Attributes:
        share: share of the energy in narrow peaks, 0..1: near 1 for a steady tone, near 0 for hiss.
        pitch: fundamental in Hz, or the lowest strong partial of an inharmonic sound; None without a peak.
        harmonic: whether all strong partials are whole multiples of the pitch (True for a pure tone).
    """

    share: float
    pitch: float | None
    harmonic: bool


class _Peaks(NamedTuple):
    frequency: Vector
    amplitude: Vector


def analyze_tone(samples: Samples, rate: int) -> ToneAnalysis:
    """The tonality and pitch of one sound event.

    Args:
        samples: float32[n], mono, the event only.
        rate: sampling rate, Hz.
    """
    if len(samples) < 48:
        return ToneAnalysis(0.0, None, False)
    body = loudest_stretch(samples, rate, _PITCH_WINDOW_SECONDS)
    share = _tonal_share(body, rate)
    peaks = _peaks(body, rate)
    if not len(peaks.frequency):
        return ToneAnalysis(share, None, False)
    return ToneAnalysis(share, *_fundamental(peaks, rate / len(body)))


def loudest_stretch(samples: Samples, rate: int, seconds: float) -> Samples:
    """The loudest part of the given length, or all of a shorter event."""
    length = int(seconds * rate)
    if len(samples) <= length:
        return samples
    energy = np.cumsum(np.concatenate([[0.0], samples.astype(np.float64) ** 2]))
    first = int(np.argmax(energy[length:] - energy[:-length]))
    return samples[first : first + length]


def _power(frame: Samples, padding: int) -> Vector:
    window = np.hanning(len(frame) + 2)[1:-1]
    power: Vector = np.abs(np.fft.rfft((frame - frame.mean()) * window, len(frame) * padding)) ** 2 + 1e-18
    return power


def _prominent(power: Vector, padding: int) -> npt.NDArray[np.intp]:
    """Indices of the peaks that are 15 dB above the median around them."""
    decibels = 10 * np.log10(power)
    around = min(25 * padding, (len(power) // 2) * 2 - 1)
    local = median_filter(decibels, size=max(3, around), mode="nearest")
    found = find_peaks(np.concatenate([[-400.0], decibels, [-400.0]]))[0] - 1
    prominent: npt.NDArray[np.intp] = found[decibels[found] > local[found] + _PROMINENCE_DB]
    return prominent


def _tonal_share(body: Samples, rate: int) -> float:
    length = max(48, min(len(body), int(_TONALITY_FRAME_SECONDS * rate)))
    total = 0.0
    inside = 0.0
    for first in range(0, len(body) - length + 1, max(1, length // 2)):
        power = _power(body[first : first + length], 1)
        mask = np.zeros(len(power), bool)
        for peak in _prominent(power, 1):
            mask[max(0, peak - 2) : peak + 3] = True
        total += float(power.sum())
        inside += float(power[mask].sum())
    if not total:
        return 0.0
    return inside / total


def _peaks(body: Samples, rate: int) -> _Peaks:
    """The partials within 30 dB of the strongest one, by frequency, interpolated between bins."""
    padding = 4
    power = _power(body, padding)
    step = rate / (len(body) * padding)
    decibels = 10 * np.log10(power)
    index = _prominent(power, padding)
    index = index[(index > 0) & (index < len(power) - 1) & (index * step >= _MIN_PITCH_HZ)]
    if not len(index):
        return _Peaks(np.empty(0), np.empty(0))
    index = index[decibels[index] > decibels[index].max() - 30]
    before, at, after = decibels[index - 1], decibels[index], decibels[index + 1]
    shift = 0.5 * (before - after) / np.minimum(before - 2 * at + after, -1e-9)
    return _Peaks((index + np.clip(shift, -0.5, 0.5)) * step, 10 ** (at / 20))


def _fundamental(peaks: _Peaks, resolution: float) -> tuple[float, bool]:
    """(pitch, harmonic): the pitch that explains the partials with the fewest gaps, else the lowest strong partial."""
    strongest = peaks.frequency[np.argsort(peaks.amplitude)[::-1][:6]]
    candidates = {float(pitch) for pitch in np.divide.outer(strongest, (1, 2, 3, 4)).ravel() if pitch >= _MIN_PITCH_HZ}
    best = None
    best_score = 0.0
    for candidate in sorted(candidates, reverse=True):
        explained, missing = _fit(peaks, candidate, resolution)
        score = explained - 0.5 * missing
        if explained >= 0.9 and missing <= 0.5 and score > best_score + 0.02:
            best = candidate
            best_score = score
    if best is None:
        strong = peaks.frequency[peaks.amplitude > peaks.amplitude.max() / 10]
        return float(strong.min()), False
    number = np.rint(peaks.frequency / best)
    used = _is_near_multiple(peaks, best, number, resolution)
    weight = peaks.amplitude[used] * number[used]
    return float(np.sum(weight * peaks.frequency[used] / number[used]) / np.sum(weight)), True


def _is_near_multiple(peaks: _Peaks, pitch: float, number: Vector, resolution: float) -> Mask:
    """Which peaks lie near the given multiples of a pitch."""
    tolerance = 0.04 * pitch + 0.15 * resolution * number
    near: Mask = (number >= 1) & (np.abs(peaks.frequency - number * pitch) < tolerance)
    return near


def _fit(peaks: _Peaks, pitch: float, resolution: float) -> tuple[float, float]:
    """Share of the amplitude at multiples of the pitch, and share of the multiples without a partial."""
    number = np.rint(peaks.frequency / pitch)
    near = _is_near_multiple(peaks, pitch, number, resolution)
    explained = float(peaks.amplitude[near].sum() / peaks.amplitude.sum())
    if not near.any():
        return 0.0, 1.0
    present = set(number[near].astype(int).tolist())
    expected = min(_MAX_MULTIPLES, max(present))
    return explained, 1 - len(present.intersection(range(1, expected + 1))) / expected


def has_steady_partials(samples: Samples, rate: int) -> bool:
    """Whether a sound has the same partials all the time; a sound without steady partials has no pitch as a whole.

    A sound that is too short to be divided counts as steady. Parts that are 20 dB softer than the loudest do not count.
    """
    length = int(_PART_SECONDS * rate)
    if len(samples) < 3 * length:
        return True
    partials = _peaks(loudest_stretch(samples, rate, _PITCH_WINDOW_SECONDS), rate).frequency
    if not len(partials):
        return False
    parts = [samples[first : first + length] for first in range(0, len(samples) - length + 1, length)]
    energies = [float(np.mean(part.astype(np.float64) ** 2)) for part in parts]
    near = 1.5 * rate / length
    votes = []
    for part, energy in zip(parts, energies, strict=True):
        if energy < max(energies) / 100:
            continue
        power = _power(part, 1)
        frequency = np.arange(len(power)) * rate / length
        distance = np.abs(frequency[:, None] - partials[None, :]).min(axis=1)
        inside = distance < near + 0.01 * frequency
        chance = float(inside[frequency >= _MIN_PITCH_HZ].mean())
        share = float(power[inside].sum() / power.sum())
        votes.append((share - chance) / max(1e-6, 1 - chance) > _STEADY_ENERGY_SHARE)
    return float(np.mean(votes)) >= _STEADY_PART_SHARE
