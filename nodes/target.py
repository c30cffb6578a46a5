"""target_model: s* = M(v, a, q, r*), with r* as text before the prompt (section 3.3). zero_shot: M(v, a, q)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from aurelia_core.answers.answer_leaks import find_answer_leaks
from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.errors import AureliaError, InternalError
from aurelia_core.models.client import Answer, ModelClient
from aurelia_core.models.requests import TargetRequest
from aurelia_core.types import NO_USAGE, Reasoning, Step
from nodes.injection import keep_supported
from nodes.requests import build_request, clip_request_fields, context_of, emit_event, media_of
from prompts import prompt_hashes
from prompts.render import render_target_prompt
from state.attempts import SCORED_STRATEGIES, attempt_scores, best_iteration, stop_reason
from state.context import Context, InjectMode
from state.schema import ClipState, TargetState, Update
from targets import find_target, is_in_target_domain

_Ask = Callable[[Any, Reasoning | None, Context, ModelClient], Awaitable[Answer[str]]]


async def answer_with_reasoning(
    state: TargetState, runtime: Runtime[Context], client: ModelClient, *, ask: _Ask | None = None
) -> Update:
    """Answers with the best reasoning r*; without reasoning if no attempt could be scored.

    A reasoning that a person edited replaces the best one. It belongs to no attempt and has no score.

    Args:
        state: the attempts.
        runtime: the run's settings, and where events go.
        client: the models.
        ask: gives the answer (default: `ask_target`).

    Raises:
        ModelError: the target did not answer.
    """
    context = context_of(runtime)
    best, iteration, score = _best_reasoning(state, context)
    emit_event(runtime, {"event": "target", "best_iteration": iteration, "edited": state.get("edited") is not None})
    answer = await (ask or ask_target)(state, best, context, client)
    leaks = None
    if best and context.inject == "steps":
        leaks = find_answer_leaks([step["step"] for step in best["steps"]], state["choices"], best["answer"])
    warnings = list(answer.notes)
    if leaks:
        warnings.append(f"A leak: the steps that the target was given already say {', '.join(map(repr, leaks))}.")
    if best is None and context.strategy == "own_steps":
        warnings.append("The target wrote no steps of its own, so it answered without reasoning.")
    elif best is None and iteration is None and context.strategy in SCORED_STRATEGIES:
        warnings.append("No attempt could be scored, so the target answered without reasoning.")
    elif best is None and iteration is not None:
        warnings.append("Every step rests on a contradicted claim, so the target answered without reasoning.")
    elif best is not None and iteration is not None:
        warnings += _left_out_note(state["iterations"][iteration - 1]["reasoning"], best)
    if context.strategy == "refine" and context.max_cost_usd is not None and state["usage"]["cost_usd"] is None:
        warnings.append("The price of a call is not known, so the budget in dollars ended the loop after one attempt.")
    hashes = prompt_hashes(context.edited_prompts())
    if changed := _changed_prompts(state.get("prompts") or {}, hashes):
        warnings.append(
            f"The prompts {', '.join(changed)} were changed after the run had begun: earlier nodes used other texts."
        )
    choice = None
    if state["choices"]:
        choice = extract_choice_text(answer.value, state["choices"])
    return {
        "answer": answer.value,
        "choice": choice,
        "best": best,
        "best_iteration": iteration,
        "leaks": leaks,
        "score": score,
        "stop_reason": stop_reason(state, context),
        "target_in_domain": _in_domain(context, state),
        # A thread may be resumed or forked with another target than it began with.
        "models": {**state["models"], "target": context.target},
        "prompts": hashes,
        "usage": answer.usage,
        "warnings": warnings,
    }


def _changed_prompts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The prompts whose hash is another than at the start; none for a thread of an older version."""
    return sorted(name for name in before if before[name] != now.get(name))


