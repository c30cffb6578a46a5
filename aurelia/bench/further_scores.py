"""Scores by choice, beside the rules: captions in Java, by a judge or the evaluator, and whether reasoning is sound.

`aurelia bench score` computes them. Each has a name of its own (`FURTHER_METRICS`) and never changes the accuracy.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field

import prompts
from aurelia.bench.ablation import run_context
from aurelia.bench.answers import cleaned_answer
from aurelia.bench.clip_state import question_state
from aurelia.bench.entailment import EntailmentModel, load_entailment_model, measure_core_inference
from aurelia.bench.java_captions import check_java, java_caption_scores
from aurelia.bench.media import ClipAdmitter
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome, RunFile, StoredScore, lock_run_file
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import RunResources
from aurelia.bench.scoring import CAPTIONING
from aurelia_core.errors import InputError, MediaError, ModelError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient, Request
from aurelia_core.models.replies import ModelReply
from aurelia_core.models.requests import JudgeRequest
from nodes.evaluator import ask_evaluator
from prompts.render import PROMPT_TEXTS

JAVA_METRICS: Final = ("meteor-1.5", "spice")
REASONING_METRICS: Final = ("factual-consistency", "core-inference")
FURTHER_METRICS: Final = (*JAVA_METRICS, "caption-judge", "caption-critic", *REASONING_METRICS)


class CaptionAgreement(ModelReply):
    """How well a caption says what the references say, 0 to 100."""

    score: int = Field(ge=0, le=100)
    reason: str = ""


class FurtherModels(NamedTuple):
    """The models of the metrics that need one: `judge` (`provider:model`), `entailment` (a name or folder)."""

    judge: str | None = None
    entailment: str | None = None


class _Score(NamedTuple):
    value: float | None
    how: str
    said: str


_Scorer = Callable[[Record, Outcome], Awaitable[_Score | None]]


async def score_further(
    path: Path,
    metrics: Sequence[str],
    resources: RunResources,
    models: FurtherModels,
    *,
    concurrency: int = 8,
) -> dict[str, int]:
    """Computes metrics for the answers that lack them and stores them in the run file.

    Args:
        path: Run file.
        metrics: Names from `FURTHER_METRICS`.
        resources: What the models use of this machine.
        models: The models of the metrics that need one.
        concurrency: Answers scored at the same time.

    Returns:
        The number of scores with a value, by metric.

    Raises:
        InputError: A metric is unknown, lacks its model or its Java, or the run cannot be used.
    """
    for metric in metrics:
        _check_metric(metric, models)
    counts = {}
    with lock_run_file(path), RunFile.open(path) as run:
        ledger = RunLedger(path, RateLimiter(concurrency, {}), sleep=resources.sleep)
        try:
            scorers = _Scorers(run, ledger, resources, models)
            for metric in metrics:
                if metric in JAVA_METRICS:
                    counts[metric] = _score_in_java(run, metric)
                else:
                    counts[metric] = await _score_each(run, metric, scorers.find(metric), concurrency)
        finally:
            await ledger.run_in_writer_thread(ledger.close)
    return counts


def _check_metric(metric: str, models: FurtherModels) -> None:
    if metric not in FURTHER_METRICS:
        raise InputError(f"There is no metric {metric!r}: choose from {', '.join(FURTHER_METRICS)}.")
    if metric == "caption-judge" and models.judge is None:
        raise InputError("caption-judge needs a model: add --judge PROVIDER:MODEL.")
    if metric == "core-inference" and models.entailment is None:
        raise InputError("core-inference needs a model: add --nli NAME (say cross-encoder/nli-deberta-v3-base).")
    if metric in JAVA_METRICS:
        check_java(metric)  # type: ignore[arg-type]


def _captions(run: RunFile) -> list[tuple[Record, Outcome, str]]:
    """The captioning records with their answers, which may be empty."""
    records = {record.id: record for record in run.records() if record.task == CAPTIONING}
    return [
        (records[outcome.record], outcome, cleaned_answer(outcome) or "")
        for outcome in run.outcomes(state="answered")
        if outcome.record in records
    ]


def _score_in_java(run: RunFile, metric: Any) -> int:
    captions = _captions(run)
    if not captions:
        return 0
    texts = {f"{outcome.record}\t{outcome.arm}\t{outcome.rollout}": text for _, outcome, text in captions}
    references = dict(zip(texts, (record.answers for record, _, _ in captions), strict=True))
    _, each = java_caption_scores(metric, texts, references)
    run.store_scores(
        _stored(outcome, metric, _Score(value, "rule", metric))
        for (_, outcome, _), value in zip(captions, (each[name] for name in texts), strict=True)
    )
    return len(each)


async def _score_each(run: RunFile, metric: str, score: _Scorer, concurrency: int) -> int:
    known = {(one.record, one.arm, one.rollout) for one in run.scores(metric) if one.value is not None}
    records = {record.id: record for record in run.records()}
    slots = asyncio.Semaphore(concurrency)

    async def score_one(outcome: Outcome) -> StoredScore | None:
        async with slots:
            found = await score(records[outcome.record], outcome)
        if found is None:
            return None
        return _stored(outcome, metric, found)

    outcomes = [
        outcome
        for outcome in run.outcomes(state="answered")
        if (outcome.record, outcome.arm, outcome.rollout) not in known
    ]
    scores = [one for one in await asyncio.gather(*map(score_one, outcomes)) if one]
    run.store_scores(scores)
    return sum(one.value is not None for one in scores)


def _stored(outcome: Outcome, metric: str, score: _Score) -> StoredScore:
    return StoredScore(outcome.record, outcome.arm, outcome.rollout, metric, *score)


class _Scorers:
    """The metrics that score one answer at a time; each returns None for an answer that it is not about."""

    def __init__(self, run: RunFile, ledger: RunLedger, resources: RunResources, models: FurtherModels) -> None:
        """Loads nothing yet."""
        self._run = run
        self._ledger = ledger
        self._resources = resources
        self._models = models
        self._entailment: EntailmentModel | None = None

    def find(self, metric: str) -> _Scorer:
        """The scorer of a metric, with its models loaded.

        Raises:
            InputError: A model cannot be loaded.
        """
        if metric == "factual-consistency":
            return _factual_consistency
        if metric == "core-inference":
            self._entailment = load_entailment_model(str(self._models.entailment))
            return self._core_inference
        if metric == "caption-judge":
            self._client = self._make_client(self._resources.store)
            self._client.model(str(self._models.judge))
            return self._caption_judge
        store = self._resources.clip_store()
        self._client = self._make_client(store)
        self._clips = ClipAdmitter(store)
        self._clips.expect(self._run.clip_contents())
        self._context = run_context(self._run)
        return self._caption_critic

    def _make_client(self, store: ClipStore | None) -> ModelClient:
        resources = self._resources
        return ModelClient(resources.settings, providers=resources.providers, store=store, ledger=self._ledger)

    async def _core_inference(self, record: Record, outcome: Outcome) -> _Score | None:
        best = (outcome.result or {}).get("best")
        if outcome.arm != "aurelia" or not record.reasoning or not best or self._entailment is None:
            return None
        steps = [f"{step['step']} {step['answer'] or ''}".strip() for step in best["steps"]]
        reference = [step.text for step in record.reasoning]
        found = await asyncio.to_thread(measure_core_inference, steps, reference, self._entailment)
        return _Score(found.value, "rule", found.text)

    async def _caption_judge(self, record: Record, outcome: Outcome) -> _Score | None:
        caption = cleaned_answer(outcome)
        if record.task != CAPTIONING or not caption:
            return None
        references = "\n".join(f"* {answer}" for answer in record.answers)
        text = prompts.fill_prompt("judge_caption", references=references, reply=caption)
        fields = JudgeRequest(reply=caption, answers=record.answers)
        request = Request(model_id=str(self._models.judge), text=text, fields=fields, texts=PROMPT_TEXTS, run="judge")
        with self._ledger.account(f"judge/{record.id}"):
            try:
                verdict = (await self._client.complete_structured(request, CaptionAgreement)).value
            except ModelError as fault:
                return _Score(None, "unparsed", f"The judge failed: {fault}")
        return _Score(verdict.score / 100, "judge", verdict.reason)

    async def _caption_critic(self, record: Record, outcome: Outcome) -> _Score | None:
        caption = cleaned_answer(outcome)
        if record.task != CAPTIONING or not caption:
            return None
        with self._ledger.account(f"critic/{record.id}"):
            try:
                state: Any = await question_state(record, self._clips, self._client.store, "critic")
                verdict = (await ask_evaluator(state, caption, self._context, self._client)).value
            except (ModelError, MediaError) as fault:
                return _Score(None, "unparsed", f"The evaluator failed: {fault}")
        if verdict.score is None:
            return _Score(None, "unparsed", f"The evaluator abstained: {verdict.justification}")
        return _Score(verdict.score / 10, "judge", verdict.justification)


async def _factual_consistency(record: Record, outcome: Outcome) -> _Score | None:
    """The share of supported claims among those of the best attempt that the run's critic could decide."""
    result = outcome.result or {}
    best = result.get("best_iteration")
    if outcome.arm != "aurelia" or not record.reasoning or not best:
        return None
    findings = result["iterations"][best - 1].get("claims") or []
    verdicts = [finding["verdict"] for finding in findings]
    supported, contradicted = verdicts.count("supported"), verdicts.count("contradicted")
    if not verdicts:
        return None
    said = f"{supported} supported, {contradicted} contradicted, {len(verdicts) - supported - contradicted} cannot tell"
    if not supported + contradicted:
        return _Score(None, "unparsed", said)
    return _Score(supported / (supported + contradicted), "judge", said)
