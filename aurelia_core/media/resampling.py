"""Resampling of sound to a lower rate, for requests with a small budget of samples."""

import math

import numpy as np

from aurelia_core.arrays import Samples
from aurelia_core.media.sound import STORED_SAMPLE_RATE

MAX_BLOCK_SAMPLES = 1 << 20
"""Longest sound that is transformed at once, in samples. Longer sound is split into blocks, to limit the memory."""
_BLOCK_MARGIN = 2048
"""Overlap of neighbouring blocks in samples at the lower rate; the effect of samples farther away is inaudible."""
_MAX_STEP_RATIO = 80
"""Largest ratio of rates in one step for long sound, which limits the overlap of its blocks."""


def downsample(samples: Samples, rate: int) -> Samples:
    """Resample sound from 16 kHz to a lower rate, without aliasing.

    Args:
        samples: float32[n] at 16 kHz.
        rate: 1..16000 Hz.

    Returns:
        float32[round(n * rate / 16000)], -1..1.
    """
    given = STORED_SAMPLE_RATE
    count = round(len(samples) * rate / given)
    if rate == STORED_SAMPLE_RATE or count == 0:
        return np.array(samples[:count], np.float32)
    while len(samples) > MAX_BLOCK_SAMPLES and given > _MAX_STEP_RATIO * rate:
        samples = _resample(samples, given, given // 10, -(-len(samples) // 10))
        given = given // 10
    resampled = _resample(samples, given, rate, count)
    return np.clip(resampled, -1.0, 1.0, out=resampled)


def _resample(samples: Samples, given: int, rate: int, count: int) -> Samples:
    """The first `count` samples at `rate`, which is below the given rate; sound that is too short is mirrored."""
    # One Fourier transform of a whole block is the sharpest filter. Block lengths are whole periods of both rates, so
    # that samples fall exactly on their times. Mirrored edges prevent ringing between the two ends of a block.
    step = given // math.gcd(rate, given)
    edge = _BLOCK_MARGIN * given // rate
    if len(samples) <= MAX_BLOCK_SAMPLES:
        edge = 4 * given // rate + given // 10
    edge = -(-edge // step) * step
    length = step * _fast_fft_length(-(-(min(len(samples), MAX_BLOCK_SAMPLES) + 2 * edge) // step))
    new_length = length * rate // given
    new_edge = edge * rate // given
    new_step = (length - 2 * edge) * rate // given
    # Roll off over the last tenth of the band: a sharp cut would ring around every click.
    band = np.clip(10.0 * (1.0 - np.arange(new_length // 2 + 1) / (new_length / 2)), 0.0, 1.0) * (rate / given)
    resampled = np.empty(count, np.float32)
    for position in range(0, count, new_step):
        start = position * given // rate - edge
        block = samples[max(0, start) : start + length]
        before = max(0, -start)
        padded = np.pad(block.astype(np.float64), (before, length - before - len(block)), mode="symmetric")
        signal = np.fft.irfft(np.fft.rfft(padded)[: new_length // 2 + 1] * band, new_length)
        resampled[position : position + new_step] = signal[new_edge : new_edge + min(new_step, count - position)]
    return resampled


def _fast_fft_length(least: int) -> int:
    """The smallest number >= `least` without prime factors above 5: its Fourier transform is fast."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            best = min(best, three << max(0, (-(-least // three) - 1).bit_length()))
            three *= 3
        five *= 5
    return best
