"""The critic's sound measurement: band envelopes, gated with hysteresis and split where new energy rises.

The algorithms differ from the generator's (librosa onsets, yin, spectral flatness) on purpose, so that their errors are
independent: a filter bank over a short-time Fourier transform, change points and autocorrelation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from aurelia_offline.critic.arrays import FloatArray
from aurelia_offline.critic.evidence import AudioEvidence, HeardSound
from aurelia_offline.critic.signal_beat import find_beat
from aurelia_offline.critic.signal_pitch import classify_sound

_HOP_SECONDS = 0.005
_WINDOW_SECONDS = 0.032
_OPEN_DB, _CLOSE_DB = 11.0, 6.0
_AMBIENT_DB = -62.0
"""A track that never falls below this level is never silent: it has an ambience, from which events stand out."""
_FALL_DB = 32.0
"""A sound ends when it is this far below its peak; the rest is reverberation or a codec artifact."""
_FADED_DB = 10.0
"""A slowly fading sound has no sharp end; a caption may place the end anywhere after this fall."""
_SPLIT_DB = 8.0
_STRONG_SPLIT_DB = 15.0
"""A rise within bands that needs no rise of the total: one note replaces another of the same level."""
_FADED_AWAY_DB, _SWELL_DB = 20.0, 12.0
_BRIDGE_SECONDS = 0.06
_MIN_SOUND_SECONDS = 0.012
_AMBIENCE_CELL = 800
"""Samples of one part of a track, of which the quieter half is its ambience."""


@dataclass(frozen=True, slots=True)
class _Bands:
    """Band envelopes: `power` [bands, frames], mean square; `times` [frames], the centre of each window."""

    power: FloatArray
    times: FloatArray

    @property
    def total(self) -> FloatArray:
        """The level of all bands together, dBFS, float64[frames]."""
        return np.asarray(10 * np.log10(self.power.sum(axis=0) + 1e-12), dtype=np.float64)


def listen_to_track(samples: npt.NDArray[np.float32], rate: int) -> AudioEvidence:
    """Measure a whole sound track.

    Args:
        samples: float32[n], mono, -1..1.
        rate: samples a second, Hz.

    Returns:
        Its sounds in order, and its beat.
    """
    seconds = len(samples) / rate
    if len(samples) < 4 * _WINDOW_SECONDS * rate:
        return AudioEvidence(seconds)
    wave = samples.astype(np.float64)
    bands = _filter_bank(wave, rate)
    rise = _energy_rise(bands)
    ambient = float(np.percentile(10 * np.log10(_smooth(bands.power, 9).sum(axis=0) + 1e-12), 3)) > _AMBIENT_DB
    gated = [part for span in _gate_spans(bands, ambient) for part in _split_at_swells(span, bands)]
    spans = [part for span in gated for part in _split_at_rises(span, rise, bands)]
    sounds = [heard for span in spans if (heard := _measure_sound(wave, rate, bands, span, rise)) is not None]
    sounds = _rejoin_fadings(sounds)
    bpm = find_beat(tuple(sounds), bands.times, rise)
    if ambient:
        below = _measure_ambience(wave, rate, alone=not sounds)
        sounds = [below, *(_doubt_in_ambience(heard, below.level) for heard in sounds)]
    return AudioEvidence(seconds, tuple(sounds), bpm)


def _filter_bank(wave: FloatArray, rate: int) -> _Bands:
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    size, hop = int(_WINDOW_SECONDS * rate), max(1, int(_HOP_SECONDS * rate))
    window = hann(size, sym=False)
    transform = ShortTimeFFT(window, hop, rate, scale_to=None)
    power = np.abs(transform.stft(wave, p0=0, p1=transform.p_max(len(wave)))) ** 2
    power *= 2 / (size * float((window**2).sum()))
    edges = np.geomspace(50.0, rate / 2, 19)
    index = np.searchsorted(edges, transform.f, side="right") - 1
    grouped = np.stack([power[index == band].sum(axis=0) for band in range(len(edges) - 1)])
    times = np.arange(power.shape[1]) * hop / rate
    return _Bands(grouped, times)


def _gate_spans(bands: _Bands, ambient: bool) -> list[tuple[int, int]]:
    """Spans of frames (first, last + 1) in which the sound exceeds the noise floor of some band."""
    level = 10 * np.log10(bands.power + 1e-12)
    smooth = 10 * np.log10(_smooth(bands.power, 3) + 1e-12)
    floor = np.percentile(level, 25 if ambient else 20, axis=1)
    if not ambient:
        floor = np.minimum(floor, _AMBIENT_DB - 10 * np.log10(len(level)))
    floor = np.maximum(floor, -98.0)
    over = (smooth - floor[:, None]).max(axis=0)
    total = bands.total
    spans: list[tuple[int, int]] = []
    start, peak = -1, -np.inf
    for frame, value in enumerate(over):
        if start < 0 and value > _OPEN_DB:
            start, peak = frame, total[frame]
        elif start >= 0:
            peak = max(peak, total[frame])
            if value < _CLOSE_DB or total[frame] < peak - _FALL_DB:
                spans.append((start, frame))
                start = -1
    if start >= 0:
        spans.append((start, len(over)))
    return _join_across_dips(spans)


def _split_at_swells(span: tuple[int, int], bands: _Bands) -> list[tuple[int, int]]:
    """Split a span where the sound has faded and a second sound rises, even slowly."""
    level = 10 * np.log10(_smooth(bands.power, 9).sum(axis=0) + 1e-12)[span[0] : span[1]]
    marks, peak, valley = [0], 0, 0
    for frame, value in enumerate(level):
        if value > level[peak]:
            peak = valley = frame
        elif value < level[valley]:
            valley = frame
        elif level[valley] < level[peak] - _FADED_AWAY_DB and value > level[valley] + _SWELL_DB:
            rising = valley + int(np.flatnonzero(level[valley:frame] < level[valley] + _SWELL_DB / 3)[-1])
            marks.append(rising)
            peak = valley = frame
    edges = [span[0] + mark for mark in marks]
    return list(zip(edges, [*edges[1:], span[1]], strict=True))


def _join_across_dips(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that a short dip separates; `_split_at_rises` finds a new stroke inside again."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and (first - joined[-1][1]) * _HOP_SECONDS < _BRIDGE_SECONDS:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _smooth(power: FloatArray, frames: int) -> FloatArray:
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(power, frames, axis=-1), dtype=np.float64)


def _energy_rise(bands: _Bands) -> FloatArray:
    """For each frame, the rise in dB of the bands that carry the sound, from just before to just after."""
    from scipy.ndimage import minimum_filter1d

    smooth = _smooth(bands.power, 5)
    level = 10 * np.log10(smooth + 1e-10)
    lag = 5
    before = np.roll(minimum_filter1d(level, 9, axis=1), lag, axis=1)
    after = np.roll(level, -lag, axis=1)
    before[:, : lag + 4], after[:, -lag:] = level[:, : lag + 4], level[:, -lag:]
    weight = 10 ** (after / 10)
    return np.asarray((weight * (after - before)).sum(axis=0) / weight.sum(axis=0), dtype=np.float64)


def _split_at_rises(span: tuple[int, int], rise: FloatArray, bands: _Bands) -> list[tuple[int, int]]:
    """Split a span where a second sound starts inside the first, with new energy."""
    from scipy.signal import find_peaks

    first, last = span
    skip = int(0.07 / _HOP_SECONDS)
    inner = rise[first + skip : max(first + skip, last - 4)]
    peaks, _ = find_peaks(inner, height=_SPLIT_DB, distance=int(0.08 / _HOP_SECONDS), prominence=_SPLIT_DB / 2)
    total = bands.total
    marks = [first]
    for peak in peaks + first + skip:
        after = total[peak : peak + 12].max(initial=-120.0)
        before = total[max(first, peak - 16) : peak].min(initial=0.0)
        loudest = total[marks[-1] : peak].max(initial=-120.0)
        if after > loudest - 20 and (after - before > 7 or rise[peak] > _STRONG_SPLIT_DB):
            marks.append(int(peak))
    return list(zip(marks, [*marks[1:], last], strict=True))


def _measure_sound(
    wave: FloatArray, rate: int, bands: _Bands, span: tuple[int, int], rise: FloatArray
) -> HeardSound | None:
    first, last = span
    total = bands.total[first:last]
    top = total.max()
    inside = np.flatnonzero(total > top - _FALL_DB)
    start = float(bands.times[first + inside[0]])
    end = float(bands.times[min(first + inside[-1], len(bands.times) - 1)])
    start, end = _sharpen_edges(wave, rate, start, end)
    start, end = round(start, 3), round(end, 3)
    if end - start < _MIN_SOUND_SECONDS:
        return None
    part = wave[int(start * rate) : max(int(end * rate), int(start * rate) + 8)]
    level = float(10 * np.log10(np.mean(part**2) + 1e-12))
    contrast = float(top - _level_beside(bands.total, first, last))
    if rise[max(0, first - 2) : first + 3].max() > _STRONG_SPLIT_DB:
        contrast = max(contrast, 18.0)
    nature = classify_sound(part, rate)
    return HeardSound(
        start,
        end,
        level,
        nature.voice,
        nature.pitch,
        nature.brightness,
        float(np.clip((contrast - 6) / 12, 0.1, 1.0)) * float(np.clip((top + 78) / 14, 0.2, 1.0)),
        nature.confidence,
        peak=round(float(bands.times[first + int(total.argmax())]), 3),
        faded_at=round(float(bands.times[first + int(np.flatnonzero(total > top - _FADED_DB)[-1])]), 3),
    )


def _level_beside(level: FloatArray, first: int, last: int) -> float:
    """The lowest level just before a span of frames, dBFS; just after it, if it is the track's first sound."""
    before = level[max(0, first - 40) : max(0, first - 6)]
    after = level[last + 6 : last + 40]
    for beside in (before, after, level[:1]):
        if len(beside):
            return float(beside.min())
    return -80.0


