"""The report's tables as plain text: heads, rows and notes, shown by the page and by the Markdown file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aurelia.bench.caption_metrics import CAPTION_METRICS, CORPUS_METRICS, CORPUS_SCORES
from aurelia.bench.costs import RoleCosts
from aurelia.bench.further_scores import FURTHER_METRICS, REASONING_METRICS
from aurelia.bench.run_file import Arm
from aurelia.report.measure import ArmFigures, GroupFigures, measure_group, measure_groups
from aurelia.report.paper_table1 import (
    ALL_COLUMN_TITLES,
    COLUMN_TITLES,
    PAPER_SOURCE,
    PaperCell,
    foreign_datasets,
    read_paper_table1,
)
from aurelia.report.rows import ArmAnswer, Case
from aurelia.report.svg import Point

ARM_NAMES: dict[Arm, str] = {"zero_shot": "zero-shot", "aurelia": "AURELIA"}
NO_VALUE = "–"


@dataclass(frozen=True, slots=True)
class TableLine:
    """One row: its cells, and `css` = `ours` for an emphasized row."""

    cells: list[str]
    css: str = ""


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One table; `css` is `words` if its cells are text, `lined` if they have several lines."""

    caption: str
    heads: list[str]
    rows: list[TableLine]
    notes: list[str] = field(default_factory=list)
    css: str = ""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run as the report needs it: name, target, cases, costs by role, metadata, and mean seconds of the target."""

    name: str
    target: str
    cases: list[Case]
    role_costs: list[RoleCosts]
    meta: Mapping[str, Any]
    target_seconds: float


def format_number(value: float | None, digits: int = 1, sign: bool = False) -> str:
    """A number with `digits` decimals, with a plus sign if `sign`; a dash for None."""
    if value is None:
        return NO_VALUE
    if sign:
        return f"{value:+.{digits}f}"
    return f"{value:.{digits}f}"


def format_cost(value: float | None, digits: int) -> str:
    """Dollars with `digits` decimals; "unknown" for None."""
    if value is None:
        return "unknown"
    return f"${value:.{digits}f}"


def format_range(point: Point, sign: bool = False) -> str:
    """A value with its interval in brackets."""
    if point.value is None or point.low is None or point.high is None:
        return format_number(point.value, sign=sign)
    value, low, high = (format_number(number, sign=sign) for number in point[:3])
    return f"{value} [{low}, {high}]"


def groups_by_column(cases: Sequence[Case]) -> list[GroupFigures]:
    """The cases by the columns of Table 1 in its order, then those outside of them."""
    return measure_groups(cases, lambda case: ALL_COLUMN_TITLES[case.column], ALL_COLUMN_TITLES.values())


def paper_comparison(runs: Sequence[RunFigures]) -> ReportTable | None:
    """Table 1: the rows of the runs, then the paper's; None if no run has a figure in one of its columns."""
    ours = []
    for run in runs:
        found = {group.name: group for group in groups_by_column(run.cases)}
        cells = [_our_cell(found.get(title)) for title in COLUMN_TITLES.values()]
        if set(cells) == {NO_VALUE}:
            continue
        name = f"{run.target} ({run.name})"
        if foreign := foreign_datasets((case.column, case.dataset) for case in run.cases):
            name += f"\nNot the paper's questions: {', '.join(foreign)}"
        ours.append(TableLine([name, *cells], "ours"))
    if not ours:
        return None
    theirs = [
        TableLine([row.model, *(_their_cell(row.cells[column]) for column in COLUMN_TITLES)])
        for row in read_paper_table1()
    ]
    notes = [
        "Zero-shot → AURELIA, percent right of the questions that both answered, and the relative gain as the paper"
        " prints it. The rows of these runs are emphasized.",
        f"The other rows: {PAPER_SOURCE}; of its two zero-shot figures the second, to which its gains refer.",
        "The rows are comparable only as far as the questions are: the paper's data files are not public. The paper"
        " does not say what its figure for AV-Captioning measures; the table Captions has the metrics of these runs.",
    ]
    return ReportTable(
        "Table 1: these runs and the paper", ["model", *COLUMN_TITLES.values()], [*ours, *theirs], notes, "lined"
    )


