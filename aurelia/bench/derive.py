"""What a run would have done at a smaller setting, read off a run that went on to its cap (Tables 5 and 6).

No agent's prompt depends on the threshold or the number of iterations, so the attempts of a run with the largest
number and no early stop begin with those of every smaller one. Pure: it asks no model; the target's answer to another
best attempt is `aurelia.bench.ablation`'s business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.types import NO_USAGE, Usage, add_usage
from state.attempts import attempt_scores, best_iteration, stop_reason
from state.context import Context
from state.schema import Attempt, StopReason

_BUDGET_FIELDS = ("max_cost_usd", "max_tokens", "max_seconds")


@dataclass(frozen=True, slots=True)
class GridSetting:
    """One cell of the grid: T, tau, and what of the best reasoning is given to the target."""

    max_iterations: int
    threshold: int
    inject: str


@dataclass(frozen=True, slots=True)
class LoopEnd:
    """How the loop ends at a setting.

    Attributes:
        iterations: the attempts it makes; the last one has no feedback.
        best_iteration, score, stop_reason: as in a run's result.
        seconds: of the agents' calls in the loop; the target's call is not among them.
        usage: the bill of the loop.
    """

    iterations: list[Attempt]
    best_iteration: int | None
    score: int | None
    stop_reason: StopReason
    seconds: float
    usage: Usage


def check_derivable(context: Context) -> None:
    """Refuses a run of which smaller settings cannot be read off.

    Raises:
        InputError: it had a budget, which may end a loop anywhere.
    """
    if kept := [name for name in _BUDGET_FIELDS if getattr(context, name) is not None]:
        raise InputError(
            f"The run had a budget ({', '.join(kept)}), so smaller settings cannot be read off it: run it without."
        )


def derive_loop_end(attempts: Sequence[Attempt], setting: GridSetting) -> LoopEnd:
    """The end of the loop at a smaller setting.

    Args:
        attempts: all those of the run, in order.
        setting: T and tau.

    Raises:
        InputError: the loop would have gone on after the run's last attempt.
    """
    context = Context(max_iterations=setting.max_iterations, threshold=setting.threshold)
    scores = attempt_scores(attempts)
    for count in range(1, len(scores) + 1):
        reason = stop_reason({"iterations": [*attempts[:count]], "seconds": 0.0, "usage": NO_USAGE}, context)
        if reason is not None:
            return _loop_end(attempts[:count], scores[:count], reason)
    raise InputError(
        f"The run stopped after {len(scores)} attempts, before T = {setting.max_iterations}, tau = {setting.threshold}"
        " would have: make one with the largest T and bench run --full."
    )


def _loop_end(attempts: Sequence[Attempt], scores: list[int | None], reason: StopReason) -> LoopEnd:
    kept = [*attempts[:-1], without_feedback(attempts[-1])]
    usage: Usage = NO_USAGE
    for attempt in kept:
        usage = add_usage(usage, attempt["usage"])
    best = best_iteration(scores)
    score = scores[best - 1] if best else None
    return LoopEnd(kept, best, score, reason, sum(attempt["seconds"] for attempt in kept), usage)


def without_feedback(attempt: Attempt) -> Attempt:
    """The attempt as it would be as a run's last one: without feedback, and without what that cost."""
    spent = attempt.get("feedback_usage") or NO_USAGE
    left: Any = {name: attempt["usage"][name] - spent[name] for name in NO_USAGE if name != "cost_usd"}  # type: ignore[literal-required]
    costs = attempt["usage"]["cost_usd"], spent["cost_usd"]
    left["cost_usd"] = None if costs[0] is None or costs[1] is None else max(0.0, costs[0] - costs[1])
    seconds = max(0.0, attempt["seconds"] - (attempt.get("feedback_seconds") or 0.0))
    bare: Any = {"feedback": None, "windows": [], "feedback_seconds": 0.0, "feedback_usage": NO_USAGE}
    known: Any = attempt
    if "fallbacks" in known:
        bare["fallbacks"] = [role for role in known["fallbacks"] if role != "feedback"]
    return {**attempt, **bare, "seconds": seconds, "usage": left}
