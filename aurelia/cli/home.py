"""The folder AURELIA_HOME: whether it can be written, where it is, and what it holds. Users may see its path."""

import os
import tempfile
from pathlib import Path
from typing import Any

from aurelia_core.errors import InputError
from aurelia_core.settings import Settings

CLEAN_COMMAND = "aurelia clean"
_MB = 10**6


def check_home(settings: Settings) -> None:
    """Check that the home can be written, before a run pays for what could not be stored.

    Raises:
        InputError: it cannot; the message names the folder and the remedy.
    """
    if fault := _write_fault(settings.home):
        raise InputError(
            f"AURELIA's home {show_path(settings.home)} cannot be written ({fault}): set AURELIA_HOME to a folder"
            " of yours, or give yourself the right to write there."
        )


def describe_home(settings: Settings) -> dict[str, Any]:
    """The home as a dict: path (`~` for the user's folder), writable (bool), bytes (all, the cache, uploaded media)."""
    sizes = {name: _size(settings.home / name) for name in (".", "cache", "media")}
    return {
        "path": show_path(settings.home),
        "writable": _write_fault(settings.home) is None,
        "bytes": {"all": sizes["."], "cache": sizes["cache"], "media": sizes["media"]},
        "clean": CLEAN_COMMAND,
    }


def home_text(found: dict[str, Any]) -> str:
    """What `describe_home` found, in one line."""
    size = {name: f"{count / _MB:.1f} MB" for name, count in found["bytes"].items()}
    state = ""
    if not found["writable"]:
        state = " (cannot be written: set AURELIA_HOME to a folder of yours)"
    return f"{found['path']}{state}, {size['all']}, of it {size['cache']} decoded clips; {found['clean']} makes room"


def show_path(path: Path) -> str:
    """A path as a user writes it, with `~` for the user's own folder."""
    whole = path.absolute()
    if whole.is_relative_to(Path.home()) and whole != Path.home():
        return f"~/{whole.relative_to(Path.home()).as_posix()}"
    return str(whole)


def _write_fault(home: Path) -> str | None:
    """Why nothing can be written there, in the system's words; None if it can. A missing folder is made."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return None
    except OSError as fault:
        return fault.strerror or type(fault).__name__


def _size(folder: Path) -> int:
    """Bytes of all files in a folder; files that vanish meanwhile do not count."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total
