"""Figures of a group of questions: accuracy of both arms with intervals, their paired difference, and counts.

`aurelia.bench.intervals` computes the intervals, `aurelia.bench.statistics` McNemar's test.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aurelia.bench import statistics as stats
from aurelia.bench.intervals import CellComparison, CellInterval, compare_cells, share_interval
from aurelia.bench.run_file import Arm
from aurelia.bench.tally import SCORED_VERDICTS, JudgedAnswer, count_judged
from aurelia.report.rows import ArmAnswer, Case
from aurelia.report.svg import Point

# Precise to a tenth of a point; a report of thousands of questions has about a hundred intervals.
REPORT_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm over a group.

    Attributes:
        n: Answered and scored questions, with the unparsed ones, which count as not right.
        accuracy: Percent with its interval, clustered by clip; null without questions.
        unparsed, failed, captions: Counts of questions (`aurelia.bench.tally`).
    """

    n: int
    accuracy: Point
    unparsed: int
    failed: int
    captions: int


@dataclass(frozen=True, slots=True)
class PairedFigures:
    """Both arms over the questions that both answered: difference in points, and McNemar's exact test.

    `fixed` questions are right only with AURELIA, `broke` only zero-shot. `gain` is the relative gain as the paper
    prints it, in percent of the zero-shot accuracy. `first` and `second` are the accuracies in percent.
    """

    n: int
    first: float
    second: float
    difference: Point
    fixed: int
    broke: int
    p: float | None
    gain: float | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of a group of questions."""

    name: str
    zero_shot: ArmFigures
    aurelia: ArmFigures
    paired: PairedFigures | None


def answer_value(side: ArmAnswer | None) -> float | None:
    """Value of an answer in the accuracy: 0 if it is unparsed, None if it does not count."""
    if side is None or side.verdict not in SCORED_VERDICTS:
        return None
    return side.value or 0.0


def measure_groups(
    cases: Sequence[Case], name_of: Callable[[Case], str], names: Iterable[str] = ()
) -> list[GroupFigures]:
    """The cases grouped by a name, in the order of `names`, then of appearance; empty groups are left out."""
    by_name: dict[str, list[Case]] = {name: [] for name in names}
    for case in cases:
        by_name.setdefault(name_of(case), []).append(case)
    return [measure_group(name, some) for name, some in by_name.items() if some]


def measure_group(name: str, cases: Sequence[Case]) -> GroupFigures:
    """Both arms over these cases."""
    return GroupFigures(name, arm_figures(cases, "zero_shot"), arm_figures(cases, "aurelia"), paired_figures(cases))


def arm_figures(cases: Sequence[Case], arm: Arm) -> ArmFigures:
    """One arm over these cases."""
    answers = [case.answers[arm] for case in cases if arm in case.answers]
    count = count_judged(JudgedAnswer(answer.verdict, answer.value) for answer in answers)
    return ArmFigures(count.scored, arm_accuracy(cases, arm), count.unparsed, count.failed, count.captions)


def arm_accuracy(cases: Sequence[Case], arm: Arm) -> Point:
    """One arm's accuracy in percent over the cases that it answered and that are scored."""
    values = [(answer_value(case.answers.get(arm)), case.clip) for case in cases]
    known = [(value, clip) for value, clip in values if value is not None]
    return mean_percent([value for value, _ in known], [clip for _, clip in known])


def mean_percent(values: Sequence[float], clips: Sequence[str]) -> Point:
    """The mean in percent with its interval; no value without values."""
    if not values:
        return Point(None)
    return _cached_mean(tuple(values), tuple(clips))


@lru_cache(256)
def _cached_mean(values: tuple[float, ...], clips: tuple[str, ...]) -> Point:
    """Caches the interval: the same group is in tables, tiles and figures."""
    return _as_point(share_interval(values, clips, draws=REPORT_DRAWS))


def _as_point(found: CellInterval) -> Point:
    if found.low is None or found.high is None:
        return Point(100 * found.value, n=found.n)
    return Point(100 * found.value, 100 * found.low, 100 * found.high, found.n)


def paired_figures(cases: Sequence[Case]) -> PairedFigures | None:
    """Both arms over the cases that both answered; None if there are none."""
    known = answered_pairs(cases)
    if not known:
        return None
    zero, ours, clips = zip(*known, strict=True)
    return compare_values(zero, ours, clips)


def answered_pairs(cases: Sequence[Case]) -> list[tuple[float, float, str]]:
    """Zero-shot value, AURELIA value and clip of the questions that both arms answered."""
    pairs = []
    for case in cases:
        zero = answer_value(case.answers.get("zero_shot"))
        ours = answer_value(case.answers.get("aurelia"))
        if zero is not None and ours is not None:
            pairs.append((zero, ours, case.clip))
    return pairs


def compare_values(first: Sequence[float], second: Sequence[float], clips: Sequence[str]) -> PairedFigures:
    """Second against first values of the same questions; there must be one at least."""
    found = _cached_comparison(tuple(first), tuple(second), tuple(clips))
    gain = stats.relative_gain(sum(second), sum(first))
    p = stats.mcnemar_p(found.fixed, found.broke)
    means = [100 * sum(values) / len(values) for values in (first, second)]
    return PairedFigures(len(first), means[0], means[1], _as_point(found.difference), found.fixed, found.broke, p, gain)


@lru_cache(64)
def _cached_comparison(zero: tuple[float, ...], ours: tuple[float, ...], clips: tuple[str, ...]) -> CellComparison:
    return compare_cells(zero, ours, clips, draws=REPORT_DRAWS)
