"""Scores the answers of a run and stores the scores in its file: by rule first, then by a judge if one is named.

Existing scores are kept. `aurelia.bench.scoring` scores one answer.
"""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from aurelia.bench.answers import cleaned_answer
from aurelia.bench.caption_metrics import CAPTION_METRICS, CORPUS_SCORES
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome, RunFile, StoredScore, lock_run_file
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import RunResources
from aurelia.bench.scoring import CAPTIONING, AnswerScorer, Judge, MetricScore, score_answer, score_captions
from aurelia_core.models.client import ModelClient

_BATCH = 200
_OWN_METRICS = {"correct", *CAPTION_METRICS}
"""The metrics made here; a run file may hold others."""


async def score_without_judge(record: Record, answer: str) -> Sequence[MetricScore]:
    """Scores an answer by the rules alone."""
    return await score_answer(record, answer)


async def score_run_file(
    path: Path, *, resources: RunResources | None = None, judge: str | None = None, concurrency: int = 8
) -> int:
    """Scores the answers that have no score yet and stores the scores.

    Args:
        path: Run file.
        resources: What a judge uses of this machine; needed with a judge.
        judge: Model (`provider:model`) for answers that no rule can read; None leaves them unparsed. Its calls are in
            the run file's ledger.
        concurrency: Answers judged at the same time.

    Returns:
        Number of answers scored.

    Raises:
        InputError: The file is not a run, another process works on it, or there is no such judge.
    """
    with lock_run_file(path), RunFile.open(path) as run:
        if judge is None or resources is None:
            return await _score_outcomes(run, score_without_judge, False, concurrency)
        ledger = RunLedger(path, RateLimiter(concurrency, {}), sleep=resources.sleep)
        client = ModelClient(resources.settings, providers=resources.providers, store=resources.store, ledger=ledger)
        client.model(judge)
        judge_model = Judge(client, judge)

        async def score_with_judge(record: Record, answer: str) -> Sequence[MetricScore]:
            with ledger.account(f"judge/{record.id}"):
                return await score_answer(record, answer, judge=judge_model)

        try:
            return await _score_outcomes(run, score_with_judge, True, concurrency)
        finally:
            await ledger.run_in_writer_thread(ledger.close)


async def _score_outcomes(run: RunFile, score: AnswerScorer, judged: bool, concurrency: int) -> int:
    scored = set()
    for existing in run.scores():
        # A judge may still read what the rules could not.
        if existing.metric in _OWN_METRICS and (existing.value is not None or not judged):
            scored.add((existing.record, existing.arm, existing.rollout))
    records = {record.id: record for record in run.records()}
    open_outcomes = [outcome for outcome in run.outcomes(state="answered") if _key(outcome) not in scored]
    captions = [outcome for outcome in open_outcomes if records[outcome.record].task == CAPTIONING]
    slots = asyncio.Semaphore(concurrency)

    async def score_one(outcome: Outcome) -> list[StoredScore]:
        async with slots:
            return _stored_scores(outcome, await score(records[outcome.record], cleaned_answer(outcome) or ""))

    for start in range(0, len(open_outcomes), _BATCH):
        for scores in await asyncio.gather(*map(score_one, open_outcomes[start : start + _BATCH])):
            run.store_scores(scores)
    for arm, rollout in {(outcome.arm, outcome.rollout) for outcome in captions}:
        _score_captions(run, records, arm, rollout)
    return len(open_outcomes)


def _score_captions(run: RunFile, records: dict[str, Record], arm: Arm, rollout: int) -> None:
    """Scores all captions of an arm together: CIDEr-D weighs words by all of them."""
    outcomes = {outcome.record: outcome for outcome in run.outcomes(arm, state="answered", rollout=rollout)}
    answers = {name: cleaned_answer(outcome) or "" for name, outcome in outcomes.items()}
    found = score_captions(list(records.values()), answers)
    for name, scores in found.each.items():
        run.store_scores(_stored_scores(outcomes[name], scores))
    corpora = run.meta.get(CORPUS_SCORES) or {}
    run.store_meta(CORPUS_SCORES, corpora | {f"{arm}/{rollout}": {"n": len(found.each), **found.corpus}})


def _stored_scores(outcome: Outcome, scores: Iterable[MetricScore]) -> list[StoredScore]:
    return [StoredScore(*_key(outcome), score.metric, score.value, score.how, score.said) for score in scores]


def _key(outcome: Outcome) -> tuple[str, Arm, int]:
    return outcome.record, outcome.arm, outcome.rollout
