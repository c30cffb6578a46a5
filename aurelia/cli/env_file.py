"""Reads `.env` in the current folder, as the server does: a variable that is already set stays.

Only variables of this project and of its providers are read, so that a file in a foreign folder changes nothing else.
"""

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

_NAMES = re.compile(r"(?:AURELIA|GOOGLE|GEMINI|OPENAI|LANGSMITH|LANGCHAIN|HF)_[A-Z0-9_]+")
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_COMMENT = re.compile(r"\s+#.*")


def load_env_file(folder: Path | None = None, environment: MutableMapping[str, str] | None = None) -> None:
    """Set the variables of a `.env` file; a missing or unreadable file is no error.

    Args:
        folder: the folder of the file (default: the current one).
        environment: where they are set (default: the environment of the process).
    """
    env = os.environ if environment is None else environment
    try:
        text = ((folder or Path.cwd()) / ".env").read_text("utf-8")
    except (OSError, ValueError):
        return
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found and _NAMES.fullmatch(found[1]):
            env.setdefault(found[1], _value(found[2]))


def _value(written: str) -> str:
    """A value without its quotes, or without the comment after it."""
    if len(written) > 1 and written[0] == written[-1] and written[0] in "\"'":
        return written[1:-1]
    return _COMMENT.sub("", written)
