"""What the nodes share: settings, events, requests with their fallback, and the update of an attempt."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NotRequired

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, Request
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.models.replies import WindowReply
from aurelia_core.models.requests import ClipRequest, RoleRequest
from aurelia_core.types import NO_USAGE, MediaRef, Role, Sense, Window
from prompts.render import TEXTS
from state.context import Context
from state.events import Event
from state.schema import Attempt, ClipState, EvaluatorState, Update

MAX_WINDOWS = 4
MIN_WINDOW_SECONDS = 0.1


def context_of(runtime: Runtime[Context]) -> Context:
    """The run's settings; the defaults when the graph was called without any."""
    return runtime.context or Context()


def changed_settings(context: Context) -> dict[str, Any]:
    """The settings as a thread keeps them: what differs from the defaults.

    They decide where a thread goes on whose state a person writes, which no run does (`graph.routing`).
    """
    return context.model_dump(mode="json", exclude_defaults=True)


def emit(runtime: Runtime[Context], event: Event) -> None:
    """Tells whoever streams the run what has happened."""
    runtime.stream_writer(event)


class ClipMedia(TypedDict):
    """The clip of a run and its separate sound tracks."""

    clip: MediaRef
    tracks: list[MediaRef]
    described: NotRequired[dict[Sense, str]]


class ClipFields(TypedDict):
    """The fields of every request about a clip."""

    duration: float
    has_audio: bool


class SeenClipFields(ClipFields):
    """The fields of every request whose role sees the clip: the same for all roles, as the clip's head must be."""

    media: MediaRequest
    reuse: Mapping[Role, int] | None


def clip_fields(state: ClipState | EvaluatorState) -> ClipFields:
    """What every role knows about the clip."""
    clip = state["clip"]
    return {"duration": clip["duration"], "has_audio": clip["has_audio"] or bool(state["tracks"])}


def media_request(state: ClipMedia, context: Context) -> MediaRequest:
    """The clip as every role that sees it is shown it."""
    return MediaRequest(
        clip=state["clip"],
        tracks=state["tracks"],
        frames=context.frames,
        unsupported_modality=context.unsupported_modality,
        described=state.get("described") or {},
    )


def seen_clip_fields(state: ClipState | EvaluatorState, context: Context) -> SeenClipFields:
    """The fields of a request whose role sees the clip."""
    reuse = context.sure_calls() if context.prompt_cache == "explicit" else None
    return {**clip_fields(state), "media": media_request(state, context), "reuse": reuse}


def build_request(
    state: ClipState | EvaluatorState, context: Context, model_id: str, text: str, fields: RoleRequest
) -> Request:
    """One call of this run, with the fallback of its role behind it."""
    request = Request(
        model_id=model_id, text=text, fields=fields, texts=TEXTS, run=state["run"], rollout=context.rollout
    )
    return with_fallback(request, context)


def with_fallback(request: Request, context: Context, text: str | None = None) -> Request:
    """The request with its role's fallback behind it, if there is one, asked with `text` (default: the same)."""
    fallback = next((model for role, model in context.fallbacks().items() if role == request.role), None)
    if fallback is None:
        return request
    fields = request.fields
    if isinstance(fields, ClipRequest):
        fields = replace(fields, reuse=None)
    instead = replace(request, model_id=fallback, text=text or request.text, fields=fields)
    return replace(request, fallback=instead)


def windows_by_attempt(attempts: list[Attempt]) -> list[list[Window]]:
    """Where each attempt looks, the next one included: the first at the whole clip ([]), later ones where told to."""
    return [[], *(attempt["windows"] for attempt in attempts)]


def clamp_windows(windows: list[WindowReply], duration: float) -> list[Window]:
    """The windows that a model named, put inside the clip; empty ones are dropped, four are kept at most."""
    kept: list[Window] = []
    for window in windows:
        start, end = max(0.0, window.start), min(duration, window.end)
        if end - start >= min(MIN_WINDOW_SECONDS, duration / 2):
            kept.append({"start": round(start, 3), "end": round(end, 3)})
    return kept[:MAX_WINDOWS]


def attempt_update(role: str, iteration: int, answer: Answer[Any], **known: Any) -> Update:
    """The delta of an agent that answered: what it found out for this attempt, its cost, and what it could not take."""
    attempt = {"iteration": iteration, "seconds": answer.seconds, "usage": answer.usage, **known}
    if answer.by_fallback:
        attempt["fallbacks"] = [role]
    update: Update = {"iterations": [attempt], "usage": answer.usage, "seconds": answer.seconds}
    return {**update, "warnings": answer.notes} if answer.notes else update


def failed_attempt(iteration: int, role: str, fault: ModelError) -> Update:
    """The delta of an agent that failed: the attempt stays unscored and says why; the loop goes on."""
    usage = fault.usage or NO_USAGE
    return {
        "iterations": [{"iteration": iteration, "error": str(fault), "usage": usage}],
        "usage": usage,
        "warnings": [f"Attempt {iteration} could not be scored, because the {role} failed: {fault}"],
    }
