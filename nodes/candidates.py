"""Candidates: attempts side by side, what makes them differ, and which combinations of settings are refused.

They run inside the node reasoning_generator, each from its reasoning to its score, not as LangGraph's `Send`: that
waits for its slowest task after each of the three agents, which takes 1.34 times one attempt in place of 1.20 (three
candidates, log-normal latencies, sigma 0.5). The drawing stays as it is, a round is one checkpoint that a person can
edit, and in a trace each call has its role and the number of its candidate.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import reduce, wraps
from typing import Any

from langgraph.runtime import Runtime

from aurelia_core.errors import InputError
from aurelia_core.media.sampling import GRID_RATE
from aurelia_core.models.client import ModelClient
from aurelia_core.models.decoding import Decoding
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.types import Role, add_usage
from nodes.requests import context_of, decoding_settings
from state.attempts import SCORED_STRATEGIES, current_round
from state.context import ROLLOUTS, Context, Strategy
from state.schema import Update

SAMPLING_TEMPERATURE = 0.8
"""Temperature of candidates whose role has none in `decoding`."""
_SIDE_BY_SIDE: tuple[Strategy, ...] = ("best_of_n", "vote")
_ROLES: dict[Strategy, tuple[Role, ...]] = {
    "best_of_n": ("generator", "summarizer", "evaluator", "target"),
    "vote": ("summarizer", "target"),
    "own_steps": ("target",),
    "script": ("target",),
}
_Node = Callable[[Any, Runtime[Context], ModelClient], Awaitable[Update]]


def strategy_roles(context: Context, roles: Sequence[Role], *, choices: bool = False) -> tuple[Role, ...]:
    """The roles of `roles` whose models the strategy asks; an agent that was added to the graph is among them.

    With `vote` the summarizer chooses among open answers without a majority; not where there are `choices`.
    """
    if context.strategy == "refine":
        return tuple(role for role in roles if role != "feedback" or context.guide == "feedback")
    asked = _ROLES[context.strategy]
    if choices and context.strategy == "vote":
        asked = ("target",)
    return tuple(role for role in roles if role in asked or (role in context.agents and "evaluator" in asked))


def sampled_role(context: Context) -> Role:
    """The role whose requests differ from candidate to candidate."""
    return "target" if context.strategy == "vote" else "generator"


def candidate_context(context: Context, number: int) -> Context:
    """The settings of candidate `number`, from 1. The first one with `spread = frames` is asked as a single attempt is.

    With `spread = temperature` each has a rollout of its own in the ledger, and with it another seed.
    """
    if context.spread == "frames":
        shift = (context.frame_shift + (number - 1) / context.candidates) % 1.0
        return context.model_copy(update={"frame_shift": shift})
    role = sampled_role(context)
    sampled = with_decoding(
        context, role, temperature=context.decoding_of(role).get("temperature", SAMPLING_TEMPERATURE)
    )
    return sampled.model_copy(update={"rollout": context.rollout + (number - 1) * ROLLOUTS})


def with_decoding(context: Context, role: Role, **values: Any) -> Context:
    """The settings with these decoding settings of a role in place of its own."""
    decoding = Decoding.model_validate({**context.decoding_of(role), **values})
    return context.model_copy(update={"decoding": {**context.decoding, role: decoding}})


async def run_side_by_side(client: ModelClient, run: str, work: Iterable[Any]) -> list[Any]:
    """The results in order. The first failure cancels the others and is raised as it is.

    Then none of their calls is on the bill of `run`: going on finds them in the ledger and puts them there.
    """
    try:
        async with client.ledger.bill_together(run), asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as faults:
        raise faults.exceptions[0] from None
    return [task.result() for task in tasks]


def merge_updates(updates: Sequence[Update]) -> Update:
    """The updates of candidates as that of one node: costs add up, and the longest one says how long it took."""
    merged: Any = {}
    for update in updates:
        merged |= update
    for name in ("iterations", "warnings"):
        if any(name in update for update in updates):
            merged[name] = [part for update in updates for part in update.get(name) or []]  # type: ignore[attr-defined]
    if "usage" in merged:
        merged["usage"] = reduce(add_usage, (update["usage"] for update in updates if "usage" in update))
    if "seconds" in merged:
        merged["seconds"] = max(update.get("seconds") or 0.0 for update in updates)
    checked: Update = merged
    return checked


def of_one_attempt(node: _Node) -> _Node:
    """The node of an attempt that was made alone; it passes over candidates, and over strategies that score nothing."""

    @wraps(node)
    async def run(state: Any, runtime: Runtime[Context], client: ModelClient) -> Update:
        scored = context_of(runtime).strategy in SCORED_STRATEGIES
        if not scored or len(current_round(state["iterations"])) > 1:
            return {}
        return await node(state, runtime, client)

    return run


def check_strategy(context: Context) -> None:
    """Refuses settings that contradict each other.

    Raises:
        InputError: the message names both settings and the remedy.
    """
    for fault in _contradictions(context):
        raise InputError(f"These settings cannot be used: {fault}.")


def _contradictions(context: Context) -> Iterable[str]:
    strategy = context.strategy
    if strategy in _SIDE_BY_SIDE and context.candidates < 2:
        yield f'strategy = "{strategy}" compares candidates, and there is 1: set candidates to 2..16'
    if strategy not in _SIDE_BY_SIDE and context.candidates > 1:
        yield (
            f'strategy = "{strategy}" makes one attempt at a time, and candidates is {context.candidates}: set it to 1,'
            ' or strategy to "best_of_n" or "vote"'
        )
    if strategy != "refine" and (context.guide != "feedback" or context.patience):
        name = "guide" if context.guide != "feedback" else "patience"
        yield f'{name} belongs to the loop, and strategy = "{strategy}" has none: leave it out, or use "refine"'
    if strategy != "own_steps" and context.plan_tokens:
        yield f'plan_tokens belongs to strategy = "own_steps", and this is "{strategy}": leave it out'
    if strategy == "script" and not context.describer:
        yield 'strategy = "script" needs a describer: set unsupported_modality = "describe:PROVIDER:MODEL"'
    if strategy not in SCORED_STRATEGIES and context.gate != "always":
        yield f'gate chooses beside a scored reasoning, and strategy = "{strategy}" has none: set gate = "always"'
    if strategy in ("vote", "script") and context.review != "none":
        yield f'strategy = "{strategy}" has no reasoning to review: set review = "none"'
    if context.max_calls and (needed := calls_of_round(context)) > context.max_calls:
        yield f'one round of "{strategy}" makes {needed} calls, and max_calls is {context.max_calls}: raise it'
    temperature = context.decoding_of(sampled_role(context)).get("temperature")
    if strategy in _SIDE_BY_SIDE and context.spread == "temperature" and temperature == 0:
        role = sampled_role(context)
        yield f'spread = "temperature" needs decoding.{role}.temperature above 0: raise it, or use spread = "frames"'


def calls_of_round(context: Context) -> int:
    """Calls of one round of attempts, before the target's answer, without retries."""
    each = {"refine": 3, "best_of_n": 3}.get(context.strategy, 1)
    return each * context.candidates


