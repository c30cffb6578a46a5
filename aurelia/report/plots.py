"""Which figures a report has: each from counts over the cases of its runs, or from an ablation that was made of one."""

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
    """Every figure that there is something for."""
    found: list[SvgFigure | None] = [column_bars(runs)]
    if len(runs) > 1:
        found.append(run_bars(runs))
    for run in runs:
        tail = f", {escape_invisible(run.name)}" if len(runs) > 1 else ""
        found += [calibration_curves(run, tail), score_curve(run, tail), modality_stacks(run, tail)]
    return [figure for figure in found if figure is not None]


def column_bars(runs: Sequence[RunFigures]) -> SvgFigure | None:
    """Both arms by column, of the first run."""
    if not runs or not runs[0].cases:
        return None
    found = {
        ALL_COLUMN_TITLES[column]: {
            title: arm_accuracy([case for case in runs[0].cases if case.column == column], arm)
            for arm, title in ARM_NAMES.items()
        }
        for column in dict.fromkeys(case.column for case in runs[0].cases)
    }
    note = f"{escape_invisible(runs[0].name)}: percent right, with 95 % intervals."
    return figures.draw_bars("Accuracy by column", note, found)


def run_bars(runs: Sequence[RunFigures]) -> SvgFigure:
    """Runs side by side: the paper's Table 4 (agents of one maker against a mixture)."""
    found = {
        escape_invisible(run.name): {title: arm_accuracy(run.cases, arm) for arm, title in ARM_NAMES.items()}
        for run in runs
    }
    note = "One group a run, over all its questions; who played which role stands under Runs."
    return figures.draw_bars("Runs compared (Table 4)", note, found)


def calibration_curves(run: RunFigures, tail: str) -> SvgFigure | None:
    """Accuracy by the best attempt's score: does a higher score mean a better answer?"""
    scored = [case for case in run.cases if case.best_score is not None]
    scores = sorted({case.best_score for case in scored if case.best_score is not None})
    if not scores:
        return None
    lines = {
        title: [arm_accuracy([case for case in scored if case.best_score == score], arm) for score in scores]
        for arm, title in ARM_NAMES.items()
    }
    counts = ", ".join(f"{score}: {sum(case.best_score == score for case in scored)}" for score in scores)
    note = f"A score that means something lifts AURELIA above zero-shot on the right. Questions by score: {counts}."
    return figures.draw_curves(
        f"Accuracy by the evaluator's score{tail}", note, scores, "score of the best attempt", lines
    )


def score_curve(run: RunFigures, tail: str) -> SvgFigure | None:
    """How the best score so far grows over the attempts, over questions that got that far or had stopped before."""
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
    """What the steps of the reasoning given rest on: is it one-sided?"""
    with_steps = [case for case in run.cases if case.modalities]
    if not with_steps:
        return None
    found: dict[str, dict[str, float]] = {}
    for column in dict.fromkeys(case.column for case in with_steps):
        some = [case for case in with_steps if case.column == column]
        whole = sum(sum(case.modalities.values()) for case in some)
        found[ALL_COLUMN_TITLES[column]] = {
            name: 100 * sum(case.modalities.get(name, 0) for case in some) / whole for name in _MODALITIES
        }
    sided = {name: 100 * sum(map(_rests_only_on(name), with_steps)) / len(with_steps) for name in ("audio", "visual")}
    note = f"{sided['audio']:.0f} % of the reasonings never look, {sided['visual']:.0f} % never listen."
    return figures.draw_stacks(f"What the reasoning rests on{tail}", note, found, "% of the steps")


def _rests_only_on(name: str) -> Callable[[Case], bool]:
    """Whether a case's reasoning rests on that sense, and never on the other or on both."""
    other = {"audio": "visual", "visual": "audio"}[name]
    return lambda case: (
        bool(case.modalities.get(name)) and not (case.modalities.get(other) or case.modalities.get("both"))
    )
