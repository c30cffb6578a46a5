"""`aurelia mini recovery`: how often the loop notices a wrong fact in the first attempt, and corrects it by T = 3.

One question for each clip (what happens, turn by turn) goes through the real graph and runner. `planted_errors` plants
the wrong facts and provides a critic that knows only the caption. The true description of the clip decides whether a
fact is corrected.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.records import Record, write_records
from aurelia.bench.run_file import Outcome
from aurelia.bench.runner import RunResources
from aurelia_core.errors import InputError, ModelError
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.signals.observation import Observation
from aurelia_offline.study.loops import StudySettings, run_loops
from aurelia_offline.study.miniature_critic import make_miniature_critic, make_turns_summarizer
from aurelia_offline.study.planted_errors import (
    ERROR_WORDS,
    PLANTED_ERRORS,
    PlantedError,
    PlantedErrorChat,
    make_planted_agent,
    make_plausibility_critic,
    turn_of,
)
from aurelia_offline.study.tables import study_table
from aurelia_offline.training import examples
from aurelia_offline.world import mini_world
from aurelia_offline.world.benchmark import CLIPS_FOLDER, PosedQuestion, question_record, seed_of_clip, write_clips
from aurelia_offline.world.stage import StageQuestion, question_text
from aurelia_offline.world.stage_agent import describe_turns
from aurelia_offline.world.stage_chain import question_chain
from aurelia_offline.world.stage_table import measure_table
from nodes.requests import windows_by_attempt
from state.context import Critic


class _Critic(NamedTuple):
    """One critic: its model, the setting `critic`, the model that writes captions, and the errors that those show."""

    evaluator: str
    critic: Critic = "holistic"
    summarizer: str = "offline:measure"
    plants: tuple[PlantedError, ...] = PLANTED_ERRORS


_IN_TURNS: tuple[PlantedError, ...] = ("none", "missed", "source", "order", "place")
"""Errors that a caption of the turns shows: it has neither counts nor colours."""
CRITICS = {
    "caption only": _Critic("plausible:text"),
    "miniature, holistic": _Critic("miniature:critic", "holistic", "turns:caption", _IN_TURNS),
    "miniature, claim by claim": _Critic("miniature:critic", "claims", "turns:caption", _IN_TURNS),
    "measuring, holistic": _Critic("offline:measure"),
    "measuring, claim by claim": _Critic("offline:measure", "claims"),
}
"""The critics of the study by name."""
_MAX_ITERATIONS, _THRESHOLD = 3, 8
_CLIPS_PER_BATCH = 12
"""Clips in one batch. A batch passes all kinds of errors while its measurements are still cached."""


class _RecoveryOutcome(NamedTuple):
    """One clip: the score of the first attempt, and whether that attempt is wrong, noticed, and corrected later."""

    score: int | None
    wrong: bool
    noticed: bool
    mended: bool


async def run_recovery(study: StudySettings, critics: Sequence[str] = tuple(CRITICS)) -> str:
    """Run the study and return its table, also written to `recovery.md`; `study.questions` is the number of clips.

    Args:
        study: the settings of the study.
        critics: names of `CRITICS`.

    Raises:
        InputError: there is no critic of a name.
        ModelError: a loop failed.
    """
    if unknown := sorted(set(critics) - CRITICS.keys()):
        raise InputError(f"There is no critic {unknown[0]!r}: name some of {', '.join(CRITICS)}.")
    media = study.out / CLIPS_FOLDER
    seeds = range(study.first, study.first + study.questions)
    write_clips(media, seeds, study.progress)
    records = [_caption_record(seed) for seed in seeds]
    providers: Any = {
        "planted": make_planted_agent,
        "plausible": make_plausibility_critic,
        "miniature": make_miniature_critic,
        "turns": make_turns_summarizer,
    }
    house = replace(study.house(media), providers=providers)
    found: dict[tuple[str, PlantedError], list[_RecoveryOutcome]] = {
        (critic, plant): [] for critic in critics for plant in CRITICS[critic].plants
    }
    for first in range(0, len(records), _CLIPS_PER_BATCH):
        part, file = records[first : first + _CLIPS_PER_BATCH], study.out / f"recovery-{first}.jsonl"
        write_records(part, file)
        study.progress(f"clips {first + 1} to {first + len(part)} of {len(records)}")
        for critic, plant in found:
            found[critic, plant] += await _run_batch(study, file, part, house, critic, plant)
    rows = [[critic, ERROR_WORDS[plant], *_row_figures(ones, plant)] for (critic, plant), ones in found.items()]
    heads = ["critic", "planted in the first look", "clips", "first score", "noticed, %", "mended by T = 3, %"]
    text = study_table(
        "Recovery from a wrong fact in the first attempt", heads, rows,
        f"Noticed: the first attempt's score is below tau = {_THRESHOLD}. Mended: the best attempt's measurements no"
        " longer hold the wrong fact. Clips: those where it made the first attempt wrong; with nothing planted those"
        " where the first attempt is right, so that what is noticed is a false alarm.",
        "The caption-only critic sees no clip and scores how well the caption is made. The miniature reads captions of"
        " the turns, which have neither counts nor colours; words said or written do not occur in this world.",
    ) + "\n"  # fmt: skip
    (study.out / "recovery.md").write_text(text, encoding="utf-8")
    return text


async def _run_batch(
    study: StudySettings, file: Path, records: list[Record], house: RunResources, critic: str, plant: PlantedError
) -> list[_RecoveryOutcome]:
    """Run a batch of clips with one kind of error and one critic."""
    named = CRITICS[critic]
    roles = {
        "generator": f"planted:{plant}",
        "summarizer": named.summarizer,
        "evaluator": named.evaluator,
        "target": "offline:measure",
    }
    context = study.context(
        **roles, critic=named.critic, compare=False, max_iterations=_MAX_ITERATIONS, threshold=_THRESHOLD
    )
    out = file.with_name(f"{file.stem}-{plant}-{re.sub('[^a-z]+', '-', critic)}.run")
    runs = await run_loops(study, file, out, house, context, "aurelia")
    model = make_planted_agent(plant, house.clip_store())
    return [_judge_recovery(one, runs.loops[one.id], model, context.frames, context.samples) for one in records]


def _caption_record(seed: int) -> Record:
    asked, table = StageQuestion("caption"), mini_world.draw_clip(seed).table
    example = examples.Example(asked, question_text(asked), [], describe_turns(table), question_chain(asked, table))
    return question_record(seed, PosedQuestion(seed, asked, example))


def _judge_recovery(
    one: Record, found: Outcome, model: PlantedErrorChat, frames: int, samples: int
) -> _RecoveryOutcome:
    if not found.result or not found.result["iterations"]:
        raise ModelError(f"There is no loop of {one.id}: {found.error}")
    attempts = found.result["iterations"]
    seed = seed_of_clip(one.clip_name)
    media = MediaRequest(clip=model.store.admit(one.clip_name), frames=frames)
    first = _is_right(model.plant, model.observe(media, [[]], samples), seed)
    best = found.result["best_iteration"]
    seen = model.observe(media, windows_by_attempt(attempts)[: best or 1], samples)
    score = attempts[0]["score"]
    return _RecoveryOutcome(
        score, not first, score is None or score < _THRESHOLD, best is not None and _is_right(model.plant, seen, seed)
    )


def _is_right(plant: PlantedError, seen: Observation, seed: int) -> bool:
    """Whether the measurements are correct in the part that this kind of error changes."""
    clip, table = mini_world.draw_clip(seed), measure_table(seen)
    if table is None:
        return False
    if plant == "none":
        return all(_is_right(one, seen, seed) for one in ("missed", "source", "count", "colour"))
    if plant == "colour":
        return _colours_are_right(clip, seen)
    if plant == "count":
        struck = [sum(int((s.start + s.end) / 2) == turn for s in seen.sounds) for turn in range(len(clip.turns))]
        return struck == [turn.beats if turn.instrument else 0 for turn in clip.turns]
    if plant in ("source", "place"):
        return [turn.spot for turn in table] == [turn.spot for turn in clip.table]
    return [turn.instrument for turn in table] == [turn.instrument for turn in clip.table]


def _colours_are_right(clip: mini_world.WorldClip, seen: Observation) -> bool:
    """Whether the largest motion of each turn has the colour of the shape at its spot, where one is told."""
    for number, turn in enumerate(clip.turns):
        own = [motion for motion in seen.motions if turn_of(motion) == number]
        largest = max(own, key=lambda motion: motion.extent, default=None)
        if turn.spot is not None and largest and largest.colour not in (None, clip.colours[turn.spot]):
            return False
    return True


def _row_figures(found: list[_RecoveryOutcome], plant: PlantedError) -> list[str]:
    """The figures of one row, over the clips with a wrong first attempt (without planted error: with a correct one)."""
    counted = [one for one in found if one.wrong != (plant == "none")]
    if not counted:
        return ["0", "–", "–", "–"]
    scores = [one.score for one in counted if one.score is not None]
    noticed, mended = (
        f"{100 * sum(values) / len(counted):.0f}"
        for values in ([one.noticed for one in counted], [one.mended for one in counted])
    )
    score = "–"
    if scores:
        score = f"{sum(scores) / len(scores):.2f}"
    return [str(len(counted)), score, noticed, "–" if plant == "none" else mended]
