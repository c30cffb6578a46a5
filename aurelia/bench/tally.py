"""Counts of a run's outcomes, the same for progress, status and report.

An answer that nothing can read is scored and not right; a failed question is no answer and counts apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aurelia.bench.run_file import Arm, OutcomeState, RunFile
from aurelia.bench.scoring import MetricScore, score_by_rule


@dataclass
class ArmCount:
    """Counts of one arm's outcomes: of the answered ones, those scored right or wrong, and the unparsed among them."""

    answered: int = 0
    failed: int = 0
    scored: int = 0
    unparsed: int = 0
    right: int = 0


class Tally:
    """The counts of all arms."""

    def __init__(self, arms: Iterable[Arm]) -> None:
        """Starts at zero."""
        self.counts: dict[Arm, ArmCount] = {arm: ArmCount() for arm in arms}

    def add(self, arm: Arm, state: OutcomeState, score: MetricScore | None) -> None:
        """Counts one outcome; `score` is None for a caption and without an answer."""
        count = self.counts[arm]
        if state == "failed":
            count.failed += 1
            return
        count.answered += 1
        if score is None:
            return
        count.scored += 1
        count.unparsed += score.value is None
        count.right += score.value == 1

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """The counts as plain data, with the share of right answers among the scored ones (null before the first)."""
        arms: dict[str, dict[str, Any]] = {}
        for arm, count in self.counts.items():
            accuracy = None
            if count.scored:
                accuracy = round(count.right / count.scored, 4)
            arms[arm] = {
                "answered": count.answered,
                "failed": count.failed,
                "unparsed": count.unparsed,
                "accuracy": accuracy,
            }
        return arms


def count_run(run: RunFile) -> Tally:
    """The counts of a run by its stored scores, by rule where an answer has none yet."""
    arms: list[Arm] = list((run.meta.get("settings") or {}).get("arms") or [])
    stored = {(score.record, score.arm, score.rollout): score for score in run.scores("correct")}
    summaries = list(run.outcome_summaries())
    tally = Tally(dict.fromkeys([*arms, *(summary.arm for summary in summaries)]))
    for summary in summaries:
        known = stored.get((summary.record, summary.arm, summary.rollout))
        if known is None:
            score = score_by_rule(run.record(summary.record), summary.answer)
        else:
            score = MetricScore("correct", known.value, "rule", known.said or "")
        tally.add(summary.arm, summary.state, score)
    return tally
