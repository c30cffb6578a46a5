"""What the nodes share: the run's settings, a request's fields, reasoning and choices as text, a failed attempt."""

from dataclasses import replace
from typing import Any, Literal, NotRequired

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from aurelia_core.answers.multiple_choice import CHOICE_LETTERS
from aurelia_core.errors import ModelError
from aurelia_core.models.client import Answer, Request
from aurelia_core.models.replies import WindowReply
from aurelia_core.types import NO_USAGE, MediaRef, Role, Sense, Window
from state.context import Context
from state.events import Event
from state.schema import Attempt, ClipState, EvaluatorState, Reasoning, Update

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


def base_fields(role: Role | Literal["describer"], state: ClipState | EvaluatorState) -> dict[str, Any]:
    """The fields of every request: who is asked, and what all are told of the clip."""
    clip, tracks = state["clip"], state["tracks"]
    return {
        "role": role,
        "duration": clip["duration"],
        "has_audio": clip["has_audio"] or bool(tracks),
    }


class ClipMedia(TypedDict):
    """What a run is about: the clip and its separate sound tracks."""

    clip: MediaRef
    tracks: list[MediaRef]
    described: NotRequired[dict[Sense, str]]


def media_fields(state: ClipMedia, context: Context) -> dict[str, Any]:
    """The fields of a request whose role sees the clip: the same for all of them, as the clip's head must be."""
    fields: dict[str, Any] = {
        "clip": state["clip"],
        "tracks": state["tracks"],
        "frames": context.frames,
        "when_deaf": context.when_deaf,
    }
    if described := state.get("described"):
        fields["described"] = described
    if context.prompt_cache == "explicit":
        fields["reuse"] = context.sure_calls()
    return fields


def with_fallback(request: Request, context: Context, text: str | None = None) -> Request:
    """The request with its role's fallback behind it, if it has one, asked with `text` (default: the same)."""
    if request.role == "describer" or request.role == "judge":
        return request
    spec = context.fallbacks().get(request.role)
    if spec is None:
        return request
    fields = {name: value for name, value in request.fields.items() if name != "reuse"}
    return replace(request, fallback=replace(request, spec=spec, text=text or request.text, fields=fields))


def choices_text(choices: list[str]) -> str:
    """The choices with letters, each on one line of its own, whatever it holds; empty without choices."""
    return "".join(
        f"{letter}. {' '.join(choice.split())}\n" for letter, choice in zip(CHOICE_LETTERS, choices, strict=False)
    )


def reasoning_text(reasoning: Reasoning) -> str:
    """A reasoning in full, as the summarizer and feedback read it."""
    steps = [
        f"{number}. {step['step']} [{step['modality']}]\n   cue: {step['justification']}\n   finding: {step['answer']}"
        for number, step in enumerate(reasoning["steps"], 1)
    ]
    return "\n".join([*steps, f"Final answer: {reasoning['answer']}"])


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


def attempt_update(role: Role, iteration: int, answer: Answer[Any], **known: Any) -> Update:
    """The delta of an agent that answered: what it found out for this attempt, its cost, and what it could not take."""
    attempt = {"iteration": iteration, "seconds": answer.seconds, "usage": answer.usage, **known}
    if answer.by_fallback:
        attempt["fallbacks"] = [role]
    update: Update = {"iterations": [attempt], "usage": answer.usage, "seconds": answer.seconds}
    return {**update, "warnings": answer.notes} if answer.notes else update


def failed_attempt(iteration: int, role: Role, fault: ModelError) -> Update:
    """The delta of an agent that failed: the attempt stays unscored and says why; the loop goes on."""
    usage = fault.usage or NO_USAGE
    return {
        "iterations": [{"iteration": iteration, "error": str(fault), "usage": usage}],
        "usage": usage,
        "warnings": [f"Attempt {iteration} could not be scored, because the {role} failed: {fault}"],
    }
