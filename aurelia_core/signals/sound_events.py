"""Sound events: when each begins and ends, how loud, what kind. Measured with librosa on plain samples.

Loudness over time is held against a floor that adapts to the recording; a run above it is cut where something is struck
again or the spectrum changes for good. Pitch is `pitch`'s business, a beat `rhythm`'s. Nothing is named.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from aurelia_core.arrays import Mask, Samples, Vector
from aurelia_core.signals.observation import DetectedSound, SoundClass
from aurelia_core.signals.pitch import ToneAnalysis, analyze_tone, has_steady_partials
from aurelia_core.types import Span

_HOP_SECONDS = 0.005
_FRAME_SECONDS = 0.02
_SILENCE_DBFS = -55.0
"""dBFS: a stretch is called silent only below it, however loud the recording's floor is."""
_MIN_SILENCE_SECONDS = 0.3
_MIN_EVENT_DBFS = -65.0
"""dBFS: what stays below it is taken for noise of recording and coding, though a codec may leave holes far below."""
_MAX_CLICK_SECONDS = 0.12
"""Seconds: an unpitched sound is a click when shorter, noise when longer."""
_LOUD_FLOOR_DBFS = -42.0
"""dBFS: a floor above it is a lasting sound of its own, not a background."""
_MIN_PERIODS = 8
"""Fewest periods that sound like a pitch; fewer are a thump."""
_MIN_PITCHED_DB = 12.0
"""Decibels over the floor below which no pitch is claimed: what lies beneath may have its own."""
_MIN_MEDIAN_RATIO = 0.6
"""Fraction of a pitch below which half of the energy lies when the pitch is not this sound's own."""
_MIN_ABOVE_FLOOR_DB = 6.0
"""Decibels over the floor below which a sound is that floor itself."""
_MAX_FLOOR_RANGE_DB = 6.0
"""Decibels over which a floor that is a sound of its own may range."""
MIN_SAMPLE_RATE = 200
"""Hz: below it nothing is claimed about sound."""


class AudioAnalysis(NamedTuple):
    """Sound events by onset, and stretches of silence (at least 0.3 s), in seconds."""

    sounds: tuple[DetectedSound, ...]
    silences: tuple[Span, ...]


class _Envelope(NamedTuple):
    """Level in dBFS every `hop` seconds from the first sample on, and the recording's floor."""

    level: Vector
    hop: float
    floor: float


def analyze_audio(samples: Samples, rate: int, start: float = 0.0, floor: float | None = None) -> AudioAnalysis:
    """The sound events and silences of a stretch of audio.

    Args:
        samples: float32[n], mono, -1..1.
        rate: sampling rate, Hz; nothing above half of it can be heard, and below 200 Hz nothing is claimed.
        start: time of the first sample in the clip, seconds.
        floor: level of the background in dBFS where it is known from more of the recording; else from these samples.
    """
    if rate < MIN_SAMPLE_RATE or len(samples) < 0.03 * rate:
        return AudioAnalysis((), ())
    samples = np.asarray(samples - np.mean(samples), np.float32)
    envelope = _envelope(samples, rate, floor)
    spans = [part for run in _runs(envelope) for part in _split(run, envelope, samples, rate)]
    spans = _with_lasting(spans, envelope, samples, rate)
    sounds = [sound for span in spans if (sound := _describe(span, envelope, samples, rate, start))]
    sounds.sort(key=lambda sound: sound.start)
    return AudioAnalysis(tuple(sounds), _silences(envelope, spans, len(samples) / rate, start))


def estimate_noise_floor(samples: Samples, rate: int) -> float:
    """The level of the background in dBFS: the quietest stretches, and what joins them without a step."""
    if rate < MIN_SAMPLE_RATE or len(samples) < 0.03 * rate:
        return 0.0
    return _envelope(np.asarray(samples - np.mean(samples), np.float32), rate, None).floor


def _envelope(samples: Samples, rate: int, floor: float | None) -> _Envelope:
    import librosa

    hop = max(1, round(rate * _HOP_SECONDS))
    frame = max(16, round(rate * _FRAME_SECONDS))
    root = librosa.feature.rms(y=samples, frame_length=frame, hop_length=hop)[0].astype(np.float64)
    level = 20 * np.log10(root + 1e-5)
    if floor is None:
        smooth = 10 * np.log10(uniform_filter1d(root**2, max(3, round(0.05 * rate / hop)), mode="nearest") + 1e-10)
        floor = _floor(smooth)
    return _Envelope(level, hop / rate, floor)


def _floor(level: Vector) -> float:
    """The quietest level, raised over what joins it without a step: a background that ebbs is still one."""
    quietest = float(np.percentile(level, 3))
    floor = quietest
    for share in range(8, 55, 5):
        value = float(np.percentile(level, share))
        if value - floor > 5 or value - quietest > 7:
            break
        floor = value
    return max(floor, -82.0)


