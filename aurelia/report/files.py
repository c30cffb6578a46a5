"""Writes a page whole or not at all, and checks beforehand that it can be written."""

from collections.abc import Iterable
from pathlib import Path

from aurelia_core.errors import InputError


def write_atomically(path: Path, parts: Iterable[str]) -> None:
    """Write the parts of a text into a file; a file that exists is replaced at the end.

    Raises:
        InputError: the file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(parts)
        part.replace(path)
    except OSError as fault:
        raise InputError(f"{path.name} cannot be written: {fault.strerror}; name another folder.") from None


def check_page_path(path: Path) -> None:
    """Check that a page can be written there, before anything is paid.

    Raises:
        InputError: it is a folder, or its folder is missing.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(f"The page {path.name!r} cannot be written: name a file in a folder that exists.")
