"""Sampling sound at a lower rate: what a look with a small budget of samples can hear."""

import math

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.media.ingest import STORED_SAMPLE_RATE

MAX_BLOCK_SAMPLES = 1 << 20
"""Samples that are transformed at once; longer sound goes in blocks: memory is bounded, and time grows evenly."""
_BLOCK_MARGIN = 2048
"""Samples, at the lower rate, of its neighbours that each block is filtered with: what is farther off is not heard."""
_MAX_STEP_RATIO = 80
"""How many times lower a rate may be for long sound to get there in one step, which bounds a block's margins."""


def downsample(samples: Samples, rate: int) -> Samples:
    """Sound at 16 kHz brought to a lower rate, with nothing left above half of it.

    Args:
        samples: float32[n] at 16 kHz.
        rate: 1..16000 Hz.

    Returns:
        float32[round(n * rate / 16000)], -1..1.
    """
    count, given = round(len(samples) * rate / STORED_SAMPLE_RATE), STORED_SAMPLE_RATE
    if rate == STORED_SAMPLE_RATE or count == 0:
        return np.array(samples[:count], np.float32)
    while len(samples) > MAX_BLOCK_SAMPLES and given > _MAX_STEP_RATIO * rate:
        samples, given = _lowered(samples, given, given // 10, -(-len(samples) // 10)), given // 10
    made = _lowered(samples, given, rate, count)
    return np.clip(made, -1.0, 1.0, out=made)


def _lowered(samples: Samples, given: int, rate: int, count: int) -> Samples:
    """The first `count` samples at a rate below the given one; mirrored where the sound ends before them."""
    # A Fourier filter of all that is heard together is the sharpest. Lengths are whole periods of both rates, so that
    # samples fall exactly on their times; mirrored edges keep the two ends from ringing into each other.
    step = given // math.gcd(rate, given)
    edge = 4 * given // rate + given // 10 if len(samples) <= MAX_BLOCK_SAMPLES else _BLOCK_MARGIN * given // rate
    edge = -(-edge // step) * step
    length = step * _smooth(-(-(min(len(samples), MAX_BLOCK_SAMPLES) + 2 * edge) // step))
    made, first, each = (size * rate // given for size in (length, edge, length - 2 * edge))
    # A roll-off over the last tenth of the band: a brick wall would ring around every click.
    band = np.clip(10.0 * (1.0 - np.arange(made // 2 + 1) / (made / 2)), 0.0, 1.0) * (rate / given)
    found = np.empty(count, np.float32)
    for place in range(0, count, each):
        start = place * given // rate - edge
        heard, before = samples[max(0, start) : start + length], max(0, -start)
        padded = np.pad(heard.astype(np.float64), (before, length - before - len(heard)), mode="symmetric")
        signal = np.fft.irfft(np.fft.rfft(padded)[: made // 2 + 1] * band, made)
        found[place : place + each] = signal[first : first + min(each, count - place)]
    return found


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
