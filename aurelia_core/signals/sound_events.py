"""Detection of sound events: start, end, loudness and class of each, measured with librosa.

The loudness over time is compared with a noise floor that adapts to the recording. A run above the floor is split at
new onsets and at lasting changes of the spectrum. `pitch` analyzes the tone of an event, `rhythm` the beat.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from aurelia_core.arrays import Mask, Samples, Vector, true_runs
from aurelia_core.signals.observation import DetectedSound, SoundClass
from aurelia_core.signals.pitch import ToneAnalysis, analyze_tone, has_steady_partials
from aurelia_core.types import Span

_HOP_SECONDS = 0.005
_FRAME_SECONDS = 0.02
_SILENCE_DBFS = -55.0
"""Level below which there is silence; it does not depend on the recording's noise floor."""
_MIN_SILENCE_SECONDS = 0.3
_MIN_EVENT_DBFS = -70.0
"""Least peak level of an event: softer sounds count as noise of recording and coding."""
_MAX_CLICK_SECONDS = 0.12
"""Longest click, seconds: a longer unpitched sound is noise."""
_LOUD_FLOOR_DBFS = -42.0
"""Level from which the noise floor is a continuous sound of its own and not background."""
_MIN_PERIODS = 8
"""Number of periods that a pitched sound must exceed; with fewer periods it is a thump."""
_MIN_PITCHED_DB = 12.0
"""Height above an audible noise floor from which a pitch is reported: below, the pitch may be the floor's own."""
_MIN_MEDIAN_RATIO = 0.6
"""Least median frequency of a pitched sound, as a fraction of the pitch."""
_MIN_ABOVE_FLOOR_DB = 6.0
"""Height above the noise floor up to which a sound is the floor itself."""
_MAX_FLOOR_RANGE_DB = 6.0
"""Largest range of levels of a noise floor that is a sound of its own."""
MIN_SAMPLE_RATE = 200
"""Lowest sampling rate at which sound is analyzed, Hz."""


class AudioAnalysis(NamedTuple):
    """Sound events by onset, and silences of at least 0.3 s; times in seconds."""

    sounds: tuple[DetectedSound, ...]
    silences: tuple[Span, ...]


class _Envelope(NamedTuple):
    """Level in dBFS every `hop` seconds from the first sample on, and the recording's noise floor in dBFS."""

    level: Vector
    hop: float
    floor: float


def analyze_audio(samples: Samples, rate: int, start: float = 0.0, floor: float | None = None) -> AudioAnalysis:
    """The sound events and silences of an audio segment.

    Args:
        samples: float32[n], mono, -1..1.
        rate: sampling rate, Hz; below 200 Hz nothing is reported.
        start: time of the first sample in the clip, seconds.
        floor: noise floor in dBFS, if known from more of the recording; None estimates it from these samples.
    """
    if rate < MIN_SAMPLE_RATE or len(samples) < 0.03 * rate:
        return AudioAnalysis((), ())
    samples = np.asarray(samples - np.mean(samples), np.float32)
    envelope = _envelope(samples, rate, floor)
    spans: list[tuple[int, int]] = []
    for run in _loud_runs(envelope):
        spans += _split(run, envelope, samples, rate)
    spans = _with_continuous_sound(spans, envelope, samples, rate)
    sounds = [sound for span in spans if (sound := _describe(span, envelope, samples, rate, start))]
    sounds.sort(key=lambda sound: sound.start)
    return AudioAnalysis(tuple(sounds), _silences(envelope, spans, len(samples) / rate, start))


def estimate_noise_floor(samples: Samples, rate: int) -> float:
    """The noise floor in dBFS: the quietest levels, and higher levels that follow without a step."""
    if rate < MIN_SAMPLE_RATE or len(samples) < 0.03 * rate:
        return 0.0
    return _envelope(np.asarray(samples - np.mean(samples), np.float32), rate, None).floor


def _hop_samples(rate: int) -> int:
    return max(1, round(rate * _HOP_SECONDS))


