"""evaluator: e = E(v, a, c), an integer 1..10. It sees clip and caption, not the question nor the reasoning (3.2)."""

from langgraph.runtime import Runtime

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, Desk, Request
from aurelia_core.models.replies import VerdictReply
from nodes.requests import base_fields, emit, failed, inside, media_fields, part, recorded, settings_of, with_fallback
from state.context import Context
from state.schema import Judged, Update


async def evaluate(state: Judged, runtime: Runtime[Context], desk: Desk) -> Update:
    """Scores the last attempt's caption and reports the attempt; whether that is enough is the router's business."""
    context, attempt = settings_of(runtime), state["iterations"][-1]
    update: Update = {}
    if attempt["caption"] is not None:
        try:
            verdict = await judge(state, attempt["caption"], context, desk)
            update = _scored(attempt["iteration"], verdict, state["clip"]["duration"])
        except ModelError as fault:
            update = failed(attempt["iteration"], "evaluator", fault)
    known = {**attempt, **(update.get("iterations") or [{}])[0]}
    emit(
        runtime,
        {
            "event": "attempt",
            "iteration": known["iteration"],
            "score": known["score"],
            "caption": known["caption"],
            "critique": known["critique"],
            "error": known["error"],
        },
    )
    return {**update, "settings": recorded(context)}


async def judge(state: Judged, caption: str, context: Context, desk: Desk) -> Answer[VerdictReply]:
    """The evaluator's verdict on any caption.

    Raises:
        ModelError: the evaluator did not answer, or not in the form asked for.
    """
    fields = base_fields("evaluator", state) | media_fields(state, context) | {"caption": caption}
    text = prompts.fill("evaluator", caption=caption)
    request = Request("evaluator", context.evaluator, text, fields, state["run"], context.rollout, sees_clip=True)
    return await desk.ask(with_fallback(request, context), VerdictReply)


def _scored(iteration: int, verdict: Answer[VerdictReply], duration: float) -> Update:
    value = verdict.value
    found = {"critique": value.justification, "doubts": inside(value.windows, duration)}
    if value.score is not None:
        return part("evaluator", iteration, verdict, score=value.score, **found)
    why = f"the evaluator abstained: {value.justification or 'it gave no reason.'}"
    update = part("evaluator", iteration, verdict, error=why, **found)
    return {**update, "warnings": [*verdict.notes, f"Attempt {iteration} has no score, because {why}"]}