def _rejoin_fadings(sounds: list[HeardSound]) -> list[HeardSound]:
    """Rejoin a sound with uncertain pieces split off its end, which are fluctuations of its fading."""
    joined: list[HeardSound] = []
    for heard in sounds:
        if joined and heard.confidence < 0.5 and heard.start - joined[-1].end < 0.05:
            joined[-1] = replace(joined[-1], end=max(heard.end, joined[-1].end))
        else:
            joined.append(heard)
    return joined


def _doubt_in_ambience(heard: HeardSound, ambient_level: float) -> HeardSound:
    """The sound with lower confidence the less it stands out from the ambience."""
    return replace(
        heard, confidence=heard.confidence * float(np.clip((heard.level - ambient_level - 3) / 9, 0.05, 1.0))
    )


def _measure_ambience(wave: FloatArray, rate: int, *, alone: bool) -> HeardSound:
    """The ambience of a track that is never silent, as one sound of full length; less certain beside other sounds."""
    size = min(_AMBIENCE_CELL, len(wave))
    cells = wave[: len(wave) // size * size].reshape(-1, size)
    power = (cells**2).mean(axis=1)
    calm = cells[power <= np.percentile(power, 50)].ravel()
    nature = classify_sound(calm, rate)
    level = float(10 * np.log10(np.mean(calm**2) + 1e-12))
    confidence = 0.3
    if alone:
        confidence = 0.9
    voice_sure = nature.confidence
    if not alone:
        voice_sure = 0.3 * nature.confidence
    return HeardSound(
        0.0,
        len(wave) / rate,
        level,
        nature.voice,
        nature.pitch,
        nature.brightness,
        confidence,
        voice_sure,
        ambient=True,
    )


def _sharpen_edges(wave: FloatArray, rate: int, start: float, end: float) -> tuple[float, float]:
    """Refine the edges of an event within one window: where its short-time level passes -14 dB and -26 dB."""
    margin = _WINDOW_SECONDS / 2
    first, last = max(0, int((start - margin) * rate)), min(len(wave), int((end + margin) * rate))
    cell = max(1, int(0.002 * rate))
    count = (last - first) // cell
    if count < 4:
        return start, end
    energy = (wave[first : first + count * cell].reshape(count, cell) ** 2).mean(axis=1)
    energy = np.convolve(energy, np.ones(3) / 3, mode="same")
    strong = np.flatnonzero(energy >= energy.max() * 10**-1.4)
    weak = np.flatnonzero(energy >= energy.max() * 10**-2.6)
    return (first + float(strong[0]) * cell) / rate, (first + float(weak[-1] + 1) * cell) / rate
