"""Accuracy with its uncertainty, and the difference of two arms: bootstrap over clips, McNemar, the paper's gain.

It works on arrays of marks and reads no run file. Questions about one clip are not independent, so whole clips are
drawn, never single questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from aurelia_core.errors import InputError

BOOTSTRAP_DRAWS = 10_000
CONFIDENCE_LEVEL = 0.95
BOOTSTRAP_SEED = 0
# Draws are made in blocks of this many sums, so that a large benchmark does not need them all in memory at once.
_BLOCK = 20_000_000

_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval.

    Attributes:
        value: the mean over all questions; of an accuracy in 0..1.
        low: the interval's lower end, of the percentile bootstrap.
        high: its upper end.
        questions: how many questions it rests on.
        clips: how many clips these are about; with few, the interval is too narrow (below 20, do not rely on it).
    """

    value: float
    low: float
    high: float
    questions: int
    clips: int


@dataclass(frozen=True, slots=True)
class PairedComparison:
    """What a second arm changes over a first one, on the same questions.

    Attributes:
        difference: second less first, with its interval over clips.
        gained: questions that only the second has right.
        lost: questions that only the first has right.
        p: McNemar's exact two-sided p; it takes questions for independent.
    """

    difference: Estimate
    gained: int
    lost: int
    p: float


def estimate_accuracy(
    correct: Sequence[float | None],
    clips: Sequence[str],
    *,
    draws: int = BOOTSTRAP_DRAWS,
    level: float = CONFIDENCE_LEVEL,
    seed: int = BOOTSTRAP_SEED,
) -> Estimate:
    """The share of right answers, an unparsed one (None) being not right; its interval draws whole clips.

    To leave unparsed answers out instead, leave them out of what is given, and say so.

    Args:
        correct: 1, 0 or None by question.
        clips: the clip that each question is about.
        draws: bootstrap draws.
        level: of the interval, between 0 and 1.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        InputError: there is nothing to average, lengths differ, or the level is not between 0 and 1.
    """
    return _estimate(_as_array(correct), clips, draws, level, seed)


def compare_paired(
    first: Sequence[float | None],
    second: Sequence[float | None],
    clips: Sequence[str],
    *,
    draws: int = BOOTSTRAP_DRAWS,
    level: float = CONFIDENCE_LEVEL,
    seed: int = BOOTSTRAP_SEED,
) -> PairedComparison:
    """Compares two arms on the same questions, in the same order (see `accuracy` for the arguments).

    Raises:
        InputError: there is nothing to compare, or lengths differ.
    """
    if len(first) != len(second):
        raise InputError(f"The arms have {len(first)} and {len(second)} marks: compare them on the same questions.")
    before, after = _as_array(first), _as_array(second)
    gained, lost = int(np.sum(after > before)), int(np.sum(after < before))
    return PairedComparison(_estimate(after - before, clips, draws, level, seed), gained, lost, mcnemar_p(gained, lost))


def mcnemar_p(gained: int, lost: int) -> float:
    """McNemar's exact two-sided p of the questions on which two arms differ; 1 when they differ on none.

    Raises:
        InputError: a count is negative.
    """
    if gained < 0 or lost < 0:
        raise InputError(f"McNemar's test counts questions; it was given {gained} and {lost}.")
    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def relative_gain(with_reasoning: float, zero_shot: float) -> float | None:
    """The gain in percent as Table 1 prints it: (with - zero-shot) / zero-shot * 100; None over a zero-shot of 0.

    Where the paper's zero-shot cell reads "X / Y", its printed gain is over Y.
    """
    return (with_reasoning - zero_shot) / zero_shot * 100 if zero_shot else None


def _as_array(marks: Sequence[float | None]) -> _Values:
    return np.array([0.0 if mark is None else float(mark) for mark in marks], dtype=np.float64)


def _estimate(values: _Values, clips: Sequence[str], draws: int, level: float, seed: int) -> Estimate:
    if len(values) != len(clips) or not len(values):
        raise InputError(
            f"There are {len(values)} marks for {len(clips)} clips: give one clip for each mark, and some."
        )
    if not 0 < level < 1 or draws < 1:
        raise InputError(f"An interval needs a level between 0 and 1 and some draws, not {level} and {draws}.")
    names, place = np.unique(np.asarray(clips), return_inverse=True)
    sums = np.bincount(place, weights=values).astype(np.float64)
    sizes = np.bincount(place).astype(np.float64)
    means = _bootstrap_means(sums, sizes, draws, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(values.mean()), float(low), float(high), len(values), len(names))


def _bootstrap_means(sums: _Values, sizes: _Values, draws: int, seed: int) -> _Values:
    """The mean over the questions of as many clips as there are, drawn with replacement, `draws` times."""
    generator = np.random.default_rng(seed)
    count = len(sums)
    block = max(1, _BLOCK // count)
    parts = []
    for start in range(0, draws, block):
        times = generator.multinomial(count, np.full(count, 1 / count), size=min(block, draws - start))
        parts.append((times @ sums) / (times @ sizes))
    return np.concatenate(parts)