def _our_cell(group: GroupFigures | None) -> str:
    if group is None:
        return NO_VALUE
    if group.paired:
        return _cell(group.paired.first, group.paired.second, group.paired.gain)
    return _cell(group.zero_shot.accuracy.value, group.aurelia.accuracy.value, None)


def _their_cell(cell: PaperCell) -> str:
    return _cell(cell.zero_shot, cell.aurelia, cell.gain)


def _cell(zero: float | None, with_aurelia: float | None, gain: float | None) -> str:
    if zero is None and with_aurelia is None:
        return NO_VALUE
    text = format_number(zero)
    if with_aurelia is not None:
        text += f" → {format_number(with_aurelia)}"
    if gain is not None:
        text += f"\n({gain:+.1f} %)"
    return text


def run_comparison(runs: Sequence[RunFigures]) -> ReportTable:
    """One row per run: the models of its agents, and its accuracy (the paper's Table 4)."""
    rows = []
    for run in runs:
        whole = measure_group("all", run.cases)
        models = run.meta.get("models") or {}
        agents = [f"{role}: {model_id}" for role, model_id in models.items() if role != "target"]
        both = difference = NO_VALUE
        if whole.paired:
            both = str(whole.paired.n)
            difference = format_range(whole.paired.difference, True)
        cells = [
            run.name,
            "\n".join(agents) or "none",
            run.target,
            _both(whole.zero_shot, whole.aurelia, "n"),
            format_range(whole.zero_shot.accuracy),
            format_range(whole.aurelia.accuracy),
            both,
            difference,
        ]
        rows.append(TableLine(cells))
    heads = ["run", "agents", "target", "n", "zero-shot, %", "AURELIA, %", "n of both", "difference, points"]
    return ReportTable("Runs compared (Table 4)", heads, rows, css="lined")


ACCURACY_HEADS = ["", "n", "zero-shot, %", "AURELIA, %"]
_PAIRED_HEADS = ["n of both", "difference, points", "fixed / broke", "McNemar p", "gain, %"]
ACCURACY_NOTES = [
    "In brackets: 95 % intervals over clips (questions about one clip are not independent): bootstrap from 20 clips on,"
    " Student's t below, Wilson's where all answers are right or all wrong; none for one clip. McNemar's test assumes"
    " independent questions.",
    "n: scored answers of each arm, as bench status counts them; difference, fixed, broke, p and gain are over the"
    " questions that both arms answered. An answer that neither rule nor judge could read is unparsed and counts as not"
    " right. A failed question has no answer, and a caption is neither right nor wrong: neither is in n.",
]


def accuracy_table(caption: str, found: Sequence[GroupFigures]) -> ReportTable:
    """Both arms over groups of questions."""
    heads = [*ACCURACY_HEADS, *_PAIRED_HEADS, "unparsed", "failed", "captions"]
    return ReportTable(caption, heads, [TableLine(_accuracy(group)) for group in found])


def _accuracy(group: GroupFigures) -> list[str]:
    zero = group.zero_shot
    aurelia = group.aurelia
    comparison = [NO_VALUE] * 5
    if group.paired:
        paired = group.paired
        comparison = [
            str(paired.n),
            format_range(paired.difference, True),
            f"{paired.fixed} / {paired.broke}",
            format_p(paired.p),
            format_number(paired.gain, 1, True),
        ]
    counts = [_both(zero, aurelia, name) for name in ("unparsed", "failed", "captions")]
    name = group.name or "(none)"
    n = _both(zero, aurelia, "n")
    return [name, n, format_range(zero.accuracy), format_range(aurelia.accuracy), *comparison, *counts]


