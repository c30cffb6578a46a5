"""The whole grid of iterations and thresholds from one run (Tables 5 and 6); only other best attempts cost calls.

No agent's prompt depends on the threshold or on the number of iterations. So the attempts of a run with the largest
number and no early stop contain those of every smaller setting. Where a setting ends with another best attempt, the
target is asked again through the run's own ledger and with the graph's own prompt: no call is paid twice, and a second
ablation costs nothing. `aurelia.report.ablation` makes tables and figures of the result.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from aurelia.bench.clip_state import question_state
from aurelia.bench.media import ClipAdmitter
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile, lock_run_file
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import RunResources
from aurelia.bench.scoring import AnswerScorer
from aurelia_core.errors import InputError, MediaError, ModelError
from aurelia_core.models.client import ModelClient
from aurelia_core.types import NO_USAGE, Usage, add_usage
from nodes.target import ask_target
from state.attempts import attempt_scores, best_iteration, stop_reason
from state.context import Context, InjectMode, make_context
from state.schema import Attempt, StopReason

_AnswerKey = tuple[str, int | None]
_BUDGET_FIELDS = ("max_cost_usd", "max_tokens", "max_calls", "max_seconds", "patience")


@dataclass(frozen=True, slots=True)
class GridSetting:
    """One cell of the grid: T, tau, and what the target gets of the best reasoning."""

    max_iterations: int
    threshold: int
    inject: str


@dataclass(frozen=True, slots=True)
class LoopEnd:
    """How the loop ends at a setting.

    Attributes:
        iterations: Its attempts; the last one has no feedback.
        best_iteration, score, stop_reason: As in a run's result.
        seconds: Seconds of the agents' calls in the loop, without the target's call.
        usage: Cost of the loop.
    """

    iterations: list[Attempt]
    best_iteration: int | None
    score: int | None
    stop_reason: StopReason
    seconds: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class TargetAnswer:
    """The target's answer with one best attempt, and its scores by metric; or the error if there is no answer."""

    answer: str | None
    error: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GridQuestion:
    """One question of the run at every setting.

    Attributes:
        record, rollout: The question and its repetition.
        loop_ends: End of the loop by setting; empty if the run has no attempts at this question.
        answers: The target's answer by (inject, best attempt).
        zero_shot: The answer without reasoning, None if the run has none.
    """

    record: Record
    rollout: int
    loop_ends: Mapping[GridSetting, LoopEnd]
    answers: Mapping[_AnswerKey, TargetAnswer]
    zero_shot: TargetAnswer | None

    def at_setting(self, setting: GridSetting) -> tuple[LoopEnd, TargetAnswer] | None:
        """End of the loop and the target's answer at a setting; None if the question failed in the run."""
        end = self.loop_ends.get(setting)
        if end is None:
            return None
        return end, self.answers[setting.inject, end.best_iteration]


def setting_grid(
    iterations: Sequence[int], thresholds: Sequence[int], injects: Sequence[InjectMode]
) -> list[GridSetting]:
    """Every combination of the values.

    Raises:
        InputError: A value is out of bounds.
    """
    settings = [GridSetting(*values) for values in product(iterations, thresholds, injects)]
    for setting in settings:
        make_context({"max_iterations": setting.max_iterations, "threshold": setting.threshold})
    return settings


def run_context(run: RunFile) -> Context:
    """The settings of a run."""
    stored = run.meta["settings"]
    return make_context({name: stored[name] for name in Context.model_fields if name in stored})


async def ablate(
    path: Path,
    settings: Sequence[GridSetting],
    resources: RunResources,
    score: AnswerScorer,
    *,
    concurrency: int = 8,
) -> list[GridQuestion]:
    """Derives every question of a run at every setting.

    Args:
        path: A run with the largest T and no early stop, or with settings at least as large as all of these.
        settings: The grid.
        resources: What the ablation uses of this machine; the clips must be available.
        score: Scores an answer.
        concurrency: Questions in progress, and calls to each provider, at the same time.

    Raises:
        InputError: The run had a budget, stopped earlier than one of the settings would, or holds no attempts.
    """
    store = resources.clip_store()
    with lock_run_file(path), RunFile.open(path) as run:
        context = run_context(run)
        check_derivable(context)
        rows = list(_outcome_pairs(run))
        if not any(loop and loop.result for _, _, loop, _ in rows):
            raise InputError(f"{path.name} holds no answer with AURELIA: run that arm first.")
        ledger = RunLedger(path, RateLimiter(concurrency, {}), sleep=resources.sleep)
        client = ModelClient(resources.settings, providers=resources.providers, store=store, ledger=ledger)
        clips = ClipAdmitter(store)
        clips.expect(run.clip_contents())
        answerer = _GridAnswerer(context, client, ledger, clips, score)
        slots = asyncio.Semaphore(concurrency)

        async def derive(record: Record, rollout: int, loop: Outcome | None, zero_shot: Outcome | None) -> GridQuestion:
            async with slots:
                return await answerer.derive(record, rollout, loop, zero_shot, settings)

        try:
            return await asyncio.gather(*(derive(*row) for row in rows))
        finally:
            await ledger.run_in_writer_thread(ledger.close)


def _outcome_pairs(run: RunFile) -> Iterator[tuple[Record, int, Outcome | None, Outcome | None]]:
    """Every record and rollout with its outcomes: with AURELIA, and zero-shot."""
    zero_shot = {(outcome.record, outcome.rollout): outcome for outcome in run.outcomes("zero_shot")}
    loops = {(outcome.record, outcome.rollout): outcome for outcome in run.outcomes("aurelia")}
    rollouts = sorted({rollout for _, rollout in [*zero_shot, *loops]})
    for record in run.records():
        for rollout in rollouts:
            key = (record.id, rollout)
            if key in loops or key in zero_shot:
                yield record, rollout, loops.get(key), zero_shot.get(key)


