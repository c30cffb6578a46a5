"""Checks of a request: known keys, settings within bounds, allowed models, and clips of its sender.

The LangGraph server silently drops unknown keys; here they are refused by name. `nodes.prepare` checks the question
itself. The functions block, because clips are looked up in the store: call them from a thread.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from aurelia import profiles
from aurelia.server.clip_owners import ClipKind, ClipOwners
from aurelia_core.errors import InputError
from aurelia_core.media.cache import CLIP_ID_PATTERN
from prompts import check_prompts
from state.context import Context, make_context
from state.schema import Input, State
from state.written import check_update

INPUT_KEYS = tuple(Input.__annotations__)
STATE_KEYS = tuple(State.__annotations__)
SETTING_KEYS = tuple(Context.model_fields)
GIVEN_KEY = "aurelia_given"
"""Key of the names of the settings that a request gave, in the metadata of its run; no client can set it."""
# Keys that LangGraph, its clients and Studio add to the settings.
_LANGGRAPH_KEYS = re.compile(
    r"__.*|langgraph_.*|checkpoint_(id|ns|map)|thread_(id|ts)|run_id|user_id|graph_id|assistant_id|cron_id"
)


_NAME_KEYS = ("video", "audio", "images")
_REFERENCE_KEYS = ("clip", "tracks", "pictures")


class ClipNotFound(InputError):
    """There is no such clip, or the sender may not use it; the message does not tell which."""


def check_keys(what: str, given: Any, known: Collection[str]) -> None:
    """Refuse unknown keys.

    Args:
        what: what the keys belong to, for the message: "input", "setting".
        given: the value that was sent; None: nothing.
        known: the known keys.

    Raises:
        InputError: the value is not an object, or a key is unknown; the message names the nearest known key.
    """
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise InputError(f"The {what} is not a JSON object: send one with the keys {', '.join(known)}.")
    for key in given:
        if key not in known:
            hint = f"known are {', '.join(known)}."
            if near := difflib.get_close_matches(str(key).casefold(), known, n=1, cutoff=0.5):
                hint = f"did you mean {near[0]!r}?"
            raise InputError(f"There is no {what} {str(key)[:60]!r}: {hint}")


def check_settings(given: Any, models: Iterable[str]) -> None:
    """Refuse settings that are unknown or out of bounds, and models that are not allowed.

    Args:
        given: the settings as sent, with the keys that LangGraph adds; None: nothing.
        models: patterns of the allowed models; empty: all.

    Raises:
        InputError: the message names the setting, and what is wrong with it.
    """
    check_keys("setting", given and _own_settings(given), SETTING_KEYS)
    context = make_context(_own_settings(given or {}))
    if "profile" in context.model_fields_set:
        profiles.check_profile(context.profile)
    check_prompts(context.edited_prompts())
    check_models(profiles.with_profile(context), models)


def given_settings(given: Any) -> list[str]:
    """The names of the settings in what was sent, without the keys that LangGraph adds."""
    return sorted(_own_settings(given or {}))


def check_models(context: Context, models: Iterable[str]) -> None:
    """Refuse models that are not allowed.

    Args:
        context: the settings.
        models: patterns of the allowed models; empty: all.

    Raises:
        InputError: the message names the model.
    """
    patterns = tuple(models)
    named = [*context.models().values(), *context.fallbacks().values(), *filter(None, [context.describer])]
    if not patterns:
        return
    for model_id in named:
        if not any(fnmatchcase(model_id, pattern) for pattern in patterns):
            raise InputError(f"The model {model_id!r} is not served here: AURELIA_MODELS allows {', '.join(patterns)}.")


def check_stateless(given: Any) -> None:
    """Refuse a review in a run whose thread is deleted when it ends or pauses.

    Raises:
        InputError: the settings ask for a review.
    """
    if isinstance(given, Mapping) and given.get("review", "none") != "none":
        raise InputError(
            "A run with a review pauses, so it needs a thread: create one with POST /threads, and run there."
        )


def check_state(written: Any, models: Iterable[str] = ()) -> None:
    """Refuse unknown keys and values of another form in an update of a thread's state.

    Args:
        written: one update, or a list of updates; None: nothing.
        models: patterns of the allowed models, for `settings` in the state; empty: all.

    Raises:
        InputError: the message names the key and the nearest known key, or the field and what is wrong with it.
    """
    for update in _as_list(written):
        if update is None:
            continue
        check_keys("part of the state", update, STATE_KEYS)
        check_update(update)
        check_settings(update.get("settings"), models)


def check_clips(sent: Any, owner: str, owners: ClipOwners) -> None:
    """Refuse clips of other owners, named by id or written into a state, anywhere in a request.

    Raises:
        ClipNotFound: the owner has no clip with this id, or a reference differs from the store's.
    """
    pending = [sent]
    while pending:
        value = pending.pop()
        if isinstance(value, Mapping):
            for key, part in value.items():
                if key in _NAME_KEYS:
                    _check_names(part, owner, owners)
                elif key in _REFERENCE_KEYS:
                    _check_references(part, owner, owners)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _own_settings(given: Any) -> Any:
    """The settings without the keys that LangGraph adds."""
    if not isinstance(given, dict):
        return given
    return {key: value for key, value in given.items() if not _LANGGRAPH_KEYS.fullmatch(key)}


def _check_names(part: Any, owner: str, owners: ClipOwners) -> None:
    for name in _as_list(part):
        if not isinstance(name, str) or not CLIP_ID_PATTERN.fullmatch(name.strip()):
            continue
        if not owners.may_use(name.strip(), owner):
            raise _clip_not_found(name)


def _check_references(part: Any, owner: str, owners: ClipOwners) -> None:
    for reference in _as_list(part):
        if reference is None:
            continue
        clip = reference.get("id") if isinstance(reference, Mapping) else None
        if not isinstance(clip, str):
            raise _clip_not_found("?")
        kind: ClipKind = "video"
        if reference.get("width") is None:
            kind = "audio"
        found = owners.find(clip, owner, kind)
        if found is None or {**found.ref, "name": ""} != {**reference, "name": ""}:
            raise _clip_not_found(clip)


def _as_list(part: Any) -> list[Any]:
    return part if isinstance(part, list) else [part]


def _clip_not_found(clip: str) -> ClipNotFound:
    return ClipNotFound(
        f"There is no clip {clip[:12]!r} here: upload it, or give the id from the response to its upload."
    )
