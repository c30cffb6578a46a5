"""Asks a target questions with given reasonings, outside the loop: the control conditions of the study.

Every call uses the graph's target node and a call ledger, so that no call is repeated after an interruption. `controls`
makes the reasonings, `tables` the tables.
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
from nodes.prepare import admit_media, check_question
from nodes.target import ask_target
from state.context import Context, InjectMode
from state.schema import ClipState

ValuesById = dict[str, float]
"""By record id: 1 for a correct answer, 0 for a wrong, missing or unreadable one, a fraction for a caption."""


class GivenQuestion(NamedTuple):
    """One question with the reasoning for the target (None: none), and the part of it that is injected."""

    record: Record
    reasoning: Reasoning | None
    inject: InjectMode = "steps"


class ConditionResult(NamedTuple):
    """The results of one condition: values and answers by record id."""

    values: ValuesById
    answers: dict[str, str | None]


def value_answer(record: Record, answer: str | None) -> float:
    """The value of an answer, 0..1; for a caption, the fraction of its turns that are correct and in place.

    In a caption after steps, only the text after the last "Answer:" counts.
    """
    if mark := score_by_rule(record, answer):
        return mark.value or 0.0
    true, reply = (examples.read_final_answer(text).split(", then ") for text in (record.answers[0], answer or ""))
    return sum(a == b for a, b in zip(true, reply, strict=False)) / len(true)


async def ask_conditions(
    arms: Mapping[str, Sequence[GivenQuestion]], target: str, house: RunResources, ledger: Path, concurrency: int = 4
) -> dict[str, ConditionResult]:
    """Ask every question of every condition.

    Args:
        arms: the questions by the name of the condition.
        target: `provider:model`.
        house: the resources of this machine.
        ledger: the file that stores the calls.
        concurrency: questions, and calls to a provider, at the same time.
    """
    store = house.clip_store()
    ledger_writer = RunLedger(ledger, RateLimiter(concurrency, {}), sleep=house.sleep)
    client = ModelClient(house.settings, providers=house.providers, store=store, ledger=ledger_writer)
    clips, semaphore = ClipAdmitter(store), asyncio.Semaphore(concurrency)

    async def one(name: str, given: GivenQuestion) -> str | None:
        async with semaphore:
            with ledger_writer.account(f"{name}/{given.record.id}"):
                try:
                    state = await _clip_state(given.record, client, clips)
                    reply = await ask_target(
                        state, given.reasoning, Context(target=target, inject=given.inject), client
                    )
                except (ModelError, MediaError):
                    return None
                return reply.value

    try:
        found: dict[str, ConditionResult] = {}
        for name, asked in arms.items():
            answers = await asyncio.gather(*(one(name, given) for given in asked))
            answers_by_id = {given.record.id: answer for given, answer in zip(asked, answers, strict=True)}
            found[name] = ConditionResult(
                {g.record.id: value_answer(g.record, answers_by_id[g.record.id]) for g in asked}, answers_by_id
            )
        return found
    finally:
        await ledger_writer.run_in_writer_thread(ledger_writer.close)


async def _clip_state(record: Record, client: ModelClient, clips: ClipAdmitter) -> ClipState:
    """The state for the target node, as the graph's first node prepares it."""
    media = await clips.admit(record)
    asked: Any = {"video": media.video, "audio": [], "question": record.full_question(), "choices": record.choices}
    checked = check_question(asked)
    found = await asyncio.to_thread(admit_media, client.store, *checked.media)
    return {
        "run": "study",
        "question": checked.question,
        "choices": checked.choices,
        "clip": found.clip,
        "tracks": found.tracks,
    }
