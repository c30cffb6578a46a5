"""reasoning_generator: r = R(v, a, q), with the feedback on the last attempt from the second one on (section 3.1)."""

from langgraph.runtime import Runtime

import prompts
from aurelia.errors import ModelError
from aurelia.models.desk import Desk, Request
from aurelia.models.structured import ReasoningReply
from nodes.common import (
    base_fields,
    choices_text,
    failed,
    looks,
    media_fields,
    part,
    reasoning_text,
    settings_of,
    with_fallback,
)
from state.context import Context
from state.schema import Attempt, Loop, Update


async def generate(state: Loop, runtime: Runtime[Context], desk: Desk) -> Update:
    """Writes the next attempt's reasoning; a generator that fails leaves an attempt without one."""
    context, attempts = settings_of(runtime), state["iterations"]
    iteration, last = len(attempts) + 1, attempts[-1] if attempts else None
    fields = base_fields("generator", state) | media_fields(state, context)
    fields |= {
        "question": state["question"],
        "choices": state["choices"],
        "iteration": iteration,
        "looks": looks(attempts),
        "samples": context.samples,
        "reasoning": last and last["reasoning"],
        "score": last and last["score"],
        "guidance": last and last["feedback"],
    }
    text = prompts.fill(
        "generator",
        question=state["question"],
        choices=choices_text(state["choices"]),
        guidance=guidance_text(last),
    )
    request = Request("generator", context.generator, text, fields, state["run"], context.rollout, sees_clip=True)
    try:
        answer = await desk.ask(with_fallback(request, context), ReasoningReply)
    except ModelError as fault:
        return failed(iteration, "generator", fault)
    return part("generator", iteration, answer, reasoning=answer.value.model_dump())


def guidance_text(last: Attempt | None) -> str:
    """What the generator is told of the last attempt; empty before the first."""
    if last is None or last["reasoning"] is None:
        return ""
    score = f"scored {last['score']} of 10" if last["score"] is not None else "could not be scored"
    lines = [f"This is attempt {last['iteration'] + 1}. The last one {score}:", reasoning_text(last["reasoning"])]
    if last["feedback"]:
        lines.append(f"Guidance for this attempt: {last['feedback']}")
        windows = ", ".join(f"{window['start']:.2f}-{window['end']:.2f} s" for window in last["windows"])
        lines.append(f"Look and listen again, closely, at {windows}." if windows else "")
    return "\n".join([*lines, "Make a new attempt, grounded in what the clip shows and lets you hear."])
