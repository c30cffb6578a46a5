"""Where a run goes after prepare, the evaluator and a review. Pure: reads the state, returns node names.

Where a person writes a thread's state there is no run, and so no settings of one: those decide that the thread keeps.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from langgraph.runtime import Runtime, get_runtime

from aurelia_core.errors import InputError
from nodes.requests import context_of
from state.attempts import stop_reason
from state.context import Context, make_context
from state.schema import EvaluatorRouterState, LoopState, PrepareRouterState

Next = Literal["feedback", "review", "target_model", "zero_shot"]
ROUTERS = ("after_prepare", "after_evaluator", "after_review")


def after_prepare(state: PrepareRouterState) -> Literal["describer", "reasoning_generator"]:
    """To the describer, if the run names one, else straight into the loop.

    Raises:
        InputError: a person writes the state of a thread that was asked nothing yet.
    """
    if not state.get("run"):
        raise InputError("This thread was asked nothing yet: run a question in it before its state is written.")
    return "describer" if _settings(state).describer else "reasoning_generator"


def after_evaluator(state: EvaluatorRouterState) -> Sequence[Next]:
    """Back through feedback, or, when the loop ends, on to the target, by way of a person if the run wants one.

    To compare, zero-shot goes beside that, once: it neither waits for a person nor is asked again after them.
    """
    context = _settings(state)
    if stop_reason(state, context) is None:
        return ["feedback"]
    then: Next = "review" if context.review == "reasoning" else "target_model"
    return [then, "zero_shot"] if context.compare and not state["asked"] else [then]


def after_review(state: LoopState) -> Literal["reasoning_generator", "target_model"]:
    """Back for the attempt that a person asked for, or on to the target."""
    return "reasoning_generator" if len(state["iterations"]) + 1 in state["asked"] else "target_model"


def _settings(state: Mapping[str, Any]) -> Context:
    runtime = cast("Runtime[Context] | None", get_runtime(Context))
    return context_of(runtime) if runtime else make_context(state.get("settings") or {})
