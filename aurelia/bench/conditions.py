"""Conditions: the same questions under several settings, each a run file of its own, and the figures of each.

A recipe names the conditions; they run one after the other and are resumed like any run. A condition that is refused
before it pays is reported with the reason. `aurelia.report.condition_tables` compares them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from aurelia.bench.costs import costs_by_role
from aurelia.bench.records import Record
from aurelia.bench.run_file import Arm, Outcome, RunFile
from aurelia.bench.scoring import score_by_rule
from aurelia_core.errors import InputError
from aurelia_core.types import NO_USAGE, Usage, add_usage
from state.context import Context

_CLIP_ROLES = ("generator", "evaluator", "target", "describer")


class Condition(NamedTuple):
    """One condition.

    Attributes:
        name: its name in tables.
        context: the settings of every question.
        arm: `aurelia` for the graph with the strategy of the settings, `zero_shot` for the target alone.
        records: file of the records.
        changes: settings that depend on an earlier condition, from the conditions that are done.
    """

    name: str
    context: Context
    arm: Arm
    records: Path
    changes: Callable[[Mapping[str, "ConditionFigures"]], dict[str, Any]] = lambda done: {}

    @property
    def file_name(self) -> str:
        """The name of its run file."""
        return f"{self.name.replace(' ', '-').replace(',', '').replace('/', '-')}.run"


@dataclass(frozen=True, slots=True)
class ConditionFigures:
    """The answers of a condition, by question.

    Attributes:
        name: the condition.
        values: 1 for a right answer, 0 for a wrong or unparsed one, by record id; captions and failures are not in it.
        clips: the clip of each record.
        candidates: whether each candidate's own answer is right, by record id; empty without candidates.
        failed: number of questions without an answer.
        usage: cost of all questions.
        clip_calls: calls that carried the clip, over all questions.
        seconds: mean seconds of a question.
        agents_output: mean output tokens of a question without those of the target.
        refused: why the condition was not run; None: it was.
    """

    name: str
    values: Mapping[str, float] = field(default_factory=dict)
    clips: Mapping[str, str] = field(default_factory=dict)
    candidates: Mapping[str, Sequence[float]] = field(default_factory=dict)
    failed: int = 0
    usage: Usage = field(default_factory=lambda: NO_USAGE)
    clip_calls: int = 0
    seconds: float = 0.0
    agents_output: float = 0.0
    refused: str | None = None

    @property
    def questions(self) -> int:
        """Number of questions that were asked."""
        return len(self.clips)

    def oracle(self) -> float | None:
        """Share of the questions that some candidate answers right; None without candidates."""
        if not self.candidates:
            return None
        return mean(max(marks) for marks in self.candidates.values())

    def random(self) -> float | None:
        """Share that a candidate drawn at random answers right; None without candidates."""
        if not self.candidates:
            return None
        return mean(mean(marks) for marks in self.candidates.values())


def read_condition(name: str, path: Path, arm: Arm) -> ConditionFigures:
    """The figures of a condition from its scored run file."""
    with RunFile.open(path) as run:
        records = {record.id: record for record in run.records()}
        outcomes = list(run.outcomes(arm, rollout=0))
        marks = {(one.record, one.arm): one.value for one in run.scores("correct") if one.rollout == 0}
        strategy = (run.meta.get("settings") or {}).get("strategy", "refine")
    values = {}
    candidates = {}
    usage: Usage = NO_USAGE
    for outcome in outcomes:
        usage = add_usage(usage, outcome.usage)
        if outcome.state == "answered" and (outcome.record, arm) in marks:
            values[outcome.record] = marks[outcome.record, arm] or 0.0
        if found := _candidate_marks(records[outcome.record], outcome):
            candidates[outcome.record] = found
    costs = costs_by_role(path)
    roles = ("describer",) if strategy == "script" else _CLIP_ROLES
    agents = sum(cost.output_tokens for cost in costs if cost.role != "target")
    return ConditionFigures(
        name,
        values,
        {outcome.record: records[outcome.record].clip_name for outcome in outcomes},
        candidates,
        sum(outcome.state == "failed" for outcome in outcomes),
        usage,
        sum(cost.calls for cost in costs if cost.role in roles),
        mean([outcome.seconds for outcome in outcomes] or [0.0]),
        agents / max(1, len(outcomes)),
    )


def _candidate_marks(record: Record, outcome: Outcome) -> list[float]:
    """Whether each attempt's own answer is right: its reply, else that of its reasoning; [] for fewer than two."""
    attempts = (outcome.result or {}).get("iterations") or []
    texts = [attempt.get("reply") or (attempt.get("reasoning") or {}).get("answer") for attempt in attempts]
    scores = [score_by_rule(record, text) for text in texts if text]
    if len(scores) < 2 or None in scores:
        return []
    return [score.value or 0.0 for score in scores if score]


async def run_conditions(
    conditions: Sequence[Condition], out: Path, run: Callable[[Condition, Context, Path], Any]
) -> list[ConditionFigures]:
    """Runs, scores and reads every condition; a refused one has only its reason.

    Args:
        conditions: the conditions, in order.
        out: folder of their run files.
        run: runs and scores one condition with these settings into this file.

    Raises:
        InputError: every condition was refused; the message is that of the first.
    """
    done: dict[str, ConditionFigures] = {}
    refusals = []
    for condition in conditions:
        path = out / condition.file_name
        context = condition.context.model_copy(update=condition.changes(done))
        try:
            await run(condition, context, path)
        except InputError as fault:
            refusals.append(fault)
            done[condition.name] = ConditionFigures(condition.name, refused=str(fault))
            continue
        done[condition.name] = await asyncio.to_thread(read_condition, condition.name, path, condition.arm)
    if len(refusals) == len(conditions):
        raise refusals[0]
    return list(done.values())
