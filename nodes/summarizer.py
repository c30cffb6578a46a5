"""summarizer: c = S(r, q). It sees the reasoning and the question, no media (section 3.2)."""

from langgraph.runtime import Runtime

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Desk, Request
from aurelia_core.models.messages import about
from aurelia_core.models.replies import CaptionReply
from nodes.requests import base_fields, failed, part, reasoning_text, settings_of, with_fallback
from state.context import Context
from state.schema import Loop, Update


async def summarize(state: Loop, runtime: Runtime[Context], desk: Desk) -> Update:
    """Captions the last attempt's reasoning; passes over an attempt that has none."""
    context, attempt = settings_of(runtime), state["iterations"][-1]
    if attempt["reasoning"] is None:
        return {}
    fields = base_fields("summarizer", state) | {"question": state["question"], "reasoning": attempt["reasoning"]}
    text = prompts.fill(
        "summarizer",
        clip=about(state["clip"], state["tracks"]),
        question=state["question"],
        reasoning=reasoning_text(attempt["reasoning"]),
    )
    request = Request("summarizer", context.summarizer, text, fields, state["run"], context.rollout, sees_clip=False)
    try:
        answer = await desk.ask(with_fallback(request, context), CaptionReply)
    except ModelError as fault:
        return failed(attempt["iteration"], "summarizer", fault)
    return part("summarizer", attempt["iteration"], answer, caption=answer.value.caption)
