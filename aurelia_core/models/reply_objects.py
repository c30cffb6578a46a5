"""Finds the JSON objects in a model's reply, and reads those whose syntax is nearly JSON.

Stray backslashes (LaTeX) are taken literally; single quotes, trailing commas and Python's None, True and False are read
as what they mean. Nothing is completed: an object that was cut off is none.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from aurelia_core.errors import ReplyError

_MAX_DIGITS = 300
_MAX_STARTS = 1000
_MAX_MENDED = 20
_START = re.compile(r"\{\s*[\"'}]")
# A string ends at its quote or at the end of the text, so that each character is read once. A single quote ends its
# string only before punctuation: it may be an apostrophe.
_DOUBLE = r'"(?:[^"\\]|\\.)*+(?:"|\Z)'
_SINGLE = r"'(?:[^'\\]|\\.|'(?!\s*[,:}\]]))*+(?:'|\Z)"
_TOKEN = re.compile(rf"{_DOUBLE}|{_SINGLE}|[{{}}]", re.DOTALL)
_MENDABLE = re.compile(rf"{_DOUBLE}|{_SINGLE}|,(?=\s*[}}\]])|\b(?:None|True|False)\b", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\/bfnrt]|u[0-9a-fA-F]{4})?')
_PYTHON_WORDS = {"None": "null", "True": "true", "False": "false", ",": ""}

DUPLICATE_NAME = object()
"""Stands for an object in which a name occurs twice: its value would be ambiguous."""


def find_objects(text: str) -> Iterator[Any]:
    """Every outermost JSON object in the text, in order; `DUPLICATE_NAME` for an ambiguous one.

    Objects inside a truncated object are not returned. The search ends after a thousand `{`.

    Raises:
        ReplyError: an object is nested too deeply.
    """
    end = 0
    mended = 0
    for _ in range(_MAX_STARTS):
        opened = _START.search(text, end)
        if opened is None:
            return
        start = opened.start()
        end = start + 1
        try:
            value, end = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError:
            if mended == _MAX_MENDED:
                return
            mended += 1
            stretch = _stretch(text, start)
            if stretch is None:
                return
            value = _mended_object(stretch)
            if value is None:
                continue
            end = start + len(stretch)
        except RecursionError:
            raise ReplyError("its JSON object is nested too deeply.") from None
        yield value


def _stretch(text: str, start: int) -> str | None:
    """The text from an opening brace to the brace that closes it; None if there is none."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}":
            depth -= 1
            if depth == 0:
                return text[start : token.end()]
    return None


def _mended_object(stretch: str) -> Any:
    """The object in nearly-JSON; None if it cannot be read."""
    try:
        return _DECODER.decode(_MENDABLE.sub(_mend, stretch))
    except json.JSONDecodeError:
        return None
    except RecursionError:
        raise ReplyError("its JSON object is nested too deeply.") from None


def _mend(token: re.Match[str]) -> str:
    said = token[0]
    if said[0] == '"':
        return _ESCAPE.sub(_escape, said)
    if said[0] == "'":
        inner = said[1:-1].replace("\\'", "'")
        inner = re.sub(r'(\\.)|"', lambda found: found[1] or '\\"', inner, flags=re.DOTALL)
        return f'"{_ESCAPE.sub(_escape, inner)}"'
    return _PYTHON_WORDS[said]


def _escape(found: re.Match[str]) -> str:
    if found[1]:
        return found[0]
    return "\\\\"


def _unique_names(pairs: list[tuple[str, Any]]) -> Any:
    if len({name for name, _ in pairs}) < len(pairs):
        return DUPLICATE_NAME
    return dict(pairs)


def _parse_integer(digits: str) -> int | float:
    # Python refuses to convert very long integers.
    if len(digits) > _MAX_DIGITS:
        return float(digits)
    return int(digits)


_DECODER = json.JSONDecoder(strict=False, parse_int=_parse_integer, object_pairs_hook=_unique_names)
