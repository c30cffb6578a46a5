"""A run read question by question: the figures of both arms, and the details that its section of the page shows.

It reads run files only, judges nothing and computes no statistics.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal, NamedTuple

from aurelia.bench.records import Column, Record
from aurelia.bench.run_file import Arm, Outcome, RunFile, StoredScore

AnswerVerdict = Literal["right", "wrong", "part", "unparsed", "unscored", "captioned", "failed", "none"]
VERDICTS: tuple[AnswerVerdict, ...] = ("right", "wrong", "part", "unparsed", "unscored", "captioned", "failed", "none")
CORRECT_METRIC = "correct"


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """One arm's figures for one question.

    Attributes:
        verdict: `unparsed` where no rule and no judge could read the answer, `captioned` where it has scores but is
            neither right nor wrong, `unscored` where nobody has scored it.
        value: the score of `correct`, 0 to 1; null unless the verdict is right, wrong or part.
        scores: every other metric (those of captions) by name.
        calls: calls to models that were paid for.
        cost: dollars; null when a price is not known.
        tokens: of input and output together.
    """

    verdict: AnswerVerdict
    value: float | None
    scores: Mapping[str, float | None]
    calls: int
    cost: float | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Case:
    """One question of one run, in figures.

    Attributes:
        clip: what it is clustered by: the path of its video.
        sides: by arm; an arm that the run does not have is missing.
        attempts: (score, seconds) of every attempt.
        best, best_score, stop_reason: of the AURELIA arm.
        modalities: how many steps of the reasoning given rest on what.
        seconds: the loop's own, without the target.
        leaks: whether the steps given to the target say the answer (`aurelia_core.answers.answer_leaks`).
    """

    record: str
    rollout: int
    column: Column
    category: str
    clip: str
    sides: Mapping[Arm, ArmAnswer]
    attempts: tuple[tuple[int | None, float], ...] = ()
    best: int | None = None
    best_score: int | None = None
    stop_reason: str | None = None
    modalities: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    leaks: bool = False


class ReportRow(NamedTuple):
    """A case, and everything that its section shows (plain JSON, texts as they were said)."""

    case: Case
    detail: dict[str, Any]


_ScoresByOutcome = dict[tuple[str, str, int], dict[str, StoredScore]]


def read_report_rows(run: RunFile) -> Iterator[ReportRow]:
    """Every question of a run, once a rollout, in the order of the records; one that was never asked is left out."""
    inject = (run.meta.get("settings") or {}).get("inject", "steps")
    marks: _ScoresByOutcome = {}
    for mark in run.marks():
        marks.setdefault((mark.record, mark.arm, mark.rollout), {})[mark.metric] = mark
    outcomes = groupby(run.outcomes(), key=lambda outcome: outcome.record)
    waiting = next(outcomes, None)
    for record in run.records():
        if waiting is None or waiting[0] != record.id:
            continue
        by_rollout: dict[int, dict[Arm, Outcome]] = {}
        for outcome in waiting[1]:
            by_rollout.setdefault(outcome.rollout, {})[outcome.arm] = outcome
        waiting = next(outcomes, None)
        for rollout, arms in sorted(by_rollout.items()):
            yield _row(record, rollout, arms, marks, inject)


def _row(record: Record, rollout: int, arms: Mapping[Arm, Outcome], marks: _ScoresByOutcome, inject: str) -> ReportRow:
    found = {arm: marks.get((record.id, arm, rollout), {}) for arm in arms}
    sides = {arm: _arm_answer(outcome, found[arm]) for arm, outcome in arms.items()}
    case = Case(record.id, rollout, record.column, record.category, record.video, sides)
    loop = arms["aurelia"].result if "aurelia" in arms else None
    if loop:
        case = _with_loop(case, loop)
    detail = _question_detail(record, rollout) | _loop_detail(loop)
    shown = {arm: _answer_detail(outcome, found[arm], sides[arm]) for arm, outcome in arms.items()}
    return ReportRow(case, {**detail, "inject": inject, "arms": shown})


def _arm_answer(outcome: Outcome, marks: Mapping[str, StoredScore]) -> ArmAnswer:
    mark = marks.get(CORRECT_METRIC)
    usage = outcome.usage
    return ArmAnswer(
        _verdict(outcome, mark, bool(marks)),
        mark.value if mark and outcome.state == "answered" else None,
        {name: mark.value for name, mark in marks.items() if name != CORRECT_METRIC},
        usage["calls"],
        usage["cost_usd"],
        usage["input_tokens"] + usage["output_tokens"],
    )


def _verdict(outcome: Outcome, mark: StoredScore | None, scored: bool) -> AnswerVerdict:
    if outcome.state == "failed":
        return "failed"
    if mark is None:
        return "captioned" if scored else "unscored"
    if mark.value is None:
        return "unparsed"
    return "right" if mark.value >= 1 else "wrong" if mark.value <= 0 else "part"


def _with_loop(case: Case, loop: Mapping[str, Any]) -> Case:
    attempts = loop.get("iterations") or []
    steps = (loop.get("best") or {}).get("steps") or []
    return Case(
        case.record,
        case.rollout,
        case.column,
        case.category,
        case.clip,
        case.sides,
        tuple((attempt["score"], attempt["seconds"]) for attempt in attempts),
        loop.get("best_iteration"),
        loop.get("score"),
        loop.get("stop_reason"),
        Counter(step["modality"] for step in steps),
        sum(attempt["seconds"] for attempt in attempts),
        bool(loop.get("leaks")),
    )


def _question_detail(record: Record, rollout: int) -> dict[str, Any]:
    source = record.source
    item = [source.dataset, source.split, source.item, f"row {source.row}" if source.row is not None else ""]
    where = ", ".join(filter(None, [*item, f"licence {record.licence}", f"clip {record.video}", *record.kinds]))
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
        "video": record.video,
        "audio": list(record.audio),
    }


def _loop_detail(loop: Mapping[str, Any] | None) -> dict[str, Any]:
    known = loop or {}
    return {
        "attempts": known.get("iterations") or [],
        "best": known.get("best"),
        "best_iteration": known.get("best_iteration"),
        "score": known.get("score"),
        "stop_reason": known.get("stop_reason"),
        "warnings": known.get("warnings") or [],
    }


def _answer_detail(outcome: Outcome, marks: Mapping[str, StoredScore], side: ArmAnswer) -> dict[str, Any]:
    mark = marks.get(CORRECT_METRIC)
    return {
        "mark": side.verdict,
        "answer": outcome.answer,
        "choice": outcome.choice,
        "error": outcome.error,
        "how": mark.how if mark else None,
        "said": mark.said if mark else None,
        "scores": dict(side.scores),
        "usage": {"calls": side.calls, "cost_usd": side.cost},
    }
