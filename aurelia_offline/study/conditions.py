"""Asks a target many questions, each with a reasoning that is given: the study's controls, outside the loop.

Every call goes through the graph's own target node and a ledger of its own, so that nothing is asked twice. Which
reasonings are given is `aurelia_offline.study.controls`' business; tables are `aurelia_offline.study.tables`'.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aurelia.bench.media import ClipAdmitter
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import RunResources
from aurelia.bench.scoring import score_by_rule
from aurelia_core.errors import MediaError, ModelError
from aurelia_core.models.client import ModelClient
from aurelia_core.types import Reasoning
from aurelia_offline.training import examples
from nodes.prepare import check_question
from nodes.target import ask_target
from state.context import Context, Inject
from state.schema import ClipState

ValuesById = dict[str, float]
"""By record id: 1 for a right answer, 0 for a wrong, missing or unreadable one, and shares of a caption between."""


class GivenQuestion(NamedTuple):
    """One question with the reasoning that the target is given (None: none), and how much of it."""

    record: Record
    reasoning: Reasoning | None
    inject: Inject = "steps"


class ConditionResult(NamedTuple):
    """What came of one way of asking: values and answers by record id."""

    values: ValuesById
    answers: dict[str, str | None]


def answer_value(record: Record, answer: str | None) -> float:
    """What an answer is worth, 0..1; a caption by the share of its turns that are told rightly, in their places.

    Of a caption that stands behind steps, what follows the last "Answer:" counts.
    """
    if mark := score_by_rule(record, answer):
        return mark.value or 0.0
    true, said = (examples.read_final_answer(text).split(", then ") for text in (record.answers[0], answer or ""))
    return sum(a == b for a, b in zip(true, said, strict=False)) / len(true)


async def ask_conditions(
    arms: Mapping[str, Sequence[GivenQuestion]], target: str, house: RunResources, ledger: Path, concurrency: int = 4
) -> dict[str, ConditionResult]:
    """Every question of every arm.

    Args:
        arms: the questions by the arm's name.
        target: `provider:model`.
        house: what it uses of this machine.
        ledger: the file that keeps the calls.
        concurrency: questions, and calls to a provider, at the same time.
    """
    store = house.clips()
    kept = RunLedger(ledger, RateLimiter(concurrency, {}), sleep=house.sleep)
    desk = ModelClient(house.settings, providers=house.providers, store=store, ledger=kept)
    clips, gate = ClipAdmitter(store), asyncio.Semaphore(concurrency)

    async def one(name: str, given: GivenQuestion) -> str | None:
        async with gate:
            with kept.account(f"{name}/{given.record.id}"):
                try:
                    state = await _clip_state(given.record, desk, clips)
                    said = await ask_target(state, given.reasoning, Context(target=target, inject=given.inject), desk)
                except (ModelError, MediaError):
                    return None
                return said.value

    try:
        found: dict[str, ConditionResult] = {}
        for name, asked in arms.items():
            answers = await asyncio.gather(*(one(name, given) for given in asked))
            told = {given.record.id: answer for given, answer in zip(asked, answers, strict=True)}
            found[name] = ConditionResult({g.record.id: answer_value(g.record, told[g.record.id]) for g in asked}, told)
        return found
    finally:
        await kept.run_in_writer_thread(kept.close)


async def _clip_state(record: Record, desk: ModelClient, clips: ClipAdmitter) -> ClipState:
    """What the target is told, as the graph's first node prepares it."""
    media = await clips.media(record)
    asked: Any = {"video": media.video, "audio": [], "question": record.asked(), "choices": record.choices}
    question, choices, _ = check_question(asked)
    clip = await asyncio.to_thread(desk.store.admit, media.video)
    return {"run": "study", "question": question, "choices": choices, "clip": clip, "tracks": []}
