"""Reads a run question by question: the figures of both arms, and the details that the page shows of each question."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from aurelia.bench.answers import changed_raw_answer, cleaned_answer
from aurelia.bench.records import Column, Record
from aurelia.bench.run_file import Arm, Outcome, RunFile, StoredScore
from aurelia.bench.tally import CORRECT_METRIC, AnswerVerdict, JudgedAnswer, judge_outcome, rule_score


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """One arm's figures for one question.

    Attributes:
        verdict: How the answer counts (`aurelia.bench.tally.JudgedAnswer`); `unscored` without a known truth.
        value: Value in the accuracy, 0 to 1; None if it does not count.
        scores: Every other metric (those of captions) by name.
        calls: Paid calls to models.
        cost: Dollars; None if a price is not known.
        tokens: Input and output tokens.
        chosen: Index of the choice that the answer was read as; None without choices or if it was not read.
    """

    verdict: AnswerVerdict
    value: float | None
    scores: Mapping[str, float | None]
    calls: int
    cost: float | None
    tokens: int
    chosen: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The figures of one question of one run.

    Attributes:
        clip: Path of its main medium, the unit of clustering.
        answers: By arm, for the arms of the run.
        attempts: (score, seconds) of every attempt.
        best, best_score, stop_reason: Of the AURELIA arm.
        modalities: Number of steps of the given reasoning by modality.
        seconds: Seconds of the loop, without the target.
        leaks: Whether the steps given to the target contain the answer (`aurelia_core.answers.answer_leaks`).
        choices: Number of choices; 0 for an open question.
        truths: Indices of the right choices.
        dataset: Name of its data set.
        claims: (kind, verdict) of every claim of the best attempt's caption.
    """

    record: str
    rollout: int
    column: Column
    category: str
    clip: str
    answers: Mapping[Arm, ArmAnswer]
    attempts: tuple[tuple[int | None, float], ...] = ()
    best: int | None = None
    best_score: int | None = None
    stop_reason: str | None = None
    modalities: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    leaks: bool = False
    choices: int = 0
    truths: tuple[int, ...] = ()
    claims: tuple[tuple[str, str], ...] = ()
    dataset: str = ""


class ReportRow(NamedTuple):
    """A case, and everything that the page shows of it (plain JSON, unescaped text)."""

    case: Case
    detail: dict[str, Any]


_ScoresByOutcome = dict[tuple[str, str, int], dict[str, StoredScore]]


def read_report_rows(run: RunFile) -> Iterator[ReportRow]:
    """Every question and rollout of a run, in the order of the records, without questions that were never asked."""
    inject = (run.meta.get("settings") or {}).get("inject", "steps")
    scores: _ScoresByOutcome = {}
    for score in run.scores():
        scores.setdefault((score.record, score.arm, score.rollout), {})[score.metric] = score
    outcomes = groupby(run.outcomes(), key=lambda outcome: outcome.record)
    next_group = next(outcomes, None)
    for record in run.records():
        if next_group is None or next_group[0] != record.id:
            continue
        by_rollout: dict[int, dict[Arm, Outcome]] = {}
        for outcome in next_group[1]:
            by_rollout.setdefault(outcome.rollout, {})[outcome.arm] = outcome
        next_group = next(outcomes, None)
        for rollout, arms in sorted(by_rollout.items()):
            yield _row(record, rollout, arms, scores, inject)


def _row(record: Record, rollout: int, arms: Mapping[Arm, Outcome], scores: _ScoresByOutcome, inject: str) -> ReportRow:
    answers: dict[Arm, ArmAnswer] = {}
    details: dict[Arm, dict[str, Any]] = {}
    for arm, outcome in arms.items():
        by_metric = scores.get((record.id, arm, rollout), {})
        judged = judge_outcome(outcome, by_metric.get(CORRECT_METRIC) or rule_score(record, outcome))
        answers[arm] = _arm_answer(record, outcome, by_metric, judged)
        details[arm] = _answer_detail(outcome, judged.correct, answers[arm])
    case = Case(
        record.id,
        rollout,
        record.column,
        record.category,
        record.clip_name,
        answers,
        choices=len(record.choices),
        truths=tuple(sorted(record.correct_choices)),
        dataset=record.source.dataset,
    )
    loop: Mapping[str, Any] = {}
    if "aurelia" in arms:
        loop = arms["aurelia"].result or {}
    if loop:
        case = _with_loop(case, loop)
    detail = _question_detail(record, rollout) | loop_detail(loop)
    return ReportRow(case, {**detail, "inject": inject, "arms": details})


