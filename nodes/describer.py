"""describer: writes what is heard (or seen) in the clip, for models that cannot take it. It answers no question."""

from dataclasses import replace

from langgraph.runtime import Runtime

from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, ModelClient
from aurelia_core.models.requests import DescriberRequest
from aurelia_core.types import Sense, add_usage
from nodes.requests import build_request, clip_request_fields, context_of, emit_event, media_request
from prompts.render import render_describer_prompt
from state.context import Context
from state.schema import ClipState, EvaluatorState, Update


async def describe(state: ClipState, runtime: Runtime[Context], client: ModelClient) -> Update:
    """Describes what some model of the run cannot take; the same text serves all roles, attempts and questions.

    Raises:
        ModelError: the describing model did not answer.
    """
    context = context_of(runtime)
    update: Update = {"described": {}}
    for sense, answer in (await describe_senses(state, context, client)).items():
        update["described"][sense] = answer.value
        update["usage"] = add_usage(update.get("usage"), answer.usage)
        update["seconds"] = (update.get("seconds") or 0.0) + answer.seconds
        emit_event(runtime, {"event": "described", "sense": sense, "by": context.describer or "", "text": answer.value})
    return update


async def describe_senses(
    state: ClipState | EvaluatorState, context: Context, client: ModelClient
) -> dict[Sense, Answer[str]]:
    """What the run's describer writes of each part of the clip that some model of the run cannot take; {} without one.

    A script describes the whole clip by itself; then only zero-shot needs the descriptions.

    Raises:
        ModelError: it did not answer.
    """
    if context.describer is None or (context.strategy == "script" and not context.compare):
        return {}
    asked = [*context.models().items(), *context.fallbacks().items(), *context.further_models()]
    missing = client.missing_modalities(asked, media_request(state, context))
    return {sense: await _describe_sense(sense, state, context, client) for sense in missing}


async def _describe_sense(
    sense: Sense, state: ClipState | EvaluatorState, context: Context, client: ModelClient
) -> Answer[str]:
    clip = clip_request_fields(state, context)
    media = replace(clip["media"], unsupported_modality="error", only=sense)
    if sense == "sound":
        # The number of frames that other roles see decides nothing here: one description serves them all.
        media = replace(media, frames=None)
    fields = replace(DescriberRequest(**clip), media=media)
    text = render_describer_prompt(sense, context.describe_prompt)
    request = build_request(state, context, context.describer or "", text, fields)
    try:
        return await client.complete(request)
    except ModelError as fault:
        said = f"The clip's {sense} could not be described for the models that cannot take it: {fault}"
        failed = ModelError(said, transient=fault.transient, retry_after=fault.retry_after)
        failed.usage = fault.usage
        raise failed from fault
