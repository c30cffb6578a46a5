"""What kind of sound a stretch of samples is: how tonal, at which pitch, with overtones at whole multiples or not.

Works on one event at a time, on the short-time spectrum of its loudest part. Finding events is `audio`'s business.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import find_peaks

from aurelia_core.arrays import Samples, Vector

_TONALITY_FRAME_SECONDS = 0.12
"""Seconds of one spectrum for tonality: resolves harmonics 65 Hz apart, and follows a voice that glides."""
_PART_SECONDS = 0.12
"""Seconds of the parts of a sound whose partials are compared."""
_STEADY_ENERGY_SHARE, _STEADY_PART_SHARE = 0.5, 0.75
"""Share of a part's energy, beyond chance, that must lie at the sound's partials, and share of the parts with it."""
_PITCH_WINDOW_SECONDS = 0.3
"""Seconds of the spectrum from which the pitch is read."""
_PROMINENCE_DB = 15.0
"""dB above the local median that noise reaches less than once in a spectrum of some thousand bins."""
_MIN_PITCH_HZ = 45.0
"""Hz; below it hum and rumble rule, and no pitch is claimed."""
_MAX_MULTIPLES = 12


class ToneAnalysis(NamedTuple):
    """The tonal side of a sound.

    Attributes:
        share: share of the energy that stands in narrow peaks, 0..1; a steady tone is near 1, hiss near 0.
        pitch: fundamental in Hz, or the lowest strong partial of an inharmonic sound; None without any peak.
        harmonic: whether all strong partials are whole multiples of the pitch (a pure tone counts).
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
        samples: float32[n], mono, the event alone.
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
    """The loudest stretch of the given length (or all of a shorter event)."""
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
    """Indices of the peaks that stand out of their neighbourhood by `PROMINENT` dB."""
    decibels = 10 * np.log10(power)
    around = min(25 * padding, (len(power) // 2) * 2 - 1)
    local = median_filter(decibels, size=max(3, around), mode="nearest")
    found = find_peaks(np.concatenate([[-400.0], decibels, [-400.0]]))[0] - 1
    standing: npt.NDArray[np.intp] = found[decibels[found] > local[found] + _PROMINENCE_DB]
    return standing


def _tonal_share(body: Samples, rate: int) -> float:
    length = max(48, min(len(body), int(_TONALITY_FRAME_SECONDS * rate)))
    total = inside = 0.0
    for first in range(0, len(body) - length + 1, max(1, length // 2)):
        power = _power(body[first : first + length], 1)
        mask = np.zeros(len(power), bool)
        for peak in _prominent(power, 1):
            mask[max(0, peak - 2) : peak + 3] = True
        total += float(power.sum())
        inside += float(power[mask].sum())
    return inside / total if total else 0.0


def _peaks(body: Samples, rate: int) -> _Peaks:
    """The partials within 30 dB of the strongest, frequency ascending, refined between bins."""
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
    """The pitch that explains the partials with the fewest gaps, else the lowest strong partial."""
    strongest = peaks.frequency[np.argsort(peaks.amplitude)[::-1][:6]]
    candidates = sorted({float(f / k) for f in strongest for k in (1, 2, 3, 4) if f / k >= _MIN_PITCH_HZ}, reverse=True)
    best, best_score = None, 0.0
    for candidate in candidates:
        explained, missing = _fit(peaks, candidate, resolution)
        score = explained - 0.5 * missing
        if explained >= 0.9 and missing <= 0.5 and score > best_score + 0.02:
            best, best_score = candidate, score
    if best is None:
        strong = peaks.frequency[peaks.amplitude > peaks.amplitude.max() / 10]
        return float(strong.min()), False
    number = np.rint(peaks.frequency / best)
    used = (number >= 1) & (np.abs(peaks.frequency - number * best) < _tolerance(best, number, resolution))
    weight = peaks.amplitude[used] * number[used]
    return float(np.sum(weight * peaks.frequency[used] / number[used]) / np.sum(weight)), True


def _tolerance(pitch: float, number: Vector, resolution: float) -> Vector:
    return 0.04 * pitch + 0.15 * resolution * number


def _fit(peaks: _Peaks, pitch: float, resolution: float) -> tuple[float, float]:
    """Share of the amplitude at multiples of the pitch, and share of the multiples that have no partial."""
    number = np.rint(peaks.frequency / pitch)
    near = (number >= 1) & (np.abs(peaks.frequency - number * pitch) < _tolerance(pitch, number, resolution))
    explained = float(peaks.amplitude[near].sum() / peaks.amplitude.sum())
    if not near.any():
        return 0.0, 1.0
    present = set(number[near].astype(int))
    expected = min(_MAX_MULTIPLES, max(present))
    return explained, 1 - len([k for k in range(1, expected + 1) if k in present]) / expected


def has_steady_partials(samples: Samples, rate: int) -> bool:
    """Whether a lasting sound keeps its partials: what has them for a moment only has no pitch as a whole.

    Sounds too short to be divided count as steady. Stretches that have faded by 20 dB do not vote.
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
        apart = np.abs(frequency[:, None] - partials[None, :]).min(axis=1)
        inside = apart < near + 0.01 * frequency
        covered = float(inside[frequency >= _MIN_PITCH_HZ].mean())
        share = float(power[inside].sum() / power.sum())
        votes.append((share - covered) / max(1e-6, 1 - covered) > _STEADY_ENERGY_SHARE)
    return float(np.mean(votes)) >= _STEADY_PART_SHARE
