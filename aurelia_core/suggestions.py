"""Suggestions for unknown names, for error messages only."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from aurelia_core.errors import InputError


def suggest_name(name: str, known: Iterable[str]) -> str:
    """The end of an error message for an unknown name: the closest known name, or all known names."""
    names = list(known)
    close = get_close_matches(name.casefold(), names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(names)}"


def reject_unknown_names(values: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Refuse unknown names, which would otherwise be ignored without a message.

    Args:
        values: the values by name.
        known: the allowed names.
        what: what the names belong to, for the message ("A question").

    Raises:
        InputError: a name is unknown; the message contains it and the closest known name.
    """
    names = list(known)
    for name in values:
        if name not in names:
            raise InputError(f"{what} has no {name!r}: {suggest_name(str(name), names)}")
