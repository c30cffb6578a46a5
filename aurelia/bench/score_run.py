"""Scores the answers of a run and keeps the scores in its file: by rule first, by a judge where one is named.

What is scored already is left as it is. How one answer is scored is `aurelia.bench.scoring`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

from aurelia.bench.caption_metrics import METRICS
from aurelia.bench.claim import claimed
from aurelia.bench.rate_limits import Traffic
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Mark, Outcome, RunFile
from aurelia.bench.run_ledger import RunLedger
from aurelia.bench.runner import House
from aurelia.bench.scoring import CAPTIONING, Judge, score_captions, score_outcome
from aurelia.bench.scoring import Mark as Scored
from aurelia_core.models.client import ModelClient

Score = Callable[[Record, str], Awaitable[Sequence[Scored]]]
BATCH = 200
OURS = {"correct", *METRICS}
"""The metrics that are looked for here; a run file may hold others beside them."""


async def by_rule(record: Record, answer: str) -> Sequence[Scored]:
    """An answer's scores without a judge."""
    return await score_outcome(record, answer)


async def mark_run(path: Path, *, house: House | None = None, judge: str | None = None, concurrency: int = 8) -> int:
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
    with claimed(path), RunFile.open(path) as run:
        if judge is None or house is None:
            return await _mark(run, by_rule, False, concurrency)
        ledger = RunLedger(path, Traffic(concurrency, {}), sleep=house.sleep)
        desk = ModelClient(house.settings, providers=house.providers, store=house.store, ledger=ledger)
        desk.model(judge)
        asked = Judge(desk, judge)

        async def by_judge(record: Record, answer: str) -> Sequence[Scored]:
            with ledger.account(f"judge/{record.id}"):
                return await score_outcome(record, answer, judge=asked)

        try:
            return await _mark(run, by_judge, True, concurrency)
        finally:
            await ledger.run_in_writer_thread(ledger.close)


async def _mark(run: RunFile, score: Score, judged: bool, concurrency: int) -> int:
    # What the rules could not read may still be read by a judge.
    ours = (mark for mark in run.marks() if mark.metric in OURS)
    settled = {(m.record, m.arm, m.rollout) for m in ours if m.value is not None or not judged}
    records = {record.id: record for record in run.records()}
    due = [found for found in run.outcomes(state="answered") if _key(found) not in settled]
    captions = [found for found in due if records[found.record].task == CAPTIONING]
    gate = asyncio.Semaphore(concurrency)

    async def marks(found: Outcome) -> list[Mark]:
        async with gate:
            return _kept(found, await score(records[found.record], found.answer or ""))

    for start in range(0, len(due), BATCH):
        for some in await asyncio.gather(*map(marks, due[start : start + BATCH])):
            run.store_marks(some)
    for arm, rollout in {(found.arm, found.rollout) for found in captions}:
        _mark_captions(run, records, arm, rollout)
    return len(due)


def _mark_captions(run: RunFile, records: dict[str, Record], arm: Arm, rollout: int) -> None:
    """All captions of an arm together: CIDEr-D weighs words by all of them."""
    said = {found.record: found for found in run.outcomes(arm, state="answered", rollout=rollout)}
    answers = {name: found.answer or "" for name, found in said.items()}
    for name, marks in score_captions(list(records.values()), answers).items():
        run.store_marks(_kept(said[name], marks))


def _kept(found: Outcome, marks: Iterable[Scored]) -> list[Mark]:
    return [Mark(*_key(found), mark.metric, mark.value, mark.how, mark.said) for mark in marks]


def _key(found: Outcome) -> tuple[str, Arm, int]:
    return found.record, found.arm, found.rollout
