"""The recipe `senses`: the same questions without a sense, or with that of another clip, zero-shot and with AURELIA."""

from dataclasses import replace

from aurelia.bench.conditions import Condition, ConditionFigures
from aurelia.bench.records import read_records
from aurelia.bench.senses import FULL, SENSES, write_sense_records
from aurelia.report.baselines import RecipeFiles, run_all, write_recipe
from aurelia.report.condition_tables import (
    INTERVAL_NOTES,
    accuracy_of,
    change_table,
    compare_conditions,
    interval_text,
)
from aurelia.report.paper_table1 import ALL_COLUMN_TITLES
from aurelia.report.recipes import RecipeInput
from aurelia.report.tables import ARM_NAMES, NO_VALUE, ReportTable, TableLine, format_number
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from state.context import Context

_FOLDER = "media"


def prepare_senses(work: RecipeInput) -> tuple[RecipeInput, dict[str, Condition], int]:
    """The input with the changed media among its folders, what to run by name, and the number of records left out.

    Raises:
        InputError: no media folder is named, or too few records can be used.
    """
    if work.resources.media is None:
        raise InputError("The senses need the folder of the clips: name it with --media.")
    folder = work.out / _FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    roots = (work.resources.media, folder)
    store = ClipStore(replace(work.resources.settings, media_roots=roots, allow_any_file=False))
    found = write_sense_records(list(read_records(work.file)), folder, store)
    resources = replace(work.resources, store=store)
    conditions = {}
    for sense in SENSES:
        for arm, title in ARM_NAMES.items():
            name = f"{sense}, {title}"
            conditions[name] = Condition(name, Context(), arm, found.files[sense])
    return replace(work, resources=resources), conditions, found.left_out


def sense_conditions(conditions: dict[str, Condition], context: Context) -> list[Condition]:
    """The conditions with the settings of the run."""
    return [condition._replace(context=context) for condition in conditions.values()]


async def run_senses(work: RecipeInput, context: Context) -> RecipeFiles:
    """Runs every sense with and without AURELIA and writes senses.md and its tables.

    Raises:
        InputError: see `prepare_senses`, or every condition was refused.
    """
    ready, named, left_out = prepare_senses(work)
    found = await run_all(sense_conditions(named, context), ready)
    by_name = {one.name: one for one in found}
    columns = {record.id: record.column for record in read_records(named[f"{FULL}, zero-shot"].records)}
    tables = []
    for arm in ARM_NAMES.values():
        some = [by_name[f"{sense}, {arm}"] for sense in SENSES]
        tables.append(change_table(f"{arm} without a sense, against all of the clip", some, some[0]))
    tables.append(_gain_table(by_name))
    present = [name for name in ALL_COLUMN_TITLES if name in set(columns.values())]
    for column in present:
        ids = {name for name, of in columns.items() if of == column}
        tables.append(_column_table(ALL_COLUMN_TITLES[column], by_name, ids))
    if left_out:
        tables[0].notes.append(f"{left_out} records are left out: they have no video with a sound of its own.")
    return write_recipe(work.out, "senses", f"Which sense the answers of {context.target} need", tables)


def _gain_table(by_name: dict[str, ConditionFigures]) -> ReportTable:
    """The gain of AURELIA in every sense, and which share of the whole clip's gain is left."""
    rows = []
    whole = 0.0
    for sense in SENSES:
        zero, ours = (by_name[f"{sense}, {arm}"] for arm in ARM_NAMES.values())
        compared = compare_conditions([zero, ours], zero)
        if not compared:
            rows.append(TableLine([sense, NO_VALUE, NO_VALUE, NO_VALUE]))
            continue
        change = compared[0].change
        if sense == FULL:
            whole = change.difference.value
        share = format_number(100 * change.difference.value / whole) if whole else NO_VALUE
        points = interval_text(change.difference, sign=True)
        rows.append(TableLine([sense, points, f"{change.fixed} / {change.broke}", share]))
    notes = ["The share says nothing where the gain with the whole clip is near 0.", *INTERVAL_NOTES]
    heads = ["", "AURELIA over zero-shot, points", "fixed / broke", "share of the whole clip's gain, %"]
    return ReportTable("The gain of the reasoning, by sense", heads, rows, notes)


def _column_table(title: str, by_name: dict[str, ConditionFigures], ids: set[str]) -> ReportTable:
    """Accuracy in one column, by sense and arm."""
    rows = []
    for sense in SENSES:
        cells = [_accuracy(by_name[f"{sense}, {arm}"], ids) for arm in ARM_NAMES.values()]
        rows.append(TableLine([sense, *cells]))
    return ReportTable(
        f"By sense, {title}", ["", *(f"{arm}, %" for arm in ARM_NAMES.values())], rows, INTERVAL_NOTES[:2]
    )


def _accuracy(figures: ConditionFigures, ids: set[str]) -> str:
    some = replace(figures, values={name: value for name, value in figures.values.items() if name in ids})
    found = accuracy_of(some)
    return interval_text(found) if found else NO_VALUE
