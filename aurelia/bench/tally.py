"""How the answers of a run count: one verdict for each answer, and the counts of each arm.

Bar, `status`, report, exports, training sets and LangSmith take their counts from here. An answer counts by its stored
score, by rule where it has none yet. A failed question is no answer; a caption is one, and is neither right nor wrong;
an answer that nothing can read is not right.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from aurelia.bench.records import Record
from aurelia.bench.run_file import ARMS, Arm, Outcome, OutcomeSummary, RunFile, StoredScore
from aurelia.bench.scoring import score_by_rule

AnswerVerdict = Literal["right", "wrong", "part", "unparsed", "unscored", "captioned", "failed", "none"]
VERDICTS: tuple[AnswerVerdict, ...] = ("right", "wrong", "part", "unparsed", "unscored", "captioned", "failed", "none")
SCORED_VERDICTS = ("right", "wrong", "part", "unparsed")
CORRECT_METRIC = "correct"
ARM_COUNTS = ("answered", "failed", "captions", "scored", "unparsed", "right", "accuracy")
"""The names of an arm's counts as plain data."""
PLANNED_ANSWERS = "planned"
"""Key of a run's metadata: number of answers that it holds or is to make, in all arms and rollouts."""
AnswerKey = tuple[str, Arm, int]
"""Record, arm and rollout of an answer."""


class JudgedAnswer(NamedTuple):
    """How one answer counts.

    Attributes:
        verdict: `captioned` for a caption, `unparsed` if neither rule nor judge could read the answer.
        value: Its value in the accuracy, 0 to 1; None if it does not count.
        correct: The score that decides; None for captions and failures.
    """

    verdict: AnswerVerdict
    value: float | None = None
    correct: StoredScore | None = None


@dataclass
class ArmCount:
    """Counts of one arm's answers: `scored` of the `answered` are no captions, `points` is the sum of their values."""

    answered: int = 0
    failed: int = 0
    captions: int = 0
    scored: int = 0
    unparsed: int = 0
    right: int = 0
    points: float = 0.0

    def add(self, judged: JudgedAnswer) -> None:
        """Counts one answer."""
        if judged.verdict == "failed":
            self.failed += 1
            return
        self.answered += 1
        self.captions += judged.verdict == "captioned"
        self.scored += judged.verdict in SCORED_VERDICTS
        self.unparsed += judged.verdict == "unparsed"
        self.right += judged.verdict == "right"
        self.points += judged.value or 0.0

    @property
    def accuracy(self) -> float | None:
        """Mean value of the scored answers, 0 to 1; None without any."""
        if not self.scored:
            return None
        return self.points / self.scored

    def as_dict(self) -> dict[str, Any]:
        """The counts and the accuracy as plain data."""
        found = {name: getattr(self, name) for name in ARM_COUNTS}
        if self.accuracy is not None:
            found["accuracy"] = round(self.accuracy, 4)
        return found


def rule_score(record: Record, outcome: Outcome | OutcomeSummary) -> StoredScore | None:
    """The score of an answer that has no stored one yet, by rule; None for a caption and without an answer."""
    if outcome.state == "failed":
        return None
    score = score_by_rule(record, outcome.answer)
    if score is None:
        return None
    key = (outcome.record, outcome.arm, outcome.rollout)
    return StoredScore(*key, CORRECT_METRIC, score.value, score.how, score.said)


def judge_outcome(outcome: Outcome | OutcomeSummary, correct: StoredScore | None) -> JudgedAnswer:
    """How an outcome counts.

    Args:
        outcome: The outcome.
        correct: Its score of `correct`, stored or by `rule_score`; None for a caption.
    """
    if outcome.state == "failed":
        return JudgedAnswer("failed")
    if correct is None:
        return JudgedAnswer("captioned")
    if correct.value is None:
        return JudgedAnswer("unparsed", 0.0, correct)
    verdict: AnswerVerdict = "part"
    if correct.value >= 1:
        verdict = "right"
    elif correct.value <= 0:
        verdict = "wrong"
    return JudgedAnswer(verdict, correct.value, correct)


def judge_run(run: RunFile) -> Iterator[tuple[AnswerKey, JudgedAnswer]]:
    """How every outcome of a run counts, in no particular order."""
    stored = {(score.record, score.arm, score.rollout): score for score in run.scores(CORRECT_METRIC)}
    for summary in run.outcome_summaries():
        key = (summary.record, summary.arm, summary.rollout)
        # Reading a question costs more than counting its answer.
        correct = stored.get(key) or rule_score(run.record(summary.record), summary)
        yield key, judge_outcome(summary, correct)


def count_judged(judged: Iterable[JudgedAnswer]) -> ArmCount:
    """The counts of these answers."""
    count = ArmCount()
    for one in judged:
        count.add(one)
    return count


def count_run(run: RunFile, arms: Iterable[Arm] | None = None) -> dict[Arm, ArmCount]:
    """The counts of a run by arm, over all rollouts.

    Args:
        run: The run.
        arms: Arms that are counted though they may have no answer yet (default: those of the run's settings).
    """
    judged = list(judge_run(run))
    expected = arms
    if expected is None:
        expected = (run.meta.get("settings") or {}).get("arms") or []
    known = {*expected, *(arm for (_, arm, _), _ in judged)}
    return {arm: count_judged(one for key, one in judged if key[1] == arm) for arm in ARMS if arm in known}


def counts_as_dict(counts: Mapping[Arm, ArmCount]) -> dict[str, dict[str, Any]]:
    """The counts of every arm as plain data."""
    return {arm: count.as_dict() for arm, count in counts.items()}
