"""reasoning_generator: r = R(v, a, q), with the feedback on the last attempt from the second one on (section 3.1)."""

from langgraph.runtime import Runtime

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import ModelClient, Request
from aurelia_core.models.replies import ReasoningReply
from nodes.requests import (
    attempt_update,
    base_fields,
    choices_text,
    context_of,
    failed_attempt,
    media_fields,
    reasoning_text,
    windows_by_attempt,
    with_fallback,
)
from state.attempts import attempt_scores, best_iteration
from state.context import Context
from state.schema import Attempt, LoopState, Update


async def generate(state: LoopState, runtime: Runtime[Context], desk: ModelClient) -> Update:
    """Writes the next attempt's reasoning; a generator that fails leaves an attempt without one."""
    context, attempts = context_of(runtime), state["iterations"]
    iteration, last = len(attempts) + 1, attempts[-1] if attempts else None
    before = _guided(state, iteration) or last
    fields = base_fields("generator", state) | media_fields(state, context)
    fields |= {
        "question": state["question"],
        "choices": state["choices"],
        "iteration": iteration,
        "looks": windows_by_attempt(attempts),
        "samples": context.samples,
        "reasoning": before and before["reasoning"],
        "score": before and before["score"],
        "guidance": last and last["feedback"],
    }
    text = prompts.fill_prompt(
        "generator",
        question=state["question"],
        choices=choices_text(state["choices"]),
        guidance=guidance_text(last, before),
    )
    request = Request("generator", context.generator, text, fields, state["run"], context.rollout, sees_clip=True)
    try:
        answer = await desk.ask(with_fallback(request, context), ReasoningReply)
    except ModelError as fault:
        return failed_attempt(iteration, "generator", fault)
    return attempt_update("generator", iteration, answer, reasoning=answer.value.model_dump())


def _guided(state: LoopState, iteration: int) -> Attempt | None:
    """What a person who asked for this attempt had before them: the best one; None when no person asked, or for none.

    Feedback and windows stand with the last attempt all the same, in the order in which things happened.
    """
    best = best_iteration(attempt_scores(state["iterations"]))
    return state["iterations"][best - 1] if best and iteration in state["asked"] else None


def guidance_text(last: Attempt | None, before: Attempt | None) -> str:
    """What the generator is told of the attempt `before` it (the last, or the best), and what it is asked to do.

    Empty before the first attempt, and when there is nothing to tell.
    """
    if last is None or before is None or (before["reasoning"] is None and not last["feedback"]):
        return ""
    lines = [f"This is attempt {last['iteration'] + 1}. {_standing(last, before)}"]
    if before["reasoning"]:
        lines.append(prompts.quote_lines(reasoning_text(before["reasoning"])))
    if last["feedback"]:
        lines.append(f"Guidance for this attempt:\n{prompts.quote_lines(last['feedback'])}")
        windows = ", ".join(f"{window['start']:.2f}-{window['end']:.2f} s" for window in last["windows"])
        lines.append(f"Look and listen again, closely, at {windows}." if windows else "")
    return "\n".join([*lines, "Make a new attempt, grounded in what the clip shows and lets you hear."])


def _standing(last: Attempt, before: Attempt) -> str:
    which = "The last one" if before is last else f"Attempt {before['iteration']}, the best so far,"
    if before["reasoning"] is None:
        return f"{which} had no reasoning."
    score = before["score"]
    return f"{which} could not be scored:" if score is None else f"{which} scored {score} of 10:"
