"""The whole grid of iterations and thresholds from one run: only other best attempts need another answer.

Every answer goes through the run's own ledger with the graph's own prompt, so that nothing is paid for twice and a
second ablation costs nothing. It derives, asks and scores; tables and files are `aurelia.report`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Protocol

from aurelia.bench.claim import lock_run_file
from aurelia.bench.derive import GridSetting, LoopEnd, check_derivable, derive_loop_end
from aurelia.bench.media import ClipAdmitter
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import RunResources
from aurelia_core.errors import InputError, MediaError, ModelError
from aurelia_core.models.client import ModelClient
from nodes.prepare import check_question
from nodes.target import ask_target
from state.context import Context, InjectMode, make_context
from state.schema import Attempt, ClipState

GridScorer = Callable[[Record, str], Awaitable[Sequence["AnswerScore"]]]
_AnswerKey = tuple[str, int | None]


class AnswerScore(Protocol):
    """One score of an answer: `value` is null where it cannot be told."""

    @property
    def metric(self) -> str:
        """Its name: `correct`, or that of a caption's score."""

    @property
    def value(self) -> float | None:
        """0 to 1, or what the metric's range is."""


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """What the target said to one best attempt: an answer with its scores by metric, or why there is none."""

    answer: str | None
    error: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GridQuestion:
    """One question of the run at every setting.

    Attributes:
        record, rollout: which.
        ends: how the loop ends at each setting; empty when the run has no attempts of it.
        told: what the target says, by (inject, best attempt).
        zero_shot: its answer without reasoning, None where the run has none.
    """

    record: Record
    rollout: int
    ends: Mapping[GridSetting, LoopEnd]
    told: Mapping[_AnswerKey, TargetAnswer]
    zero_shot: TargetAnswer | None

    def at(self, setting: GridSetting) -> tuple[LoopEnd, TargetAnswer] | None:
        """How the loop ends there and what the target says then; None for a question that the run failed on."""
        end = self.ends.get(setting)
        return (end, self.told[setting.inject, end.best_iteration]) if end else None


def setting_grid(
    iterations: Sequence[int], thresholds: Sequence[int], injects: Sequence[InjectMode]
) -> list[GridSetting]:
    """Every combination.

    Raises:
        InputError: a value is out of bounds.
    """
    settings = [GridSetting(*values) for values in product(iterations, thresholds, injects)]
    for setting in settings:
        make_context({"max_iterations": setting.max_iterations, "threshold": setting.threshold})
    return settings


def run_context(run: RunFile) -> Context:
    """The settings that a run was made with."""
    known = run.meta["settings"]
    return make_context({name: known[name] for name in Context.model_fields if name in known})


async def ablate(
    path: Path,
    settings: Sequence[GridSetting],
    house: RunResources,
    score: GridScorer,
    *,
    concurrency: int = 8,
    on_question: Callable[[GridQuestion], None] = lambda question: None,
) -> list[GridQuestion]:
    """Every question of a run at every setting.

    Args:
        path: a run made with the largest T and no early stop, or with settings at least as large as all of these.
        settings: the grid.
        house: what it uses of this machine; the clips must be there.
        score: scores an answer.
        concurrency: questions under way, and calls to each provider, at the same time.
        on_question: called with each question as it is done.

    Raises:
        InputError: the run had a budget, or stopped before one of the settings would have, or holds no attempts.
    """
    store = house.clips()
    with lock_run_file(path), RunFile.open(path) as run:
        context = run_context(run)
        check_derivable(context)
        rows = list(_outcome_pairs(run))
        if not any(loop and loop.result for _, _, loop, _ in rows):
            raise InputError(f"{path.name} holds no answer with AURELIA: run that arm first.")
        ledger = RunLedger(path, RateLimiter(concurrency, {}), sleep=house.sleep)
        desk = ModelClient(house.settings, providers=house.providers, store=store, ledger=ledger)
        asking = _GridAnswerer(context, desk, ledger, ClipAdmitter(store), score)
        gate = asyncio.Semaphore(concurrency)

        async def one(record: Record, rollout: int, loop: Outcome | None, zero: Outcome | None) -> GridQuestion:
            async with gate:
                question = await asking.question(record, rollout, loop, zero, settings)
            on_question(question)
            return question

        try:
            return await asyncio.gather(*(one(*row) for row in rows))
        finally:
            await ledger.run_in_writer_thread(ledger.close)