def _left_out_note(reasoning: Reasoning | None, injected: Reasoning) -> list[str]:
    """A warning where the filter left out findings."""
    before, after = (sum(bool(step["answer"]) for step in one["steps"]) for one in (reasoning or injected, injected))
    if before == after:
        return []
    return [
        f"{before - after} of the {before} findings and the final answer were not injected: a contradicted claim"
        " says them, or they follow such a finding and no supported claim says them (inject_filter = supported)."
    ]


def _best_reasoning(state: TargetState, context: Context) -> tuple[Reasoning | None, int | None, int | None]:
    """r*, its attempt and its score; an edited reasoning has neither attempt nor score, own steps have no score."""
    if edited := state.get("edited"):
        return edited, None, None
    if context.strategy == "own_steps" and state["iterations"] and state["iterations"][0]["reasoning"]:
        return state["iterations"][0]["reasoning"], 1, None
    iteration = best_iteration(attempt_scores(state["iterations"]))
    if iteration is None:
        return None, None, None
    attempt = state["iterations"][iteration - 1]
    reasoning = attempt["reasoning"]
    if reasoning and context.inject_filter == "supported":
        reasoning = keep_supported(reasoning, attempt.get("claims") or ())
    return reasoning, iteration, attempt["score"]


async def answer_zero_shot(state: ClipState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Answers without reasoning; a failure of the model becomes a warning and does not end the run."""
    try:
        return await answer_zero_shot_only(state, runtime, client)
    except InternalError:
        raise
    except AureliaError as fault:
        usage = getattr(fault, "usage", None) or NO_USAGE
        return {"usage": usage, "warnings": [f"There is no zero-shot answer: {fault}"]}


async def answer_zero_shot_only(state: ClipState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Answers without reasoning, in a run that wants nothing else.

    Raises:
        ModelError: the target did not answer.
    """
    answer = await ask_target(state, None, context_of(runtime), client, label="zero_shot")
    return {"zero_shot_answer": answer.value, "usage": answer.usage, "warnings": answer.notes}


def select_injected(reasoning: Reasoning, mode: InjectMode) -> Reasoning:
    """The part of a reasoning that is injected: the steps (as in the paper), also their answers, or everything."""
    if mode == "full":
        return reasoning
    steps: list[Step] = [{**step, "justification": ""} for step in reasoning["steps"]]
    if mode == "steps":
        steps = [{**step, "answer": ""} for step in steps]
    return {"steps": steps, "answer": ""}


async def ask_target(
    state: ClipState, reasoning: Reasoning | None, context: Context, client: ModelClient, label: str = "target"
) -> Answer[str]:
    """Asks the target, with a reasoning before its prompt or without; `label` is the call's name in a trace.

    Raises:
        ModelError: the target did not answer.
    """
    given = select_injected(reasoning, context.inject) if reasoning else None
    fields = TargetRequest(
        **clip_request_fields(state, context),
        question=state["question"],
        choices=state["choices"],
        reasoning=given,
        samples=context.samples,
    )
    text = _prompt(context.target, state, given, context)
    fallback_text = None
    if context.target_fallback:
        fallback_text = _prompt(context.target_fallback, state, given, context)
    answer = await client.complete(build_request(state, context, context.target, text, fields, fallback_text, label))
    asked = context.target_fallback if answer.by_fallback else context.target
    if given and find_target(asked).working == "aloud":
        answer = replace(answer, value=answer.value.splitlines()[-1].strip())
    # A fork may use another target than the run began with, so this is checked again.
    if _in_domain(context, state) is False:
        answer.notes.append(
            f"{context.target} knows one small world, and this clip or question is not of it: its answer means nothing."
        )
    return answer


def _in_domain(context: Context, state: ClipState) -> bool | None:
    clip, *others = media_of(state).refs
    return is_in_target_domain(context.target, state["question"], clip, others)


def _prompt(model_id: str, state: ClipState, given: Reasoning | None, context: Context) -> str:
    row = find_target(model_id)
    return render_target_prompt(row, state["question"], state["choices"], given, context.target_prompt)