def _arm_answer(record: Record, outcome: Outcome, scores: Mapping[str, StoredScore], judged: JudgedAnswer) -> ArmAnswer:
    usage = outcome.usage
    return ArmAnswer(
        judged.verdict,
        judged.value,
        {name: score.value for name, score in scores.items() if name != CORRECT_METRIC},
        usage["calls"],
        usage["cost_usd"],
        usage["input_tokens"] + usage["output_tokens"],
        _chosen(record.choices, outcome, judged.correct),
    )


def _chosen(choices: Sequence[str], outcome: Outcome, correct: StoredScore | None) -> int | None:
    """The choice that the answer was scored as, from the words that the score stored; else the stored choice."""
    if not choices or outcome.state == "failed":
        return None
    said = (correct and correct.said) or ""
    if correct and correct.value is None:
        return None
    if correct and correct.how == "judge":
        begun = [choice for choice in choices if said.startswith(choice)]
        if begun:
            return choices.index(max(begun, key=len))
    read = said.partition(": ")[2]
    for name in (read, outcome.choice):
        if name in choices:
            return choices.index(name)
    return None


def _with_loop(case: Case, loop: Mapping[str, Any]) -> Case:
    attempts = loop.get("iterations") or []
    steps = (loop.get("best") or {}).get("steps") or []
    best = [attempt for attempt in attempts if attempt["iteration"] == loop.get("best_iteration")]
    findings = [finding for attempt in best for finding in attempt.get("claims") or []]
    return replace(
        case,
        attempts=tuple((attempt["score"], attempt["seconds"]) for attempt in attempts),
        best=loop.get("best_iteration"),
        best_score=loop.get("score"),
        stop_reason=loop.get("stop_reason"),
        modalities=Counter(step["modality"] for step in steps),
        seconds=sum(attempt["seconds"] for attempt in attempts),
        leaks=bool(loop.get("leaks")),
        claims=tuple((finding["claim"]["kind"], finding["verdict"]) for finding in findings),
    )


def _question_detail(record: Record, rollout: int) -> dict[str, Any]:
    source = record.source
    origin = [source.dataset, source.split, source.item]
    if source.row is not None:
        origin.append(f"row {source.row}")
    media = ", ".join(record.media_names)
    where = ", ".join(filter(None, [*origin, f"licence {record.licence}", f"clip {media}", *record.kinds]))
    return {
        "id": record.id,
        "rollout": rollout,
        "column": record.column,
        "category": record.category,
        "question": record.question,
        "history": [turn.model_dump() for turn in record.history],
        "choices": record.choices,
        "answers": record.answers,
        "reference": [reason.text for reason in record.reasoning],
        "where": where,
        "kinds": list(record.kinds),
        "video": record.video,
        "audio": list(record.audio),
        "images": list(record.images),
    }


def loop_detail(loop: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of the loop of a result."""
    return {
        "attempts": loop.get("iterations") or [],
        "best": loop.get("best"),
        "gate": loop.get("gate"),
        "best_iteration": loop.get("best_iteration"),
        "score": loop.get("score"),
        "stop_reason": loop.get("stop_reason"),
        "warnings": loop.get("warnings") or [],
    }


def _answer_detail(outcome: Outcome, correct: StoredScore | None, answer: ArmAnswer) -> dict[str, Any]:
    how: str | None = None
    said: str | None = None
    if correct:
        how = correct.how
        said = correct.said
    return {
        "mark": answer.verdict,
        "answer": cleaned_answer(outcome),
        "raw": changed_raw_answer(outcome),
        "choice": outcome.choice,
        "error": outcome.error,
        "how": how,
        "said": said,
        "scores": dict(answer.scores),
        "usage": {"calls": answer.calls, "cost_usd": answer.cost},
    }
