"""target_model and zero_shot: s* = M(v, a, q, r*) with r* as text before the prompt (section 3.3), and M(v, a, q)."""

from langgraph.runtime import Runtime

from aurelia_core.answers.answer_leaks import find_answer_leaks
from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.errors import AureliaError, ModelError
from aurelia_core.models.client import Answer, ModelClient, Request
from aurelia_core.models.requests import TargetRequest
from aurelia_core.types import NO_USAGE, Reasoning
from nodes.requests import context_of, emit, seen_clip_fields, with_fallback
from prompts.render import TEXTS, target_prompt
from state.attempts import attempt_scores, best_iteration, stop_reason
from state.context import Context, Inject
from state.schema import ClipState, TargetState, Update
from targets import find_target, in_domain


async def answer_with_reasoning(state: TargetState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The target's answer with the best reasoning; without any when no attempt could be scored.

    A reasoning that a person has edited stands for the best one; nobody has scored it, so it has no score and is no
    attempt's.

    Raises:
        ModelError: the target did not answer.
    """
    context, edited = context_of(runtime), state.get("edited")
    iteration = None if edited else best_iteration(attempt_scores(state["iterations"]))
    best = state["iterations"][iteration - 1]["reasoning"] if iteration else edited
    emit(runtime, {"event": "target", "best_iteration": iteration, "edited": edited is not None})
    said = await ask_target(state, best, context, client)
    leaks = None
    if best and context.inject == "steps":
        leaks = find_answer_leaks([step["step"] for step in best["steps"]], state["choices"], best["answer"])
    warnings = list(said.notes)
    if leaks:
        warnings.append(f"A leak: the steps that the target was given already say {', '.join(map(repr, leaks))}.")
    if best is None:
        warnings.append("No attempt could be scored, so the target answered without reasoning.")
    if context.max_cost_usd is not None and state["usage"]["cost_usd"] is None:
        warnings.append("The price of a call is not known, so the budget in dollars ended the loop after one attempt.")
    return {
        "answer": said.value,
        "choice": extract_choice_text(said.value, state["choices"]) if state["choices"] else None,
        "best": best,
        "best_iteration": iteration,
        "leaks": leaks,
        "score": state["iterations"][iteration - 1]["score"] if iteration else None,
        "stop_reason": stop_reason(state, context),
        "target_in_domain": in_domain(context.target, state["question"], state["clip"], state["tracks"]),
        # A thread may be gone on with, or forked, with another target than it began with.
        "models": {**state["models"], "target": context.target},
        "usage": said.usage,
        "warnings": warnings,
    }


async def answer_zero_shot(state: ClipState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The target's answer without reasoning; a failure is a warning and spoils nothing else."""
    try:
        return await answer_zero_shot_alone(state, runtime, client)
    except AureliaError as fault:
        spent = fault.usage if isinstance(fault, ModelError) else None
        return {"usage": spent or NO_USAGE, "warnings": [f"There is no zero-shot answer: {fault}"]}


async def answer_zero_shot_alone(state: ClipState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The target's answer without reasoning, when nothing else is asked.

    Raises:
        ModelError: the target did not answer.
    """
    said = await ask_target(state, None, context_of(runtime), client)
    return {"zero_shot_answer": said.value, "usage": said.usage, "warnings": said.notes}


def select_injected(reasoning: Reasoning, mode: Inject) -> Reasoning:
    """What `mode` lets through: the steps alone (as in the paper), also their answers, or everything."""
    if mode == "full":
        return reasoning
    shown = mode == "steps+answers"
    return {
        "steps": [
            {**step, "justification": "", "answer": step["answer"] if shown else ""} for step in reasoning["steps"]
        ],
        "answer": "",
    }


async def ask_target(
    state: ClipState, reasoning: Reasoning | None, context: Context, client: ModelClient
) -> Answer[str]:
    """What the target says with a reasoning before its prompt, or with none.

    Raises:
        ModelError: the target did not answer.
    """
    given = select_injected(reasoning, context.inject) if reasoning else None
    fields = TargetRequest(
        **seen_clip_fields(state, context),
        question=state["question"],
        choices=state["choices"],
        reasoning=given,
        samples=context.samples,
    )
    request = Request(
        model_id=context.target,
        text=target_prompt(find_target(context.target), state["question"], state["choices"], given),
        fields=fields,
        texts=TEXTS,
        run=state["run"],
        rollout=context.rollout,
    )
    instead = context.target_fallback and target_prompt(
        find_target(context.target_fallback), state["question"], state["choices"], given
    )
    said = await client.complete(with_fallback(request, context, instead))
    # A fork may have chosen another target than the run began with, so it is looked at again.
    if in_domain(context.target, state["question"], state["clip"], state["tracks"]) is False:
        said.notes.append(
            f"{context.target} knows one small world, and this clip or question is not of it: its answer means nothing."
        )
    return said
