"""Errors of SQLite and of the operating system about a stored file, turned into one `StorageError` with a remedy."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aurelia_core.errors import StorageError

_INVALID_TEXT = "Could not decode to UTF-8"


@contextmanager
def storage_errors(path: Path, what: str, damaged: str) -> Iterator[None]:
    """Turn errors inside the block into a `StorageError`.

    Args:
        path: the file; messages show only its name.
        what: what the file is, for messages ("The call ledger").
        damaged: the remedy when its content cannot be read.

    Raises:
        StorageError: the file cannot be read or written (full disk, missing permission), or is damaged.
    """
    try:
        yield
    # Stored JSON that is damaged raises a ValueError.
    except (sqlite3.Error, OSError, ValueError) as fault:
        raise as_storage_error(fault, path, what, damaged) from None


def as_storage_error(fault: Exception, path: Path, what: str, damaged: str) -> StorageError:
    """The error for a fault of SQLite, the operating system or a reader; arguments as in `storage_errors`."""
    if str(fault).startswith(_INVALID_TEXT):
        # SQLite's message quotes the stored text: leave it out.
        return StorageError(f"{what} {path.name!r} is damaged (a text in it cannot be read): {damaged}.")
    if isinstance(fault, sqlite3.OperationalError | OSError):
        reason = str(fault)
        if isinstance(fault, OSError):
            # An OSError's own text contains the absolute path.
            reason = fault.strerror or ""
        remedy = "make room on its disk, and check that it may be written"
        return StorageError(f"{what} {path.name!r} cannot be used ({reason or type(fault).__name__}): {remedy}.")
    return StorageError(f"{what} {path.name!r} is damaged ({_first_line(fault)}): {damaged}.")


def parse_stored_json(text: Any) -> Any:
    """The value of a JSON column.

    Raises:
        ValueError: the text is no JSON, or missing (a damaged row can hold NULL in a NOT NULL column).
    """
    if not isinstance(text, str):
        raise ValueError("a text in it is missing")
    return json.loads(text)


def check_integrity(connection: sqlite3.Connection) -> None:
    """Check the whole file: a damaged index can hide rows without any error when they are read.

    Raises:
        sqlite3.Error, ValueError: the file is damaged.
    """
    (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise ValueError(str(result).splitlines()[-1])


def _first_line(fault: Exception) -> str:
    """The first line of a fault's message; further lines may quote stored text."""
    return next(iter(str(fault).splitlines()), type(fault).__name__)[:100]