def _envelope(samples: Samples, rate: int, floor: float | None) -> _Envelope:
    import librosa

    hop = _hop_samples(rate)
    frame = max(16, round(rate * _FRAME_SECONDS))
    root = librosa.feature.rms(y=samples, frame_length=frame, hop_length=hop)[0].astype(np.float64)
    level = 20 * np.log10(root + 1e-5)
    if floor is None:
        smooth = 10 * np.log10(uniform_filter1d(root**2, max(3, round(0.05 * rate / hop)), mode="nearest") + 1e-10)
        floor = _noise_floor(smooth)
    return _Envelope(level, hop / rate, floor)


def _noise_floor(level: Vector) -> float:
    """The quietest level, raised while the next percentiles follow without a step (a background can vary)."""
    quietest = float(np.percentile(level, 3))
    floor = quietest
    for share in range(8, 55, 5):
        value = float(np.percentile(level, share))
        if value - floor > 5 or value - quietest > 7:
            break
        floor = value
    return max(floor, -82.0)


def _loud_runs(envelope: _Envelope) -> list[tuple[int, int]]:
    """Runs (first, last + 1) that rise well above the floor, from where they leave it to where they return."""
    level = envelope.level
    floor = envelope.floor
    above = _fill_gaps(level > max(floor + 6, _MIN_EVENT_DBFS), max(1, round(0.03 / envelope.hop)))
    shortest = max(2, round(0.015 / envelope.hop))
    least_peak = max(floor + 9.5, _MIN_EVENT_DBFS + 4)
    return [
        (first, last)
        for first, last in true_runs(above)
        if last - first >= shortest and level[first:last].max() > least_peak
    ]


