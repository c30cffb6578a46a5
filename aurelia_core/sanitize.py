"""Text of strangers, made fit to be kept, said and shown: no control characters, no half letters, none of our keys.

Questions, replies, errors and file names pass through here. It reads no meaning and refuses nothing.
"""

import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_HALF = re.compile("[\ud800-\udfff]")
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SECRET = re.compile(r"(?i)(API_KEY|COMPATIBLE_KEY|TOKENS?|SECRET|PASSWORD)$")
_SHORTEST_SECRET = 8
REDACTED = "[key]"


def clean_text(text: str) -> str:
    r"""The text as it may be kept: line ends are `\n`, other control characters spaces, half surrogate pairs U+FFFD."""
    if text.isprintable():
        return text
    plain = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _HALF.sub("\ufffd", plain)


def escape_invisible(text: str) -> str:
    """The text with control, direction-changing, invisible and unpaired characters written out, as in `[U+202E]`.

    Line breaks and tabs stay; letters of any script stay, and their direction is left to the page.
    """
    if text.isprintable():
        return text
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text.replace("\r\n", "\n"))


def dump_visible_json(value: Any, indent: int | None = None) -> str:
    """The value as JSON in the letters of its language, with every hidden character in it escaped."""
    return _HIDDEN.sub(
        lambda found: json.dumps(found.group())[1:-1], json.dumps(value, ensure_ascii=False, indent=indent)
    )


def environment_secrets() -> list[str]:
    """The keys, tokens and passwords in this process's environment, longest first, also as an address writes them."""
    named = [value.strip() for name, value in os.environ.items() if _SECRET.search(name)]
    found = {form for value in named for one in (value, *_parts(value)) for form in (one, quote(one, safe=""))}
    return sorted((one for one in found if len(one) >= _SHORTEST_SECRET), key=len, reverse=True)


def _parts(value: str) -> list[str]:
    """The tokens in `NAME:TOKEN,NAME:TOKEN`."""
    return [part.partition(":")[2].strip() for part in value.split(",")]


def redact(text: str) -> str:
    """The text with this process's keys masked: a provider may quote the one that it was sent."""
    return _redact(text, environment_secrets())


def sanitize_json(value: Any) -> Any:
    """The same JSON value with every text in it, keys included, legible and without our keys."""
    return _sanitize_json(value, environment_secrets())


def _sanitize_json(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        return _redact(clean_text(value), secrets)
    if isinstance(value, Mapping):
        return {_sanitize_json(name, secrets): _sanitize_json(part, secrets) for name, part in value.items()}
    return [_sanitize_json(part, secrets) for part in value] if isinstance(value, list | tuple) else value


def _redact(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    return text
