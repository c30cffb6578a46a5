"""The critic's beat measurement: autocorrelation of the strokes, accepted only if their spacing is regular."""

import numpy as np

from aurelia_offline.critic.arrays import FloatArray
from aurelia_offline.critic.evidence import HeardSound

_MIN_CORRELATION = 0.35
"""Least correlation of the strokes at the distance of a beat; sparse strokes have none, or a negative one."""


def find_beat(sounds: tuple[HeardSound, ...], times: FloatArray, rise: FloatArray) -> float | None:
    """The beat in beats per minute, from the autocorrelation of rises; None with fewer than four or irregular strokes.

    Args:
        sounds: the sounds of the track, in order.
        times: [frames], seconds.
        rise: [frames], rise of energy in dB.
    """
    if len(sounds) < 4 or len(times) < 50:
        return None
    pulse = np.zeros_like(times)
    for heard in sounds:
        pulse += np.exp(-0.5 * ((times - heard.start) / 0.02) ** 2)
    pulse *= 1 + np.clip(rise, 0, 12) / 12
    pulse -= pulse.mean()
    full = np.fft.irfft(np.abs(np.fft.rfft(pulse, 2 * len(pulse))) ** 2)[: len(pulse)]
    lags = np.arange(len(full)) * float(times[1] - times[0])
    allowed = (lags >= 0.22) & (lags <= min(1.6, lags[-1] / 2))
    if full[0] <= 0 or not allowed.any():
        return None
    norm = full / full[0] * len(full) / (len(full) - np.arange(len(full)))
    best = norm[allowed].max()
    if best < _MIN_CORRELATION:
        return None
    strong = np.flatnonzero(allowed & (norm >= 0.75 * best))
    lag = strong[0]
    while lag + 1 < len(norm) and norm[lag + 1] > norm[lag]:
        lag += 1
    gaps = np.diff([heard.start for heard in sounds])
    steps = gaps / lags[lag]
    regular = float(np.mean(np.abs(steps - np.round(steps)) < 0.12) * np.mean((steps > 0.7) & (steps < 1.4)))
    if regular < 0.45:
        return None
    steady = gaps[(steps > 0.85) & (steps < 1.15)]
    period = float(lags[lag])
    if len(steady):
        period = float(np.mean(steady))
    return 60.0 / period