def _fill_gaps(mask: Mask, gap: int) -> Mask:
    """The mask with gaps of up to `gap` filled."""
    padded = np.concatenate([np.zeros(gap, bool), mask, np.zeros(gap, bool)])
    grown = maximum_filter1d(padded.astype(np.int8), 2 * (gap // 2) + 1)
    filled: Mask = minimum_filter1d(grown, 2 * (gap // 2) + 1)[gap:-gap].astype(bool)
    return filled


def _split(run: tuple[int, int], envelope: _Envelope, samples: Samples, rate: int) -> list[tuple[int, int]]:
    """Split a run at new onsets and at lasting changes of its spectrum."""
    first, last = run
    if (last - first) * envelope.hop < 0.12:
        return [run]
    hop = _hop_samples(rate)
    onsets = _find_onsets(envelope, first, last)
    changes = _find_spectral_changes(samples[first * hop : last * hop], rate, envelope.hop, first)
    edges = [first]
    for cut in sorted(onsets + changes):
        if cut - edges[-1] >= 0.06 / envelope.hop and last - cut >= 0.03 / envelope.hop:
            edges.append(cut)
    return list(pairwise([*edges, last]))


def _find_onsets(envelope: _Envelope, first: int, last: int) -> list[int]:
    """Frames in a run at which the level rises suddenly to near the run's peak."""
    level = envelope.level[first:last]
    reach = max(2, round(0.03 / envelope.hop))
    low = minimum_filter1d(level, reach, origin=(reach - 1) // 2, mode="nearest")
    high = maximum_filter1d(level, reach, origin=-((reach - 1) // 2) - (1 - reach % 2), mode="nearest")
    rise = high - low
    jump = (rise > 7) & (high > level.max() - 20)
    jump[: round(0.06 / envelope.hop)] = False
    return [first + start + int(np.argmax(rise[start:end])) for start, end in true_runs(jump)]


def _find_spectral_changes(samples: Samples, rate: int, hop: float, offset: int) -> list[int]:
    """Frames at which the spectrum changes sharply and lastingly (a note follows another without a gap)."""
    import librosa

    size = max(32, round(rate * 0.04))
    power = np.abs(librosa.stft(samples, n_fft=size, hop_length=_hop_samples(rate))) ** 2
    bands = np.sqrt(_band_power(power))
    reach = round(0.09 / hop)
    skip = round(0.02 / hop)
    total = bands.shape[1]
    if total < 2 * reach:
        return []
    sums = np.concatenate([np.zeros((len(bands), 1)), np.cumsum(bands, axis=1)], axis=1)
    centre = np.arange(reach, total - reach)
    before = sums[:, centre - skip] - sums[:, centre - reach]
    after = sums[:, centre + reach] - sums[:, centre + skip]
    norm = np.linalg.norm(before, axis=0) * np.linalg.norm(after, axis=0) + 1e-12
    distance = 1 - (before * after).sum(axis=0) / norm
    changes: list[int] = []
    wide = round(0.15 / hop)
    for index in np.flatnonzero((distance > 0.45) & (distance == maximum_filter1d(distance, 2 * reach + 1))):
        around = np.r_[distance[max(0, index - wide) : max(0, index - reach)], distance[index + reach : index + wide]]
        if not len(around) or np.median(around) < 0.5 * distance[index]:
            changes.append(offset + int(centre[index]))
    return changes


def _band_power(power: Samples) -> Vector:
    """Power in bands of about a third of an octave, each at least one bin wide."""
    edges = np.unique(np.rint(np.geomspace(2, power.shape[0], 28)).astype(int))
    bands = [power[low:high].sum(axis=0, dtype=np.float64) for low, high in pairwise(edges)]
    return np.asarray(bands, np.float64) + 1e-12


def _with_continuous_sound(
    spans: list[tuple[int, int]], envelope: _Envelope, samples: Samples, rate: int
) -> list[tuple[int, int]]:
    """Add the noise floor itself as a sound if it is no background: if it is loud, or tonal without other sounds."""
    whole = (0, len(envelope.level))
    low, middle = np.percentile(envelope.level, [3, 40])
    is_loud = envelope.floor > _LOUD_FLOOR_DBFS and middle - low < _MAX_FLOOR_RANGE_DB
    if spans and is_loud:
        return [*spans, whole]
    if spans:
        return spans
    is_tonal = envelope.floor > -64 and analyze_tone(samples, rate).share > 0.7
    if is_loud or is_tonal:
        return _split(whole, envelope, samples, rate)
    return []


def _trim(span: tuple[int, int], envelope: _Envelope) -> tuple[int, int]:
    """Remove the smear of the codec and of the analysis frame before and after a sudden sound."""
    first, last = span
    level = envelope.level[first:last]
    near_peak = np.flatnonzero(level > level.max() - 26)
    smear = round(0.07 / envelope.hop)
    head = int(near_peak[0])
    tail = len(level) - 1 - int(near_peak[-1])
    if head <= smear:
        first += head
    if tail <= smear:
        last -= tail
    return first, last


def _describe(
    span: tuple[int, int], envelope: _Envelope, samples: Samples, rate: int, start: float
) -> DetectedSound | None:
    """The sound event in a span of the envelope; None without samples."""
    import librosa

    hop = _hop_samples(rate)
    span = _trim(span, envelope)
    begin, end = _span_seconds(span, envelope, len(samples) / rate)
    part = samples[int(begin * rate) : max(int(begin * rate) + 8, int(end * rate))]
    level = envelope.level[span[0] : span[1]]
    if not len(part) or not len(level):
        return None
    height = float(level.max() - envelope.floor)
    tone = analyze_tone(part, rate)
    median_frequency = _median_frequency(part, rate)
    sound_class: SoundClass = "noise"
    if end - begin < _MAX_CLICK_SECONDS:
        sound_class = "click"
    if _is_pitched(tone, part, rate) and _is_own_pitch(tone, height, envelope.floor, median_frequency):
        sound_class = "tone"
    is_tone = sound_class == "tone"
    pitch = None
    if is_tone and tone.pitch:
        pitch = round(tone.pitch, 1)
    peak = int(np.argmax(level))
    faded = np.flatnonzero(level[peak:] < level[peak] - 20)
    # A sound that does not fade by 20 dB decays to its end.
    decay = next(iter(faded.tolist()), len(level) - peak)
    size = min(1024, 2 ** int(np.log2(len(part))))
    centroid = librosa.feature.spectral_centroid(y=part, sr=rate, n_fft=size, hop_length=max(1, size // 2))[0]
    confidence = float(np.clip((height - 4) / 20, 0.1, 1.0)) * min(1.0, 0.4 + rate / 8000)
    return DetectedSound(
        start=round(start + begin, 3),
        end=round(start + end, 3),
        level=round(10 * float(np.log10(np.mean(part.astype(np.float64) ** 2) + 1e-10)), 1),
        sound_class=sound_class,
        pitch=pitch,
        harmonic=is_tone and tone.harmonic,
        attack=round(peak * hop / rate, 3),
        decay=round(decay * hop / rate, 3),
        brightness=round(float(np.median(centroid)), 0),
        confidence=round(confidence, 2),
        median_frequency=round(median_frequency, 0),
        tonality=round(tone.share, 2),
    )


def _span_seconds(span: tuple[int, int], envelope: _Envelope, length: float) -> Span:
    """Onset and end in seconds, without the smear of the analysis frame at edges inside the recording."""
    smear = _FRAME_SECONDS / 2 * 0.8
    begin = span[0] * envelope.hop
    if span[0] > 0:
        begin += smear
    end = (span[1] - 1) * envelope.hop
    if span[1] < len(envelope.level):
        end -= smear
    else:
        end += envelope.hop
    return begin, min(length, max(end, begin + 0.005))


def _is_pitched(tone: ToneAnalysis, part: Samples, rate: int) -> bool:
    """Whether a sound is tonal, with enough periods and steady partials."""
    if tone.pitch is None or tone.share <= 0.55:
        return False
    return _energetic_seconds(part, rate) * tone.pitch > _MIN_PERIODS and has_steady_partials(part, rate)


def _is_own_pitch(tone: ToneAnalysis, height: float, floor: float, median_frequency: float) -> bool:
    """Whether a pitch belongs to the sound itself and not to the noise floor below it."""
    floor_may_be_pitched = floor > _SILENCE_DBFS - 10 and _MIN_ABOVE_FLOOR_DB < height < _MIN_PITCHED_DB
    carries_pitch = tone.pitch is not None and median_frequency > _MIN_MEDIAN_RATIO * tone.pitch
    return carries_pitch and not floor_may_be_pitched


def _energetic_seconds(part: Samples, rate: int) -> float:
    """The time in which most of an event's energy lies; a sound that fades quickly has few audible periods."""
    cell = max(1, round(0.005 * rate))
    cells = part[: len(part) // cell * cell].astype(np.float64).reshape(-1, cell)
    amplitude = np.sqrt((cells**2).mean(axis=1))
    energy = float((amplitude**2).sum())
    if not energy:
        return 0.0
    return float(amplitude.sum()) ** 2 / energy * cell / rate


def _median_frequency(part: Samples, rate: int) -> float:
    """The frequency below which half of the energy lies, Hz."""
    size = max(1024, len(part))
    energy = np.cumsum(np.abs(np.fft.rfft(part * np.hanning(len(part)), size)) ** 2)
    return float(np.searchsorted(energy, energy[-1] / 2)) * rate / size


def _silences(envelope: _Envelope, spans: list[tuple[int, int]], length: float, start: float) -> tuple[Span, ...]:
    quiet = envelope.level < _SILENCE_DBFS
    for first, last in spans:
        quiet[first:last] = False
    silences = []
    for first, last in true_runs(_fill_gaps(quiet, max(1, round(0.01 / envelope.hop)))):
        begin = first * envelope.hop
        end = min(length, last * envelope.hop)
        if end - begin >= _MIN_SILENCE_SECONDS:
            silences.append((round(start + begin, 3), round(start + end, 3)))
    return tuple(silences)
