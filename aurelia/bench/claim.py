"""One process at a time works on a run file: a lock beside it that the system drops when the process dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aurelia_core.errors import InputError


@contextmanager
def lock_run_file(path: Path) -> Iterator[None]:
    """The run file is this process's own within.

    Raises:
        InputError: another process works on it, or its folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as fault:
        raise InputError(f"The run file {path.name!r} cannot be written: {fault.strerror}.") from None
    try:
        _lock(lock, path.name)
        yield
    finally:
        os.close(lock)


def _lock(lock: int, name: str) -> None:
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        said = f"Another process works on {name} right now: wait for it, stop it, or name another file."
        raise InputError(said) from None
