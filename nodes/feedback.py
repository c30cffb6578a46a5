"""feedback: F(e, r, q, …): tells the generator what the next attempt should attend to, and where (section 3.2)."""

from langgraph.runtime import Runtime

from aurelia_core.errors import ModelError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.replies import FeedbackReply
from aurelia_core.models.requests import FeedbackRequest
from aurelia_core.types import NO_USAGE
from nodes.claims import new_windows, open_windows
from nodes.requests import (
    MAX_WINDOWS,
    agent_request_fields,
    attempt_update,
    build_request,
    clamp_windows,
    context_of,
    emit_event,
    failed_note,
    last_attempt,
    media_text,
    node_prompt,
    window_seconds,
    windows_by_attempt,
)
from prompts.render import choices_text, reasoning_text
from state.context import Context
from state.schema import Attempt, LoopState, Update


async def give_feedback(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Writes the guidance for the next attempt; without a reasoning to speak of there is none, and no call is made."""
    context, attempt = context_of(runtime), last_attempt(state["iterations"])
    if attempt is None or attempt["reasoning"] is None or context.guide != "feedback":
        return {}
    fields = FeedbackRequest(
        **agent_request_fields(state),
        question=state["question"],
        choices=state["choices"],
        looks=windows_by_attempt(state["iterations"][:-1]),
        frames=context.frames,
        samples=context.samples,
        iteration=attempt["iteration"],
        reasoning=attempt["reasoning"],
        caption=attempt["caption"],
        score=attempt["score"],
        critique=attempt["critique"],
        doubts=attempt["doubts"],
        claims=attempt.get("claims") or (),
    )
    request = build_request(state, context, context.feedback, _text(state, attempt, context), fields)
    try:
        answer = await client.complete_structured(request, FeedbackReply)
    except ModelError as fault:
        return failed_note(attempt["iteration"], "feedback", fault, feedback_usage=fault.usage or NO_USAGE)
    windows = clamp_windows(answer.value.windows, window_seconds(state))
    if context.closer_look:
        first = open_windows(attempt.get("claims") or (), window_seconds(state))
        windows = [*first, *new_windows(windows, first)][:MAX_WINDOWS]
    iteration, said = attempt["iteration"], answer.value.feedback
    emit_event(runtime, {"event": "feedback", "iteration": iteration, "feedback": said, "windows": windows})
    bill = {"feedback_seconds": answer.seconds, "feedback_usage": answer.usage}
    return attempt_update("feedback", iteration, answer, feedback=said, windows=windows, **bill)


def _text(state: LoopState, attempt: Attempt, context: Context) -> str:
    reasoning = attempt["reasoning"]
    return node_prompt(
        context,
        "feedback",
        question=state["question"],
        choices=choices_text(state["choices"]),
        clip=media_text(state),
        iteration=str(attempt["iteration"]),
        reasoning=reasoning_text(reasoning) if reasoning else "(none)",
        caption=attempt["caption"] or "(none)",
        score="none" if attempt["score"] is None else str(attempt["score"]),
        critique=attempt["critique"] or attempt["error"] or "nothing",
    )
