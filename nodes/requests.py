"""What the nodes share: settings, events, requests with their fallback, and the update of an attempt."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NotRequired

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

import prompts
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, Request
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.replies import WindowReply
from aurelia_core.models.requests import ClipRequest, RoleRequest
from aurelia_core.types import NO_USAGE, Media, MediaRef, Role, Sense, Window
from prompts.render import PROMPT_TEXTS, PromptTexts
from state.context import Context
from state.events import Event
from state.schema import Attempt, ClipState, EvaluatorState, Update
from targets import find_target

MAX_WINDOWS = 4
"""Most windows of one closer look."""
_MIN_WINDOW_SECONDS = 0.1


def context_of(runtime: Runtime[Context]) -> Context:
    """The run's settings; the defaults if the graph was called without settings."""
    return runtime.context or Context()


def node_prompt(context: Context, name: str, /, **values: str) -> str:
    """The prompt of a node with its placeholders replaced; an edited prompt of the settings replaces the file's.

    Raises:
        InputError: a placeholder has no value, or a value has no placeholder.
    """
    styled = prompts.prompt_name(name, context.prompts)
    return prompts.fill_prompt(styled, context.edited_prompts().get(name, ""), **values)


def emit_event(runtime: Runtime[Context], event: Event) -> None:
    """Sends an event to the caller that streams the run."""
    runtime.stream_writer(event)


class ClipMedia(TypedDict):
    """The media of a run."""

    clip: MediaRef
    tracks: list[MediaRef]
    pictures: NotRequired[list[MediaRef]]
    described: NotRequired[dict[Sense, str]]


class AgentRequestFields(TypedDict):
    """The fields of every request about a clip."""

    duration: float
    has_audio: bool


class ClipRequestFields(AgentRequestFields):
    """The fields of every request whose role sees the clip: the same for all roles, as the clip's head must be."""

    media: MediaRequest
    reuse: Mapping[Role, int] | None


def media_of(state: ClipMedia | ClipState | EvaluatorState) -> Media:
    """The media of a run; a thread of an earlier version has no `pictures`."""
    return Media(state["clip"], state.get("pictures") or [], state["tracks"])


def clip_seconds(state: ClipState | EvaluatorState) -> float:
    """The length of the clip as roles are told it, in seconds."""
    return media_of(state).seconds


def window_seconds(state: ClipState | EvaluatorState) -> float:
    """The length inside which windows lie, in seconds: sound may go on after the picture."""
    return media_of(state).longest_seconds


def media_text(state: ClipState | EvaluatorState) -> str:
    """The facts about the media, for a role that does not see them."""
    media = media_of(state)
    return PROMPT_TEXTS.clip_facts(media.clip, media.tracks, media.pictures)


def agent_request_fields(state: ClipState | EvaluatorState) -> AgentRequestFields:
    """What every role knows about the clip."""
    return {"duration": clip_seconds(state), "has_audio": state["clip"]["has_audio"] or bool(state["tracks"])}


def media_request(state: ClipMedia, context: Context) -> MediaRequest:
    """The clip as every role that sees it is shown it."""
    media = media_of(state)
    return MediaRequest(
        clip=media.clip,
        tracks=media.tracks,
        pictures=media.pictures,
        frames=context.frames,
        frame_shift=context.frame_shift,
        unsupported_modality=context.unsupported_modality,
        described=state.get("described") or {},
    )


def clip_request_fields(state: ClipState | EvaluatorState, context: Context) -> ClipRequestFields:
    """The fields of a request whose role sees the clip."""
    reuse = None
    if context.prompt_cache == "explicit":
        reuse = context.sure_calls()
    return {**agent_request_fields(state), "media": media_request(state, context), "reuse": reuse}


