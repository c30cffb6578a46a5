"""evaluator: e = E(v, a, c), an integer 1..10. It sees clip and caption, not the question nor the reasoning (3.2).

With `critic = holistic` the model gives the score. With a critic of claims (`nodes.claims`) it follows from findings.
"""

from langgraph.runtime import Runtime

from aurelia_core.claims import Finding
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, ModelClient
from aurelia_core.models.replies import VerdictReply
from aurelia_core.models.requests import EvaluatorRequest
from nodes.claims import check_caption, claims_verdict
from nodes.requests import (
    attempt_update,
    build_request,
    clamp_windows,
    clip_request_fields,
    context_of,
    emit_event,
    failed_attempt,
    last_attempt,
    node_prompt,
    window_seconds,
)
from state.context import Context
from state.events import AttemptEvent
from state.schema import EvaluatorState, Update


async def evaluate(state: EvaluatorState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Scores the last attempt's caption and reports the attempt; whether that is enough is the router's business."""
    context, attempt = context_of(runtime), last_attempt(state["iterations"])
    update: Update = {}
    if attempt is None:
        return update
    if attempt["caption"] is not None:
        try:
            update = await _judge(state, attempt["iteration"], attempt["caption"], context, client)
        except ModelError as fault:
            update = failed_attempt(attempt["iteration"], "evaluator", fault)
    known = {**attempt, **(update.get("iterations") or [{}])[0]}
    event: AttemptEvent = {
        "event": "attempt",
        "iteration": known["iteration"],
        "score": known["score"],
        "caption": known["caption"],
        "critique": known["critique"],
        "error": known["error"],
    }
    if "claims" in known:
        event["claims"] = known["claims"]
    emit_event(runtime, event)
    return update


async def _judge(state: EvaluatorState, iteration: int, caption: str, context: Context, client: ModelClient) -> Update:
    if context.critic == "holistic":
        verdict = await ask_evaluator(state, caption, context, client)
        return _scored(iteration, verdict, window_seconds(state))
    return _scored_by_claims(iteration, await check_caption(state, caption, context, client), window_seconds(state))


async def ask_evaluator(
    state: EvaluatorState, caption: str, context: Context, client: ModelClient
) -> Answer[VerdictReply]:
    """The evaluator's verdict on any caption.

    Raises:
        ModelError: the evaluator did not answer, or not in the form asked for.
    """
    text = node_prompt(context, "evaluator", caption=caption)
    fields = EvaluatorRequest(**clip_request_fields(state, context), caption=caption)
    request = build_request(state, context, context.evaluator, text, fields)
    return await client.complete_structured(request, VerdictReply)


def _scored(iteration: int, verdict: Answer[VerdictReply], duration: float) -> Update:
    value = verdict.value
    found = {"critique": value.justification, "doubts": clamp_windows(value.windows, duration)}
    if value.score is not None:
        return attempt_update("evaluator", iteration, verdict, score=value.score, **found)
    why = f"the evaluator abstained: {value.justification or 'it gave no reason.'}"
    update = attempt_update("evaluator", iteration, verdict, error=why, **found)
    return {**update, "warnings": [*verdict.notes, f"Attempt {iteration} has no score, because {why}"]}


def _scored_by_claims(iteration: int, answer: Answer[list[Finding]], duration: float) -> Update:
    findings = answer.value
    verdict = claims_verdict(findings, duration)
    found = {"critique": verdict["justification"], "doubts": verdict["windows"], "claims": findings}
    if verdict["score"] is not None:
        return attempt_update("evaluator", iteration, answer, score=verdict["score"], **found)
    why = "its caption states nothing about the clip."
    if findings:
        reason = next((finding["reason"] for finding in findings if finding["reason"]), "no witness can tell")
        why = f"nothing in its caption could be checked: {reason.rstrip('.')}."
    update = attempt_update("evaluator", iteration, answer, error=why, **found)
    return {**update, "warnings": [*answer.notes, f"Attempt {iteration} has no score, because {why}"]}
