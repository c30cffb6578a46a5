"""Table and curves of an ablation: accuracy, score, seconds and cost at every setting (Tables 5 and 6 of the paper).

The input is the questions of `aurelia.bench.ablation`, or the cells stored in a run file.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aurelia.bench.ablation import GridQuestion, GridSetting, TargetAnswer
from aurelia.bench.tally import CORRECT_METRIC
from aurelia.report import svg as figures
from aurelia.report.measure import mean_percent
from aurelia.report.svg import Point, SvgFigure
from aurelia.report.tables import ReportTable, TableLine, format_cost, format_number, format_range

ABLATION_KEY = "ablation"


@dataclass(frozen=True, slots=True)
class GridCell:
    """One setting over all questions.

    Attributes:
        max_iterations, threshold, inject: The setting.
        n: Answered and scored questions, with the unparsed ones, which count as not right.
        accuracy, low, high: Percent, with a 95 % interval clustered by clip.
        unparsed, failed: Counts of questions.
        score: Mean score of the best attempt.
        iterations: Mean number of attempts.
        met: Percent of the questions whose loop the threshold ended.
        seconds: Mean seconds of a question: its loop and one answer of the target.
        cost: Mean dollars of the loop of a question; None if a price is not known.
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
    """The cell of every setting, over the questions."""
    return [_cell(questions, setting, target_seconds) for setting in settings]


def _cell(questions: Sequence[GridQuestion], setting: GridSetting, target_seconds: float) -> GridCell:
    ends = []
    answers = []
    for question in questions:
        found = question.at_setting(setting)
        if found is None:
            continue
        end, answer = found
        ends.append(end)
        if answer.error is None:
            answers.append((question, answer))
    point, n, unparsed = _accuracy(answers)
    scores = [end.score for end in ends if end.score is not None]
    score: float | None = None
    if scores:
        score = _mean(scores)
    costs = [end.usage["cost_usd"] for end in ends]
    cost: float | None = None
    if None not in costs:
        cost = _mean([dollars or 0.0 for dollars in costs])
    return GridCell(
        setting.max_iterations,
        setting.threshold,
        setting.inject,
        n,
        point.value,
        point.low,
        point.high,
        unparsed,
        len(questions) - len(answers),
        score,
        _mean([len(end.iterations) for end in ends]),
        100 * _mean([end.stop_reason == "threshold" for end in ends]),
        _mean([end.seconds for end in ends]) + target_seconds,
        cost,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _accuracy(answers: Sequence[tuple[GridQuestion, TargetAnswer]]) -> tuple[Point, int, int]:
    scored = []
    for question, answer in answers:
        if CORRECT_METRIC in answer.scores:
            scored.append((question, answer.scores[CORRECT_METRIC]))
    values = [value or 0.0 for _, value in scored]
    point = mean_percent(values, [question.record.clip_name for question, _ in scored])
    return point, len(values), sum(value is None for _, value in scored)


def zero_shot_accuracy(questions: Sequence[GridQuestion]) -> Point:
    """The accuracy without any reasoning, over the same questions."""
    return _accuracy([(question, question.zero_shot) for question in questions if question.zero_shot])[0]


def ablation_data(found: Sequence[GridCell], without: Point, at: Mapping[str, Any]) -> dict[str, Any]:
    """An ablation as JSON: the cells, the zero-shot accuracy, and the setting at which curves are drawn."""
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
                format_cost(cell.cost, 5),
            ]
        )
        for cell in found
    ]
    notes = [
        f"Zero-shot over the same questions: {format_range(without)} %.",
        "Derived from one run with the largest T and no early stop; the target was asked again only for other best"
        " attempts. Seconds: the agents' calls up to the stop, and one answer of the target on average.",
    ]
    return ReportTable(f"Every setting{tail}", heads, rows, notes)


def cells_as_csv(found: Sequence[GridCell]) -> str:
    """The cells as CSV, one per line."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [*GridCell.__dataclass_fields__], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(cell) for cell in found)
    return out.getvalue()


def cells_as_json(found: Sequence[GridCell], without: Point, at: Mapping[str, Any]) -> str:
    """The ablation as JSON text."""
    return json.dumps(ablation_data(found, without, at), indent=1) + "\n"


def read_ablation(value: Mapping[str, Any]) -> tuple[list[GridCell], Point]:
    """The cells and the zero-shot accuracy stored by `ablation_data`."""
    return [GridCell(**cell) for cell in value["cells"]], Point(*value["zero_shot"])


def ablation_figures(value: Mapping[str, Any], tail: str = "") -> list[SvgFigure]:
    """Accuracy and seconds over T at one threshold, and over the threshold at one T."""
    found, without = read_ablation(value)
    chosen = value["at"]
    cells = [cell for cell in found if cell.inject == chosen["inject"]]
    tau = _nearest({cell.threshold for cell in cells}, chosen["threshold"])
    cap = _nearest({cell.max_iterations for cell in cells}, chosen["max_iterations"])
    over_t = [cell for cell in cells if cell.threshold == tau]
    over_tau = [cell for cell in cells if cell.max_iterations == cap]
    curves = [
        (f"Accuracy over iterations{tail}", "iterations at most (T)", "max_iterations", over_t, f"tau = {tau}"),
        (f"Accuracy over the threshold{tail}", "threshold (tau)", "threshold", over_tau, f"T = {cap}"),
    ]
    return [_curve(*curve, without) for curve in curves if len(curve[3]) > 1]


def _curve(title: str, label: str, name: str, found: Sequence[GridCell], at: str, without: Point) -> SvgFigure:
    ordered = sorted(found, key=lambda cell: int(getattr(cell, name)))
    lines = {"zero-shot": [without] * len(ordered), "AURELIA": [cell.point for cell in ordered]}
    x = [getattr(cell, name) for cell in ordered]
    return figures.draw_curves_with_seconds(title, f"At {at}.", x, label, lines, [cell.seconds for cell in ordered])


def _nearest(values: set[int], wanted: int) -> int:
    return min(values, key=lambda value: (abs(value - wanted), value))
