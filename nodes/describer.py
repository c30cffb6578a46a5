"""describer: writes what is heard (or seen) in the clip, for models that cannot take it. It answers no question."""

from typing import Any

from langgraph.runtime import Runtime

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, ModelClient, Request
from aurelia_core.types import Sense, add_usage
from nodes.requests import base_fields, context_of, emit, media_fields
from state.context import Context
from state.schema import ClipState, EvaluatorState, Update

_SENSED: dict[Sense, tuple[str, str]] = {"sound": ("hear", "heard"), "picture": ("see", "seen")}


async def describe(state: ClipState, runtime: Runtime[Context], desk: ModelClient) -> Update:
    """Describes what some model of the run cannot take; the same text serves all roles, attempts and questions.

    Raises:
        ModelError: the describing model did not answer.
    """
    context = context_of(runtime)
    update: Update = {"described": {}}
    for sense, answer in (await descriptions(state, context, desk)).items():
        update["described"][sense] = answer.value
        update["usage"] = add_usage(update.get("usage"), answer.usage)
        update["seconds"] = (update.get("seconds") or 0.0) + answer.seconds
        emit(runtime, {"event": "described", "sense": sense, "by": context.describer or "", "text": answer.value})
    return update


async def descriptions(
    state: ClipState | EvaluatorState, context: Context, desk: ModelClient
) -> dict[Sense, Answer[str]]:
    """What the run's describer writes of each part of the clip that some model of the run cannot take; {} without one.

    Raises:
        ModelError: it did not answer.
    """
    if context.describer is None:
        return {}
    fields = media_fields(state, context)
    asked = [*context.models().items(), *context.fallbacks().items()]
    return {sense: await _described(sense, fields, state, context, desk) for sense in desk.lacking(asked, fields)}


async def _described(
    sense: Sense, fields: dict[str, Any], state: ClipState | EvaluatorState, context: Context, desk: ModelClient
) -> Answer[str]:
    verb, sensed = _SENSED[sense]
    told = base_fields("describer", state) | fields | {"when_deaf": "error", "only": sense}
    if sense == "sound":
        # How many frames other roles are shown decides nothing here: the same description serves them all.
        del told["frames"]
    text = prompts.fill_prompt("describe", verb=verb, sensed=sensed)
    try:
        return await desk.say(
            Request("describer", context.describer or "", text, told, state["run"], context.rollout, sees_clip=True)
        )
    except ModelError as fault:
        said = f"The clip's {sense} could not be described for the models that do not {verb}: {fault}"
        failed = ModelError(said, transient=fault.transient, retry_after=fault.retry_after)
        failed.usage = fault.usage
        raise failed from fault
