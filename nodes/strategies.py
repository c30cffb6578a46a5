"""What the strategies beside the paper's loop do in the place of its first attempt and of its last call.

They take the same nodes, so that ledger, budgets, resume, review and traces hold for all: `make_attempts` is the node
reasoning_generator, `answer` the node target_model. Against: Huang et al. (arXiv 2310.01798) for best of n and
votes at equal calls, Chen et al. (arXiv 2311.17311) for the vote on open answers.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langgraph.runtime import Runtime

from aurelia_core.answers.clean_answer import clean_answer
from aurelia_core.answers.multiple_choice import extract_choice_text
from aurelia_core.answers.tokens import comparison_key
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, ModelClient
from aurelia_core.models.requests import DescriberRequest, OwnStepsRequest, SummarizerRequest, TargetRequest
from aurelia_core.types import NO_USAGE, Reasoning, Step
from nodes.candidates import candidate_context, merge_updates, run_side_by_side, with_decoding
from nodes.evaluator import evaluate
from nodes.gate import answer_through_gate
from nodes.generator import generate
from nodes.requests import (
    agent_request_fields,
    attempt_update,
    build_request,
    clip_request_fields,
    context_of,
    failed_attempt,
    node_prompt,
)
from nodes.summarizer import summarize
from nodes.target import answer_with_reasoning, ask_target
from prompts.render import choices_text, render_target_prompt
from state.context import Context
from state.schema import LoopState, TargetState, Update, merge_attempts
from targets import find_target

_MAX_OWN_STEPS = 12
_LIST_MARK = re.compile(r"^\s*(?:\d+[.):]|[-*•]|Step \d+[.:])\s*", re.IGNORECASE)
_Makes = Callable[[LoopState, Runtime[Context], ModelClient], Awaitable[Update]]


async def make_attempts(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The first attempts as the strategy makes them; every later one is the generator's."""
    if state["iterations"]:
        return await generate(state, runtime, client)
    return await _FIRST[context_of(runtime).strategy](state, runtime, client)


