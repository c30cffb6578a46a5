"""`aurelia mini recovery`: how often the loop notices a wrong fact in the first attempt, and mends it by T = 3.

One question a clip (what happens, turn by turn), through the real graph and runner; the wrong facts and the critic
that knows only the caption are `aurelia_offline.study.planted_errors`'s. Whether a fact is mended is told by the truth about the clip.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.records import Record, write_records
from aurelia.bench.run_file import Outcome
from aurelia.bench.runner import House
from aurelia_core.errors import ModelError
from aurelia_core.signals.observation import Observation
from aurelia_offline.study.loops import Study, looped
from aurelia_offline.study.planted_errors import PLANTS, TOLD, Plant, PlantedChat, planted, plausible
from aurelia_offline.study.tables import table
from aurelia_offline.training import examples
from aurelia_offline.world import world
from aurelia_offline.world.render import CLIPS, Posed, record, seed_of, write_clips
from aurelia_offline.world.stage import Asked, worded
from aurelia_offline.world.stage_agent import told
from aurelia_offline.world.stage_chain import chain
from aurelia_offline.world.stage_table import staged
from nodes.requests import windows_by_attempt

CRITICS = {"measuring": "offline:measure", "caption only": "plausible:text"}
MOST, TAU = 3, 8
AT_ONCE = 12
"""Clips that go through all kinds of faults before the next ones: what was measured in them is still remembered."""


class Recovered(NamedTuple):
    """One clip with a wrong fact: the first attempt's score, whether it was noticed, and whether the best is right."""

    score: int | None
    wrong: bool
    noticed: bool
    mended: bool


async def recovery(how: Study) -> str:
    """The table, which it also leaves in `recovery.md`; `how.questions` is the number of clips.

    Raises:
        ModelError: a loop failed.
    """
    media = how.out / CLIPS
    seeds = range(how.first, how.first + how.questions)
    write_clips(media, seeds, how.tell)
    records = [_asked(seed) for seed in seeds]
    house = replace(how.house(media), providers={"planted": planted, "plausible": plausible})
    found: dict[tuple[str, Plant], list[Recovered]] = {key: [] for key in product(CRITICS, PLANTS)}
    for first in range(0, len(records), AT_ONCE):
        part, file = records[first : first + AT_ONCE], how.out / f"recovery-{first}.jsonl"
        write_records(part, file)
        how.tell(f"clips {first + 1} to {first + len(part)} of {len(records)}")
        for critic, plant in found:
            found[critic, plant] += await _looped(how, file, part, house, critic, plant)
    rows = [[critic, TOLD[plant], *_counted(ones, plant)] for (critic, plant), ones in found.items()]
    heads = ["critic", "planted in the first look", "clips", "first score", "noticed, %", "mended by T = 3, %"]
    text = table(
        "Recovery from a wrong fact in the first attempt", heads, rows,
        f"Noticed: the first attempt's score is below tau = {TAU}. Mended: the best attempt's measurements no longer"
        " hold the wrong fact. Clips: those where it made the first attempt wrong; with nothing planted those where the"
        " first attempt is right, so that what is noticed is a false alarm.",
        "The caption-only critic sees no clip and scores how well the caption is made.",
    ) + "\n"  # fmt: skip
    (how.out / "recovery.md").write_text(text, encoding="utf-8")
    return text


async def _looped(
    how: Study, file: Path, records: list[Record], house: House, critic: str, plant: Plant
) -> list[Recovered]:
    """Some clips with one kind of wrong fact before one critic."""
    roles = {"generator": f"planted:{plant}", "evaluator": CRITICS[critic], "target": "offline:measure"}
    context = how.context(**roles, max_iterations=MOST, threshold=TAU)
    out = file.with_name(f"{file.stem}-{plant}-{CRITICS[critic].partition(':')[0]}.run")
    runs = await looped(how, file, out, house, context, "aurelia")
    model = planted(plant, house.clips())
    return [_recovered(one, runs.loops[one.id], model, context.frames, context.samples) for one in records]


def _asked(seed: int) -> Record:
    asked, table_ = Asked("caption"), world.draw(seed).table
    example = examples.Example(asked, worded(asked), [], told(table_), chain(asked, table_))
    return record(seed, Posed(seed, asked, example))


def _recovered(one: Record, found: Outcome, model: PlantedChat, frames: int, samples: int) -> Recovered:
    if not found.result or not found.result["iterations"]:
        raise ModelError(f"There is no loop of {one.id}: {found.error}")
    attempts = found.result["iterations"]
    seed = seed_of(one.video)
    fields: dict[str, Any] = {"clip": model.store.admit(one.video), "frames": frames, "samples": samples}
    first = _right(model.plant, model._observe(fields, [[]]), seed)
    best = found.result["best_iteration"]
    seen = model._observe(fields, windows_by_attempt(attempts)[: best or 1])
    score = attempts[0]["score"]
    return Recovered(
        score, not first, score is None or score < TAU, best is not None and _right(model.plant, seen, seed)
    )


def _right(plant: Plant, seen: Observation, seed: int) -> bool:
    """Whether what was measured is true in what a plant of this kind spoils."""
    clip, table_ = world.draw(seed), staged(seen)
    if table_ is None:
        return False
    if plant == "count":
        struck = [sum(int((s.start + s.end) / 2) == turn for s in seen.sounds) for turn in range(len(clip.turns))]
        return struck == [turn.beats if turn.instrument else 0 for turn in clip.turns]
    if plant == "source":
        return [turn.spot for turn in table_] == [turn.spot for turn in clip.table]
    return [turn.instrument for turn in table_] == [turn.instrument for turn in clip.table]


def _counted(found: list[Recovered], plant: Plant) -> list[str]:
    """The figures of one row, over the clips whose first attempt is wrong; is right, where nothing is planted."""
    counted = [one for one in found if one.wrong != (plant == "none")]
    if not counted:
        return ["0", "–", "–", "–"]
    scores = [one.score for one in counted if one.score is not None]
    noticed, mended = (
        f"{100 * sum(values) / len(counted):.0f}"
        for values in ([one.noticed for one in counted], [one.mended for one in counted])
    )
    score = f"{sum(scores) / len(scores):.2f}" if scores else "–"
    return [str(len(counted)), score, noticed, "–" if plant == "none" else mended]
