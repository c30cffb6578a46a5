"""The whole grid of iterations and thresholds from one run: only other best attempts need another answer (idea 7).

Every answer goes through the run's own ledger with the graph's own prompt, so that nothing is paid for twice and a
second ablation costs nothing. It derives, asks and scores; tables and files are `aurelia.report`'s.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from aurelia.bench.derive import Derived, Setting, derivable, derive
from aurelia.bench.record import Record
from aurelia.bench.runfile import Mark, Outcome, RunFile
from aurelia.errors import InputError, ModelError
from aurelia.models.desk import Desk
from nodes.target import ask_target
from state.context import Context, Inject, make_context
from state.schema import Attempt, Known

Admit = Callable[[Record], Awaitable[Known]]
Score = Callable[[Record, str], Awaitable[Sequence[Mark]]]
Key = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Told:
    """What the target said to one best attempt: an answer with its scores by metric, or why there is none."""

    answer: str | None
    error: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the run at every setting.

    Attributes:
        record, rollout: which.
        ends: how the loop ends at each setting; empty when the run has no attempts of it.
        told: what the target says, by (inject, best attempt).
        zero_shot: its answer without reasoning, None where the run has none.
    """

    record: Record
    rollout: int
    ends: Mapping[Setting, Derived]
    told: Mapping[Key, Told]
    zero_shot: Told | None

    def at(self, setting: Setting) -> tuple[Derived, Told] | None:
        """How the loop ends there and what the target says then; None for a question that the run failed on."""
        end = self.ends.get(setting)
        return (end, self.told[setting.inject, end.best_iteration]) if end else None


def grid(iterations: Sequence[int], thresholds: Sequence[int], injects: Sequence[Inject]) -> list[Setting]:
    """Every combination.

    Raises:
        InputError: a value is out of bounds.
    """
    settings = [Setting(*values) for values in product(iterations, thresholds, injects)]
    for setting in settings:
        make_context({"max_iterations": setting.max_iterations, "threshold": setting.threshold})
    return settings


async def ablate(
    run: RunFile,
    settings: Sequence[Setting],
    *,
    desk: Desk,
    admit: Admit,
    score: Score,
    at_once: int = 8,
    on_question: Callable[[Question], None] = lambda question: None,
) -> list[Question]:
    """Every question of a run at every setting.

    Args:
        run: made with the largest T and no early stop (or with settings at least as large as all of these).
        settings: the grid.
        desk: models and the run's own ledger.
        admit: makes the target's state from a record: question, choices, the clip by reference.
        score: scores an answer.
        at_once: questions under way at the same time.
        on_question: called with each as it is done.

    Raises:
        InputError: the run had a budget, or stopped before one of the settings would have.
    """
    context = make_context(dict(run.meta["settings"]["context"]))
    derivable(context)
    gate = asyncio.Semaphore(at_once)

    async def one(record: Record, aurelia: Outcome | None, zero: Outcome | None) -> Question:
        async with gate:
            question = await _question(record, aurelia, zero, settings, _Asking(context, desk, admit, score))
        on_question(question)
        return question

    return await asyncio.gather(*(one(*row) for row in _rows(run)))


def _rows(run: RunFile) -> Iterator[tuple[Record, Outcome | None, Outcome | None]]:
    """Every record with its two outcomes, once a rollout."""
    zero = {(outcome.record, outcome.rollout): outcome for outcome in run.outcomes("zero_shot")}
    loops = {(outcome.record, outcome.rollout): outcome for outcome in run.outcomes("aurelia")}
    rollouts = sorted({rollout for _, rollout in [*zero, *loops]})
    for record in run.records():
        for rollout in rollouts:
            pair = loops.get((record.id, rollout)), zero.get((record.id, rollout))
            if any(pair):
                yield record, *pair


@dataclass(frozen=True, slots=True)
class _Asking:
    context: Context
    desk: Desk
    admit: Admit
    score: Score

    async def told(self, record: Record, outcome: Outcome, attempt: Attempt | None, inject: str) -> Told:
        context = self.context.model_copy(update={"inject": inject, "rollout": outcome.rollout})
        try:
            state = await self.admit(record)
            said = await ask_target(state, attempt["reasoning"] if attempt else None, context, self.desk)
        except ModelError as fault:
            return Told(None, str(fault))
        return await self.scored(record, said.value)

    async def scored(self, record: Record, answer: str | None) -> Told:
        marks = await self.score(record, answer) if answer is not None else ()
        return Told(answer, scores={mark.metric: mark.value for mark in marks})


async def _question(
    record: Record, loop: Outcome | None, zero: Outcome | None, settings: Sequence[Setting], asking: _Asking
) -> Question:
    unloaded = Told(zero.answer, zero.error) if zero else None
    if zero and zero.answer is not None:
        unloaded = await asking.scored(record, zero.answer)
    if loop is None or loop.state == "failed" or not loop.result:
        return Question(record, loop.rollout if loop else 0, {}, {}, unloaded)
    attempts: list[Attempt] = loop.result["iterations"]
    seen: dict[tuple[int, str], Derived] = {}
    ends = {}
    for setting in settings:
        end = derive(attempts, setting)
        ends[setting] = seen.setdefault((len(end.iterations), end.stop_reason), end)
    told: dict[Key, Told] = {}
    for setting, end in ends.items():
        key = setting.inject, end.best_iteration
        if key in told:
            continue
        if key == (asking.context.inject, loop.result["best_iteration"]):
            told[key] = await asking.scored(record, loop.answer)
        else:
            attempt = attempts[end.best_iteration - 1] if end.best_iteration else None
            told[key] = await asking.told(record, loop, attempt, setting.inject)
    return Question(record, loop.rollout, ends, told, unloaded)


def known(record: Record, clip: Known) -> Known:
    """The target's state for a record, under a run name of its own."""
    return {**clip, "run": uuid.uuid4().hex, "question": record.asked(), "choices": list(record.choices)}


def missing_loop(questions: Sequence[Question]) -> int:
    """How many questions the run holds no attempts of: they count as failed at every setting.

    Raises:
        InputError: none of them has any.
    """
    failed = sum(not question.ends for question in questions)
    if failed == len(questions):
        raise InputError("The run holds no answered question of the AURELIA arm: run it with that arm first.")
    return failed
