"""What a request may carry: known keys, settings within bounds, models that are served, and clips of its sender.

The LangGraph server drops keys that it does not know before the graph sees them; here they are refused by name. What a
question may hold is checked in `nodes.prepare`. Synchronous: references are held against the store.
"""

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from aurelia.server.clip_owners import ClipKind, ClipOwners
from aurelia_core.errors import InputError
from aurelia_core.media.cache import CLIP_ID_PATTERN
from state.context import Context, make_context
from state.schema import Input, State

INPUT_KEYS = tuple(Input.__annotations__)
STATE_KEYS = tuple(State.__annotations__)
SETTING_KEYS = tuple(Context.model_fields)
# What LangGraph itself, its clients and Studio put beside the settings.
_LANGGRAPH_KEYS = re.compile(
    r"__.*|langgraph_.*|checkpoint_(id|ns|map)|thread_(id|ts)|run_id|user_id|graph_id|assistant_id|cron_id"
)


_CLIP_KINDS: Mapping[str, ClipKind] = {"clip": "video", "tracks": "audio"}


class ClipNotFound(InputError):
    """A clip that is not there, or not for the one who names it; which of the two is not said."""


def check_keys(what: str, given: Any, known: Collection[str]) -> None:
    """Refuses keys that nothing would read.

    Args:
        what: what the keys belong to, for the message: "input", "setting".
        given: what was sent; None is nothing.
        known: the names that are read.

    Raises:
        InputError: it is no object, or a key is unknown; the message has the nearest known one.
    """
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise InputError(f"The {what} is no JSON object: send one with the keys {', '.join(known)}.")
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(str(key).casefold(), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}."
            raise InputError(f"There is no {what} {str(key)[:60]!r}: {hint}")


def check_settings(given: Any, models: Iterable[str]) -> None:
    """Refuses settings that are unknown or out of bounds, and models that are not served.

    Args:
        given: the settings as sent, with what LangGraph puts beside them; None is nothing.
        models: patterns of the models that are served; none: all.

    Raises:
        InputError: the field by name, and what is wrong with it.
    """
    check_keys("setting", given and _own_settings(given), SETTING_KEYS)
    context = make_context(_own_settings(given or {}))
    patterns = tuple(models)
    named = [*context.models().values(), *context.fallbacks().values(), *filter(None, [context.describer])]
    for spec in named if patterns else ():
        if not any(fnmatchcase(spec, pattern) for pattern in patterns):
            raise InputError(f"The model {spec!r} is not served here: AURELIA_MODELS allows {', '.join(patterns)}.")


def check_state(written: Any) -> None:
    """Refuses keys that no state has, in an update of a thread's state (one, or several in a list; None is nothing).

    Raises:
        InputError: the key, and the nearest known one.
    """
    for update in written if isinstance(written, list) else [written]:
        if isinstance(update, Mapping):
            check_keys("part of the state", update, STATE_KEYS)


def check_clips(sent: Any, owner: str, library: ClipOwners) -> None:
    """Refuses clips of other owners, named by id or written into a state, wherever they stand in what was sent.

    Raises:
        ClipNotFound: the id is unknown to this owner, or a reference differs from what the store holds.
    """
    left = [sent]
    while left:
        value = left.pop()
        if isinstance(value, Mapping):
            for key, part in value.items():
                if key in ("video", "audio"):
                    _check_names(part, owner, library)
                elif key in _CLIP_KINDS:
                    _check_references(part, _CLIP_KINDS[key], owner, library)
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _own_settings(given: Any) -> Any:
    return (
        {key: part for key, part in given.items() if not _LANGGRAPH_KEYS.fullmatch(key)}
        if isinstance(given, dict)
        else given
    )


def _check_names(part: Any, owner: str, library: ClipOwners) -> None:
    for name in part if isinstance(part, list) else [part]:
        if (
            isinstance(name, str)
            and CLIP_ID_PATTERN.fullmatch(name.strip())
            and not library.allowed(name.strip(), owner)
        ):
            raise _clip_not_found(name)


def _check_references(part: Any, kind: ClipKind, owner: str, library: ClipOwners) -> None:
    for reference in part if isinstance(part, list) else [part]:
        if reference is None:
            continue
        clip = reference.get("id") if isinstance(reference, Mapping) else None
        found = library.find(clip, owner, kind) if isinstance(clip, str) else None
        if found is None or {**found.ref, "name": ""} != {**reference, "name": ""}:
            raise _clip_not_found(clip if isinstance(clip, str) else "?")


def _clip_not_found(clip: str) -> ClipNotFound:
    return ClipNotFound(f"There is no clip {clip[:12]!r} here: upload it, or give the id that its upload answered.")
