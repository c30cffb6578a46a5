"""The figures of a report, computed from the cases of its runs."""

from collections.abc import Callable, Sequence

from aurelia.report import svg as figures
from aurelia.report.measure import arm_accuracy
from aurelia.report.paper_table1 import ALL_COLUMN_TITLES
from aurelia.report.rows import Case
from aurelia.report.svg import AxisScale, Point, SvgFigure
from aurelia.report.tables import ARM_NAMES, RunFigures
from aurelia_core.sanitize import escape_invisible

_SCORE_SCALE = AxisScale("score", 0, 10.5)
_MODALITIES = ("audio", "visual", "both", "knowledge")


def report_figures(runs: Sequence[RunFigures]) -> list[SvgFigure]:
    """All figures that have data."""
    found: list[SvgFigure | None] = [column_bars(runs)]
    if len(runs) > 1:
        found.append(run_bars(runs))
    for run in runs:
        tail = ""
        if len(runs) > 1:
            tail = f", {escape_invisible(run.name)}"
        found += [calibration_curves(run, tail), score_curve(run, tail), modality_stacks(run, tail)]
    return [figure for figure in found if figure is not None]


def column_bars(runs: Sequence[RunFigures]) -> SvgFigure | None:
    """Accuracy of both arms by column, for the first run."""
    if not runs or not runs[0].cases:
        return None
    found = {}
    for column in dict.fromkeys(case.column for case in runs[0].cases):
        cases = [case for case in runs[0].cases if case.column == column]
        found[ALL_COLUMN_TITLES[column]] = _arm_accuracies(cases)
    note = f"{escape_invisible(runs[0].name)}: percent right, with 95 % intervals."
    return figures.draw_bars("Accuracy by column", note, found)


def run_bars(runs: Sequence[RunFigures]) -> SvgFigure:
    """Runs side by side: the paper's Table 4 (agents of one provider against a mixture)."""
    found = {escape_invisible(run.name): _arm_accuracies(run.cases) for run in runs}
    note = "One group per run, over all its questions. The section Runs lists the models of each role."
    return figures.draw_bars("Runs compared (Table 4)", note, found)


def calibration_curves(run: RunFigures, tail: str) -> SvgFigure | None:
    """Accuracy by the score of the best attempt: does a higher score mean a better answer?"""
    scored = [case for case in run.cases if case.best_score is not None]
    scores = sorted({case.best_score for case in scored if case.best_score is not None})
    if not scores:
        return None
    lines: dict[str, list[Point]] = {title: [] for title in ARM_NAMES.values()}
    counts = []
    for score in scores:
        cases = [case for case in scored if case.best_score == score]
        counts.append(f"{score}: {len(cases)}")
        for title, point in _arm_accuracies(cases).items():
            lines[title].append(point)
    note = (
        "If the score is informative, AURELIA is above zero-shot on the right."
        f" Questions by score: {', '.join(counts)}."
    )
    return figures.draw_curves(
        f"Accuracy by the evaluator's score{tail}", note, scores, "score of the best attempt", lines
    )


def score_curve(run: RunFigures, tail: str) -> SvgFigure | None:
    """Mean of the best score so far over the attempts; a question that stopped earlier keeps its last score."""
    looped = [case for case in run.cases if case.attempts]
    longest = max((len(case.attempts) for case in looped), default=0)
    if longest < 2:
        return None
    points = []
    for count in range(1, longest + 1):
        best = [max((score or 0 for score, _ in case.attempts[:count]), default=0) for case in looped]
        points.append(Point(sum(best) / len(best), n=len(best)))
    note = "The best score so far, 1 to 10, on average; an attempt without a score counts as 0."
    return figures.draw_curves(
        f"Score over attempts{tail}", note, range(1, longest + 1), "attempt", {"best score": points}, _SCORE_SCALE
    )


def modality_stacks(run: RunFigures, tail: str) -> SvgFigure | None:
    """Modalities that the steps of the given reasoning rest on: is it one-sided?"""
    with_steps = [case for case in run.cases if case.modalities]
    if not with_steps:
        return None
    found: dict[str, dict[str, float]] = {}
    for column in dict.fromkeys(case.column for case in with_steps):
        some = [case for case in with_steps if case.column == column]
        whole = sum(sum(case.modalities.values()) for case in some)
        shares = {}
        for name in _MODALITIES:
            shares[name] = 100 * sum(case.modalities.get(name, 0) for case in some) / whole
        found[ALL_COLUMN_TITLES[column]] = shares
    audio_only = 100 * sum(map(_rests_only_on("audio"), with_steps)) / len(with_steps)
    visual_only = 100 * sum(map(_rests_only_on("visual"), with_steps)) / len(with_steps)
    note = f"{audio_only:.0f} % of the reasonings rest on audio alone, {visual_only:.0f} % on the picture alone."
    return figures.draw_stacks(f"What the reasoning rests on{tail}", note, found, "% of the steps")


def _arm_accuracies(cases: Sequence[Case]) -> dict[str, Point]:
    return {title: arm_accuracy(cases, arm) for arm, title in ARM_NAMES.items()}


def _rests_only_on(name: str) -> Callable[[Case], bool]:
    """A test whether a case's reasoning rests on that modality, and never on the other one or on both."""
    other = {"audio": "visual", "visual": "audio"}[name]
    return lambda case: (
        bool(case.modalities.get(name)) and not (case.modalities.get(other) or case.modalities.get("both"))
    )