def format_p(p: float | None) -> str:
    """A p value with three decimals."""
    if p is None:
        return NO_VALUE
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}"


def _both(zero: ArmFigures, ours: ArmFigures, name: str) -> str:
    return f"{getattr(zero, name)} / {getattr(ours, name)}"


def metric_tables(run: RunFigures) -> list[ReportTable]:
    """Means over questions of every metric except "correct": of captions, of reasoning, and any added to the run."""
    answers = [answer for case in run.cases for answer in case.answers.values()]
    names = list(dict.fromkeys(name for answer in answers for name in answer.scores))
    reasoning = [name for name in names if name in REASONING_METRICS]
    captions = [name for name in names if name in (*CAPTION_METRICS, *FURTHER_METRICS) and name not in reasoning]
    others = [name for name in names if name not in (*captions, *reasoning)]
    note = "Means over questions."
    bleu = note
    if "bleu4" in captions:
        bleu = "Means over questions, of BLEU-4 too: the figures over the whole corpus are in another table."
    sound = "Beside the accuracy, which does not depend on it: questions with reference reasoning alone."
    parts = [("Captions, each", captions, bleu), ("Reasoning", reasoning, sound), ("Other metrics", others, note)]
    return [_metric_table(run, f"{title}, {run.name}", some, words) for title, some, words in parts if some]


def _metric_table(run: RunFigures, title: str, names: list[str], note: str) -> ReportTable:
    rows = []
    for arm, label in ARM_NAMES.items():
        scored = [case.answers[arm].scores for case in run.cases if arm in case.answers]
        scored = [scores for scores in scored if any(name in scores for name in names)]
        means = []
        for name in names:
            values = [value for scores in scored if (value := scores.get(name)) is not None]
            mean: float | None = None
            if values:
                mean = sum(values) / len(values)
            means.append(format_number(mean, 3))
        rows.append(TableLine([label, str(len(scored)), *means]))
    return ReportTable(title, ["", "n", *names], rows, [note])


def caption_corpus_table(run: RunFigures) -> ReportTable | None:
    """The caption metrics over all captions of an arm together, as papers print them."""
    stored = run.meta.get(CORPUS_SCORES) or {}
    rows = []
    for key, scores in sorted(stored.items(), reverse=True):
        arm, _, rollout = key.partition("/")
        title = ARM_NAMES[arm]
        if rollout != "0":
            title += f", rollout {rollout}"
        cells = [format_number(scores.get(metric), 4) for metric in CORPUS_METRICS]
        rows.append(TableLine([title, str(scores["n"]), *cells]))
    if not rows:
        return None
    note = "Over all captions together, with the COCO toolkit's words. METEOR is not version 1.5: see docs/metrics.md."
    return ReportTable(f"Captions, {run.name}", ["", "n", *CORPUS_METRICS], rows, [note])


def arm_cost_table(run: RunFigures) -> ReportTable:
    """Cost and time of each arm."""
    rows = []
    for arm, title in ARM_NAMES.items():
        cases = [case for case in run.cases if arm in case.answers]
        if not cases:
            continue
        answers = [case.answers[arm] for case in cases]
        count = len(answers)
        cost = _total_cost(answers)
        cost_each: float | None = None
        if cost is not None:
            cost_each = cost / count
        seconds = run.target_seconds
        if arm == "aurelia":
            seconds += sum(case.seconds for case in cases) / count
        cells = [
            title,
            str(count),
            format_number(sum(answer.calls for answer in answers) / count, 2),
            format_number(sum(answer.tokens for answer in answers) / count, 0),
            format_cost(cost, 4),
            format_cost(cost_each, 5),
            format_number(seconds, 2),
        ]
        rows.append(TableLine(cells))
    heads = ["", "questions", "calls each", "tokens each", "cost", "cost each", "seconds each"]
    notes = [
        "Seconds: the agents' calls of the loop and one answer of the target on average. Calls that the ledger repeats"
        " take almost no time."
    ]
    return ReportTable(f"Each arm, {run.name}", heads, rows, notes)


