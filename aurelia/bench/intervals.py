"""Intervals that hold where the bootstrap does not: few clips, and answers that are all right or all wrong.

The bootstrap over clips (`aurelia.bench.statistics`) gives an interval of width 0 for 285 of 285, and one that is too
narrow for ten clips. Here Wilson's interval takes the place of the first, Student's t over clips that of the second.
Holm's correction is for several comparisons in one table.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import binomtest, t

from aurelia.bench.statistics import BOOTSTRAP_DRAWS, CONFIDENCE_LEVEL, estimate_accuracy
from aurelia_core.errors import InputError

Method = Literal["bootstrap", "t", "wilson", "none"]
FEW_CLIPS = 20
"""Below this number of clips the interval is Student's t over clips."""
LEAST_CLIPS = 5
"""Below this number of clips an interval says nothing."""
WIDEST = 0.5
"""An interval of an accuracy that is at least this wide says nothing."""
_FLIPS = 10_000
_SIGNS_AT_ONCE = 2_000_000
_EXACT_FLIPS = 13


class CellInterval(NamedTuple):
    """A mean, its 95 % interval, and how it was made.

    Attributes:
        value: the mean; of an accuracy in 0..1, of a difference in -1..1.
        low, high: the interval; None where there is none (one clip).
        n, clips: number of questions, and of their clips.
        method: how the interval was made.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    clips: int
    method: Method

    @property
    def says_nothing(self) -> bool:
        """Whether the interval is missing, rests on fewer than 5 clips, or is at least 50 points wide."""
        if self.low is None or self.high is None or self.clips < LEAST_CLIPS:
            return True
        return self.high - self.low >= WIDEST


class CellComparison(NamedTuple):
    """What a second arm changes over a first one, on the same questions.

    Attributes:
        difference: second minus first.
        fixed, broke: questions that only the second, or only the first, answers right.
        p: two-sided p of a sign-flip test over clips.
    """

    difference: CellInterval
    fixed: int
    broke: int
    p: float


def share_interval(
    values: Sequence[float | None], clips: Sequence[str], *, draws: int = BOOTSTRAP_DRAWS
) -> CellInterval:
    """The share of right answers with a clustered interval; an unparsed answer (None) counts as not right.

    Raises:
        InputError: there is nothing to average, or the lengths differ.
    """
    scores = [float(value or 0.0) for value in values]
    count = _count_clips(scores, clips)
    mean, n = sum(scores) / len(scores), len(scores)
    if count == 1:
        return CellInterval(mean, None, None, n, count, "none")
    if min(scores) == max(scores) and scores[0] in (0.0, 1.0):
        # A clip counts once: its questions are not independent.
        wilson = binomtest(count if scores[0] else 0, count).proportion_ci(CONFIDENCE_LEVEL, method="wilson")
        return CellInterval(mean, float(wilson.low), float(wilson.high), n, count, "wilson")
    return _interval(scores, clips, (0.0, 1.0), draws)


def compare_cells(
    first: Sequence[float | None], second: Sequence[float | None], clips: Sequence[str], *, draws: int = BOOTSTRAP_DRAWS
) -> CellComparison:
    """Compares two arms on the same questions in the same order.

    Raises:
        InputError: there is nothing to compare, or the lengths differ.
    """
    if len(first) != len(second):
        raise InputError(f"The arms have {len(first)} and {len(second)} scores: compare them on the same questions.")
    changes = [float(b or 0.0) - float(a or 0.0) for a, b in zip(first, second, strict=True)]
    n, count = len(changes), _count_clips(changes, clips)
    if count == 1:
        difference = CellInterval(sum(changes) / n, None, None, n, count, "none")
    elif not any(changes):
        # No clip of `count` shows a change: at most this share of them has one, with 95 % confidence (Wilson).
        most = float(binomtest(0, count).proportion_ci(CONFIDENCE_LEVEL, method="wilson").high)
        difference = CellInterval(0.0, -most, most, n, count, "wilson")
    else:
        difference = _interval(changes, clips, (-1.0, 1.0), draws)
    fixed, broke = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
    return CellComparison(difference, fixed, broke, sign_flip_p(changes, clips))


def _count_clips(values: Sequence[float], clips: Sequence[str]) -> int:
    if not values or len(values) != len(clips):
        raise InputError(
            f"There are {len(values)} scores for {len(clips)} clips: give at least one score, and one clip for each."
        )
    return len(set(clips))


def _interval(values: Sequence[float], clips: Sequence[str], bounds: tuple[float, float], draws: int) -> CellInterval:
    names, places = np.unique(np.asarray(clips), return_inverse=True)
    count, scores = len(names), np.asarray(values, dtype=np.float64)
    mean = float(scores.mean())
    if count >= FEW_CLIPS:
        found = estimate_accuracy(values, clips, draws=draws)
        return CellInterval(mean, found.low, found.high, found.questions, count, "bootstrap")
    # The mean over questions is a ratio of sums over clips: its residuals are summed by clip.
    residuals = np.bincount(places, weights=scores - mean)
    error = float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / len(scores))
    half = float(t.ppf((1 + CONFIDENCE_LEVEL) / 2, count - 1)) * error
    low, high = max(bounds[0], mean - half), min(bounds[1], mean + half)
    return CellInterval(mean, low, high, len(scores), count, "t")


def sign_flip_p(changes: Sequence[float], clips: Sequence[str]) -> float:
    """Two-sided p that the arms are exchangeable clip by clip: the signs of the clips' summed changes are flipped.

    Exact up to 13 clips with a change, else from 10,000 draws. 1 without any change.
    """
    _, places = np.unique(np.asarray(clips), return_inverse=True)
    sums = np.bincount(places, weights=np.asarray(changes, dtype=np.float64))
    sums = sums[sums != 0]
    if not len(sums):
        return 1.0
    if len(sums) <= _EXACT_FLIPS:
        bits = np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1
        totals = np.abs((bits * 2 - 1) @ sums)
        return float((totals >= abs(sums.sum()) - 1e-9).mean())
    rng, extreme = np.random.default_rng(0), 0
    at_once = max(1, _SIGNS_AT_ONCE // len(sums))
    for start in range(0, _FLIPS, at_once):
        signs = rng.integers(0, 2, (min(at_once, _FLIPS - start), len(sums))) * 2 - 1
        extreme += int((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9).sum())
    return (extreme + 1) / (_FLIPS + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction of the p of several comparisons, in the same order."""
    order = sorted(range(len(ps)), key=lambda index: ps[index])
    adjusted, highest = [0.0] * len(ps), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = highest
    return adjusted