def check_variation(client: ModelClient, context: Context, media: MediaRequest, roles: Sequence[Role]) -> None:
    """Refuses candidates, or a repetition, that could only say the same again.

    Raises:
        InputError: the message names the model and the remedy.
    """
    if context.strategy in _SIDE_BY_SIDE:
        _check_spread(client, context, media)
    if context.plan_tokens:
        values = decoding_settings(with_decoding(context, "target", max_tokens=1), "target", context.target)
        client.check_decoding("target", context.target, values, media)
    models = {role: context.model_of(role) for role in roles}
    if context.rollout and all(
        client.adapter(model).repeats_itself(decoding_settings(context, role, model)) for role, model in models.items()
    ):
        role, model = next(iter(models.items()))
        raise InputError(
            f"Rollout {context.rollout} would repeat rollout 0 word for word, because no model of this run samples"
            f" ({model} as {role}): set decoding.{role}.temperature above 0 where the model takes it, change"
            " frame_shift, or leave rollout at 0."
        )


def _check_spread(client: ModelClient, context: Context, media: MediaRequest) -> None:
    role = sampled_role(context)
    specs = [spec for spec in (context.model_of(role), context.fallbacks().get(role)) if spec]
    for spec in specs:
        if context.spread == "temperature":
            values = decoding_settings(candidate_context(context, 2), role, spec)
            client.check_decoding(role, spec, values, media)
        elif not client.adapter(spec).shifts_frames(media):
            what = "takes its frames from the file itself" if media.shows_video else "is shown no video here"
            raise InputError(
                f'spread = "frames" makes no candidates differ, because {spec} {what}: use spread = "temperature".'
            )
    if context.spread == "frames" and context.frames >= GRID_RATE * media.clip["duration"]:
        raise InputError(
            f'spread = "frames" makes no candidates differ, because {context.frames} frames are all frames of the grid'
            f' of this clip of {media.clip["duration"]:.2f} s: lower frames, or use spread = "temperature".'
        )
