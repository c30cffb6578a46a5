"""Where a run goes after prepare, the evaluator and a review. Pure: reads the state, returns node names."""

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime

from nodes.common import settings_of
from state.context import Context
from state.schema import Known, Loop, Routed
from state.select import stop_reason

Next = Literal["feedback", "review", "target_model", "zero_shot"]


def after_prepare(state: Known, runtime: Runtime[Context]) -> Literal["describer", "reasoning_generator"]:
    """To the describer, if the run names one, else straight into the loop."""
    return "describer" if settings_of(runtime).describer else "reasoning_generator"


def after_evaluator(state: Routed, runtime: Runtime[Context]) -> Sequence[Next]:
    """Back through feedback, or, when the loop ends, on to the target, by way of a person if the run wants one.

    To compare, zero-shot goes beside that, once: it neither waits for a person nor is asked again after them.
    """
    context = settings_of(runtime)
    if stop_reason(state, context) is None:
        return ["feedback"]
    then: Next = "review" if context.review == "reasoning" else "target_model"
    return [then, "zero_shot"] if context.compare and not state["asked"] else [then]


def after_review(state: Loop) -> Literal["reasoning_generator", "target_model"]:
    """Back for the attempt that a person asked for, or on to the target."""
    return "reasoning_generator" if len(state["iterations"]) + 1 in state["asked"] else "target_model"
