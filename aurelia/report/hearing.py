"""The recipe `hearing`: whether models hear and see, by questions that need the one or the other."""

from collections.abc import Sequence
from dataclasses import replace

from aurelia.bench.conditions import Condition
from aurelia.bench.hearing import SenseFinding, probe_conditions, sense_findings, write_probe
from aurelia.report.baselines import RecipeFiles, run_all, write_recipe
from aurelia.report.recipes import RecipeInput
from aurelia.report.tables import ReportTable, TableLine
from aurelia_core.media import ClipStore
from state.context import Context

_CLIPS = "clips"


def prepare_hearing(work: RecipeInput, models: Sequence[str], context: Context) -> tuple[RecipeInput, list[Condition]]:
    """The input with the probe's clips as its media, and what to run."""
    files = write_probe(work.out / _CLIPS)
    settings = replace(work.resources.settings, media_roots=(work.out / _CLIPS,), allow_any_file=False)
    return replace(work, resources=replace(work.resources, store=ClipStore(settings))), probe_conditions(
        files, models, context
    )


async def probe_models(work: RecipeInput, models: Sequence[str], context: Context) -> list[SenseFinding]:
    """Asks every model both kinds of questions.

    Raises:
        InputError: every model was refused.
    """
    ready, conditions = prepare_hearing(work, models, context)
    return sense_findings(await run_all(conditions, ready), models)


async def run_hearing(work: RecipeInput, models: Sequence[str], context: Context) -> RecipeFiles:
    """Probes every model and writes hearing.md and its table.

    Raises:
        InputError: every model was refused.
    """
    found = await probe_models(work, models, context)
    rows = [
        TableLine([one.model, one.sense, f"{one.right} / {one.asked}", f"{one.p:.2g}", one.verdict]) for one in found
    ]
    notes = [
        "heard: four kinds of sound over a grey picture. seen: four colours over a hum. p: probability of so many right"
        " answers by guessing one of four."
    ]
    heads = ["model", "answer is only", "right", "p", "finding"]
    return write_recipe(
        work.out, "hearing", "What the models hear and see", [ReportTable("Senses", heads, rows, notes)]
    )