async def _best_of_n(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """All candidates, side by side, each from its reasoning to its score."""

    async def one(number: int) -> Update:
        own = runtime.override(context=candidate_context(context_of(runtime), number))
        mine: Any = {**state, "candidate": number}
        updates = [_as_candidate(number, await generate(mine, own, client))]
        for node in (summarize, evaluate):
            attempt = merge_attempts([], [{**part, "iteration": 1} for part in _parts(updates)])[0]
            mine["iterations"] = [{**attempt, "iteration": number}]
            updates.append(await node(mine, runtime, client))
        return {**merge_updates(updates), "seconds": sum(update.get("seconds") or 0.0 for update in updates)}

    updates = await run_side_by_side(client, state["run"], map(one, range(1, context_of(runtime).candidates + 1)))
    update = merge_updates(updates)
    made = [part["reasoning"] for part in update["iterations"] or [] if part.get("reasoning")]
    if len(made) == context_of(runtime).candidates and all(reasoning == made[0] for reasoning in made):
        note = f"All {len(made)} candidates have the same reasoning: their spread changed nothing."
        update["warnings"] = [*(update.get("warnings") or []), note]
    return update


async def _vote(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The target's answers, side by side; the attempts have a reply each and nothing else."""

    async def one(number: int) -> Update:
        own = candidate_context(context_of(runtime), number)
        try:
            answer = await ask_target(state, None, own, client, label=f"vote {number}")
        except ModelError as fault:
            update = failed_attempt(number, "target", fault)
        else:
            update = attempt_update("target", number, answer, reply=answer.value)
        return _as_candidate(number, update)

    return merge_updates(
        await run_side_by_side(client, state["run"], map(one, range(1, context_of(runtime).candidates + 1)))
    )


def _parts(updates: Sequence[Update]) -> list[dict[str, Any]]:
    return [part for update in updates for part in update.get("iterations") or []]


def _as_candidate(number: int, update: Update) -> Update:
    """The update of an attempt, which also says that it is this candidate's."""
    return {**update, "iterations": [{**part, "candidate": number} for part in update["iterations"] or []]}


async def _own_steps(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The steps as the target writes them, before it answers with them."""
    context = context_of(runtime)
    text = node_prompt(context, "own_steps", question=state["question"], choices=choices_text(state["choices"]))
    fields = OwnStepsRequest(
        **clip_request_fields(state, context),
        question=state["question"],
        choices=state["choices"],
        samples=context.samples,
    )
    request = build_request(state, _with_plan_tokens(context), context.target, text, fields, label="own steps")
    try:
        answer = await client.complete(request)
    except ModelError as fault:
        return failed_attempt(1, "target", fault)
    steps = read_steps(answer.value)
    if not steps["steps"]:
        return attempt_update("target", 1, answer, error="the target wrote no steps")
    return attempt_update("target", 1, answer, reasoning=steps)


def _with_plan_tokens(context: Context) -> Context:
    """The settings with the limit of own steps as the target's limit of a reply."""
    if context.plan_tokens is None:
        return context
    return with_decoding(context, "target", max_tokens=context.plan_tokens)


def read_steps(text: str) -> Reasoning:
    """The lines of a list as steps without answers, at most 12."""
    lines = [_LIST_MARK.sub("", line).strip() for line in text.splitlines()]
    steps: list[Step] = [
        {"step": line, "justification": "", "answer": "", "modality": "both"} for line in lines if line
    ]
    return {"steps": steps[:_MAX_OWN_STEPS], "answer": ""}


async def _script(state: LoopState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The describer's script of the clip, as the caption of the attempt."""
    context = context_of(runtime)
    fields = DescriberRequest(**clip_request_fields(state, context))
    request = build_request(state, context, context.describer or "", node_prompt(context, "script"), fields)
    try:
        answer = await client.complete(request)
    except ModelError as fault:
        return failed_attempt(1, "describer", fault)
    return attempt_update("describer", 1, answer, caption=answer.value)


_FIRST: dict[str, _Makes] = {
    "refine": generate,
    "best_of_n": _best_of_n,
    "vote": _vote,
    "own_steps": _own_steps,
    "script": _script,
}


async def answer(state: TargetState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """The target's answer, or in its place the one that a vote or a script gives. A person's reasoning goes before.

    Raises:
        ModelError: there is no answer.
    """
    asks = {"vote": _count_votes, "script": _answer_from_script}
    ask = asks.get(context_of(runtime).strategy)
    if ask is None or state.get("edited"):
        return await answer_through_gate(state, runtime, client)
    return await answer_with_reasoning(state, runtime, client, ask=ask)


async def _answer_from_script(
    state: TargetState, reasoning: Reasoning | None, context: Context, client: ModelClient
) -> Answer[str]:
    attempt = state["iterations"][0]
    if attempt["caption"] is None:
        raise ModelError(f"There is no script to answer from: {attempt['error']}")
    row = find_target(context.target)
    asked = render_target_prompt(row, state["question"], state["choices"], None, context.target_prompt)
    text = f"{node_prompt(context, 'script_answer', script=attempt['caption'])}\n\n{asked}"
    fields = TargetRequest(
        **agent_request_fields(state), question=state["question"], choices=state["choices"], samples=context.samples
    )
    return await client.complete(build_request(state, context, context.target, text, fields))


async def _count_votes(
    state: TargetState, reasoning: Reasoning | None, context: Context, client: ModelClient
) -> Answer[str]:
    """The reply that the majority stands behind; of equal ones that of the earlier candidate."""
    replies = [attempt["reply"] for attempt in state["iterations"] if "reply" in attempt]
    if not replies:
        raise ModelError(f"The target gave no answer to count: {state['iterations'][0]['error']}")
    votes = [_vote_of(reply, state["choices"]) for reply in replies]
    counted = Counter(vote for vote in votes if vote is not None).most_common()
    if not counted:
        return Answer(replies[0], NO_USAGE, 0.0, ["No answer could be read as a vote: the first one is given."])
    most = counted[0][1]
    if not state["choices"] and most * 2 <= len(replies) and len(replies) > 1:
        return await _most_consistent(state, replies, context, client)
    notes = []
    tied = [vote for vote, count in counted if count == most]
    if len(tied) > 1:
        notes = [f"{len(tied)} answers have {most} votes each: the one that was given first counts."]
    winner = next(vote for vote in votes if vote in tied)
    return Answer(replies[votes.index(winner)], NO_USAGE, 0.0, notes)


def _vote_of(reply: str, choices: Sequence[str]) -> str | None:
    """What a reply votes for: the choice that it names (None: none), else its answer without case and punctuation."""
    if choices:
        return extract_choice_text(reply, choices)
    return " ".join(comparison_key(clean_answer(reply).text))


async def _most_consistent(
    state: TargetState, replies: Sequence[str], context: Context, client: ModelClient
) -> Answer[str]:
    """The open answer that the summarizer's model finds to agree best with the others: universal self-consistency."""
    listed = "\n".join(f"{number}. {' '.join(reply.split())}" for number, reply in enumerate(replies, 1))
    text = node_prompt(context, "consistency", question=state["question"], answers=listed)
    fields = SummarizerRequest(**agent_request_fields(state), question=state["question"])
    request = build_request(state, context, context.summarizer, text, fields, label="vote: most consistent")
    first = "the first one is given"
    try:
        found = await client.complete(request)
    except ModelError as fault:
        return Answer(replies[0], fault.usage or NO_USAGE, 0.0, [f"No answer has a majority, and {first}: {fault}"])
    named = re.findall(r"\d+", found.value)
    if len(named) != 1 or not 1 <= int(named[0]) <= len(replies):
        note = f"No answer has a majority, {context.summarizer} named none of them, and {first}."
        return Answer(replies[0], found.usage, found.seconds, [*found.notes, note])
    return Answer(replies[int(named[0]) - 1], found.usage, found.seconds, found.notes)
