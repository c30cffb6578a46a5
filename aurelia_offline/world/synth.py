"""Synthesizes the sounds of scenes: waveforms of known pitch and length. The scene sets their level."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float64]
Voice = Literal["tone", "reed", "bell", "noise", "click"]

RENDER_RATE = 48000
"""Sampling rate of every waveform and of the rendered sound track, Hz."""


def synthesize(voice: Voice, pitch: float, count: int, rng: np.random.Generator) -> Wave:
    """The waveform of one sound, float64[count] at 48 kHz, not normalized.

    Args:
        voice: tone (a sine with soft edges), reed (rich and harmonic), bell (an inharmonic strike that decays), noise
            (a continuous hiss) or click (a broadband tick).
        pitch: fundamental frequency in Hz; ignored for noise and click.
        count: length in samples, at least 1.
        rng: the random generator.
    """
    time = np.arange(count) / RENDER_RATE
    span = count / RENDER_RATE
    if voice == "click":
        return rng.uniform(-1, 1, count) * np.exp(-time / (span / 3)) * _soft_edges(count, 0.001)
    if voice == "noise":
        return rng.uniform(-1, 1, count) * _soft_edges(count, 0.01)
    if voice == "tone":
        return np.sin(2 * np.pi * pitch * time) * _soft_edges(count, 0.012)
    if voice == "reed":
        overtones = [(float(k), k**-0.8, math.inf) for k in range(1, 13)]
        return _add_partials(overtones, pitch, time) * _soft_edges(count, 0.02)
    strike = [(1.0, 1.0, 0.45), (2.756, 0.6, 0.3), (5.404, 0.35, 0.2), (8.933, 0.15, 0.12)]
    return _add_partials([(ratio, gain, share * span) for ratio, gain, share in strike], pitch, time) * _soft_edges(
        count, 0.002
    )


def _add_partials(partials: list[tuple[float, float, float]], pitch: float, time: Wave) -> Wave:
    """The sum of sines (ratio to the pitch, amplitude, decay in seconds) up to 18 kHz; AAC removes what is higher."""
    total: Wave = np.zeros(len(time))
    for number, (ratio, gain, decay) in enumerate(partials):
        if ratio * pitch < 18000:
            total += gain * np.exp(-time / decay) * np.sin(2 * np.pi * ratio * pitch * time + 1.7 * number**2)
    return total


def _soft_edges(count: int, seconds: float) -> Wave:
    """A window with smooth edges of `seconds`, or of a quarter of the length if that is shorter."""
    ramp = max(1, min(round(seconds * RENDER_RATE), count // 4))
    edge = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    window = np.ones(count)
    window[:ramp] = edge[:count]
    window[-ramp:] *= edge[::-1][:count]
    return window
