"""Sampling sound at a lower rate: what a look with a small budget of samples can hear."""

import math

import numpy as np
import numpy.typing as npt

from aurelia.media.ingest import RATE

Samples = npt.NDArray[np.float32]


def resampled(samples: Samples, rate: int) -> Samples:
    """Sound at 16 kHz brought to a lower rate, with nothing left above half of it.

    Args:
        samples: float32[n] at 16 kHz.
        rate: 1..16000 Hz.

    Returns:
        float32[round(n * rate / 16000)], -1..1.
    """
    count = round(len(samples) * rate / RATE)
    if rate == RATE or count == 0:
        return np.array(samples[:count], np.float32)
    # A whole-signal Fourier filter is the sharpest. Lengths are whole periods of both rates, so that samples fall
    # exactly on their times; mirrored edges keep the two ends from ringing into each other.
    step = RATE // math.gcd(rate, RATE)
    edge = -(-(4 * RATE // rate + RATE // 10) // step) * step
    length = step * _smooth(-(-(len(samples) + 2 * edge) // step))
    padded = np.pad(samples.astype(np.float64), (edge, length - edge - len(samples)), mode="symmetric")
    spectrum = np.fft.rfft(padded)
    made = len(padded) * rate // RATE
    kept = spectrum[: made // 2 + 1]
    # A roll-off over the last tenth of the band: a brick wall would ring around every click.
    kept *= np.clip(10.0 * (1.0 - np.arange(len(kept)) / (made / 2)), 0.0, 1.0)
    signal = np.fft.irfft(kept, made) * (rate / RATE)
    first = edge * rate // RATE
    return np.clip(signal[first : first + count], -1.0, 1.0).astype(np.float32)


def _smooth(least: int) -> int:
    """The smallest number from `least` on without prime factors above 5: a Fourier transform of it is quick."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << max(0, (-(-least // three) - 1).bit_length()))
            three *= 3
        five *= 5
    return best
