"""The edges with a choice: after prepare, after the evaluator, after a review. Each reads the state and returns labels.

The labels stand at the edges of the drawing; `AFTER_PREPARE`, `AFTER_EVALUATOR` and `AFTER_REVIEW` lead each to a node.
When a person writes a thread's state outside of a run, the settings that the thread stores are used.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

from langgraph.runtime import Runtime, get_runtime

from aurelia_core.errors import InputError
from nodes.requests import context_of
from state.attempts import stop_reason
from state.context import Context, make_context
from state.schema import EvaluatorRouterState, LoopState, PrepareRouterState

DESCRIBER_SET, NO_DESCRIBER = "a describer is set", "no describer"
BELOW, DONE = "score < tau", "score >= tau, or T reached"
DONE_REVIEW, DONE_COMPARE = "done, with review", "done, with compare"
AGAIN, TAKEN = "another attempt", "accepted or edited"
AFTER_PREPARE: dict[Hashable, str] = {DESCRIBER_SET: "describer", NO_DESCRIBER: "reasoning_generator"}
AFTER_EVALUATOR: dict[Hashable, str] = {
    BELOW: "feedback",
    DONE_REVIEW: "review",
    DONE: "target_model",
    DONE_COMPARE: "zero_shot",
}
AFTER_REVIEW: dict[Hashable, str] = {AGAIN: "reasoning_generator", TAKEN: "target_model"}
_NO_QUESTION = "This thread has no question yet: run one before you write its state."
ROUTERS = ("after_prepare", "after_evaluator", "after_review")


async def after_prepare(state: PrepareRouterState) -> str:
    """To the describer if the settings name one, else into the loop.

    Raises:
        InputError: a person writes the state of a thread that has no question yet.
    """
    if not state.get("run"):
        raise InputError(_NO_QUESTION)
    if _settings(state).describer:
        return DESCRIBER_SET
    return NO_DESCRIBER


async def after_evaluator(state: EvaluatorRouterState) -> Sequence[str]:
    """To feedback for another attempt; when the loop ends, to the target, or to a person first if the settings say so.

    With `compare`, zero-shot runs beside that, once: it neither waits for a person nor runs again after a review. Where
    the gate needs both answers, the target's node asks for both.

    Raises:
        InputError: a person writes the state of a thread that has no question yet.
    """
    if not state["usage"]:
        raise InputError(_NO_QUESTION)
    context = _settings(state)
    if stop_reason(state, context) is None:
        return [BELOW]
    following = [DONE_REVIEW] if context.review == "reasoning" else [DONE]
    if context.compare and context.gate == "always" and not state["asked"]:
        following.append(DONE_COMPARE)
    return following


async def after_review(state: LoopState) -> str:
    """Back to the generator if a person requested another attempt, else to the target."""
    if len(state["iterations"]) + 1 in state["asked"]:
        return AGAIN
    return TAKEN


def _settings(state: Mapping[str, Any]) -> Context:
    runtime = cast("Runtime[Context] | None", get_runtime(Context))
    return context_of(runtime) if runtime else make_context(state.get("settings") or {})
