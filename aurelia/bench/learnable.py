"""Which answers of a run may be learned from: one rule for `aurelia train` and for exported training sets."""

from collections.abc import Set
from typing import Any

from aurelia.bench.records import Record
from aurelia.bench.run_file import Outcome
from aurelia.bench.scoring import score_by_rule
from aurelia_core.answers.answer_leaks import find_answer_leaks
from aurelia_core.answers.clean_answer import UNKNOWN

SAME_AGAIN = "the same question about the same clip again"
_TEST_SPLIT = "test"
"""How the name of a split begins that is never learned: test, testing, test-mini."""
REMEDIES = {
    "of a test split": "give runs over training questions",
    "about a clip of a test file": "give runs about other clips than --test",
    "without a reasoning": "give runs with the arm aurelia",
    "scored too low": "lower --min-score",
    "a claim is contradicted": "leave out --supported",
    "no claim was found to hold": "make the runs with --set critic=claims, or leave out --supported",
    "without an answer": "give runs whose agents could answer",
    "none of the choices": "give runs whose agents could answer",
    "not right by a rule": "leave out --right-only",
    "its steps leak the answer": "--keep-leaks takes them",
}
"""What helps where too much is left out, by reason."""


def question_key(record: Record, outcome: Outcome) -> tuple[str, str]:
    """What is the same for the same question about the same clip, also in another run: the clip's id, and the text."""
    return outcome.result["clip"]["id"], "\n".join([record.full_question(), *record.choices])  # type: ignore[index]


def why_left_out(
    record: Record,
    outcome: Outcome,
    answer: str,
    least: int,
    *,
    right_only: bool = False,
    supported: bool = False,
    keep_leaks: bool = False,
    tested: Set[str] = frozenset(),
) -> str | None:
    """Why an answer is not learned from; None if it is.

    Args:
        record: the question.
        outcome: its outcome in the arm aurelia.
        answer: the answer that would be learned.
        least: lowest score of the reasoning, 1..10.
        right_only: leave out answers that are wrong, or that no rule decides.
        supported: take only reasoning whose claims were checked: some hold, none is contradicted.
        keep_leaks: also take reasoning whose steps give the answer away.
        tested: names of clips that are never learned about.
    """
    result = outcome.result or {}
    best = result.get("best")
    if record.source.split.casefold().startswith(_TEST_SPLIT):
        return "of a test split"
    if record.clip_name in tested:
        return "about a clip of a test file"
    if not best or not best["steps"] or not result.get("clip"):
        return "without a reasoning"
    if (result["score"] or 0) < least:
        return "scored too low"
    if supported and (reason := _unsupported(result)):
        return reason
    if reason := _unfit_answer(record, answer, right_only=right_only):
        return reason
    steps = [step["step"] for step in best["steps"]]
    if not keep_leaks and find_answer_leaks(steps, record.choices, best["answer"]):
        return "its steps leak the answer"
    return None


def _unfit_answer(record: Record, answer: str, *, right_only: bool) -> str | None:
    """Why an answer is not learned: there is none, no choice is read in it, or it is not right; None if it is."""
    if not answer or answer.casefold() == UNKNOWN:
        return "without an answer"
    score = score_by_rule(record, answer)
    if record.choices and score and score.is_right is None:
        return "none of the choices"
    if right_only and not (score and score.is_right):
        return "not right by a rule"
    return None


def _unsupported(result: dict[str, Any]) -> str | None:
    """Why the claims of the best attempt do not bear its reasoning; None if they do."""
    attempt = result["iterations"][(result["best_iteration"] or 1) - 1]
    verdicts = [finding["verdict"] for finding in attempt.get("claims") or ()]
    if "contradicted" in verdicts:
        return "a claim is contradicted"
    if "supported" not in verdicts:
        return "no claim was found to hold"
    return None
