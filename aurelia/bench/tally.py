"""The count while a run goes on: answered, failed, right so far. Sums only, however many questions there are.

Whether an answer is right is told here by the plainest rule; `aurelia.bench.score` is what a report goes by.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aurelia.bench.record import Record
from aurelia.bench.runfile import Arm, State
from aurelia.choices import choose


def right(record: Record, answer: str) -> bool | None:
    """Whether an answer is a reference answer, word for word; None for captions, and where no choice can be told."""
    if record.task == "av-captioning":
        return None
    said: str | None = answer
    if record.choices and (said := choose(answer, record.choices)) is None:
        return None
    known = [*record.answers, *(word for answer in record.answers for word in record.synonyms.get(answer, []))]
    return _plain(said or "") in {_plain(answer) for answer in known}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .!")


@dataclass
class Count:
    """The outcomes of one arm; `judged` are those answers of which it can be told whether they are right."""

    answered: int = 0
    failed: int = 0
    judged: int = 0
    right: int = 0


class Tally:
    """The counts of all arms."""

    def __init__(self, arms: Iterable[Arm]) -> None:
        """Nothing counted yet."""
        self.counts: dict[Arm, Count] = {arm: Count() for arm in arms}

    def add(self, arm: Arm, state: State, correct: bool | None) -> None:
        """Counts one outcome."""
        count = self.counts[arm]
        if state == "failed":
            count.failed += 1
            return
        count.answered += 1
        count.judged += correct is not None
        count.right += bool(correct)

    def shown(self) -> dict[str, dict[str, Any]]:
        """The counts as plain data, with the share of right answers (null before there is one)."""
        return {
            arm: {
                "answered": count.answered,
                "failed": count.failed,
                "accuracy": round(count.right / count.judged, 4) if count.judged else None,
            }
            for arm, count in self.counts.items()
        }
