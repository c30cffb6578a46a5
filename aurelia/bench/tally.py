"""The count while a run goes on: answered, failed, right so far. Sums only, however many questions there are.

Whether an answer is right is told by the rules of `aurelia.bench.scoring`, as in a report without a judge.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aurelia.bench.run_file import Arm, OutcomeState
from aurelia.bench.scoring import MetricScore


@dataclass
class ArmCount:
    """The outcomes of one arm; `scored` are the answers that are right or not, of them `unparsed` could not be read."""

    answered: int = 0
    failed: int = 0
    scored: int = 0
    unparsed: int = 0
    right: int = 0


class Tally:
    """The counts of all arms."""

    def __init__(self, arms: Iterable[Arm]) -> None:
        """Nothing counted yet."""
        self.counts: dict[Arm, ArmCount] = {arm: ArmCount() for arm in arms}

    def add(self, arm: Arm, state: OutcomeState, mark: MetricScore | None) -> None:
        """Counts one outcome; `mark` is None for a caption and where there is no answer."""
        count = self.counts[arm]
        if state == "failed":
            count.failed += 1
            return
        count.answered += 1
        count.scored += mark is not None
        count.unparsed += mark is not None and mark.value is None
        count.right += mark is not None and mark.value == 1

    def shown(self) -> dict[str, dict[str, Any]]:
        """The counts as plain data, with the share of right answers among those scored (null before there is one)."""
        return {
            arm: {
                "answered": count.answered,
                "failed": count.failed,
                "unparsed": count.unparsed,
                "accuracy": round(count.right / count.scored, 4) if count.scored else None,
            }
            for arm, count in self.counts.items()
        }
