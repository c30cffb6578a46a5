"""Where a run goes after the evaluator. Pure: reads the state, returns node names."""

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime

from nodes.common import settings_of
from state.context import Context
from state.schema import Known, Standing
from state.select import stop_reason

Next = Literal["feedback", "target_model", "zero_shot"]


def after_prepare(state: Known, runtime: Runtime[Context]) -> Literal["describer", "reasoning_generator"]:
    """To the describer, if the run names one, else straight into the loop."""
    return "describer" if settings_of(runtime).describer else "reasoning_generator"


def after_evaluator(state: Standing, runtime: Runtime[Context]) -> Sequence[Next]:
    """Back through feedback, or, when the loop ends, on to the target (and, to compare, to zero-shot beside it)."""
    context = settings_of(runtime)
    if stop_reason(state, context) is None:
        return ["feedback"]
    return ["target_model", "zero_shot"] if context.compare else ["target_model"]