@dataclass(frozen=True, slots=True)
class _GridAnswerer:
    """Asks the target about best attempts that the run did not choose, and scores the answers."""

    context: Context
    client: ModelClient
    ledger: RunLedger
    clips: ClipAdmitter
    score: AnswerScorer

    async def derive(
        self,
        record: Record,
        rollout: int,
        loop: Outcome | None,
        zero_shot: Outcome | None,
        settings: Sequence[GridSetting],
    ) -> GridQuestion:
        """One question at every setting."""
        alone: TargetAnswer | None = None
        if zero_shot:
            alone = await self._scored(record, zero_shot.answer, zero_shot.error)
        if loop is None or not loop.result:
            return GridQuestion(record, rollout, {}, {}, alone)
        attempts: list[Attempt] = loop.result["iterations"]
        run_key: _AnswerKey = (self.context.inject, loop.result["best_iteration"])
        shared: dict[tuple[int, str], LoopEnd] = {}
        loop_ends: dict[GridSetting, LoopEnd] = {}
        answers: dict[_AnswerKey, TargetAnswer] = {}
        for setting in settings:
            end = derive_loop_end(attempts, setting)
            # Settings that end alike share one object.
            end = shared.setdefault((len(end.iterations), end.stop_reason), end)
            loop_ends[setting] = end
            key = (setting.inject, end.best_iteration)
            if key in answers:
                continue
            if key == run_key:
                answers[key] = await self._scored(record, loop.answer)
            else:
                answers[key] = await self._ask(record, loop, end.best_iteration, setting.inject)
        return GridQuestion(record, rollout, loop_ends, answers, alone)

    async def _ask(self, record: Record, loop: Outcome, best: int | None, inject: str) -> TargetAnswer:
        context = self.context.model_copy(update={"inject": inject, "rollout": loop.rollout})
        reasoning = None
        if best and loop.result:
            reasoning = loop.result["iterations"][best - 1]["reasoning"]
        with self.ledger.account(f"ablate/{record.id}"):
            try:
                state = await question_state(record, self.clips, self.client.store, "ablate")
                reply = await ask_target(state, reasoning, context, self.client)
            except (ModelError, MediaError) as fault:
                return TargetAnswer(None, str(fault))
        return await self._scored(record, reply.value)

    async def _scored(self, record: Record, answer: str | None, error: str | None = None) -> TargetAnswer:
        if answer is None:
            return TargetAnswer(None, error)
        scores = await self.score(record, answer)
        return TargetAnswer(answer, scores={score.metric: score.value for score in scores})


def check_derivable(context: Context) -> None:
    """Refuses a run whose smaller settings cannot be derived.

    Raises:
        InputError: The run had no loop, or a budget or patience, which may end a loop anywhere.
    """
    if context.strategy != "refine":
        raise InputError(f'Smaller settings are those of the loop, and the run has strategy = "{context.strategy}".')
    budgets = [name for name in _BUDGET_FIELDS if getattr(context, name) is not None]
    if budgets:
        raise InputError(
            f"The run had a budget ({', '.join(budgets)}), so smaller settings cannot be derived: run it without one."
        )


def derive_loop_end(attempts: Sequence[Attempt], setting: GridSetting) -> LoopEnd:
    """The end of the loop at a smaller setting, from the attempts of a run. Pure: asks no model.

    Args:
        attempts: All attempts of the run, in order.
        setting: T and tau.

    Raises:
        InputError: At this setting the loop would continue after the run's last attempt.
    """
    context = Context(max_iterations=setting.max_iterations, threshold=setting.threshold)
    scores = attempt_scores(attempts)
    for count in range(1, len(scores) + 1):
        reason = stop_reason({"iterations": [*attempts[:count]], "seconds": 0.0, "usage": NO_USAGE}, context)
        if reason is not None:
            return _loop_end(attempts[:count], scores[:count], reason)
    raise InputError(
        f"The run stopped after {len(scores)} attempts, before T = {setting.max_iterations}, tau = {setting.threshold}"
        " would: make one with the largest T and bench run --full."
    )


def _loop_end(attempts: Sequence[Attempt], scores: list[int | None], reason: StopReason) -> LoopEnd:
    iterations = [*attempts[:-1], without_feedback(attempts[-1])]
    usage: Usage = NO_USAGE
    for attempt in iterations:
        usage = add_usage(usage, attempt["usage"])
    best = best_iteration(scores)
    score = None
    if best:
        score = scores[best - 1]
    return LoopEnd(iterations, best, score, reason, sum(attempt["seconds"] for attempt in iterations), usage)


def without_feedback(attempt: Attempt) -> Attempt:
    """The attempt as the last one of a run: without feedback and without its cost."""
    feedback = attempt.get("feedback_usage") or NO_USAGE
    usage: Any = {}
    for name in NO_USAGE:
        if name != "cost_usd":
            usage[name] = attempt["usage"][name] - feedback[name]  # type: ignore[literal-required]
    usage["cost_usd"] = None
    if attempt["usage"]["cost_usd"] is not None and feedback["cost_usd"] is not None:
        usage["cost_usd"] = max(0.0, attempt["usage"]["cost_usd"] - feedback["cost_usd"])
    seconds = max(0.0, attempt["seconds"] - (attempt.get("feedback_seconds") or 0.0))
    changes: Any = {"feedback": None, "windows": [], "feedback_seconds": 0.0, "feedback_usage": NO_USAGE}
    stored: Any = attempt
    if "fallbacks" in stored:
        changes["fallbacks"] = [role for role in stored["fallbacks"] if role != "feedback"]
    return {**attempt, **changes, "seconds": seconds, "usage": usage}
