"""An ablation's table and curves: accuracy, score, seconds and cost at every setting (Tables 5 and 6 of the paper).

From the questions of `aurelia.bench.ablation`, or from the cells that were kept in a run file.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aurelia.bench.ablation import GridQuestion, TargetAnswer
from aurelia.bench.derive import GridSetting
from aurelia.report import svg as figures
from aurelia.report.measure import mean_percent
from aurelia.report.rows import CORRECT_METRIC
from aurelia.report.svg import Point, SvgFigure
from aurelia.report.tables import ReportTable, TableLine, format_number, format_range

ABLATION_KEY = "ablation"


@dataclass(frozen=True, slots=True)
class GridCell:
    """One setting over all questions.

    Attributes:
        max_iterations, threshold, inject: the setting.
        n: answered and scored questions; unparsed ones are among them and count as not right.
        accuracy, low, high: percent, with a 95 % interval clustered by clip.
        unparsed, failed: counted apart.
        score: the best attempt's, on average.
        iterations: attempts made, on average.
        met: percent of the questions whose loop was ended by the threshold.
        seconds: of a question on average: its loop and one answer of the target.
        cost: dollars of the loop of a question on average; null when a price is not known.
    """

    max_iterations: int
    threshold: int
    inject: str
    n: int
    accuracy: float | None
    low: float | None
    high: float | None
    unparsed: int
    failed: int
    score: float | None
    iterations: float
    met: float
    seconds: float
    cost: float | None

    @property
    def point(self) -> Point:
        """The accuracy with its interval."""
        return Point(self.accuracy, self.low, self.high, self.n)


def grid_cells(
    questions: Sequence[GridQuestion], settings: Sequence[GridSetting], target_seconds: float
) -> list[GridCell]:
    """Every setting over the questions."""
    return [_cell(questions, setting, target_seconds) for setting in settings]


def _cell(questions: Sequence[GridQuestion], setting: GridSetting, target_seconds: float) -> GridCell:
    found = [(question, at) for question in questions if (at := question.at(setting))]
    answered = [(question, end, told) for question, (end, told) in found if told.error is None]
    point, n, unparsed = _accuracy([(question, told) for question, _, told in answered])
    ends = [end for _, (end, _) in found]
    scores = [end.score for end in ends if end.score is not None]
    costs = [end.usage["cost_usd"] for end in ends]
    return GridCell(
        setting.max_iterations,
        setting.threshold,
        setting.inject,
        n,
        point.value,
        point.low,
        point.high,
        unparsed,
        len(questions) - len(answered),
        _mean(scores) if scores else None,
        _mean([len(end.iterations) for end in ends]),
        100 * _mean([end.stop_reason == "threshold" for end in ends]),
        _mean([end.seconds for end in ends]) + target_seconds,
        None if None in costs else _mean([cost or 0.0 for cost in costs]),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _accuracy(answers: Sequence[tuple[GridQuestion, TargetAnswer]]) -> tuple[Point, int, int]:
    scored = [(question, told.scores[CORRECT_METRIC]) for question, told in answers if CORRECT_METRIC in told.scores]
    values = [value or 0.0 for _, value in scored]
    point = mean_percent(values, [question.record.video for question, _ in scored])
    return point, len(values), sum(value is None for _, value in scored)


def zero_shot_accuracy(questions: Sequence[GridQuestion]) -> Point:
    """The accuracy without any reasoning, over the same questions."""
    return _accuracy([(question, question.zero_shot) for question in questions if question.zero_shot])[0]


def ablation_data(found: Sequence[GridCell], without: Point, at: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON for the run file: the cells, the zero-shot accuracy, and the setting that curves are drawn at."""
    return {"cells": [asdict(cell) for cell in found], "zero_shot": list(without), "at": dict(at)}


def ablation_table(found: Sequence[GridCell], without: Point, tail: str = "") -> ReportTable:
    """Every setting as a row."""
    heads = ["T", "tau", "given", "n", "accuracy, %", "unparsed", "failed", "best score", "attempts", "met tau, %",
             "seconds", "loop's cost"]  # fmt: skip
    rows = [
        TableLine(
            [
                str(cell.max_iterations),
                str(cell.threshold),
                cell.inject,
                str(cell.n),
                format_range(cell.point),
                str(cell.unparsed),
                str(cell.failed),
                format_number(cell.score, 2),
                format_number(cell.iterations, 2),
                format_number(cell.met),
                format_number(cell.seconds, 2),
                "unknown" if cell.cost is None else f"${cell.cost:.5f}",
            ]
        )
        for cell in found
    ]
    notes = [
        f"Zero-shot over the same questions: {format_range(without)} %.",
        "Read off one run with the largest T and no early stop; only other best attempts were asked about again."
        " Seconds: the agents' calls up to the stop, and one answer of the target on average.",
    ]
    return ReportTable(f"Every setting{tail}", heads, rows, notes)


def cells_as_csv(found: Sequence[GridCell]) -> str:
    """The cells as CSV, one a line."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [*GridCell.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(cell) for cell in found)
    return out.getvalue()


def cells_as_json(found: Sequence[GridCell], without: Point, at: Mapping[str, Any]) -> str:
    """The same as JSON."""
    return json.dumps(ablation_data(found, without, at), indent=1) + "\n"


def read_ablation(value: Mapping[str, Any]) -> tuple[list[GridCell], Point]:
    """The cells and the zero-shot accuracy that `kept` has kept."""
    return [GridCell(**cell) for cell in value["cells"]], Point(*value["zero_shot"])


def ablation_figures(value: Mapping[str, Any], tail: str = "") -> list[SvgFigure]:
    """Accuracy and seconds over T at one threshold, and over the threshold at one T."""
    found, without = read_ablation(value)
    given = value["at"]["inject"]
    some = [cell for cell in found if cell.inject == given]
    taus, caps = ({getattr(cell, name) for cell in some} for name in ("threshold", "max_iterations"))
    tau, cap = _nearest(taus, value["at"]["threshold"]), _nearest(caps, value["at"]["max_iterations"])
    over_t = [cell for cell in some if cell.threshold == tau]
    over_tau = [cell for cell in some if cell.max_iterations == cap]
    curves = [
        (f"Accuracy over iterations{tail}", "iterations at most (T)", "max_iterations", over_t, f"tau = {tau}"),
        (f"Accuracy over the threshold{tail}", "threshold (tau)", "threshold", over_tau, f"T = {cap}"),
    ]  # fmt: skip
    return [_curve(*curve, without) for curve in curves if len(curve[3]) > 1]


def _curve(title: str, label: str, name: str, found: Sequence[GridCell], at: str, without: Point) -> SvgFigure:
    ordered = sorted(found, key=lambda cell: int(getattr(cell, name)))
    lines = {"zero-shot": [without] * len(ordered), "AURELIA": [cell.point for cell in ordered]}
    x = [getattr(cell, name) for cell in ordered]
    return figures.draw_curves_with_seconds(title, f"At {at}.", x, label, lines, [cell.seconds for cell in ordered])


def _nearest(values: set[int], wanted: int) -> int:
    return min(values, key=lambda value: (abs(value - wanted), value))
