"""prepare: checks the question and turns the named media into references. It decodes nothing and asks no model."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from langgraph.runtime import Runtime

from aurelia_core.answers.multiple_choice import CHOICE_LETTERS
from aurelia_core.errors import InputError
from aurelia_core.media import ClipStore
from aurelia_core.models.client import ModelClient
from aurelia_core.models.media_request import MediaRequest
from aurelia_core.sanitize import clean_text
from aurelia_core.types import Media, Role, arrange_media, is_still
from nodes.candidates import check_strategy, check_variation, strategy_roles
from nodes.requests import context_of, decoding_settings, emit_event, media_request
from prompts import prompt_hashes
from state.context import ROLES, Context
from state.schema import Input, Update
from targets import is_in_target_domain

_MAX_TRACKS = 8
_MAX_IMAGES = 16
_MAX_TEXT_CHARS = 10_000


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
        InputError: the question or the choices cannot be used, or a model is missing, its key wrong, or it cannot carry
            the clip.
        MediaError: a file cannot.
    """
    asked = check_question(state)
    context = context_of(runtime)
    check_strategy(context)
    found = await asyncio.to_thread(admit_media, client.store, *asked.media, audio_track=context.audio_track or None)
    clip, pictures, tracks = found
    notes = [note for ref in found.refs for note in client.store.track_notes(ref)]
    if unknown := sorted(set(context.agents) - set(roles)):
        raise InputError(f"The graph has no agent {unknown[0]!r}, which the setting agents names: remove it there.")
    media = media_request({"clip": clip, "tracks": tracks, "pictures": pictures}, context)
    roles = strategy_roles(context, roles, choices=bool(asked.choices))
    models = {role: context.model_of(role) for role in roles}
    instead = [(role, spec) for role, spec in context.fallbacks().items() if role in roles]
    called = [*models.items(), *instead]
    await asyncio.to_thread(check_asked_models, client, context, media, called)
    if context.describer:
        called.append(("describer", context.describer))
    for role, model_id in called:
        decoding = decoding_settings(context, role, model_id)
        await asyncio.to_thread(client.check_decoding, role, model_id, decoding, media)
    await asyncio.to_thread(check_variation, client, context, media, roles)
    emit_event(runtime, {"event": "clip", "clip": clip, "tracks": tracks, "pictures": pictures})
    return {
        "run": uuid.uuid4().hex,
        "question": asked.question,
        "choices": asked.choices,
        "clip": clip,
        "tracks": tracks,
        "pictures": pictures,
        "described": {},
        "models": models,
        "prompts": prompt_hashes(context.edited_prompts()),
        "out_of_steps": False,
        "iterations": None,
        "asked": None,
        "edited": None,
        "seconds": None,
        "usage": None,
        "warnings": [None, *notes],
        "answer": None,
        "choice": None,
        "zero_shot_answer": None,
        "gate": None,
        "best": None,
        "best_iteration": None,
        "leaks": None,
        "score": None,
        "stop_reason": None,
        "target_in_domain": is_in_target_domain(context.target, asked.question, clip, found.refs[1:]),
    }


def check_asked_models(
    client: ModelClient, context: Context, media: MediaRequest, called: list[tuple[Role, str]]
) -> None:
    """Creates the models of a run and checks clip, names and keys; in a script only the describer takes the clip.

    Raises:
        InputError: see `aurelia_core.models.client.ModelClient.preflight`.
    """
    if context.strategy != "script" or context.compare:
        client.preflight([*called, *context.further_models()], media, context.describer)
    if context.strategy != "script":
        return
    client.preflight([("script", model_id) for _, model_id in called], media)
    client.preflight([("generator", context.describer or "")], replace(media, unsupported_modality="error"))


class CheckedQuestion(NamedTuple):
    """A question and the names of its media, as they may be used; `video` None: there are only images or sounds."""

    question: str
    choices: list[str]
    video: str | None
    images: list[str]
    audio: list[str]

    @property
    def media(self) -> tuple[str | None, list[str], list[str]]:
        """The arguments of `admit_media`."""
        return self.video, self.images, self.audio


def admit_media(
    store: ClipStore,
    video: str | None,
    images: Sequence[str],
    audio: Sequence[str],
    *,
    audio_track: str | None = None,
) -> Media:
    """The media of a question by their names; without a video the first image, else the first sound, is the clip.

    Args:
        store: the clip store.
        video: name of the video, or None.
        images: names of still pictures.
        audio: names of separate sounds.
        audio_track: number or language of the video's sound track; None takes the container's default.

    Raises:
        MediaError: a file cannot be used.
        InputError: a video or a sound is given as an image.
    """
    refs = []
    if video is not None:
        refs.append(store.admit(video, audio_track=audio_track))
    for name in images:
        picture = store.admit(name)
        if not is_still(picture):
            raise InputError(f"{picture['name']} is not a still picture: give it as video or audio instead of images.")
        refs.append(picture)
    refs += [store.admit(name, kind="audio") for name in audio]
    return arrange_media(refs)


def check_question(state: Input) -> CheckedQuestion:
    """The question, the choices and the names of the media, as they may be used.

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
    images = [_text(name, "The name of an image") for name in _list(state.get("images"))]
    if len(images) > _MAX_IMAGES:
        raise InputError(f"There are {len(images)} images: give at most {_MAX_IMAGES}.")
    video = state.get("video")
    if video is not None or not (images or audio):
        video = _text(video, "The name of the video")
    return CheckedQuestion(question, choices, video, images, audio)


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
