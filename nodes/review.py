"""review: where a person may step in, between the end of the loop and the target. It asks no model.

The run pauses in this node and nowhere else, and the node does nothing before the pause, so that going on repeats
nothing. What a person writes is validated as a model's reply is; it is never scored here.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from aurelia_core.errors import InputError
from aurelia_core.models.replies import ReasoningReply, ReplyText, WindowReply
from nodes.requests import clamp_windows, context_of, emit_event, window_seconds
from state.attempts import SCORED_STRATEGIES, attempt_scores, best_iteration, budget_reached, stop_reason
from state.context import Context
from state.events import ReviewEvent
from state.schema import TargetState, Update

MAX_EXTRA_ATTEMPTS = 3
"""How many attempts beyond `max_iterations` a person may ask for."""


class _Action(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Accept(_Action):
    """The best reasoning goes to the target as it is."""

    action: Literal["accept"]


class Edit(_Action):
    """This reasoning goes to the target in its place."""

    action: Literal["edit"]
    reasoning: ReasoningReply


class Again(_Action):
    """One more attempt, guided by this feedback, which looks more closely at these windows (seconds)."""

    action: Literal["again"]
    feedback: ReplyText
    windows: list[WindowReply] = []


_ReviewDecision = Annotated[Accept | Edit | Again, Field(discriminator="action")]


async def review(state: TargetState, runtime: Runtime[Context]) -> Update:
    """Pauses until a person has accepted, edited or sent back the best reasoning; passes over when none is wanted.

    Raises:
        InputError: what came back cannot be used; the pause stays.
    """
    context = context_of(runtime)
    if context.review == "none":
        return {}
    pause = _pause(state, context)
    try:
        decided = interrupt(pause, response_schema=_accepting(pause))
    except ValidationError as fault:
        raise _refused(fault) from None
    update, event = _taken(decided, state, pause)
    emit_event(runtime, event)
    return update


def check_review_answer(value: Mapping[str, Any], pause: Mapping[str, Any]) -> None:
    """Refuses an answer to a pause as the node would, without touching the run.

    Args:
        value: the answer: its action, and what belongs to that.
        pause: what the run showed when it paused.

    Raises:
        InputError: what is wrong with it, and what may be answered.
    """
    try:
        TypeAdapter[Any](_accepting(pause)).validate_python(value)
    except ValidationError as fault:
        raise _refused(fault) from None


def _pause(state: TargetState, context: Context) -> dict[str, Any]:
    """What a person is shown; `why_no_more` says why they cannot ask for another attempt (null: they can)."""
    best = best_iteration(attempt_scores(state["iterations"]))
    shown: Mapping[str, Any] = state["iterations"][best - 1] if best else {}
    return {
        "question": state["question"],
        "choices": state["choices"],
        "stop_reason": stop_reason(state, context),
        "attempts": len(state["iterations"]),
        "best_iteration": best,
        "score": shown.get("score"),
        "caption": shown.get("caption"),
        "critique": shown.get("critique"),
        "reasoning": shown.get("reasoning"),
        "why_no_more": _why_no_more(state, context),
    }


def _why_no_more(state: TargetState, context: Context) -> str | None:
    if not state["iterations"]:
        return "no attempt has been made yet"
    if context.strategy not in SCORED_STRATEGIES:
        return f"the strategy {context.strategy} makes no second one"
    made = context.candidates if context.strategy == "best_of_n" else context.max_iterations
    most = made + MAX_EXTRA_ATTEMPTS
    if len(state["iterations"]) >= most:
        return f"{most} attempts have been made, and max_iterations and {MAX_EXTRA_ATTEMPTS} more are the most"
    return "the question's budget is used up" if budget_reached(state, context) else None


def _accepting(pause: Mapping[str, Any]) -> Any:
    return Annotated[_ReviewDecision, AfterValidator(partial(_possible, why_no_more=pause.get("why_no_more")))]


def _possible(decided: Accept | Edit | Again, why_no_more: str | None) -> Accept | Edit | Again:
    if decided.action == "again" and why_no_more:
        raise ValueError(f"there can be no other attempt, because {why_no_more}: accept or edit the reasoning")
    return decided


def _refused(fault: ValidationError) -> InputError:
    faults = [(".".join(map(str, part["loc"])), part["msg"].removeprefix("Value error, ")) for part in fault.errors()]
    said = "; ".join(f"{where}: {what}" if where else what for where, what in faults)
    return InputError(
        f'The answer to the review cannot be used: {said}. The run still waits: answer {{"action": "accept"}},'
        ' {"action": "edit", "reasoning": …} or {"action": "again", "feedback": "…", "windows": […]}.'
    )


def _taken(decided: Accept | Edit | Again, state: TargetState, pause: Mapping[str, Any]) -> tuple[Update, ReviewEvent]:
    best, last = pause["best_iteration"], len(state["iterations"])
    event: ReviewEvent = {
        "event": "review",
        "action": decided.action,
        "best_iteration": best,
        "feedback": None,
        "windows": [],
    }
    if isinstance(decided, Accept):
        return {}, event
    if isinstance(decided, Edit):
        edited = f"edited the reasoning of attempt {best} ({pause['score']}/10)"
        what = edited if best else "wrote the reasoning, as no attempt could be scored"
        note = f"A person {what}; what the target was given has no score."
        reasoning: Any = decided.reasoning.model_dump()
        return {"edited": reasoning, "warnings": [note]}, event
    windows = clamp_windows(decided.windows, window_seconds(state))
    asked: Update = {
        "iterations": [{"iteration": last, "feedback": decided.feedback, "windows": windows}],
        "asked": [last + 1],
        "warnings": [f"A person asked for attempt {last + 1}: the feedback after attempt {last} is theirs."],
    }
    return asked, {**event, "feedback": decided.feedback, "windows": windows}
