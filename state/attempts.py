"""Pure questions about the attempts so far: which is the best, whether to stop, and why."""

from collections.abc import Iterable, Sequence

from state.context import Context
from state.schema import Attempt, Progress, StopReason


def attempt_scores(attempts: Iterable[Attempt]) -> list[int | None]:
    """The score of each attempt in order; None where it could not be scored."""
    return [attempt["score"] for attempt in attempts]


def best_iteration(scores: Sequence[int | None]) -> int | None:
    """Which attempt is r*, argmax_t e(t) over scored attempts, from 1; the later on a tie; None without any."""
    scored = [(score, iteration) for iteration, score in enumerate(scores, 1) if score is not None]
    return max(scored)[1] if scored else None


def budget_reached(standing: Progress, context: Context) -> bool:
    """Whether the attempts have used up one of the question's budgets (dollars, tokens, seconds).

    A budget in dollars that cannot be kept, because the price of a call is not known, counts as used up.
    """
    usage = standing["usage"]
    limits = (
        (context.max_cost_usd, usage["cost_usd"]),
        (context.max_tokens, usage["input_tokens"] + usage["output_tokens"]),
        (context.max_seconds, standing["seconds"]),
    )
    return any(limit is not None and (used is None or used >= limit) for limit, used in limits)


def stop_reason(standing: Progress, context: Context) -> StopReason | None:
    """Why the loop ends after these attempts, or None when another attempt is due.

    The threshold is met by equality, and ends nothing when the run is not to stop early. The cap is always checked. A
    loop that ends without any score says so before anything else.
    """
    scores = attempt_scores(standing["iterations"])
    best = best_iteration(scores)
    if context.early_stop and best is not None and (scores[best - 1] or 0) >= context.threshold:
        return "threshold"
    capped = len(scores) >= context.max_iterations
    if not capped and not budget_reached(standing, context):
        return None
    if best is None:
        return "no_valid_score"
    return "max_iterations" if capped else "budget"
