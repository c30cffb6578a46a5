"""Pure questions about the attempts so far: which is the best, whether to stop, and why."""

from collections.abc import Sequence

from state.context import Context
from state.schema import NO_USAGE, Attempt, StopReason, add_usage


def best_attempt(attempts: Sequence[Attempt]) -> Attempt | None:
    """r* = argmax_t e(t) over all scored attempts, the later one on a tie; None when no attempt was scored."""
    scored = [attempt for attempt in attempts if attempt["score"] is not None]
    return max(scored, key=lambda attempt: (attempt["score"], attempt["iteration"]), default=None)


def over_budget(attempts: Sequence[Attempt], context: Context) -> bool:
    """Whether the attempts have used up one of the question's budgets (dollars, tokens, seconds)."""
    spent = NO_USAGE
    for attempt in attempts:
        spent = add_usage(spent, attempt["usage"])
    limits = (
        (context.max_cost_usd, spent["cost_usd"]),
        (context.max_tokens, spent["input_tokens"] + spent["output_tokens"]),
        (context.max_seconds, sum(attempt["seconds"] for attempt in attempts)),
    )
    return any(limit is not None and used is not None and used >= limit for limit, used in limits)


def stop_reason(attempts: Sequence[Attempt], context: Context) -> StopReason | None:
    """Why the loop ends after these attempts, or None when another attempt is due.

    The threshold is met by equality. The cap is always checked. A loop that ends without any score says so before
    anything else.
    """
    best = best_attempt(attempts)
    if best is not None and (best["score"] or 0) >= context.threshold:
        return "threshold"
    capped, spent = len(attempts) >= context.max_iterations, over_budget(attempts, context)
    if not capped and not spent:
        return None
    if best is None:
        return "no_valid_score"
    return "max_iterations" if capped else "budget"