def decoding_settings(context: Context, role: Role, model_id: str) -> dict[str, Any]:
    """The decoding settings of one call: those of the target's row, replaced one by one by those of the run.

    The seed is moved by the rollout, so that a repetition is not the same draw again.
    """
    settings: dict[str, Any] = {}
    if role == "target":
        settings = find_target(model_id).decoding.set_values()
    settings |= context.decoding_of(role)
    if "seed" in settings:
        settings["seed"] += context.rollout
    return settings


def build_request(
    state: ClipState | EvaluatorState,
    context: Context,
    model_id: str,
    text: str,
    fields: RoleRequest,
    fallback_text: str | None = None,
    label: str = "",
) -> Request:
    """One call of this run, with its role's fallback behind it, asked with `fallback_text` (default: the same text).

    `label` is the call's name in a trace, if it is not that of its role and its candidate.
    """
    if not label and (candidate := state.get("candidate")):
        label = f"{fields.role} {candidate}"
    fields = replace(fields, decoding=decoding_settings(context, fields.role, model_id) or None)
    request = Request(
        model_id=model_id,
        text=text,
        fields=fields,
        texts=PromptTexts(context.system_prompt),
        run=state["run"],
        rollout=context.rollout,
        label=label,
        seconds=context.node_seconds,
    )
    fallback = context.fallbacks().get(request.role)
    if fallback is None:
        return request
    if isinstance(fields, ClipRequest):
        fields = replace(fields, reuse=None)
    fields = replace(fields, decoding=decoding_settings(context, fields.role, fallback) or None)
    instead = replace(request, model_id=fallback, text=fallback_text or text, fields=fields)
    return replace(request, fallback=instead)


def last_attempt(attempts: list[Attempt]) -> Attempt | None:
    """The newest attempt; None where a person wrote the state of a thread before its first one."""
    return attempts[-1] if attempts else None


def windows_by_attempt(attempts: list[Attempt]) -> list[list[Window]]:
    """The windows of each attempt, the next one included; [] is the whole clip, as in the first attempt."""
    return [[], *(attempt["windows"] for attempt in attempts)]


def clamp_windows(windows: list[WindowReply], duration: float) -> list[Window]:
    """A model's windows, cut to the clip (seconds); empty ones are dropped, at most `MAX_WINDOWS` remain.

    A still picture (`duration` 0) has none.
    """
    clamped: list[Window] = []
    if not duration:
        return clamped
    for window in windows:
        start, end = max(0.0, window.start), min(duration, window.end)
        if end - start >= min(_MIN_WINDOW_SECONDS, duration / 2) - 1e-6:
            clamped.append({"start": round(start, 3), "end": round(end, 3)})
    return clamped[:MAX_WINDOWS]


def attempt_update(role: str, iteration: int, answer: Answer[Any], **known: Any) -> Update:
    """The update of an agent that answered: its findings for this attempt, its cost and its notes."""
    attempt = {"iteration": iteration, "seconds": answer.seconds, "usage": answer.usage, **known}
    if answer.by_fallback:
        attempt["fallbacks"] = [role]
    update: Update = {"iterations": [attempt], "usage": answer.usage, "seconds": answer.seconds}
    if answer.notes:
        update["warnings"] = answer.notes
    return update


def failed_attempt(iteration: int, role: str, fault: ModelError) -> Update:
    """The update of an agent that failed: the attempt stays unscored and says why; the loop continues."""
    usage = fault.usage or NO_USAGE
    return {
        "iterations": [{"iteration": iteration, "error": str(fault), "usage": usage}],
        "usage": usage,
        "warnings": [f"Attempt {iteration} could not be scored, because the {role} failed: {fault}", *fault.notes],
    }


def failed_note(iteration: int, role: str, fault: ModelError, **known: Any) -> Update:
    """The update of an agent that failed and that the attempt can do without: its cost, and a warning."""
    usage = fault.usage or NO_USAGE
    return {
        "iterations": [{"iteration": iteration, "usage": usage, **known}],
        "usage": usage,
        "warnings": [f"There is no {role} on attempt {iteration}: {fault}", *fault.notes],
    }
