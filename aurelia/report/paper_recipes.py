"""The recipes of the paper's tables: 1 (targets and columns), 4 (agents), 5 (iterations) and 6 (threshold)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from aurelia.bench.ablation import GridQuestion, GridSetting, ablate
from aurelia.bench.conditions import Condition, ConditionFigures
from aurelia.bench.costs import mean_target_seconds
from aurelia.bench.intervals import CellComparison, CellInterval, compare_cells, holm, share_interval
from aurelia.bench.records import Column, read_records, write_records
from aurelia.bench.run_plan import make_plan, read_planned_records
from aurelia.bench.sampling import TABLE1_COMPOSITION
from aurelia.bench.score_run import score_without_judge
from aurelia.bench.tally import CORRECT_METRIC
from aurelia.report.baselines import ZERO_SHOT, RecipeFiles, run_all, write_recipe
from aurelia.report.condition_tables import (
    INTERVAL_NOTES,
    change_table,
    cost_table,
    interval_text,
)
from aurelia.report.measure import REPORT_DRAWS
from aurelia.report.paper_table1 import COLUMN_TITLES, PAPER_SOURCE, PaperCell, foreign_datasets, read_paper_table1
from aurelia.report.recipes import RecipeInput, run_and_score
from aurelia.report.tables import NO_VALUE, ReportTable, TableLine, format_number
from aurelia_core.errors import InputError
from aurelia_core.types import NO_USAGE, Usage, add_usage
from state.context import Context

TABLE5_CAPS = (1, 2, 3, 4, 5)
TABLE5_THRESHOLD = 8
TABLE6_THRESHOLDS = (4, 5, 6, 7, 8, 9, 10)
TABLE6_CAP = 5
_PAPER_TABLE5 = (
    "Printed in the paper's Table 5 (AV-GeoIQ, VideoLLaMA2): 27.5 % at T = 1 and 38.0 % at T = 5; 16.28, 45.66 and"
    " 74.01 s a sample at T = 1, 3 and 5. It does not say on which hardware, nor with how many questions in progress."
)
_PAPER_TABLE6 = "Printed in the paper's Table 6: 23.90 s a sample at tau = 4 and 65.81 s at tau = 10."


class _Table1Cell(NamedTuple):
    """One target in one column: both arms and their difference, over the questions that both answered."""

    zero_shot: CellInterval
    aurelia: CellInterval
    change: CellComparison


def table1_conditions(file: Path, context: Context, targets: Sequence[str]) -> list[Condition]:
    """Zero-shot and AURELIA of every target.

    Raises:
        InputError: a target is named twice.
    """
    if len(set(targets)) < len(targets):
        raise InputError("A target is named twice: name each once.")
    conditions = []
    for target in targets:
        asked = context.model_copy(update={"target": target})
        conditions.append(Condition(f"{_plain(target)}, zero-shot", asked, "zero_shot", file))
        conditions.append(Condition(f"{_plain(target)}, AURELIA", asked, "aurelia", file))
    return conditions


def _plain(target: str) -> str:
    return target.replace(":", " ")


async def run_table1(work: RecipeInput, context: Context, targets: Sequence[str]) -> RecipeFiles:
    """Runs every target and writes table1.md and its tables.

    Raises:
        InputError: every target was refused.
    """
    conditions = table1_conditions(work.file, context, targets)
    found = {one.name: one for one in await run_all(conditions, work)}
    columns = {record.id: record.column for record in read_records(work.file)}
    cells = {}
    for target in targets:
        zero, ours = found[f"{_plain(target)}, zero-shot"], found[f"{_plain(target)}, AURELIA"]
        for column in COLUMN_TITLES:
            if cell := _cell(zero, ours, {name for name, of in columns.items() if of == column}):
                cells[target, column] = cell
    tables = [_table1(targets, cells), cost_table("Cost", list(found.values())), composition_table(work.file)]
    if foreign := foreign_datasets((record.column, record.source.dataset) for record in read_records(work.file)):
        tables[0].notes.insert(0, f"The rows of these runs are not of the paper's questions: {', '.join(foreign)}.")
    tables[0].notes.extend([f"{one.name} was not run: {one.refused}" for one in found.values() if one.refused])
    return write_recipe(work.out, "table1", "Table 1", tables)


def _cell(zero: ConditionFigures, ours: ConditionFigures, ids: set[str]) -> _Table1Cell | None:
    both = [name for name in zero.values if name in ids and name in ours.values]
    if not both:
        return None
    before, after = [zero.values[name] for name in both], [ours.values[name] for name in both]
    clips = [zero.clips[name] for name in both]
    intervals = [share_interval(values, clips, draws=REPORT_DRAWS) for values in (before, after)]
    return _Table1Cell(intervals[0], intervals[1], compare_cells(before, after, clips, draws=REPORT_DRAWS))


def _table1(targets: Sequence[str], cells: Mapping[tuple[str, Column], _Table1Cell]) -> ReportTable:
    corrected = dict(zip(cells, holm([cell.change.p for cell in cells.values()]), strict=True))
    ours = []
    for target in targets:
        row = [_cell_text(cells.get((target, column)), corrected.get((target, column))) for column in COLUMN_TITLES]
        ours.append(TableLine([target, *row], "ours"))
    theirs = [
        TableLine([row.model, *(_paper_text(row.cells[column]) for column in COLUMN_TITLES)])
        for row in read_paper_table1()
    ]
    notes = [
        "Zero-shot → AURELIA in percent, then the difference in points and its p after Holm's correction over all cells"
        " of these runs.",
        f"The other rows: {PAPER_SOURCE}. It prints two zero-shot figures, X / Y, and does not say what they are; its"
        " gains are over Y. It prints neither n nor intervals.",
        *INTERVAL_NOTES,
    ]
    return ReportTable(
        "Table 1: these runs and the paper", ["target", *COLUMN_TITLES.values()], [*ours, *theirs], notes, "lined"
    )


def _cell_text(cell: _Table1Cell | None, p: float | None) -> str:
    if cell is None or p is None:
        return NO_VALUE
    arms = f"{interval_text(cell.zero_shot)} → {interval_text(cell.aurelia)}"
    return f"{arms}\n{interval_text(cell.change.difference, sign=True)}, p = {p:.2g}"


def _paper_text(cell: PaperCell) -> str:
    if cell.zero_shot is None and cell.aurelia is None:
        return NO_VALUE
    text = f"{format_number(cell.first)} / {format_number(cell.zero_shot)}"
    if cell.aurelia is not None:
        text += f" → {format_number(cell.aurelia)}"
    return text


def composition_table(file: Path) -> ReportTable:
    """How many questions each column has, beside the paper's sample of 4,500."""
    columns = [record.column for record in read_records(file)]
    rows = [
        TableLine([COLUMN_TITLES[column], str(columns.count(column)), str(TABLE1_COMPOSITION[column])])
        for column in COLUMN_TITLES
    ]
    rows.append(TableLine(["all", str(sum(column in COLUMN_TITLES for column in columns)), "4500"], "ours"))
    notes = [
        "The paper's figures of Table 1 are multiples of what these numbers allow; its 17 categories (4,504 questions)"
        " are another cut. aurelia bench sample --composition columns draws such a sample."
    ]
    return ReportTable("Questions by column", ["", "here", "paper"], rows, notes)


