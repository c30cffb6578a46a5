"""Calibration of the Evaluator's score: how often agents and target are correct at each score.

The Evaluator scores how well a caption fits the clip and does not know the question. The score is compared with the
agents' answer, with the findings of their steps, and with the target's answer.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from aurelia.bench.ablation import GridQuestion
from aurelia.bench.records import Record
from aurelia_offline.study.conditions import value_answer
from aurelia_offline.study.loops import RunOutcomes
from aurelia_offline.study.tables import study_table

_SCORE_BANDS = ((1, 4), (5, 7), (8, 8), (9, 9), (10, 10))


class ScoredAttempt(NamedTuple):
    """One attempt: its score 1..10, and the values 0..1 of the agents' answer, findings and the target's answer."""

    score: int
    agents: float
    findings: float
    target: float


def best_attempts(records: Iterable[Record], runs: RunOutcomes) -> list[ScoredAttempt]:
    """The best attempt of every loop with the target's answer; loops without a score are left out."""
    found = []
    for record in records:
        loop = runs.loops.get(record.id)
        if loop and loop.result and loop.result["score"] is not None:
            found.append(_score_attempt(record, loop.result["score"], loop.result["best"], loop.answer))
    return found


def asked_attempts(questions: Iterable[GridQuestion], runs: RunOutcomes) -> list[ScoredAttempt]:
    """The attempts of a run that are the best at some T or tau, each once, with the target's answer."""
    found = []
    for question in questions:
        answers = {number: answer.answer for (_, number), answer in question.answers.items() if number}
        result = runs.loops[question.record.id].result or {"iterations": []}
        for attempt in result["iterations"]:
            if attempt["score"] is not None and attempt["iteration"] in answers:
                answer = answers[attempt["iteration"]]
                found.append(_score_attempt(question.record, attempt["score"], attempt["reasoning"], answer))
    return found


def _score_attempt(record: Record, score: int, reasoning: Any, answer: str | None) -> ScoredAttempt:
    """Score one attempt; its findings are compared with the record's reference reasoning, step by step."""
    true = {reason.text for reason in record.reasoning}
    right = [f"{step['step']} {step['answer']}" in true for step in reasoning["steps"]]
    findings = sum(right) / max(1, len(right))
    return ScoredAttempt(score, value_answer(record, reasoning["answer"]), findings, value_answer(record, answer))


def calibration_error(found: Sequence[ScoredAttempt], worth: str) -> float:
    """The expected calibration error, 0..1, with a score s as probability s/10 and one bin per score (Guo et al. 2017).

    Args:
        found: scored attempts, at least one.
        worth: the value to compare with: agents, findings or target.
    """
    off = 0.0
    for score in {one.score for one in found}:
        values = [getattr(one, worth) for one in found if one.score == score]
        off += len(values) * abs(fmean(values) - score / 10)
    return off / len(found)


def calibration_table(title: str, found: Sequence[ScoredAttempt], *notes: str) -> str:
    """The table in Markdown: a row for each band of scores that occurs, and the calibration errors."""
    rows = []
    for low, high in _SCORE_BANDS:
        band = [one for one in found if low <= one.score <= high]
        if band:
            name = f"{low}–{high}"
            if low == high:
                name = str(low)
            rows.append(
                [name, str(len(band)), *(f"{100 * fmean(column):.1f}" for column in [*zip(*band, strict=True)][1:])]
            )
    if not found:
        return study_table(title, _HEADS, [], "Nothing was scored.")
    errors = [f"{100 * calibration_error(found, worth):.1f}" for worth in ScoredAttempt._fields[1:]]
    rows.append(["expected calibration error, points", str(len(found)), *errors])
    return study_table(
        title, _HEADS, rows, "The error takes a score s for s/10; a band without attempts is left out.", *notes
    )


_HEADS = ("score", "n", "agents' answer right, %", "findings right, %", "target right, %")
