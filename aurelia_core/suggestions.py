"""Names that nobody knows: which of the known ones was probably meant. It guesses for the message only."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from aurelia_core.errors import InputError


def suggest_name(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name: the known one that is nearest, or all of them."""
    names = list(known)
    close = get_close_matches(name.casefold(), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"


def reject_unknown_names(values: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Refuses what would be dropped unseen.

    Args:
        values: what was given.
        known: the names that may be given.
        what: what the names are of, for the message ("a question").

    Raises:
        InputError: a name is unknown; the message says which, and the nearest known one.
    """
    names = list(known)
    for name in values:
        if name not in names:
            raise InputError(f"{what} has no {name!r}: {suggest_name(str(name), names)}")
