"""Tables of conditions: accuracy, what each changes over the first one, and what it costs, with n and an interval.

`aurelia.bench.intervals` computes the intervals; a cell whose interval says nothing has a mark.
"""

from collections.abc import Sequence
from typing import NamedTuple

from aurelia.bench.conditions import ConditionFigures
from aurelia.bench.intervals import CellComparison, CellInterval, compare_cells, holm, share_interval
from aurelia.bench.recipe_costs import Forecast
from aurelia.report.measure import REPORT_DRAWS
from aurelia.report.tables import NO_VALUE, ReportTable, TableLine, format_cost, format_number

NOTHING = "†"
"""Mark of a cell whose interval says nothing."""
INTERVAL_NOTES = [
    "In brackets: 95 % intervals over clips. From 20 clips on: bootstrap over clips. Below: Student's t over clips. All"
    " right or all wrong: Wilson's interval, with the number of clips.",
    f"{NOTHING}: the interval says nothing: one clip, fewer than 5 clips, or 50 points wide and more.",
    "p: the signs of the clips' differences are flipped (paired, two-sided). Holm: corrected for all comparisons of the"
    " table. An answer that no rule and no judge could read is unparsed and counts as not right.",
]


class Compared(NamedTuple):
    """A condition beside the one that it is compared with, over the questions that both answered."""

    name: str
    change: CellComparison
    holm: float


def interval_text(cell: CellInterval, *, sign: bool = False) -> str:
    """A value in percent with interval and n, and the mark where the interval says nothing."""
    value = format_number(100 * cell.value, sign=sign)
    text = f"{value} (n = {cell.n})"
    if cell.low is not None and cell.high is not None:
        low, high = format_number(100 * cell.low, sign=sign), format_number(100 * cell.high, sign=sign)
        text = f"{value} [{low}, {high}] (n = {cell.n})"
    if cell.says_nothing:
        text += f" {NOTHING}"
    return text


def accuracy_of(figures: ConditionFigures) -> CellInterval | None:
    """The accuracy of a condition; None without scored answers."""
    if not figures.values:
        return None
    clips = [figures.clips[name] for name in figures.values]
    return share_interval(list(figures.values.values()), clips, draws=REPORT_DRAWS)


def compare_conditions(conditions: Sequence[ConditionFigures], first: ConditionFigures) -> list[Compared]:
    """Every other condition with scored answers against `first`, with Holm's correction over all of them."""
    found = []
    for one in conditions:
        both = [name for name in first.values if name in one.values]
        if one is first or not both:
            continue
        before, after = [first.values[name] for name in both], [one.values[name] for name in both]
        change = compare_cells(before, after, [first.clips[name] for name in both], draws=REPORT_DRAWS)
        found.append((one.name, change))
    corrected = holm([change.p for _, change in found])
    return [Compared(name, change, p) for (name, change), p in zip(found, corrected, strict=True)]


def change_cells(found: Compared | None) -> list[str]:
    """Points, fixed and broke, p and Holm's p; dashes without a comparison."""
    if found is None:
        return [NO_VALUE] * 4
    change = found.change
    return [
        interval_text(change.difference, sign=True),
        f"{change.fixed} / {change.broke}",
        f"{change.p:.2g}",
        f"{found.holm:.2g}",
    ]


def change_table(title: str, conditions: Sequence[ConditionFigures], first: ConditionFigures) -> ReportTable:
    """Every condition: accuracy, and its change over `first`."""
    by_name = {one.name: one for one in compare_conditions(conditions, first)}
    heads = ["", "accuracy, %", f"points over {first.name}", "fixed / broke", "p", "p, Holm", "failed"]
    rows = []
    for one in conditions:
        accuracy = accuracy_of(one)
        text = one.refused and "not run" or (interval_text(accuracy) if accuracy else NO_VALUE)
        rows.append(TableLine([one.name, text, *change_cells(by_name.get(one.name)), str(one.failed)]))
    notes = [f"fixed: wrong in {first.name}, right here; broke: right there, wrong here.", *INTERVAL_NOTES]
    notes += [f"{one.name} was not run: {one.refused}" for one in conditions if one.refused]
    return ReportTable(title, heads, rows, notes)


def cost_table(title: str, conditions: Sequence[ConditionFigures]) -> ReportTable:
    """What each condition costs a question, and what its candidates hold."""
    heads = ["", "questions", "clip calls", "calls", "input tokens", "output tokens", "dollars", "seconds",
             "oracle@n, %", "random@n, %"]  # fmt: skip
    rows = []
    for one in conditions:
        if one.refused:
            continue
        many = max(1, one.questions)
        usage = one.usage
        cost = None if usage["cost_usd"] is None else usage["cost_usd"] / many
        held = [one.oracle(), one.random()]
        rows.append(
            TableLine(
                [
                    one.name,
                    str(one.questions),
                    format_number(one.clip_calls / many, 2),
                    format_number(usage["calls"] / many, 2),
                    format_number(usage["input_tokens"] / many, 0),
                    format_number(usage["output_tokens"] / many, 0),
                    format_cost(cost, 5),
                    format_number(one.seconds, 2),
                    *(format_number(None if share is None else 100 * share) for share in held),
                ]
            )
        )
    notes = [
        "Means of a question. A clip call carries the clip; a stored reply is no call.",
        "oracle@n: some candidate's own answer is right; random@n: that of a candidate drawn at random. A candidate's"
        " own answer is its vote, else the answer of its reasoning. Questions with two candidates or more.",
    ]
    return ReportTable(title, heads, rows, notes)


def forecast_table(forecasts: Sequence[Forecast], assumed_notes: Sequence[str] = ()) -> ReportTable:
    """What is to come: calls, tokens and dollars of each condition and in total."""
    heads = [
        "",
        "questions to ask",
        "calls",
        "clip calls at most",
        "input tokens",
        "output tokens",
        "dollars",
        "tokens are",
    ]
    rows = []
    for one in forecasts:
        calls = str(one.calls.most) if one.calls.least == one.calls.most else f"{one.calls.least} to {one.calls.most}"
        source = "measured" if one.measured else "assumed"
        cells = [one.name, str(one.questions), calls, str(one.clip_calls), str(one.input_tokens)]
        rows.append(TableLine([*cells, str(one.output_tokens), format_cost(one.cost, 2), source]))
    least, most = (sum(one.calls[end] for one in forecasts) for end in (0, 1))
    cost = None if any(one.cost is None for one in forecasts) else sum(one.cost or 0.0 for one in forecasts)
    calls = str(most) if least == most else f"{least} to {most}"
    total = ["total", str(sum(one.questions for one in forecasts)), calls]
    for name in ("clip_calls", "input_tokens", "output_tokens"):
        total.append(str(sum(getattr(one, name) for one in forecasts)))
    rows.append(TableLine([*total, format_cost(cost, 2), ""], "ours"))
    return ReportTable("To come, without retries", heads, rows, list(assumed_notes))
