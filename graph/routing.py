"""The edges with a choice: after prepare, after the evaluator, after a review. Each reads the state and returns nodes.

When a person writes a thread's state outside of a run, the settings that the thread stores are used.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from langgraph.runtime import Runtime, get_runtime

from aurelia_core.errors import InputError
from nodes.requests import context_of
from state.attempts import stop_reason
from state.context import Context, make_context
from state.schema import EvaluatorRouterState, LoopState, PrepareRouterState

_NextNode = Literal["feedback", "review", "target_model", "zero_shot"]
ROUTERS = ("after_prepare", "after_evaluator", "after_review")


def after_prepare(state: PrepareRouterState) -> Literal["describer", "reasoning_generator"]:
    """To the describer if the settings name one, else into the loop.

    Raises:
        InputError: a person writes the state of a thread that has no question yet.
    """
    if not state.get("run"):
        raise InputError("This thread has no question yet: run one before you write its state.")
    if _settings(state).describer:
        return "describer"
    return "reasoning_generator"


def after_evaluator(state: EvaluatorRouterState) -> Sequence[_NextNode]:
    """To feedback for another attempt; when the loop ends, to the target, or to a person first if the settings say so.

    With `compare`, zero-shot runs beside that, once: it neither waits for a person nor runs again after a review.
    """
    context = _settings(state)
    if stop_reason(state, context) is None:
        return ["feedback"]
    following: list[_NextNode] = ["review"] if context.review == "reasoning" else ["target_model"]
    if context.compare and not state["asked"]:
        following.append("zero_shot")
    return following


def after_review(state: LoopState) -> Literal["reasoning_generator", "target_model"]:
    """Back to the generator if a person requested another attempt, else to the target."""
    if len(state["iterations"]) + 1 in state["asked"]:
        return "reasoning_generator"
    return "target_model"


def _settings(state: Mapping[str, Any]) -> Context:
    runtime = cast("Runtime[Context] | None", get_runtime(Context))
    return context_of(runtime) if runtime else make_context(state.get("settings") or {})
