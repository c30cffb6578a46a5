"""Tables that compare answers question by question: two arms (harm and help), two runs, and claims with answers."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from aurelia.bench.run_file import Arm
from aurelia.report.measure import answer_value, answered_pairs, compare_values, mean_percent, measure_groups
from aurelia.report.paper_table1 import ALL_COLUMN_TITLES
from aurelia.report.rows import Case
from aurelia.report.tables import (
    ARM_NAMES,
    ReportTable,
    RunFigures,
    TableLine,
    accuracy_table,
    format_number,
    format_p,
    format_range,
)
from aurelia_core.claims import CLAIM_VERDICTS

_VERDICT_TITLES = {"supported": "supported", "contradicted": "contradicted", "cannot_tell": "cannot tell"}


def harm_table(run: RunFigures) -> ReportTable | None:
    """How many right answers became wrong with the reasoning, and how many others became right; None with one arm."""
    groups: dict[str, list[Case]] = {"all": list(run.cases)}
    for column, title in ALL_COLUMN_TITLES.items():
        groups[title] = [case for case in run.cases if case.column == column]
    rows = []
    for name, cases in groups.items():
        pairs = answered_pairs(cases)
        if pairs:
            rows.append(TableLine([name, *_harm_cells(pairs)]))
    if not rows:
        return None
    heads = [
        "",
        "zero-shot right",
        "of them harmed",
        "harm rate, %",
        "zero-shot not right",
        "of them helped",
        "help, %",
    ]
    note = "Harmed: right zero-shot, not right with AURELIA. Helped: the other way round. 95 % intervals over clips."
    return ReportTable(f"Harm and help, {run.name}", heads, rows, [note])


def harm_rate(run: RunFigures) -> tuple[int, int] | None:
    """How many answers were harmed, of how many right zero-shot ones; None without a pair of answers."""
    pairs = answered_pairs(run.cases)
    right = [ours for zero, ours, _ in pairs if zero >= 1]
    if not right:
        return None
    return sum(ours < 1 for ours in right), len(right)


def _harm_cells(pairs: Sequence[tuple[float, float, str]]) -> list[str]:
    cells = []
    for changed in (
        [(float(ours < 1), clip) for zero, ours, clip in pairs if zero >= 1],
        [(float(ours >= 1), clip) for zero, ours, clip in pairs if zero < 1],
    ):
        values = [value for value, _ in changed]
        cells += [str(len(values)), str(int(sum(values)))]
        cells.append(format_range(mean_percent(values, [clip for _, clip in changed])))
    return cells


def run_pair_table(runs: Sequence[RunFigures]) -> ReportTable | None:
    """Every two runs on the questions that both answered, arm by arm; None if no two share a question."""
    rows = []
    for first, second in combinations(runs, 2):
        for arm, title in ARM_NAMES.items():
            cells = _run_pair_cells(first, second, arm)
            if cells:
                rows.append(TableLine([f"{first.name}, {second.name}: {title}", *cells]))
    if not rows:
        return None
    heads = ["", "n", "both right", "only first", "only second", "neither", "second - first, points", "McNemar p"]
    notes = [
        "Over the questions that both runs answered. The list below has them one by one: Outcome, runs differ; an"
        " opened question shows the answers of the other runs."
    ]
    return ReportTable("Runs question by question", heads, rows, notes)


def _run_pair_cells(first: RunFigures, second: RunFigures, arm: Arm) -> list[str] | None:
    other = {(case.record, case.rollout): answer_value(case.answers.get(arm)) for case in second.cases}
    before, after, clips = [], [], []
    for case in first.cases:
        one = answer_value(case.answers.get(arm))
        two = other.get((case.record, case.rollout))
        if one is not None and two is not None:
            before.append(one)
            after.append(two)
            clips.append(case.clip)
    if not before:
        return None
    counts = Counter((one >= 1, two >= 1) for one, two in zip(before, after, strict=True))
    shown = [counts[True, True], counts[True, False], counts[False, True], counts[False, False]]
    found = compare_values(before, after, clips)
    return [str(len(before)), *map(str, shown), format_range(found.difference, True), format_p(found.p)]


def score_table(run: RunFigures) -> ReportTable | None:
    """Calibration of the evaluator: accuracy by the score of the best attempt; None without scores."""
    scored = [case for case in run.cases if case.best_score is not None]
    if not scored:
        return None
    groups = measure_groups(scored, lambda case: f"{case.best_score}", map(str, range(1, 11)))
    return accuracy_table(f"By the evaluator's score of the best attempt, {run.name}", groups)


def claim_table(run: RunFigures) -> ReportTable | None:
    """The claims of the best attempts by kind and verdict, with the answers beside them; None without claims."""
    counts = Counter(claim for case in run.cases for claim in case.claims)
    if not counts:
        return None
    rows = []
    for kind in dict.fromkeys(kind for kind, _ in counts):
        row = [counts[kind, verdict] for verdict in CLAIM_VERDICTS]
        rows.append(TableLine([kind, str(sum(row)), *map(str, row), _right_share(run.cases, kind)]))
    total = [sum(count for (_, verdict), count in counts.items() if verdict == one) for one in CLAIM_VERDICTS]
    rows.insert(0, TableLine(["all", str(sum(total)), *map(str, total), _right_share(run.cases, None)]))
    heads = ["kind of claim", "claims", *_VERDICT_TITLES.values(), "AURELIA right with a contradicted one, %"]
    note = "Claims of the caption of the best attempt; a question opened in the list shows each with its witness."
    return ReportTable(f"Claims, {run.name}", heads, rows, [note])


def _right_share(cases: Sequence[Case], kind: str | None) -> str:
    values = []
    for case in cases:
        refuted = [one for one, verdict in case.claims if verdict == "contradicted" and kind in (None, one)]
        value = answer_value(case.answers.get("aurelia"))
        if refuted and value is not None:
            values.append(value)
    if not values:
        return format_number(None)
    return f"{format_number(100 * sum(values) / len(values))} of {len(values)}"
