"""The report's tables as plain texts: heads, rows and notes, which the page and the Markdown file both show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aurelia.bench.caption_metrics import CAPTION_METRICS
from aurelia.bench.costs import RoleCosts
from aurelia.bench.run_file import Arm
from aurelia.report.measure import ArmFigures, GroupFigures, measure_group, measure_groups
from aurelia.report.paper_table1 import ALL_COLUMN_TITLES, COLUMN_TITLES, PAPER_SOURCE, PaperCell, read_paper_table1
from aurelia.report.rows import Case
from aurelia.report.svg import Point

ARM_NAMES: dict[Arm, str] = {"zero_shot": "zero-shot", "aurelia": "AURELIA"}
NO_VALUE = "–"


@dataclass(frozen=True, slots=True)
class TableLine:
    """One row: its cells, and `ours` when it is to stand out."""

    cells: list[str]
    css: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table; `css` is `words` when its cells are text, `lined` when they have several lines."""

    caption: str
    heads: list[str]
    rows: list[TableLine]
    notes: list[str] = field(default_factory=list)
    css: str = ""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run, read: what it is called, which target answered, its cases, calls, and what its file says of it."""

    name: str
    target: str
    cases: list[Case]
    spent: list[RoleCosts]
    meta: Mapping[str, Any]
    target_seconds: float


def format_number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A number with so many digits, a dash for none."""
    return NO_VALUE if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def format_range(point: Point, sign: bool = False) -> str:
    """A value with its interval in brackets."""
    if point.value is None or point.low is None or point.high is None:
        return format_number(point.value, sign=sign)
    return f"{format_number(point.value, sign=sign)} [{format_number(point.low, sign=sign)}, {format_number(point.high, sign=sign)}]"


def groups_by_column(cases: Sequence[Case]) -> list[GroupFigures]:
    """The cases by Table 1's columns, in its order, then what belongs to none of them."""
    return measure_groups(cases, lambda case: ALL_COLUMN_TITLES[case.column], ALL_COLUMN_TITLES.values())


def paper_comparison(runs: Sequence[RunFigures]) -> ReportTable:
    """Table 1: our rows, then the paper's."""
    ours = []
    for run in runs:
        found = {group.name: group for group in groups_by_column(run.cases)}
        cells = [_our_cell(found.get(title)) for title in COLUMN_TITLES.values()]
        ours.append(TableLine([f"{run.target} ({run.name})", *cells], "ours"))
    theirs = [
        TableLine([row.model, *(_their_cell(row.cells[column]) for column in COLUMN_TITLES)])
        for row in read_paper_table1()
    ]
    notes = [
        "Zero-shot → AURELIA, percent right, and the relative gain as the paper prints it; our rows stand out.",
        f"The other rows: {PAPER_SOURCE}; of its two zero-shot figures the second, which its gains are against.",
        "Ours are comparable where the questions are: the paper's own data files are not public. What its figure for"
        " AV-Captioning measures is not said; ours stand under Captions.",
    ]
    return ReportTable(
        "Table 1, ours beside the paper's", ["model", *COLUMN_TITLES.values()], [*ours, *theirs], notes, "lined"
    )


def _our_cell(group: GroupFigures | None) -> str:
    if group is None:
        return NO_VALUE
    gain = group.paired.gain if group.paired else None
    return _cell(group.zero_shot.accuracy.value, group.aurelia.accuracy.value, gain)


def _their_cell(cell: PaperCell) -> str:
    return _cell(cell.zero_shot, cell.aurelia, cell.gain)


def _cell(zero: float | None, with_aurelia: float | None, gain: float | None) -> str:
    if zero is None and with_aurelia is None:
        return NO_VALUE
    arrow = (
        f"{format_number(zero)} → {format_number(with_aurelia)}" if with_aurelia is not None else format_number(zero)
    )
    return arrow if gain is None else f"{arrow}\n({gain:+.1f} %)"


