"""Scores the answers of a run and keeps the scores in its file: by rule first, by a judge where one is named.

What is scored already is left as it is. How one answer is scored is `aurelia.bench.scoring`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from aurelia.bench.caption_metrics import CAPTION_METRICS
from aurelia.bench.claim import lock_run_file
from aurelia.bench.rate_limits import RateLimiter
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome, RunFile, StoredScore
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import RunResources
from aurelia.bench.scoring import CAPTIONING, Judge, score_answer, score_captions
from aurelia.bench.scoring import MetricScore as Scored
from aurelia_core.models.client import ModelClient

AnswerScorer = Callable[[Record, str], Awaitable[Sequence[Scored]]]
_BATCH = 200
_OWN_METRICS = {"correct", *CAPTION_METRICS}
"""The metrics that are looked for here; a run file may hold others beside them."""


async def score_without_judge(record: Record, answer: str) -> Sequence[Scored]:
    """An answer's scores without a judge."""
    return await score_answer(record, answer)


async def score_run_file(
    path: Path, *, house: RunResources | None = None, judge: str | None = None, concurrency: int = 8
) -> int:
    """Scores what is not scored yet, and keeps the scores.

    Args:
        path: the run file.
        house: what a judge uses of this machine; needed with one.
        judge: the model (`provider:model`) that is asked where no rule can read an answer; None leaves those unparsed.
            Its calls are kept in the run file's ledger like all others.
        concurrency: answers judged at once.

    Returns:
        How many answers were scored.

    Raises:
        InputError: the file is no run, another process works on it, or there is no such judge.
    """
    with lock_run_file(path), RunFile.open(path) as run:
        if judge is None or house is None:
            return await _score_outcomes(run, score_without_judge, False, concurrency)
        ledger = RunLedger(path, RateLimiter(concurrency, {}), sleep=house.sleep)
        desk = ModelClient(house.settings, providers=house.providers, store=house.store, ledger=ledger)
        desk.model(judge)
        asked = Judge(desk, judge)

        async def by_judge(record: Record, answer: str) -> Sequence[Scored]:
            with ledger.account(f"judge/{record.id}"):
                return await score_answer(record, answer, judge=asked)

        try:
            return await _score_outcomes(run, by_judge, True, concurrency)
        finally:
            await ledger.run_in_writer_thread(ledger.close)


async def _score_outcomes(run: RunFile, score: AnswerScorer, judged: bool, concurrency: int) -> int:
    # What the rules could not read may still be read by a judge.
    ours = (mark for mark in run.marks() if mark.metric in _OWN_METRICS)
    settled = {(m.record, m.arm, m.rollout) for m in ours if m.value is not None or not judged}
    records = {record.id: record for record in run.records()}
    due = [found for found in run.outcomes(state="answered") if _key(found) not in settled]
    captions = [found for found in due if records[found.record].task == CAPTIONING]
    gate = asyncio.Semaphore(concurrency)

    async def marks(found: Outcome) -> list[StoredScore]:
        async with gate:
            return _stored_scores(found, await score(records[found.record], found.answer or ""))

    for start in range(0, len(due), _BATCH):
        for some in await asyncio.gather(*map(marks, due[start : start + _BATCH])):
            run.store_marks(some)
    for arm, rollout in {(found.arm, found.rollout) for found in captions}:
        _score_captions(run, records, arm, rollout)
    return len(due)


def _score_captions(run: RunFile, records: dict[str, Record], arm: Arm, rollout: int) -> None:
    """All captions of an arm together: CIDEr-D weighs words by all of them."""
    said = {found.record: found for found in run.outcomes(arm, state="answered", rollout=rollout)}
    answers = {name: found.answer or "" for name, found in said.items()}
    for name, marks in score_captions(list(records.values()), answers).items():
        run.store_marks(_stored_scores(said[name], marks))


def _stored_scores(found: Outcome, marks: Iterable[Scored]) -> list[StoredScore]:
    return [StoredScore(*_key(found), mark.metric, mark.value, mark.how, mark.said) for mark in marks]


def _key(found: Outcome) -> tuple[str, Arm, int]:
    return found.record, found.arm, found.rollout
