"""The recipes `floor`, the target alone on a sample, and `baselines`, the loop beside other uses of its clip calls."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.conditions import Condition, ConditionFigures, run_conditions
from aurelia.bench.recipe_costs import (
    TOKENS_OF_FRAME,
    TOKENS_OF_REPLY,
    TOKENS_OF_SECOND,
    TOKENS_OF_TEXT,
    Forecast,
    forecast,
)
from aurelia.bench.records import read_records, write_records
from aurelia.bench.sampling import draw_sample
from aurelia.report.condition_tables import change_table, cost_table, forecast_table
from aurelia.report.markdown import render_document
from aurelia.report.recipes import RecipeInput, run_and_score
from aurelia.report.table_files import write_table_files
from aurelia.report.tables import ReportTable
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from state.context import MAX_CANDIDATES, Context

CALLS_OF_ATTEMPT = 2
"""Calls of an attempt that carry the clip: the generator's and the evaluator's."""
LEAST_CLIP_CALLS = 5
ZERO_SHOT, REFINE, OWN_STEPS = "zero-shot", "refine", "own steps"
_LEAST_PLAN_TOKENS = 64


class RecipeFiles(NamedTuple):
    """What a recipe wrote: its page in Markdown, and the folder of its tables (`shown`) as CSV and LaTeX."""

    markdown: Path
    tables: Path
    shown: list[ReportTable]


def floor_condition(work: RecipeInput, context: Context, size: int, seed: int) -> Condition:
    """The target alone on a stratified sample, which is written into the folder."""
    work.out.mkdir(parents=True, exist_ok=True)
    sample = work.out / "sample.jsonl"
    write_records(draw_sample(list(read_records(work.file)), size, seed, "proportional").records, sample)
    return Condition("floor", context, "zero_shot", sample)


async def run_floor(work: RecipeInput, context: Context, size: int, seed: int) -> RecipeFiles:
    """Runs the zero-shot floor and writes floor.md and its tables.

    Raises:
        InputError: the run was refused.
    """
    found = await run_all([floor_condition(work, context, size, seed)], work)
    tables = [change_table(f"{context.target} alone", found, found[0]), cost_table("Cost", found)]
    return write_recipe(work.out, "floor", "Zero-shot floor", tables)


def baseline_conditions(
    file: Path, context: Context, clip_calls: int, describer: str | None = None, *, limited: bool = True
) -> list[Condition]:
    """Zero-shot, the loop with and without its critic's words, best of n, a vote, own steps, and a script.

    Args:
        file: the records.
        context: the settings of all; the strategy's are replaced.
        clip_calls: calls with the clip that a question may have, at most: T attempts and an answer are 2 T + 1.
        describer: model that writes the script (default: that of the settings).
        limited: whether the target's own steps have a limit of tokens, that of the loop's agents.

    Raises:
        InputError: there are too few calls for two attempts, or more than candidates are possible.
    """
    if clip_calls < LEAST_CLIP_CALLS:
        raise InputError(f"--clip-calls {clip_calls} is too few: two attempts and an answer need {LEAST_CLIP_CALLS}.")
    attempts = (clip_calls - 1) // CALLS_OF_ATTEMPT
    if clip_calls > MAX_CANDIDATES:
        raise InputError(f"--clip-calls {clip_calls} is too many: a vote has at most {MAX_CANDIDATES} answers.")
    plain = context.model_copy(
        update={"strategy": "refine", "candidates": 1, "guide": "feedback", "patience": None, "plan_tokens": None}
    )
    loop = {"max_iterations": attempts}
    script: dict[str, Any] = {"strategy": "script"}
    if describer:
        script["unsupported_modality"] = f"describe:{describer}"
    settings: Mapping[str, dict[str, Any]] = {
        REFINE: loop,
        "refine, score alone": {**loop, "guide": "score"},
        "refine, no guide": {**loop, "guide": "none"},
        f"best of {attempts}": {"strategy": "best_of_n", "candidates": attempts},
        f"vote of {clip_calls}": {"strategy": "vote", "candidates": clip_calls},
        OWN_STEPS: {"strategy": "own_steps"},
        "script, then text only": script,
    }
    conditions = [Condition(ZERO_SHOT, plain, "zero_shot", file)]
    for name, changes in settings.items():
        condition = Condition(name, plain.model_copy(update=changes), "aurelia", file)
        if name == OWN_STEPS and limited:
            condition = condition._replace(changes=_plan_tokens)
        conditions.append(condition)
    return conditions


def _plan_tokens(done: Mapping[str, ConditionFigures]) -> dict[str, Any]:
    """The target's own steps may have as many output tokens as the loop's agents had, on average."""
    loop = done.get(REFINE)
    if loop is None or not loop.agents_output:
        return {}
    return {"plan_tokens": max(_LEAST_PLAN_TOKENS, round(loop.agents_output))}


def _takes_a_limit(context: Context, work: RecipeInput) -> bool:
    client = ModelClient(work.resources.settings, providers=work.resources.providers)
    return "max_tokens" in client.adapter(context.target).decoding_settings


async def run_baselines(
    work: RecipeInput, context: Context, *, clip_calls: int, describer: str | None = None
) -> RecipeFiles:
    """Runs every condition and writes baselines.md and its tables.

    Raises:
        InputError: every condition was refused.
    """
    conditions = baseline_conditions(work.file, context, clip_calls, describer, limited=_takes_a_limit(context, work))
    found = await run_all(conditions, work)
    by_name = {one.name: one for one in found}
    title = f"Baselines at {clip_calls} calls with the clip"
    tables = [
        change_table(f"{title}, against zero-shot", found, by_name[ZERO_SHOT]),
        change_table(f"{title}, against refine", found, by_name[REFINE]),
        cost_table("Cost and candidates", found),
    ]
    tables[2].notes.append(
        "No adapter of this project has a provider's own agentic video mode, so there is no row for one."
    )
    return write_recipe(work.out, "baselines", title, tables)


async def run_all(conditions: list[Condition], work: RecipeInput) -> list[ConditionFigures]:
    """Runs, scores and reads the conditions of a recipe."""
    work.out.mkdir(parents=True, exist_ok=True)

    async def run(condition: Condition, context: Context, path: Path) -> None:
        plan = replace(work.plan, arms=(condition.arm,))
        await run_and_score(condition.records, path, context, plan, work)

    return await run_conditions(conditions, work.out, run)


def write_recipe(out: Path, name: str, title: str, tables: list[ReportTable]) -> RecipeFiles:
    """Writes NAME.md and the tables as CSV and LaTeX into the folder."""
    out.mkdir(parents=True, exist_ok=True)
    page = out / f"{name}.md"
    page.write_text(render_document(title, [(table.caption, [table]) for table in tables]), "utf-8")
    write_table_files(tables, out / "tables")
    return RecipeFiles(page, out / "tables", tables)


def recipe_forecast(conditions: list[Condition], work: RecipeInput) -> tuple[list[Forecast], ReportTable]:
    """What the conditions will cost, and its table."""
    resources = work.resources
    client = ModelClient(resources.settings, providers=resources.providers, store=resources.clip_store())
    found = forecast(conditions, work.out, client)
    notes = [
        f"Assumed, where no answer was made yet: {TOKENS_OF_TEXT} tokens of text and {TOKENS_OF_REPLY} of a reply; of"
        f" the clip what the model's table says, else {TOKENS_OF_FRAME} a frame and {TOKENS_OF_SECOND} a second of"
        " sound. The most calls, at full price, without cached tokens. unknown: a model's price is not known."
    ]
    return found, forecast_table(found, notes)