def run_comparison(runs: Sequence[RunFigures]) -> ReportTable:
    """One row a run: who played the agents, and what came out (the paper's Table 4)."""
    rows = []
    for run in runs:
        whole = measure_group("all", run.cases)
        models = run.meta.get("models") or {}
        agents = [f"{role}: {spec}" for role, spec in models.items() if role != "target"]
        paired = whole.paired
        figures = [format_range(whole.zero_shot.accuracy), format_range(whole.aurelia.accuracy)]
        rows.append(
            TableLine(
                [
                    run.name,
                    "\n".join(agents) or "none",
                    run.target,
                    str(paired.n if paired else max(whole.zero_shot.n, whole.aurelia.n)),
                    *figures,
                    format_range(paired.difference, True) if paired else NO_VALUE,
                ]
            )
        )
    heads = ["run", "agents", "target", "n", "zero-shot, %", "AURELIA, %", "difference, points"]
    return ReportTable("Runs compared (Table 4)", heads, rows, css="lined")


ACCURACY_HEADS = ["", "n", "zero-shot, %", "AURELIA, %", "difference, points", "fixed / broke", "McNemar p", "gain, %"]
ACCURACY_NOTES = [
    "In brackets: 95 % intervals, bootstrap over clips (questions about one clip stand or fall together); with fewer"
    " than 20 clips they are too narrow to rely on. McNemar's test takes questions for independent.",
    "n and the difference are over questions that both arms answered; an answer that neither rule nor judge could read"
    " is unparsed and counts as not right; a question that failed has no answer and is counted apart.",
]


def accuracy_table(caption: str, found: Sequence[GroupFigures]) -> ReportTable:
    """Both arms over groups of questions."""
    heads = [*ACCURACY_HEADS, "unparsed", "failed", "not scored"]
    return ReportTable(caption, heads, [TableLine(_accuracy(group)) for group in found])


def _accuracy(group: GroupFigures) -> list[str]:
    zero, ours, paired = group.zero_shot, group.aurelia, group.paired
    compared = [NO_VALUE] * 4
    if paired:
        p = NO_VALUE if paired.p is None else "<0.001" if paired.p < 0.001 else f"{paired.p:.3f}"
        compared = [
            format_range(paired.difference, True),
            f"{paired.fixed} / {paired.broke}",
            p,
            format_number(paired.gain, 1, True),
        ]
    counted = [_both(zero, ours, name) for name in ("unparsed", "failed", "unscored")]
    n = str(paired.n) if paired else _both(zero, ours, "n")
    return [group.name or "(none)", n, format_range(zero.accuracy), format_range(ours.accuracy), *compared, *counted]


def _both(zero: ArmFigures, ours: ArmFigures, name: str) -> str:
    return f"{getattr(zero, name)} / {getattr(ours, name)}"


def caption_table(run: RunFigures) -> ReportTable | None:
    """Every metric beside "correct", mean over questions: the captions' own, and any that somebody added to the run."""
    names = list(dict.fromkeys(name for case in run.cases for side in case.sides.values() for name in side.scores))
    if not names:
        return None
    rows = []
    for arm, title in ARM_NAMES.items():
        sides = [case.sides[arm] for case in run.cases if arm in case.sides and case.sides[arm].scores]
        values = [[side.scores[name] for side in sides if side.scores.get(name) is not None] for name in names]
        means = [format_number(sum(v or 0.0 for v in some) / len(some), 3) if some else NO_VALUE for some in values]
        rows.append(TableLine([title, str(len(sides)), *means]))
    title = "Captions" if set(names) <= set(CAPTION_METRICS) else "Other metrics"
    notes = ["Means over questions, BLEU-4 too (a figure over the whole corpus differs)."]
    return ReportTable(
        f"{title}, {run.name}", ["", "n", *names], rows, notes if "bleu4" in names else ["Means over questions."]
    )


