"""Scores the answers of a run and keeps the scores in its file: by rule first, by a judge where one is named.

What is scored already is left as it is. How one answer is scored is `aurelia.bench.score`'s.
"""

from collections.abc import Sequence
from typing import Any

from aurelia.bench.record import Record
from aurelia.bench.runfile import Arm, Mark, RunFile
from aurelia.bench.score import score_outcome


async def mark_run(run: RunFile, *, judge: Any = None, again: bool = False) -> int:
    """Scores what is not scored yet.

    Args:
        run: the run; its scores are stored as they come.
        judge: asks a model where the rules cannot read an answer; None leaves those unparsed.
        again: score everything anew.

    Returns:
        How many answers were scored.
    """
    known = set() if again else {(mark.record, mark.arm, mark.rollout) for mark in run.marks() if _settled(mark, judge)}
    records = {record.id: record for record in run.records()}
    due = [
        (outcome.record, outcome.arm, outcome.rollout, outcome.answer)
        for outcome in run.outcomes(state="answered")
        if (outcome.record, outcome.arm, outcome.rollout) not in known
    ]
    for name, arm, rollout, answer in due:
        found = await marks_of(records[name], arm, rollout, answer or "", judge)
        run.store_marks(found)
    return len(due)


async def marks_of(record: Record, arm: Arm, rollout: int, answer: str, judge: Any = None) -> Sequence[Mark]:
    """One answer's scores."""
    found = await score_outcome(record, answer, judge=judge)
    return [Mark(record.id, arm, rollout, mark.metric, mark.value, mark.how, mark.said) for mark in found]


def _settled(mark: Mark, judge: Any) -> bool:
    """Whether a score stands: one that the rules could not tell may still be told by a judge."""
    return mark.value is not None or judge is None