def table4_conditions(file: Path, contexts: Mapping[str, Context]) -> list[Condition]:
    """Zero-shot, and the same target with every set of agents.

    Raises:
        InputError: there are fewer than two sets, or their targets differ.
    """
    if len(contexts) < 2 or len({context.target for context in contexts.values()}) > 1:
        raise InputError(
            "Two or more profiles with the same target are needed: name them, and --model target=… for all."
        )
    first = next(iter(contexts.values()))
    agents = [Condition(name, context, "aurelia", file) for name, context in contexts.items()]
    return [Condition(ZERO_SHOT, first, "zero_shot", file), *agents]


async def run_table4(work: RecipeInput, contexts: Mapping[str, Context]) -> RecipeFiles:
    """Runs every set of agents and writes table4.md and its tables.

    Raises:
        InputError: see `table4_conditions`, or every set was refused.
    """
    found = await run_all(table4_conditions(work.file, contexts), work)
    tables = [change_table("Agents against zero-shot", found, found[0])]
    if not found[1].refused:
        tables.append(change_table(f"Agents against {found[1].name}", found, found[1]))
    rows = [
        TableLine([name, *(context.model_of(role) for role in ("generator", "summarizer", "evaluator", "feedback"))])
        for name, context in contexts.items()
    ]
    heads = ["", "generator", "summarizer", "evaluator", "feedback"]
    return write_recipe(
        work.out, "table4", "Table 4", [*tables, cost_table("Cost", found), ReportTable("Agents", heads, rows)]
    )


