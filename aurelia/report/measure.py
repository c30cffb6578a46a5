"""What a group of questions comes to: accuracy of both arms with intervals, their paired difference, and the counts.

The statistics themselves are `aurelia.bench.statistics`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from aurelia.bench import statistics as stats
from aurelia.bench.run_file import Arm
from aurelia.report.rows import ArmAnswer, Case
from aurelia.report.svg import Point

# Enough for a tenth of a point, and a report of thousands is made of a hundred intervals.
REPORT_DRAWS = 2000
SCORED_VERDICTS = ("right", "wrong", "part", "unparsed")


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm over a group.

    Attributes:
        n: answered and scored questions; an unparsed answer is among them and counts as not right.
        accuracy: percent with its interval, clustered by clip; null without any.
        unparsed, failed, unscored: counted apart.
    """

    n: int
    accuracy: Point
    unparsed: int
    failed: int
    unscored: int


@dataclass(frozen=True, slots=True)
class PairedFigures:
    """Both arms over the questions that both have answered: difference in points, and McNemar's exact test.

    `fixed` were right with AURELIA only, `broke` zero-shot only; `gain` is the relative gain as the paper prints it,
    percent of the zero-shot accuracy.
    """

    n: int
    difference: Point
    fixed: int
    broke: int
    p: float | None
    gain: float | None


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """A group of questions in figures."""

    name: str
    zero_shot: ArmFigures
    aurelia: ArmFigures
    paired: PairedFigures | None


def answer_value(side: ArmAnswer | None) -> float | None:
    """What an answer counts for: 0 when it cannot be parsed, None when there is nothing to count."""
    if side is None or side.verdict not in SCORED_VERDICTS:
        return None
    return side.value if side.value is not None else 0.0


def measure_groups(
    cases: Sequence[Case], name_of: Callable[[Case], str], names: Iterable[str] = ()
) -> list[GroupFigures]:
    """The cases by a name, in the order of `names`, then of appearance; names without cases are left out."""
    by_name: dict[str, list[Case]] = {name: [] for name in names}
    for case in cases:
        by_name.setdefault(name_of(case), []).append(case)
    return [measure_group(name, some) for name, some in by_name.items() if some]


def measure_group(name: str, cases: Sequence[Case]) -> GroupFigures:
    """Both arms over these cases."""
    return GroupFigures(name, arm_figures(cases, "zero_shot"), arm_figures(cases, "aurelia"), paired_figures(cases))


def arm_figures(cases: Sequence[Case], arm: Arm) -> ArmFigures:
    """One arm over these cases."""
    verdicts = [case.sides[arm].verdict for case in cases if arm in case.sides]
    counts = {name: verdicts.count(name) for name in ("unparsed", "failed", "unscored")}
    return ArmFigures(sum(verdict in SCORED_VERDICTS for verdict in verdicts), arm_accuracy(cases, arm), **counts)


def arm_accuracy(cases: Sequence[Case], arm: Arm) -> Point:
    """One arm's accuracy in percent over those of the cases that it answered and that are scored."""
    values = [(answer_value(case.sides.get(arm)), case.clip) for case in cases]
    known = [(value, clip) for value, clip in values if value is not None]
    return mean_percent([value for value, _ in known], [clip for _, clip in known])


def mean_percent(values: Sequence[float], clips: Sequence[str]) -> Point:
    """The mean in percent with its interval; nothing of nothing."""
    if not values:
        return Point(None)
    return _cached_mean(tuple(values), tuple(clips))


@lru_cache(256)
def _cached_mean(values: tuple[float, ...], clips: tuple[str, ...]) -> Point:
    """The same group stands in tables, tiles and figures: its interval is made once."""
    return _as_point(stats.estimate_accuracy(values, clips, draws=REPORT_DRAWS))


def _as_point(found: stats.Estimate) -> Point:
    if found.clips < 2:
        return Point(100 * found.value, n=found.questions)
    return Point(100 * found.value, 100 * found.low, 100 * found.high, found.questions)


def paired_figures(cases: Sequence[Case]) -> PairedFigures | None:
    """Both arms over the cases that both answered; None where there are none."""
    both = [
        (answer_value(case.sides.get("zero_shot")), answer_value(case.sides.get("aurelia")), case.clip)
        for case in cases
    ]
    known = [(zero, ours, clip) for zero, ours, clip in both if zero is not None and ours is not None]
    if not known:
        return None
    zero, ours = [zero for zero, *_ in known], [ours for _, ours, _ in known]
    found = _cached_comparison(tuple(zero), tuple(ours), tuple(clip for *_, clip in known))
    gain = stats.relative_gain(sum(ours), sum(zero))
    return PairedFigures(len(known), _as_point(found.difference), found.gained, found.lost, found.p, gain)


@lru_cache(64)
def _cached_comparison(
    zero: tuple[float, ...], ours: tuple[float, ...], clips: tuple[str, ...]
) -> stats.PairedComparison:
    return stats.compare_paired(zero, ours, clips, draws=REPORT_DRAWS)
