"""The critic's classification of a sound, and its pitch, by autocorrelation and spectral peaks."""

from typing import NamedTuple

import numpy as np

from aurelia_core.signals.observation import SoundClass
from aurelia_offline.critic.arrays import FloatArray

_CLICK_SECONDS = 0.12
_LOWEST_HZ, _HIGHEST_HZ = 45.0, 7600.0
_DEEPEST_HZ = 18.0
"""Lowest frequency of a sound; between it and `_LOWEST_HZ` a sound has no pitch."""
_PART_SECONDS = 0.15
_MIN_PERIODS = 8
"""A sound with fewer periods has no pitch, even if they are regular."""


class SoundNature(NamedTuple):
    """A sound's voice, its confidence 0..1, pitch in Hz (None unless a tone) and median frequency in Hz."""

    voice: SoundClass
    confidence: float
    pitch: float | None
    brightness: float


class _Peaks(NamedTuple):
    frequency: FloatArray
    power: FloatArray
    share: float


def classify_sound(part: FloatArray, rate: int) -> SoundNature:
    """Classify one event.

    Args:
        part: float64[n], the event's samples.
        rate: samples a second, Hz.
    """
    body = _steady_part(part, rate)
    spectrum, frequency = _spectrum(body, rate)
    peaks = _peaks(spectrum, frequency, rate / len(body))
    total = np.cumsum(spectrum)
    brightness = float(frequency[np.searchsorted(total, total[-1] / 2)])
    clarity, period_pitch = _autocorrelation(body, rate)
    tonal = peaks.share
    seconds = len(part) / rate
    edge = 0.75
    if seconds > _CLICK_SECONDS:
        edge = 0.62
    pitch = 0.0
    if len(peaks.frequency):
        pitch = _fundamental(period_pitch if clarity > 0.8 else None, peaks)
    waves = 0.0
    if pitch >= _LOWEST_HZ:
        waves = pitch * _sounding_seconds(part, rate)
    if tonal >= edge and waves >= _MIN_PERIODS and _keeps_pitch(part, rate, peaks):
        return SoundNature("tone", float(np.clip((tonal - edge) / 0.2 + 0.4, 0, 1)), pitch, brightness)
    voice: SoundClass = "noise"
    if seconds < _CLICK_SECONDS:
        voice = "click"
    return SoundNature(voice, float(np.clip((edge - tonal) / 0.2 + 0.2, 0, 1)), None, brightness)


def _keeps_pitch(part: FloatArray, rate: int, peaks: _Peaks) -> bool:
    """Whether the strongest frequency stays the same over time; a glide has no single pitch."""
    length = int(_PART_SECONDS * rate)
    parts = [part[first : first + length] for first in range(0, len(part) - length + 1, length)]
    loud = max((float(np.mean(each**2)) for each in parts), default=0.0)
    parts = [each for each in parts if np.mean(each**2) > loud / 100]
    if len(parts) < 3:
        return True
    strong = peaks.frequency[peaks.power > peaks.power.max() * 0.01]
    votes = []
    for each in parts:
        spectrum, frequency = _spectrum(each, rate)
        top = float(frequency[int(spectrum.argmax())])
        votes.append(float(np.abs(strong - top).min()) < 0.03 * top + 1 / _PART_SECONDS)
    return float(np.mean(votes)) >= 0.6