def grid_condition(file: Path, context: Context, cap: int, threshold: int) -> Condition:
    """The one run that holds every smaller setting: all attempts, whatever the score."""
    full = {"early_stop": False, "max_iterations": cap, "threshold": threshold}
    return Condition("full", context.model_copy(update=full), "aurelia", file)


def input_of_task(work: RecipeInput, task: str | None) -> RecipeInput:
    """The input of a recipe with the questions of one task, which are written into the folder; None: all.

    Raises:
        InputError: there is no such task, or no question of it.
    """
    if task is None:
        return work
    records = read_planned_records(work.file, make_plan(arms="aurelia", tasks=[task], rpm=[]))
    work.out.mkdir(parents=True, exist_ok=True)
    file = work.out / f"{task}.jsonl"
    write_records(records, file)
    return replace(work, file=file)


async def run_table5(work: RecipeInput, context: Context) -> RecipeFiles:
    """T = 1 to 5 at tau = 8, from one run.

    Raises:
        InputError: the settings have another strategy than the loop, or a budget.
    """
    settings = [GridSetting(cap, TABLE5_THRESHOLD, context.inject) for cap in TABLE5_CAPS]
    names = [f"T = {cap}" for cap in TABLE5_CAPS]
    condition = grid_condition(work.file, context, max(TABLE5_CAPS), TABLE5_THRESHOLD)
    return await _run_grid(work, condition, settings, names, "table5", _PAPER_TABLE5)


async def run_table6(work: RecipeInput, context: Context) -> RecipeFiles:
    """Tau = 4 to 10 at T = 5, from one run.

    Raises:
        InputError: the settings have another strategy than the loop, or a budget.
    """
    settings = [GridSetting(TABLE6_CAP, tau, context.inject) for tau in TABLE6_THRESHOLDS]
    names = [f"tau = {tau}" for tau in TABLE6_THRESHOLDS]
    condition = grid_condition(work.file, context, TABLE6_CAP, max(TABLE6_THRESHOLDS))
    return await _run_grid(work, condition, settings, names, "table6", _PAPER_TABLE6)


async def _run_grid(
    work: RecipeInput,
    condition: Condition,
    settings: Sequence[GridSetting],
    names: Sequence[str],
    name: str,
    paper: str,
) -> RecipeFiles:
    path = work.out / condition.file_name
    await run_and_score(work.file, path, condition.context, work.plan, work)
    questions = await ablate(path, settings, work.resources, score_without_judge, concurrency=work.plan.concurrency)
    seconds = mean_target_seconds(path)
    found = [_zero_shot(questions)] if any(one.zero_shot for one in questions) else []
    found += [grid_figures(title, questions, setting, seconds) for title, setting in zip(names, settings, strict=True)]
    title = f"Table {name[-1]}"
    tables = [
        change_table(f"{title}, against {names[0]}", found, next(one for one in found if one.name == names[0])),
        cost_table("Cost", found),
    ]
    tables[0].notes.append(paper)
    tables[1].notes.append(
        "Derived from one run with the largest setting; the target was asked again only for other best attempts. Its"
        " calls are not in these columns, its mean seconds are."
    )
    return write_recipe(work.out, name, title, tables)


def grid_figures(
    name: str, questions: Sequence[GridQuestion], setting: GridSetting, target_seconds: float
) -> ConditionFigures:
    """One setting of the grid as a condition: the cost is that of its loop."""
    values, clips, usage, seconds, failed, clip_calls = {}, {}, NO_USAGE, 0.0, 0, 0
    for question in questions:
        found = question.at_setting(setting)
        if found is None or found[1].error is not None:
            failed += 1
            continue
        end, answer = found
        clips[question.record.id] = question.record.clip_name
        usage = add_usage(usage, end.usage)
        seconds += end.seconds + target_seconds
        clip_calls += 2 * len(end.iterations) + 1
        if CORRECT_METRIC in answer.scores:
            values[question.record.id] = answer.scores[CORRECT_METRIC] or 0.0
    total: Usage = usage
    return ConditionFigures(name, values, clips, {}, failed, total, clip_calls, seconds / max(1, len(clips)))


def _zero_shot(questions: Sequence[GridQuestion]) -> ConditionFigures:
    answered = [one for one in questions if one.zero_shot and CORRECT_METRIC in one.zero_shot.scores]
    values = {one.record.id: (one.zero_shot.scores[CORRECT_METRIC] or 0.0) for one in answered if one.zero_shot}
    clips = {one.record.id: one.record.clip_name for one in answered}
    return ConditionFigures(ZERO_SHOT, values, clips, clip_calls=len(clips))