def _total_cost(answers: Sequence[ArmAnswer]) -> float | None:
    """Sum of the costs; None if one of them is not known."""
    total = 0.0
    for answer in answers:
        if answer.cost is None:
            return None
        total += answer.cost
    return total


def role_cost_table(run: RunFigures) -> ReportTable:
    """Calls by role and model, from the run's ledger."""
    rows = [
        TableLine(
            [
                f"{costs.role}, {costs.model_id}",
                str(costs.calls),
                str(costs.input_tokens),
                str(costs.cached_tokens),
                str(costs.output_tokens),
                format_cost(costs.cost, 4),
                format_number(costs.seconds, 2),
            ]
        )
        for costs in run.role_costs
    ]
    heads = ["role, model", "calls", "input tokens", "of them cached", "output tokens", "cost", "seconds a call"]
    return ReportTable(f"Calls by role, {run.name}", heads, rows)


def settings_table(run: RunFigures) -> ReportTable:
    """The settings and other metadata of a run."""
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
        pairs = []
        for key, part in value.items():
            pairs += _flatten(f"{name}.{key}", part)
        return pairs
    if isinstance(value, list):
        return [(name, ", ".join(map(str, value)))]
    return [(name, str(value))]


def accuracy_tables(run: RunFigures) -> list[ReportTable]:
    """A run's accuracy: in total and by column, by category, and the metrics of its captions."""
    found = [
        accuracy_table(f"By column, {run.name}", [*_all_cases(run.cases), *groups_by_column(run.cases)]),
        accuracy_table(f"By category, {run.name}", measure_groups(run.cases, lambda case: case.category)),
    ]
    return [*found, *filter(None, [caption_corpus_table(run)]), *metric_tables(run)]


def _all_cases(cases: Sequence[Case]) -> list[GroupFigures]:
    """All cases; if the steps of some leaked the answer, also the cases without a leak."""
    if not cases:
        return []
    groups = [measure_group("all", cases)]
    without_leak = [case for case in cases if not case.leaks]
    leaks = len(cases) - len(without_leak)
    if leaks:
        groups.append(measure_group(f"all but {leaks} whose steps name the answer", without_leak))
    return groups


def report_tiles(run: RunFigures, named: bool, harmed: tuple[int, int] | None) -> list[dict[str, str]]:
    """The main figures, shown at the top of the page; `harmed` are harmed answers of right zero-shot ones."""
    tail = ""
    if named:
        tail = f", {run.name}"
    whole = measure_group("all", run.cases)
    cost = _total_cost([answer for case in run.cases for answer in case.answers.values()])
    found = [
        ("questions", str(len(run.cases)), f"target {run.target}"),
        ("zero-shot", f"{format_number(whole.zero_shot.accuracy.value)} %", _interval(whole.zero_shot.accuracy)),
        ("AURELIA", f"{format_number(whole.aurelia.accuracy.value)} %", _interval(whole.aurelia.accuracy)),
    ]
    if whole.paired:
        note = f"{whole.paired.fixed} fixed, {whole.paired.broke} broke"
        found.append(("difference, points", format_number(whole.paired.difference.value, sign=True), note))
    if harmed:
        rate = 100 * harmed[0] / harmed[1]
        found.append(("harm rate", f"{rate:.1f} %", f"{harmed[0]} of {harmed[1]} right answers became wrong"))
    found.append(("cost", format_cost(cost, 2), "of the calls whose answers were used"))
    return [{"name": f"{name}{tail}", "value": value, "note": note} for name, value, note in found]


def _interval(point: Point) -> str:
    if point.low is None and point.n:
        return "of one clip"
    if point.low is None:
        return "no answers"
    return f"95 %: {format_number(point.low)} to {format_number(point.high)}"
