"""Accuracy with its uncertainty, and the difference of two arms: bootstrap over clips, McNemar, the paper's gain.

Questions about one clip are not independent, so the bootstrap draws whole clips and never single questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, bootstrap

from aurelia_core.errors import InputError

BOOTSTRAP_DRAWS = 10_000
CONFIDENCE_LEVEL = 0.95
BOOTSTRAP_SEED = 0
# Clips drawn in one batch: a large benchmark must not hold all its draws in memory at once.
_CLIPS_PER_BATCH = 5_000_000

_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval.

    Attributes:
        value: Mean over all questions; of an accuracy in 0..1.
        low: Lower end of the percentile bootstrap interval.
        high: Upper end of the interval.
        questions: Number of questions.
        clips: Number of clips that the questions are about. With few clips the interval is too narrow: do not rely on
            it below 20.
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
        difference: Second minus first, with its interval over clips.
        gained: Questions that only the second arm answers right.
        lost: Questions that only the first arm answers right.
        p: McNemar's exact two-sided p. The test assumes independent questions.
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
    """Share of right answers with a clustered interval; an unparsed answer (None) counts as not right.

    To exclude unparsed answers, do not pass them, and say so where you report the figure.

    Args:
        correct: 1, 0 or None by question.
        clips: The clip of each question.
        draws: Bootstrap draws.
        level: Confidence level, between 0 and 1.
        seed: Seed of the draws; the same seed gives the same interval.

    Raises:
        InputError: There is nothing to average, the lengths differ, or the level is not between 0 and 1.
    """
    return _estimate(_as_array(correct), clips, draws, level, seed)


def compare_paired(
    first: Sequence[float | None],
    second: Sequence[float | None],
    clips: Sequence[str],
    *,
    draws: int = BOOTSTRAP_DRAWS,
) -> PairedComparison:
    """Compares two arms on the same questions in the same order (see `estimate_accuracy` for the arguments).

    Raises:
        InputError: There is nothing to compare, or the lengths differ.
    """
    if len(first) != len(second):
        raise InputError(f"The arms have {len(first)} and {len(second)} scores: compare them on the same questions.")
    before = _as_array(first)
    after = _as_array(second)
    gained = int(np.sum(after > before))
    lost = int(np.sum(after < before))
    difference = _estimate(after - before, clips, draws, CONFIDENCE_LEVEL, BOOTSTRAP_SEED)
    return PairedComparison(difference, gained, lost, mcnemar_p(gained, lost))


def mcnemar_p(gained: int, lost: int) -> float:
    """McNemar's exact two-sided p, from the questions on which two arms differ; 1 if there are none.

    Raises:
        InputError: A count is negative.
    """
    if gained < 0 or lost < 0:
        raise InputError(f"McNemar's test counts questions; it got {gained} and {lost}.")
    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)


def relative_gain(with_reasoning: float, zero_shot: float) -> float | None:
    """Gain in percent as Table 1 prints it: (with - zero-shot) / zero-shot * 100; None if zero-shot is 0.

    Where the paper's zero-shot cell reads "X / Y", its printed gain is over Y.
    """
    if not zero_shot:
        return None
    return (with_reasoning - zero_shot) / zero_shot * 100


def _as_array(scores: Sequence[float | None]) -> _Values:
    return np.array([float(score or 0.0) for score in scores], dtype=np.float64)


def _estimate(values: _Values, clips: Sequence[str], draws: int, level: float, seed: int) -> Estimate:
    if len(values) != len(clips) or not len(values):
        raise InputError(
            f"There are {len(values)} scores for {len(clips)} clips: give at least one score, and one clip for each."
        )
    if not 0 < level < 1 or draws < 1:
        raise InputError(f"An interval needs a level between 0 and 1 and at least 1 draw, not {level} and {draws}.")
    names, places = np.unique(np.asarray(clips), return_inverse=True)
    sums = np.bincount(places, weights=values).astype(np.float64)
    sizes = np.bincount(places).astype(np.float64)
    mean = float(values.mean())
    if len(names) == 1:
        return Estimate(mean, mean, mean, len(values), 1)
    interval = bootstrap(
        (sums, sizes),
        _mean_over_questions,
        n_resamples=draws,
        batch=max(1, _CLIPS_PER_BATCH // len(names)),
        vectorized=True,
        paired=True,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high), len(values), len(names))


def _mean_over_questions(sums: _Values, sizes: _Values, axis: int) -> Any:
    """Mean over the questions of the drawn clips, from each clip's sum of scores and number of questions."""
    return sums.sum(axis=axis) / sizes.sum(axis=axis)