def _sounding_seconds(part: FloatArray, rate: int) -> float:
    """Seconds in which a sound stays within 15 dB of its loudest 10 ms."""
    cell = max(1, rate // 100)
    power = (part[: max(1, len(part) // cell) * cell].reshape(-1, min(cell, len(part))) ** 2).mean(axis=1)
    return float(np.sum(power > power.max() * 10**-1.5)) * cell / rate


def _steady_part(part: FloatArray, rate: int) -> FloatArray:
    """The steady part of a sound: at most 0.35 s after the attack."""
    skip = int(min(0.015, 0.1 * len(part) / rate) * rate)
    return part[skip : skip + int(0.35 * rate)]


def _spectrum(body: FloatArray, rate: int) -> tuple[FloatArray, FloatArray]:
    size = max(4096, 1 << (2 * len(body) - 1).bit_length())
    power = np.abs(np.fft.rfft(body * np.hanning(len(body)), size)) ** 2
    frequency = np.fft.rfftfreq(size, 1 / rate)
    power[frequency < _DEEPEST_HZ] = 0
    return power + 1e-20, np.asarray(frequency, dtype=np.float64)


def _peaks(spectrum: FloatArray, frequency: FloatArray, width: float) -> _Peaks:
    """The strongest peaks, at most 12, and the share of energy within two resolution widths of the first eight."""
    from scipy.signal import find_peaks

    step = frequency[1]
    reach = max(1, int(np.ceil(2.2 * width / step)))
    found, _ = find_peaks(spectrum, height=spectrum.max() * 1e-3, distance=reach)
    order = found[np.argsort(spectrum[found])[::-1]][:12]
    near = np.zeros(len(spectrum), dtype=bool)
    for peak in order[:8]:
        near[max(0, peak - reach) : peak + reach + 1] = True
    total = np.cumsum(spectrum)
    low, high = np.searchsorted(total, total[-1] * np.array([0.02, 0.98]))
    held = max(float(near[low : high + 1].sum()), 1.0)
    coverage = held / max(float(high - low + 1), 12 * width / step, held)
    share = float(spectrum[near].sum() / spectrum.sum())
    corrected = 0.0
    if coverage < 0.95:
        corrected = (share - coverage) / max(1e-6, 1 - coverage)
    return _Peaks(frequency[order], spectrum[order], corrected)


def _autocorrelation(body: FloatArray, rate: int) -> tuple[float, float]:
    """Clarity 0..1 and frequency in Hz of the shortest lag whose correlation is close to the maximum."""
    size = 1 << (2 * len(body) - 1).bit_length()
    window = np.hanning(len(body))
    raw = np.fft.irfft(np.abs(np.fft.rfft(body * window, size)) ** 2)
    own = np.fft.irfft(np.abs(np.fft.rfft(window, size)) ** 2)
    longest = min(int(rate / _LOWEST_HZ), len(body) // 2)
    if longest < 4 or raw[0] <= 0:
        return 0.0, 0.0
    curve = raw[:longest] / raw[0] * own[0] / np.maximum(own[:longest], 1e-9)
    tops = np.flatnonzero((curve[1:-1] > curve[:-2]) & (curve[1:-1] >= curve[2:])) + 1
    tops = tops[tops >= rate / _HIGHEST_HZ]
    if not len(tops):
        return 0.0, 0.0
    heights = np.array([_parabola_peak(curve, int(top))[1] for top in tops])
    if heights.max() <= 0:
        return 0.0, 0.0
    first = int(tops[np.flatnonzero(heights >= heights.max() * 0.93)[0]])
    place, height = _parabola_peak(curve, first)
    return float(np.clip(height, 0, 1)), float(rate / place)


def _parabola_peak(curve: FloatArray, top: int) -> tuple[float, float]:
    """Position and height of the peak of the parabola through a maximum and its two neighbours."""
    left, middle, right = curve[top - 1], curve[top], curve[top + 1]
    bend = left - 2 * middle + right
    shift = 0.0
    if not (abs(bend) < 1e-12):
        shift = 0.5 * (left - right) / bend
    return top + shift, float(middle - 0.25 * (left - right) * shift)


def _fundamental(period_pitch: float | None, peaks: _Peaks) -> float:
    """The pitch in Hz: the period of the sound if its spectrum confirms it, else the lowest strong peak.

    An inharmonic sound (a bell) almost repeats itself at some long lag that is not its pitch. A missing fundamental is
    accepted only with two neighbouring overtones.
    """
    lowest = float(peaks.frequency[peaks.power > peaks.power.max() * 0.03].min())
    if period_pitch is None:
        return lowest
    near = np.abs(peaks.frequency / period_pitch - 1) < 0.04
    if near.any():
        return float(peaks.frequency[near][np.argmax(peaks.power[near])])
    orders = peaks.frequency / period_pitch
    whole = {int(round(order)) for order in orders if abs(order - round(order)) < 0.03}
    if any(order + 1 in whole for order in whole):
        return period_pitch
    return lowest