def _runs(envelope: _Envelope) -> list[tuple[int, int]]:
    """Stretches (first, last + 1) that reach well above the floor, from where they leave it to where they return."""
    level, floor = envelope.level, envelope.floor
    keep = _closed(level > max(floor + 6, _MIN_EVENT_DBFS), max(1, round(0.03 / envelope.hop)))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], keep.astype(np.int8), [0]])))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    least = max(2, round(0.015 / envelope.hop))
    return [(a, b) for a, b in runs if b - a >= least and level[a:b].max() > max(floor + 9.5, _MIN_EVENT_DBFS + 4)]


def _closed(mask: Mask, gap: int) -> Mask:
    """The mask with gaps of up to `gap` filled."""
    padded = np.concatenate([np.zeros(gap, bool), mask, np.zeros(gap, bool)])
    grown = maximum_filter1d(padded.astype(np.int8), 2 * (gap // 2) + 1)
    filled: Mask = minimum_filter1d(grown, 2 * (gap // 2) + 1)[gap:-gap].astype(bool)
    return filled


def _split(run: tuple[int, int], envelope: _Envelope, samples: Samples, rate: int) -> list[tuple[int, int]]:
    """Cut a run where something is struck again, or where its spectrum changes for good."""
    first, last = run
    if (last - first) * envelope.hop < 0.12:
        return [run]
    hop = max(1, round(rate * _HOP_SECONDS))
    at = sorted(
        _strikes(envelope, first, last) + _changes(samples[first * hop : last * hop], rate, envelope.hop, first)
    )
    cuts: list[int] = []
    for cut in at:
        if cut - (cuts[-1] if cuts else first) >= 0.06 / envelope.hop and last - cut >= 0.03 / envelope.hop:
            cuts.append(cut)
    return list(zip([first, *cuts], [*cuts, last], strict=True))


def _strikes(envelope: _Envelope, first: int, last: int) -> list[int]:
    """Frames at which the level jumps up inside a run, from a dip or in a step, to near the run's own loudness."""
    level = envelope.level[first:last]
    reach = max(2, round(0.03 / envelope.hop))
    low = minimum_filter1d(level, reach, origin=(reach - 1) // 2, mode="nearest")
    high = maximum_filter1d(level, reach, origin=-((reach - 1) // 2) - (1 - reach % 2), mode="nearest")
    rise = high - low
    jump = (rise > 7) & (high > level.max() - 20)
    jump[: round(0.06 / envelope.hop)] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[0], jump.astype(np.int8), [0]])))
    spans = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [first + a + int(np.argmax(rise[a:b])) for a, b in spans]


def _changes(samples: Samples, rate: int, hop: float, offset: int) -> list[int]:
    """Frames at which the spectrum before and after differ sharply and lastingly (a note follows without a gap)."""
    import librosa

    step = max(1, round(rate * _HOP_SECONDS))
    size = max(32, round(rate * 0.04))
    power = np.abs(librosa.stft(samples, n_fft=size, hop_length=step)) ** 2
    bands = np.sqrt(_bands(power))
    reach, skip = round(0.09 / hop), round(0.02 / hop)
    total = bands.shape[1]
    if total < 2 * reach:
        return []
    sums = np.concatenate([np.zeros((len(bands), 1)), np.cumsum(bands, axis=1)], axis=1)
    centre = np.arange(reach, total - reach)
    before = sums[:, centre - skip] - sums[:, centre - reach]
    after = sums[:, centre + reach] - sums[:, centre + skip]
    norm = np.linalg.norm(before, axis=0) * np.linalg.norm(after, axis=0) + 1e-12
    distance = 1 - (before * after).sum(axis=0) / norm
    found: list[int] = []
    wide = round(0.15 / hop)
    for index in np.flatnonzero((distance > 0.45) & (distance == maximum_filter1d(distance, 2 * reach + 1))):
        around = np.r_[distance[max(0, index - wide) : max(0, index - reach)], distance[index + reach : index + wide]]
        if not len(around) or np.median(around) < 0.5 * distance[index]:
            found.append(offset + int(centre[index]))
    return found


def _bands(power: Samples) -> Vector:
    """Power in third-of-an-octave-like bands, never narrower than one bin."""
    edges = np.unique(np.rint(np.geomspace(2, power.shape[0], 28)).astype(int))
    bands = [power[a:b].sum(axis=0, dtype=np.float64) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return np.asarray(bands, np.float64) + 1e-12


def _with_lasting(
    spans: list[tuple[int, int]], envelope: _Envelope, samples: Samples, rate: int
) -> list[tuple[int, int]]:
    """Add the floor itself as a sound where it is no background: loud, or tonal with nothing else above it."""
    whole = (0, len(envelope.level))
    low, middle = np.percentile(envelope.level, [3, 40])
    loud = envelope.floor > _LOUD_FLOOR_DBFS and middle - low < _MAX_FLOOR_RANGE_DB
    tonal = not spans and envelope.floor > -64 and analyze_tone(samples, rate).share > 0.7
    if not loud and not tonal:
        return spans
    return [*spans, whole] if spans else _split(whole, envelope, samples, rate)


def _trim(span: tuple[int, int], envelope: _Envelope) -> tuple[int, int]:
    """Without the smear that a codec and the analysis frame leave before and after something sudden."""
    first, last = span
    level = envelope.level[first:last]
    near = np.flatnonzero(level > level.max() - 26)
    smear = round(0.07 / envelope.hop)
    head = int(near[0]) if near[0] <= smear else 0
    tail = len(level) - 1 - int(near[-1])
    return first + head, last - (tail if tail <= smear else 0)


def _describe(
    span: tuple[int, int], envelope: _Envelope, samples: Samples, rate: int, start: float
) -> DetectedSound | None:
    import librosa

    hop = max(1, round(rate * _HOP_SECONDS))
    span = _trim(span, envelope)
    begin, end = _edges(span, envelope, len(samples) / rate)
    part = samples[int(begin * rate) : max(int(begin * rate) + 8, int(end * rate))]
    level = envelope.level[span[0] : span[1]]
    if not len(part) or not len(level):
        return None
    kind = analyze_tone(part, rate)
    above = float(level.max() - envelope.floor)
    beneath = envelope.floor > _SILENCE_DBFS - 10 and _MIN_ABOVE_FLOOR_DB < above < _MIN_PITCHED_DB
    middle = _middle(part, rate)
    carried = kind.pitch is None or middle > _MIN_MEDIAN_RATIO * kind.pitch
    pitched = carried and not beneath and has_steady_partials(part, rate)
    voice = _voice(kind if pitched else kind._replace(pitch=None), end - begin, _sounding(part, rate))
    peak = int(np.argmax(level))
    fallen = np.flatnonzero(level[peak:] < level[peak] - 20)
    size = min(1024, 2 ** int(np.log2(len(part))))
    centroid = librosa.feature.spectral_centroid(y=part, sr=rate, n_fft=size, hop_length=max(1, size // 2))[0]
    sure = float(np.clip((above - 4) / 20, 0.1, 1.0)) * min(1.0, 0.4 + rate / 8000)
    return DetectedSound(
        start=round(start + begin, 3),
        end=round(start + end, 3),
        level=round(10 * float(np.log10(np.mean(part.astype(np.float64) ** 2) + 1e-10)), 1),
        sound_class=voice,
        pitch=round(kind.pitch, 1) if voice == "tone" and kind.pitch else None,
        harmonic=voice == "tone" and kind.harmonic,
        attack=round(peak * hop / rate, 3),
        decay=round((int(fallen[0]) if len(fallen) else len(level) - peak) * hop / rate, 3),
        brightness=round(float(np.median(centroid)), 0),
        confidence=round(sure, 2),
        median_frequency=round(middle, 0),
        tonality=round(kind.share, 2),
    )


def _edges(span: tuple[int, int], envelope: _Envelope, length: float) -> Span:
    """Onset and end in seconds; half an analysis frame of smear is taken off, more where the sound stands higher."""
    smear = _FRAME_SECONDS / 2
    begin = span[0] * envelope.hop + (smear * 0.8 if span[0] > 0 else 0.0)
    end = (span[1] - 1) * envelope.hop - (smear * 0.8 if span[1] < len(envelope.level) else -envelope.hop)
    return begin, min(length, max(end, begin + 0.005))


def _voice(kind: ToneAnalysis, seconds: float, sounding: float) -> SoundClass:
    if kind.pitch is not None and kind.share > 0.55 and sounding * kind.pitch > _MIN_PERIODS:
        return "tone"
    return "click" if seconds < _MAX_CLICK_SECONDS else "noise"


def _sounding(part: Samples, rate: int) -> float:
    """Seconds in which most of an event's energy lies: one that fades at once has few periods to be heard."""
    cell = max(1, round(0.005 * rate))
    cells = part[: len(part) // cell * cell].astype(np.float64).reshape(-1, cell)
    energy = np.sqrt((cells**2).mean(axis=1))
    total = float((energy**2).sum())
    return float(energy.sum()) ** 2 / total * cell / rate if total else 0.0


def _middle(part: Samples, rate: int) -> float:
    """The frequency below which half of the energy lies, Hz."""
    total = np.cumsum(np.abs(np.fft.rfft(part * np.hanning(len(part)), max(1024, len(part)))) ** 2)
    return float(np.searchsorted(total, total[-1] / 2)) * rate / max(1024, len(part))


def _silences(envelope: _Envelope, spans: list[tuple[int, int]], length: float, start: float) -> tuple[Span, ...]:
    quiet = envelope.level < _SILENCE_DBFS
    for first, last in spans:
        quiet[first:last] = False
    quiet = _closed(quiet, max(1, round(0.01 / envelope.hop)))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(np.int8), [0]])))
    found = []
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        begin, end = first * envelope.hop, min(length, last * envelope.hop)
        if end - begin >= _MIN_SILENCE_SECONDS:
            found.append((round(start + begin, 3), round(start + end, 3)))
    return tuple(found)
