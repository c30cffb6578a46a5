"""prepare: checks the question and turns the named media into references. It decodes nothing and asks no model."""

import asyncio
import uuid
from typing import Any

from langgraph.runtime import Runtime

from aurelia_core.answers.multiple_choice import CHOICE_LETTERS
from aurelia_core.errors import InputError
from aurelia_core.models.client import ModelClient
from aurelia_core.sanitize import clean_text
from aurelia_core.types import MediaRef, Role
from nodes.requests import changed_settings, context_of, decoding_settings, emit_event, media_request
from state.context import ROLES, Context
from state.schema import Input, Update
from targets import is_in_target_domain

_MAX_TRACKS = 8
_MAX_TEXT_CHARS = 10_000
_REVIEW_NEEDS_THREAD = (
    "A run with a review pauses, so it needs a stored thread: give a checkpointer and a thread's name."
)


async def prepare(
    state: Input, runtime: Runtime[Context], client: ModelClient, roles: tuple[Role, ...] = ROLES
) -> Update:
    """Admits the media and starts a new run; the state of an earlier run in the thread is reset.

    Args:
        state: what is asked.
        runtime: the run's settings, and where events go.
        client: the clips and the models.
        roles: the roles that the graph has a node for; no other model is made.

    Raises:
        InputError: the question or the choices cannot be used, a review is wanted without a stored thread, or a model
            is missing, its key wrong, or it cannot carry the clip.
        MediaError: a file cannot.
    """
    question, choices, audio = check_question(state)
    context = context_of(runtime)
    if context.review != "none" and not (runtime.execution_info and runtime.execution_info.thread_id):
        raise InputError(_REVIEW_NEEDS_THREAD)
    clip = await asyncio.to_thread(client.store.admit, state["video"])
    tracks: list[MediaRef] = []
    for name in audio:
        tracks.append(await asyncio.to_thread(client.store.admit, name, kind="audio"))
    if unknown := sorted(set(context.agents) - set(roles)):
        raise InputError(f"The graph has no agent {unknown[0]!r}, which the setting agents names: remove it there.")
    media = media_request({"clip": clip, "tracks": tracks}, context)
    models = {role: context.model_of(role) for role in roles}
    instead = [(role, spec) for role, spec in context.fallbacks().items() if role in roles]
    asked = [*models.items(), *instead]
    await asyncio.to_thread(client.preflight, asked, media, context.describer)
    if context.describer:
        asked.append(("describer", context.describer))
    for role, model_id in asked:
        await asyncio.to_thread(client.check_decoding, role, model_id, decoding_settings(context, role, model_id))
    emit_event(runtime, {"event": "clip", "clip": clip, "tracks": tracks})
    return {
        "run": uuid.uuid4().hex,
        "question": question,
        "choices": choices,
        "clip": clip,
        "tracks": tracks,
        "described": {},
        "models": models,
        "settings": changed_settings(context),
        "iterations": None,
        "asked": None,
        "edited": None,
        "seconds": None,
        "usage": None,
        "warnings": None,
        "answer": None,
        "choice": None,
        "zero_shot_answer": None,
        "best": None,
        "best_iteration": None,
        "leaks": None,
        "score": None,
        "stop_reason": None,
        "target_in_domain": is_in_target_domain(context.target, question, clip, tracks),
    }


def check_question(state: Input) -> tuple[str, list[str], list[str]]:
    """The question, the choices and the names of separate tracks, as they may be used.

    Raises:
        InputError: what is wrong with which of them.
    """
    question = _text(state.get("question"), "The question")
    choices = [_text(choice, f"Choice {number}") for number, choice in enumerate(_list(state.get("choices")), 1)]
    if len(choices) == 1 or len(choices) > len(CHOICE_LETTERS):
        raise InputError(f"There are {len(choices)} choices: give none, or 2 to {len(CHOICE_LETTERS)}.")
    if len({choice.casefold() for choice in choices}) < len(choices):
        raise InputError("Two of the choices are the same: give each once.")
    audio = [_text(name, "The name of a sound track") for name in _list(state.get("audio"))]
    if len(audio) > _MAX_TRACKS:
        raise InputError(f"There are {len(audio)} sound tracks: give at most {_MAX_TRACKS}.")
    _text(state.get("video"), "The name of the video")
    return question, choices, audio


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{what} is empty: give it as text.")
    if len(value) > _MAX_TEXT_CHARS:
        raise InputError(f"{what} has {len(value)} characters: at most {_MAX_TEXT_CHARS} are read.")
    return clean_text(value).strip()
