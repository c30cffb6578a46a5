"""The complaints of SQLite and of the system about a file that is kept, as one error that names it and what to do.

It opens nothing.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aurelia_core.errors import StorageError

_GARBLED = "Could not decode to UTF-8"


@contextmanager
def storage_errors(path: Path, what: str, damaged: str) -> Iterator[None]:
    """What is done within with a file of ours is done, or told as an error of ours.

    Args:
        path: the file, of which messages show the name alone.
        what: what it is, for messages.
        damaged: what to do when its content cannot be read.

    Raises:
        StorageError: the file cannot be read or written (its disk is full, its folder is closed), or is damaged.
    """
    try:
        yield
    # What is stored as JSON and no longer is any raises a ValueError.
    except (sqlite3.Error, OSError, ValueError) as fault:
        raise as_storage_error(fault, path, what, damaged) from None


def as_storage_error(fault: Exception, path: Path, what: str, damaged: str) -> StorageError:
    """The error for what SQLite, the system or a reader said of a file of ours; arguments as those of `usable`."""
    if str(fault).startswith(_GARBLED):
        # SQLite's sentence goes on with the text itself.
        return StorageError(f"{what} {path.name!r} is damaged (a text in it cannot be read): {damaged}.")
    if isinstance(fault, sqlite3.OperationalError | OSError):
        said = (fault.strerror if isinstance(fault, OSError) else str(fault)) or type(fault).__name__
        remedy = "make room on its disk, and check that it may be written"
        return StorageError(f"{what} {path.name!r} cannot be used ({said}): {remedy}.")
    return StorageError(f"{what} {path.name!r} is damaged ({_short(fault)}): {damaged}.")


def parse_stored_json(text: Any) -> Any:
    """What a column of ours holds as JSON.

    Raises:
        ValueError: it is no JSON any more, or nothing at all, which a damaged row can hold where none may be.
    """
    if not isinstance(text, str):
        raise ValueError("a text in it is missing")
    return json.loads(text)


def check_integrity(connection: sqlite3.Connection) -> None:
    """Has SQLite look through the file: a damaged index may hide what is stored, and no reading would tell.

    Raises:
        sqlite3.Error, ValueError: it is damaged.
    """
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise ValueError(str(said).splitlines()[-1])


def _short(fault: Exception) -> str:
    """The first line of what it says; more of it may repeat what is stored."""
    return next(iter(str(fault).splitlines()), type(fault).__name__)[:100]
