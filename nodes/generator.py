"""reasoning_generator: r = R(v, a, q), with the feedback on the last attempt from the second one on (section 3.1)."""

from langgraph.runtime import Runtime

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import ModelClient
from aurelia_core.models.replies import ReasoningReply
from aurelia_core.models.requests import GeneratorRequest
from nodes.requests import (
    attempt_update,
    build_request,
    clip_request_fields,
    context_of,
    failed_attempt,
    node_prompt,
    windows_by_attempt,
)
from prompts.render import choices_text, guidance_text, reasoning_text
from state.attempts import attempt_scores, best_iteration
from state.context import Context
from state.schema import Attempt, LoopState, Update


async def generate(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Writes the next attempt's reasoning; a generator that fails leaves an attempt without one."""
    context, attempts = context_of(runtime), state["iterations"]
    iteration, last = len(attempts) + 1, attempts[-1] if attempts else None
    before = _guided(state, iteration) or last
    # What a person says counts, whatever the loop's own guide is.
    blind = context.guide == "none" and iteration not in state["asked"]
    text = node_prompt(
        context,
        "generator",
        question=state["question"],
        choices=choices_text(state["choices"]),
        guidance=_guidance(last, before, blind),
    )
    fields = GeneratorRequest(
        **clip_request_fields(state, context),
        question=state["question"],
        choices=state["choices"],
        iteration=iteration,
        looks=windows_by_attempt(attempts),
        samples=context.samples,
        reasoning=before and before["reasoning"],
        score=None if blind else before and before["score"],
        guidance=last and last["feedback"],
    )
    number = state.get("candidate", iteration)
    request = build_request(state, context, context.generator, text, fields)
    try:
        answer = await client.complete_structured(request, ReasoningReply)
    except ModelError as fault:
        return failed_attempt(number, "generator", fault)
    return attempt_update("generator", number, answer, reasoning=answer.value.model_dump())


def _guidance(last: Attempt | None, before: Attempt | None, blind: bool) -> str:
    """What the generator reads of the attempt before; `blind`: its steps alone, to be reviewed."""
    if not blind:
        return guidance_text(last, before)
    if before is None or before["reasoning"] is None:
        return ""
    shown = {"iteration": str(before["iteration"] + 1), "reasoning": reasoning_text(before["reasoning"])}
    return prompts.fill_prompt("self_review", **shown)


def _guided(state: LoopState, iteration: int) -> Attempt | None:
    """What a person who asked for this attempt had before them: the best one; None when no person asked, or for none.

    Feedback and windows stand with the last attempt all the same, in the order in which things happened.
    """
    best = best_iteration(attempt_scores(state["iterations"]))
    return state["iterations"][best - 1] if best and iteration in state["asked"] else None
