"""What a run checks and tells before its first paid call: whether its models take its clips, and the calls to come."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aurelia.bench.records import Record
from aurelia.bench.run_plan import Plan, arm_context
from aurelia_core.errors import InputError, MediaError
from aurelia_core.models.client import ModelClient
from aurelia_core.types import Role, Usage
from nodes.candidates import calls_of_round, check_strategy, check_variation, strategy_roles
from nodes.prepare import admit_media, check_asked_models
from nodes.requests import decoding_settings, media_request
from state.context import ROLES, Context

_CLIPS_CHECKED = 3
_CALLS_OF_AN_ATTEMPT = 3
_TARGET_ONLY: tuple[Role, ...] = ("target",)


class CallRange(NamedTuple):
    """The fewest and the most calls of models."""

    least: int
    most: int


def check_capabilities(records: Sequence[Record], context: Context, plan: Plan, client: ModelClient) -> None:
    """Checks that the models of a run take its first clips; nothing is decoded or paid.

    A run is refused if every clip checked is refused. Clips of other kinds later in the file fail by themselves.

    Raises:
        InputError: No clip checked can be asked about; the message is that of the first.
    """
    roles = strategy_roles(context, ROLES)
    check_strategy(context)
    if "aurelia" not in plan.arms:
        roles = _TARGET_ONLY
        context = arm_context(context, "zero_shot")
    faults: list[InputError] = []
    firsts = list({tuple(record.media_names): record for record in records}.values())[:_CLIPS_CHECKED]
    for record in firsts:
        try:
            _check_record(record, context, roles, client)
        except MediaError:
            continue
        except InputError as fault:
            faults.append(fault)
            continue
        return
    if faults:
        raise InputError(f"No question can be asked, nothing was paid: {faults[0]}")


def _check_record(record: Record, context: Context, roles: Sequence[Role], client: ModelClient) -> None:
    found = admit_media(client.store, record.video, record.images, record.audio)
    asked = [(role, context.model_of(role)) for role in roles]
    asked += [(role, model_id) for role, model_id in context.fallbacks().items() if role in roles]
    media: Any = {"clip": found.clip, "tracks": found.tracks, "pictures": found.pictures}
    shown = media_request(media, context)
    check_asked_models(client, context, shown, asked)
    check_variation(client, context, shown, roles)
    for role, model_id in asked:
        client.check_decoding(role, model_id, decoding_settings(context, role, model_id), shown)


def calls_of_question(context: Context) -> CallRange:
    """The calls of one question with the strategy of the settings, without retries, descriptions and zero-shot."""
    if context.strategy == "vote":
        # Open answers without a majority cost one call more.
        return CallRange(context.candidates, context.candidates + 1)
    if context.strategy != "refine":
        calls = calls_of_round(context) + 1
        return CallRange(calls, calls)
    attempts = context.max_iterations
    feedback = (attempts - 1) * (context.guide == "feedback")
    most = attempts * _CALLS_OF_AN_ATTEMPT + feedback + 1
    if context.early_stop or context.patience:
        return CallRange(_CALLS_OF_AN_ATTEMPT + 1, most)
    return CallRange(most, most)


def calls_to_come(pending: Sequence[str], context: Context) -> CallRange:
    """The calls of the answers still to be made, without retries and descriptions.

    Args:
        pending: The arm of each answer.
        context: Settings of every question.
    """
    least, most = calls_of_question(context)
    loops = sum(arm == "aurelia" for arm in pending)
    alone = len(pending) - loops
    return CallRange(alone + loops * least, alone + loops * most)


def cost_to_come(usage: Usage, done: int, left: int) -> dict[str, Any]:
    """Tokens and dollars of the answers still to be made, at the mean of those made (null: not known)."""
    if not done:
        return {"tokens_to_come": None, "cost_usd_to_come": None}
    tokens = usage["input_tokens"] + usage["output_tokens"]
    cost: float | None = None
    if usage["cost_usd"] is not None:
        cost = round(usage["cost_usd"] / done * left, 4)
    return {"tokens_to_come": round(tokens / done * left), "cost_usd_to_come": cost}
