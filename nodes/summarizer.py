"""summarizer: c = S(r, q). It sees the reasoning and the question, no media (section 3.2)."""

from langgraph.runtime import Runtime

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import ModelClient, Request
from aurelia_core.models.messages import clip_facts
from aurelia_core.models.replies import CaptionReply
from nodes.requests import attempt_update, base_fields, context_of, failed_attempt, reasoning_text, with_fallback
from state.context import Context
from state.schema import LoopState, Update


async def summarize(state: LoopState, runtime: Runtime[Context], desk: ModelClient) -> Update:
    """Captions the last attempt's reasoning; passes over an attempt that has none."""
    context, attempt = context_of(runtime), state["iterations"][-1]
    if attempt["reasoning"] is None:
        return {}
    fields = base_fields("summarizer", state) | {"question": state["question"], "reasoning": attempt["reasoning"]}
    text = prompts.fill_prompt(
        "summarizer",
        clip=clip_facts(state["clip"], state["tracks"]),
        question=state["question"],
        reasoning=reasoning_text(attempt["reasoning"]),
    )
    request = Request("summarizer", context.summarizer, text, fields, state["run"], context.rollout, sees_clip=False)
    try:
        answer = await desk.ask(with_fallback(request, context), CaptionReply)
    except ModelError as fault:
        return failed_attempt(attempt["iteration"], "summarizer", fault)
    return attempt_update("summarizer", attempt["iteration"], answer, caption=answer.value.caption)
