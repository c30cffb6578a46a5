"""`aurelia mini recovery`: how often the loop notices a wrong fact in the first attempt, and corrects it by T = 3.

One question for each clip (what happens, turn by turn) goes through the real graph. `planted_errors` plants
the wrong facts and provides a critic that knows only the caption. The true description of the clip decides whether a
fact is corrected.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from aurelia.run.ask import answer_question
from aurelia_core.errors import InputError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.call_ledger import CallLedger
from aurelia_core.models.client import ModelClient
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.registry import Provider
from aurelia_core.signals.observation import Observation
from aurelia_offline.study.loops import StudySettings
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
from aurelia_offline.study.tables import share_text, study_table
from aurelia_offline.world import mini_world
from aurelia_offline.world.benchmark import CLIPS_FOLDER, clip_file_name, write_clips
from aurelia_offline.world.stage import StageQuestion, question_text
from aurelia_offline.world.stage_table import measure_table
from graph.build import build_graph
from graph.compiled import AureliaGraph
from nodes.requests import windows_by_attempt
from state.context import Context, Critic
from state.schema import Input


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
    "tools": _Critic("offline:measure", "tools"),
}
"""The critics of the study by name."""
_MAX_ITERATIONS, _THRESHOLD = 3, 8
_CLIPS_PER_TABLE = 10
"""After so many clips the table so far is written."""
_PROVIDERS: dict[str, Provider] = {
    "planted": make_planted_agent,
    "plausible": make_plausibility_critic,
    "miniature": make_miniature_critic,
    "turns": make_turns_summarizer,
}


class _RecoveryOutcome(NamedTuple):
    """One clip: the score of the first attempt, whether the clip counts, and whether the best attempt is right.

    It counts where the planted error alone makes the first attempt wrong; with nothing planted, where that is right.
    """

    score: int | None
    counts: bool
    mended: bool


_Cell = tuple[str, PlantedError]
"""A critic by name, and the error that is planted."""


async def run_recovery(study: StudySettings, critics: Sequence[str] = tuple(CRITICS)) -> str:
    """Run the study and return its table, also written to `recovery.md`; `study.questions` is the number of clips.

    A clip passes all critics and errors while its measurements are still cached; replies are stored in a ledger, so
    that an existing study is resumed.

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
    house = study.house(media)
    store = house.clip_store()
    ledger = CallLedger(study.out / "recovery.ledger")
    with closing(ModelClient(house.settings, providers=_PROVIDERS, store=store, ledger=ledger)) as client:
        graph = build_graph(client=client)
        found: dict[_Cell, list[_RecoveryOutcome]] = {
            (critic, plant): [] for critic in critics for plant in CRITICS[critic].plants
        }
        gate = asyncio.Semaphore(study.concurrency)

        async def run(seed: int) -> None:
            async with gate:
                for cell, outcomes in found.items():
                    outcomes.append(await _run_clip(study, seed, cell, graph, store))
            done = min(map(len, found.values()))
            study.progress(f"{done} of {len(seeds)} clips")
            if done % _CLIPS_PER_TABLE == 0:
                (study.out / "recovery.md").write_text(_table(found), encoding="utf-8")

        await asyncio.gather(*map(run, seeds))
    text = _table(found)
    (study.out / "recovery.md").write_text(text, encoding="utf-8")
    return text


def _table(found: Mapping[_Cell, list[_RecoveryOutcome]]) -> str:
    rows = [[critic, ERROR_WORDS[plant], *_row_figures(ones, plant)] for (critic, plant), ones in found.items()]
    heads = ["critic", "planted in the first look", "clips", "first score", "noticed, % [95 %]", "no score, %"]
    return study_table(
        "Recovery from a wrong fact in the first attempt", [*heads, "mended by T = 3, % [95 %]"], rows,
        f"Noticed: the first attempt's score is below tau = {_THRESHOLD}. Mended: the best attempt's measurements no"
        " longer hold the wrong fact. Clips: those where the planted error alone makes the first attempt wrong; with"
        " nothing planted those where the first attempt is right, so that what is noticed is a false alarm.",
        "The caption-only critic sees no clip and scores how well the caption is made. The miniature reads captions of"
        " the turns, which have neither counts nor colours; words said or written do not occur in this world.",
    ) + "\n"  # fmt: skip


async def _run_clip(
    study: StudySettings, seed: int, cell: _Cell, graph: AureliaGraph, store: ClipStore
) -> _RecoveryOutcome:
    """One clip with one kind of error and one critic."""
    critic, plant = cell
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
    asked: Input = {"video": clip_file_name(seed), "question": question_text(StageQuestion("caption"))}
    found = await answer_question(asked, context, graph=graph)
    return _judge_recovery(seed, found, make_planted_agent(plant, store), context)


def _judge_recovery(seed: int, found: Mapping[str, Any], model: PlantedErrorChat, context: Context) -> _RecoveryOutcome:
    attempts = found["iterations"]
    if not attempts:
        raise ModelError(f"There is no loop of the clip {clip_file_name(seed)}.")
    media = MediaRequest(clip=model.store.admit(clip_file_name(seed)), frames=context.frames)
    without_plant = make_planted_agent("none", model.store).observe(media, [[]], context.samples)
    counts = _is_right(model.plant, without_plant, seed)
    if model.plant != "none":
        counts = counts and not _is_right(model.plant, model.observe(media, [[]], context.samples), seed)
    best = found["best_iteration"]
    seen = model.observe(media, windows_by_attempt(attempts)[: best or 1], context.samples)
    return _RecoveryOutcome(attempts[0]["score"], counts, best is not None and _is_right(model.plant, seen, seed))


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
    """The figures of one row, over the clips that count."""
    counted = [one for one in found if one.counts]
    count = len(counted)
    scores = [one.score for one in counted if one.score is not None]
    score = unscored = "–"
    if counted:
        unscored = f"{100 * (count - len(scores)) / count:.0f}"
    if scores:
        score = f"{sum(scores) / len(scores):.2f}"
    noticed = share_text(sum(score < _THRESHOLD for score in scores), count)
    mended = "–"
    if plant != "none":
        mended = share_text(sum(one.mended for one in counted), count)
    return [str(count), score, noticed, unscored, mended]
