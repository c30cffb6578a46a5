"""Cleaning of untrusted text before it is stored, sent or displayed.

Questions, replies, errors and file names pass through here. Control characters, unpaired surrogates and this process's
keys are replaced; no text is rejected.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SECRET = re.compile(r"(?i)(API_KEY|COMPATIBLE_KEY|TOKENS?|SECRET|PASSWORD)$")
_MIN_SECRET_CHARS = 8
REDACTED = "[key]"


def clean_text(text: str) -> str:
    r"""Clean a text for storage: line ends become `\n`, other control characters spaces, unpaired surrogates U+FFFD."""
    if text.isprintable():
        return text
    without_control = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _SURROGATE.sub("\ufffd", without_control)


def escape_invisible(text: str) -> str:
    """Write control, direction-changing, invisible and unpaired characters as codes, for example `[U+202E]`.

    Line breaks, tabs and the letters of all scripts are not changed.
    """
    if text.isprintable():
        return text
    return _HIDDEN.sub(lambda match: f"[U+{ord(match.group()):04X}]", text.replace("\r\n", "\n"))


def dump_visible_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON without ASCII escapes, except that invisible characters are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _HIDDEN.sub(lambda match: json.dumps(match.group())[1:-1], text)


def environment_secrets() -> list[str]:
    """The keys, tokens and passwords in this process's environment, plain and URL-quoted, longest first."""
    secrets: set[str] = set()
    # Called for every reply: only the values of secrets are read.
    for name in filter(_SECRET.search, os.environ):
        value = os.environ.get(name, "")
        secrets.update([value.strip(), *_tokens(value)])
    secrets |= {quote(secret, safe="") for secret in secrets}
    return sorted((secret for secret in secrets if len(secret) >= _MIN_SECRET_CHARS), key=len, reverse=True)


def _tokens(value: str) -> list[str]:
    """The tokens in `NAME:TOKEN,NAME:TOKEN`."""
    return [part.partition(":")[2].strip() for part in value.split(",")]


def redact(text: str) -> str:
    """Mask this process's keys in a text: a provider may quote the key that it received."""
    return _redact(text, environment_secrets())


def sanitize_json(value: Any) -> Any:
    """Clean every text in a JSON value (mapping keys included) and mask this process's keys in it."""
    return _sanitize_json(value, environment_secrets())


def _sanitize_json(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return _redact(clean_text(value), secrets)
    if isinstance(value, Mapping):
        return {_sanitize_json(name, secrets): _sanitize_json(part, secrets) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_sanitize_json(part, secrets) for part in value]
    return value


def _redact(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text


def shorten(text: str, most: int) -> str:
    """The text, cut to so many characters with an ellipsis at its end if it is longer."""
    if len(text) <= most:
        return text
    return f"{text[: most - 1]}…"


def quote_lines(text: str) -> str:
    """The text with every line, however it ends, after `> `; empty for an empty text."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())