def _outcome_pairs(run: RunFile) -> Iterator[tuple[Record, int, Outcome | None, Outcome | None]]:
    """Every record with its outcomes, with AURELIA and without, once a rollout."""
    zero = {(outcome.record, outcome.rollout): outcome for outcome in run.outcomes("zero_shot")}
    loops = {(outcome.record, outcome.rollout): outcome for outcome in run.outcomes("aurelia")}
    rollouts = sorted({rollout for _, rollout in [*zero, *loops]})
    for record in run.records():
        for rollout in rollouts:
            pair = loops.get((record.id, rollout)), zero.get((record.id, rollout))
            if any(pair):
                yield record, rollout, *pair


@dataclass(frozen=True, slots=True)
class _GridAnswerer:
    """Asks about other best attempts than the run's own, and scores."""

    context: Context
    desk: ModelClient
    ledger: RunLedger
    clips: ClipAdmitter
    score: GridScorer

    async def question(
        self, record: Record, rollout: int, loop: Outcome | None, zero: Outcome | None, settings: Sequence[GridSetting]
    ) -> GridQuestion:
        """One question at every setting."""
        alone = await self._scored(record, zero.answer, zero.error) if zero else None
        if loop is None or not loop.result:
            return GridQuestion(record, rollout, {}, {}, alone)
        attempts: list[Attempt] = loop.result["iterations"]
        seen: dict[tuple[int, str], LoopEnd] = {}
        ends, told = {}, dict[_AnswerKey, TargetAnswer]()
        for setting in settings:
            end = derive_loop_end(attempts, setting)
            # One object for the many settings that end alike.
            end = ends[setting] = seen.setdefault((len(end.iterations), end.stop_reason), end)
            key = setting.inject, end.best_iteration
            if key in told:
                continue
            if key == (self.context.inject, loop.result["best_iteration"]):
                told[key] = await self._scored(record, loop.answer)
            else:
                attempt = attempts[end.best_iteration - 1] if end.best_iteration else None
                told[key] = await self._told(record, loop, attempt, setting.inject)
        return GridQuestion(record, rollout, ends, told, alone)

    async def _told(self, record: Record, loop: Outcome, attempt: Attempt | None, inject: str) -> TargetAnswer:
        context = self.context.model_copy(update={"inject": inject, "rollout": loop.rollout})
        with self.ledger.account(f"ablate/{record.id}"):
            try:
                state = await self._state(record)
                said = await ask_target(state, attempt["reasoning"] if attempt else None, context, self.desk)
            except (ModelError, MediaError) as fault:
                return TargetAnswer(None, str(fault))
        return await self._scored(record, said.value)

    async def _state(self, record: Record) -> ClipState:
        """What the target is told, as the graph's first node prepares it."""
        media = await self.clips.media(record)
        asked: Any = {"video": media.video, "audio": media.audio, "question": record.asked(), "choices": record.choices}
        question, choices, audio = check_question(asked)
        clip = await asyncio.to_thread(self.desk.store.admit, media.video)
        tracks = [await asyncio.to_thread(self.desk.store.admit, name, kind="audio") for name in audio]
        return {"run": "ablate", "question": question, "choices": choices, "clip": clip, "tracks": tracks}

    async def _scored(self, record: Record, answer: str | None, error: str | None = None) -> TargetAnswer:
        if answer is None:
            return TargetAnswer(None, error)
        marks = await self.score(record, answer)
        return TargetAnswer(answer, scores={mark.metric: mark.value for mark in marks})
