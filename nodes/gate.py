"""The gate: whether the answer with reasoning or the zero-shot answer counts.

A reasoning helps analysis and can hurt perception: a wrong step pulls a right answer along. `agree` takes the answer
with reasoning only where a second voice says the same; `arbiter` shows both answers, unlabelled and in a random order,
to a model that sees the clip.
"""

import hashlib
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.answers.open_answer import match_open_answer
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, ModelClient
from aurelia_core.models.replies import ArbiterReply
from aurelia_core.models.requests import ArbiterRequest
from aurelia_core.types import NO_USAGE, Usage, add_usage
from nodes.requests import build_request, clip_request_fields, context_of, emit_event, node_prompt
from nodes.target import answer_with_reasoning, ask_target
from prompts.render import choices_text
from state.context import Context
from state.schema import ChosenAnswer, ClipState, GateDecision, TargetState, Update


async def answer_through_gate(state: TargetState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The target's answer with reasoning, or its zero-shot answer where the gate prefers that.

    Raises:
        ModelError: the target did not answer with reasoning.
    """
    update = await answer_with_reasoning(state, runtime, client)
    context = context_of(runtime)
    if context.gate == "always":
        return update
    try:
        zero_shot = await ask_target(state, None, context, client, label="zero_shot")
    except ModelError as fault:
        note = f"There is no zero-shot answer, so the gate had nothing to choose: {fault}"
        usage = add_usage(update["usage"], fault.usage or NO_USAGE)
        return {**update, "usage": usage, "warnings": [*(update["warnings"] or []), note]}
    chosen = await _choose(state, update, zero_shot, context, client)
    emit_event(runtime, {"event": "gate", **chosen.decision})
    paid = add_usage(add_usage(update["usage"], zero_shot.usage), chosen.usage)
    warnings = [*(update["warnings"] or []), *chosen.notes]
    found: Update = {
        **update,
        "zero_shot_answer": zero_shot.value,
        "gate": chosen.decision,
        "usage": paid,
        "warnings": warnings,
    }
    if chosen.decision["chosen"] == "zero_shot":
        found["answer"] = zero_shot.value
        found["choice"] = _choice(zero_shot.value, state["choices"])
    return found


class _Chosen(NamedTuple):
    decision: GateDecision
    usage: Usage = NO_USAGE
    notes: tuple[str, ...] = ()


async def _choose(
    state: TargetState, update: Update, zero_shot: Answer[str], context: Context, client: ModelClient
) -> _Chosen:
    reasoned = update["answer"] or ""
    best = update["best"]

    def decided(chosen: ChosenAnswer, reason: str, **more: Any) -> _Chosen:
        decision: GateDecision = {
            "gate": context.gate,
            "chosen": chosen,
            "reason": reason,
            "reasoned_reply": reasoned,
        }
        return _Chosen(decision, **more)

    if best is None:
        return decided("reasoning", "no reasoning was injected")
    if same_answer(reasoned, zero_shot.value, state["choices"]):
        return decided("reasoning", "both answers are the same")
    if context.gate == "agree":
        if same_answer(reasoned, best["answer"], state["choices"]):
            return decided("reasoning", "the reasoning's own answer agrees with it")
        return decided("zero_shot", "nothing agrees with the answer with reasoning")
    try:
        asked = await ask_arbiter(state, reasoned, zero_shot.value, context, client)
    except ModelError as fault:
        note = f"The arbiter did not choose: {fault}"
        return decided("reasoning", "the arbiter failed", usage=fault.usage or NO_USAGE, notes=(note,))
    more: dict[str, Any] = {"usage": asked.usage, "notes": tuple(asked.notes)}
    if asked.value.answer is None:
        return decided("reasoning", f"the arbiter could not tell: {asked.value.reason}", **more)
    picked: ChosenAnswer = "reasoning"
    if (asked.value.answer == 1) != reasoned_comes_first(state, context):
        picked = "zero_shot"
    return decided(picked, f"the arbiter: {asked.value.reason}", **more)


async def ask_arbiter(
    state: ClipState, reasoned: str, zero_shot: str, context: Context, client: ModelClient
) -> Answer[ArbiterReply]:
    """Which of the two answers the arbiter holds for right: 1 or 2 in the order of `reasoned_comes_first`.

    Raises:
        ModelError: the arbiter did not answer.
    """
    answers = [reasoned, zero_shot]
    if not reasoned_comes_first(state, context):
        answers.reverse()
    fields = ArbiterRequest(
        **clip_request_fields(state, context),
        question=state["question"],
        choices=state["choices"],
        answers=answers,
        samples=context.samples,
    )
    text = node_prompt(
        context,
        "arbiter",
        question=state["question"],
        choices=choices_text(state["choices"]),
        first=answers[0],
        second=answers[1],
    )
    request = build_request(state, context, context.arbiter or context.evaluator, text, fields)
    return await client.complete_structured(request, ArbiterReply)


def reasoned_comes_first(state: ClipState, context: Context) -> bool:
    """Whether the arbiter reads the answer with reasoning first: random by clip, question and rollout, repeatable."""
    seed = f"{state['clip']['id']}\0{state['question']}\0{context.rollout}"
    return hashlib.sha256(seed.encode()).digest()[0] % 2 == 0


def same_answer(one: str, other: str, choices: list[str]) -> bool:
    """Whether two replies give the same answer: the same choice, or the same open answer by the rules of scoring."""
    if choices:
        chosen = _choice(one, choices)
        return chosen is not None and chosen == _choice(other, choices)
    if one.strip().casefold() == other.strip().casefold():
        return True
    return bool(other.strip()) and match_open_answer(one, [other]).correct is True


def _choice(answer: str, choices: list[str]) -> str | None:
    return extract_choice_text(answer, choices) if choices else None
