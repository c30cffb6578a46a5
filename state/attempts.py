"""Which attempt is the best, and whether the loop ends and why. Pure functions of the state."""

from collections.abc import Iterable, Sequence

from state.context import Context
from state.schema import Attempt, Progress, StopReason

SCORED_STRATEGIES = ("refine", "best_of_n")
"""Strategies whose attempts the evaluator scores."""


def attempt_scores(attempts: Iterable[Attempt]) -> list[int | None]:
    """The score of each attempt in order; None where it could not be scored."""
    return [attempt["score"] for attempt in attempts]


def best_iteration(scores: Sequence[int | None]) -> int | None:
    """The attempt of r*, from 1: argmax_t e(t) over the scored attempts, the later one on a tie; None without any."""
    scored = [(score, iteration) for iteration, score in enumerate(scores, 1) if score is not None]
    return max(scored, default=(0, None))[1]


def budget_reached(standing: Progress, context: Context) -> bool:
    """Whether the attempts have reached one of the question's budgets (dollars, tokens, calls, seconds).

    A budget in dollars counts as reached when the price of a call is unknown.
    """
    usage = standing["usage"]
    limits = (
        (context.max_cost_usd, usage["cost_usd"]),
        (context.max_tokens, usage["input_tokens"] + usage["output_tokens"]),
        (context.max_calls, usage["calls"]),
        (context.max_seconds, standing["seconds"]),
    )
    return any(limit is not None and (used is None or used >= limit) for limit, used in limits)


def stop_reason(standing: Progress, context: Context) -> StopReason | None:
    """Why the loop ends after these attempts; None: another attempt is due.

    A score equal to the threshold is enough; with `early_stop` off the threshold does not end the loop. The cap is
    always checked. A loop that ends without any score is `no_valid_score`, whatever else is true.
    """
    scores = attempt_scores(standing["iterations"])
    best = best_iteration(scores)
    if context.early_stop and best is not None and (scores[best - 1] or 0) >= context.threshold:
        return "threshold"
    reason = _cap_reached(standing, context)
    if reason and best is None and context.strategy in SCORED_STRATEGIES:
        return "no_valid_score"
    return reason


def _attempts_without_gain(scores: Sequence[int | None]) -> int:
    """How many attempts at the end have no better score than one before them; none while there is no score."""
    highest = max((score for score in scores if score is not None), default=None)
    if highest is None:
        return 0
    return len(scores) - 1 - scores.index(highest)


def current_round(attempts: Sequence[Attempt]) -> list[Attempt]:
    """The attempts that were made side by side last: the last one, and the candidates before it."""
    if not attempts:
        return []
    return list(attempts[-attempts[-1].get("candidate", 1) :])


def _cap_reached(standing: Progress, context: Context) -> StopReason | None:
    if context.strategy != "refine":
        return "one_round"
    if len(standing["iterations"]) >= context.max_iterations:
        return "max_iterations"
    if context.patience and _attempts_without_gain(attempt_scores(standing["iterations"])) >= context.patience:
        return "patience"
    if budget_reached(standing, context):
        return "budget"
    if standing.get("out_of_steps"):
        return "recursion_limit"
    return None