def arm_cost_table(run: RunFigures) -> ReportTable:
    """Cost and time of each arm."""
    rows = []
    for arm, title in ARM_NAMES.items():
        cases = [case for case in run.cases if arm in case.sides]
        sides = [case.sides[arm] for case in cases]
        if not sides:
            continue
        known = None if any(side.cost is None for side in sides) else sum(side.cost or 0.0 for side in sides)
        loop = sum(case.seconds for case in cases) / len(cases) if arm == "aurelia" else 0.0
        per = len(sides)
        rows.append(
            TableLine(
                [
                    title,
                    str(per),
                    format_number(sum(side.calls for side in sides) / per, 2),
                    format_number(sum(side.tokens for side in sides) / per, 0),
                    "unknown" if known is None else f"${known:.4f}",
                    "unknown" if known is None else f"${known / per:.5f}",
                    format_number(loop + run.target_seconds, 2),
                ]
            )
        )
    heads = ["", "questions", "calls each", "tokens each", "cost", "cost each", "seconds each"]
    notes = [
        "Seconds: the agents' calls of the loop and one answer of the target on average; calls that are replayed from"
        " the ledger take next to none."
    ]
    return ReportTable(f"Each arm, {run.name}", heads, rows, notes)


def role_cost_table(run: RunFigures) -> ReportTable:
    """Calls by role and model, as the run's ledger has them."""
    rows = [
        TableLine(
            [
                f"{spent.role}, {spent.spec}",
                str(spent.calls),
                str(spent.input_tokens),
                str(spent.cached_tokens),
                str(spent.output_tokens),
                "unknown" if spent.cost is None else f"${spent.cost:.4f}",
                format_number(spent.seconds, 2),
            ]
        )
        for spent in run.spent
    ]
    heads = ["role, model", "calls", "input tokens", "of them cached", "output tokens", "cost", "seconds a call"]
    return ReportTable(f"Calls by role, {run.name}", heads, rows)


def settings_table(run: RunFigures) -> ReportTable:
    """What a run was made with."""
    rows = []
    for name, value in run.meta.items():
        if name == "ablation":
            continue
        if name == "created":
            value = datetime.fromtimestamp(value, UTC).isoformat(" ", "minutes")
        for key, text in _flatten(name, value):
            rows.append(TableLine([key, text]))
    return ReportTable(run.name, ["setting", "value"], rows, css="words")


def _flatten(name: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, part in value.items() for pair in _flatten(f"{name}.{key}", part)]
    return [(name, ", ".join(map(str, value)) if isinstance(value, list) else str(value))]


def accuracy_tables(run: RunFigures) -> list[ReportTable]:
    """A run's accuracy: by column with the whole, by category, and its captions' metrics."""
    found = [
        accuracy_table(f"By column, {run.name}", [*_all_cases(run.cases), *groups_by_column(run.cases)]),
        accuracy_table(f"By category, {run.name}", measure_groups(run.cases, lambda case: case.category)),
    ]
    return [*found, *filter(None, [caption_table(run)])]


def _all_cases(cases: Sequence[Case]) -> list[GroupFigures]:
    """All cases; and where steps have handed over an answer, also those without such a leak."""
    kept = [case for case in cases if not case.leaks]
    left_out = f"all but {len(cases) - len(kept)} whose steps name the answer"
    return [measure_group("all", cases)] * bool(cases) + [measure_group(left_out, kept)] * (len(kept) < len(cases))


def report_tiles(run: RunFigures, named: bool) -> list[dict[str, str]]:
    """The few figures that stand at the head of the page."""
    tail = f", {run.name}" if named else ""
    whole = measure_group("all", run.cases)
    costs = [side.cost for case in run.cases for side in case.sides.values()]
    cost = "unknown" if None in costs else f"${sum(cost or 0.0 for cost in costs):.2f}"
    found = [
        ("questions", str(len(run.cases)), f"target {run.target}"),
        ("zero-shot", f"{format_number(whole.zero_shot.accuracy.value)} %", _interval(whole.zero_shot.accuracy)),
        ("AURELIA", f"{format_number(whole.aurelia.accuracy.value)} %", _interval(whole.aurelia.accuracy)),
    ]
    if whole.paired:
        note = f"{whole.paired.fixed} fixed, {whole.paired.broke} broke"
        found.append(("difference, points", format_number(whole.paired.difference.value, sign=True), note))
    found.append(("cost", cost, "of the calls whose answers were used"))
    return [{"name": f"{name}{tail}", "value": value, "note": note} for name, value, note in found]


def _interval(point: Point) -> str:
    if point.low is None:
        return "of one clip" if point.n else "no answers"
    return f"95 %: {format_number(point.low)} to {format_number(point.high)}"
