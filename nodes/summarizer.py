"""summarizer: c = S(r, q). It sees the reasoning and the question, no media (section 3.2)."""

from langgraph.runtime import Runtime

from aurelia_core.errors import ModelError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.replies import CaptionReply
from aurelia_core.models.requests import SummarizerRequest
from nodes.requests import (
    agent_request_fields,
    attempt_update,
    build_request,
    context_of,
    failed_attempt,
    last_attempt,
    media_text,
    node_prompt,
)
from prompts.render import reasoning_text
from state.context import Context
from state.schema import LoopState, Update


async def summarize(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Captions the last attempt's reasoning; passes over an attempt that has none."""
    context, attempt = context_of(runtime), last_attempt(state["iterations"])
    if attempt is None or attempt["reasoning"] is None:
        return {}
    text = node_prompt(
        context,
        "summarizer",
        clip=media_text(state),
        question=state["question"],
        reasoning=reasoning_text(attempt["reasoning"]),
    )
    fields = SummarizerRequest(
        **agent_request_fields(state), question=state["question"], reasoning=attempt["reasoning"]
    )
    request = build_request(state, context, context.summarizer, text, fields)
    try:
        answer = await client.complete_structured(request, CaptionReply)
    except ModelError as fault:
        return failed_attempt(attempt["iteration"], "summarizer", fault)
    return attempt_update("summarizer", attempt["iteration"], answer, caption=answer.value.caption)
