"""Text of strangers made safe to show: what a question, a model or a file name says is shown, never obeyed.

It makes invisible and direction-changing characters visible, and escapes Markdown. HTML is escaped where it is made (by
the template, and by `textContent` in the page's script), not here.
"""

import re
from collections.abc import Mapping
from typing import Any

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def visible(text: str) -> str:
    """The text with control, direction-changing, invisible and unpaired characters written out, as in `[U+202E]`.

    Line breaks and tabs stay; letters of any script stay, and their direction is left to the page.
    """
    if text.isprintable():
        return text
    return _HIDDEN.sub(lambda found: f"[U+{ord(found.group()):04X}]", text.replace("\r\n", "\n"))


def deep(value: Any) -> Any:
    """The same JSON value with every text in it, keys included, made visible."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(name)): deep(part) for name, part in value.items()}
    return [deep(part) for part in value] if isinstance(value, list | tuple) else value


def markdown(text: str) -> str:
    """The text as one line that Markdown shows as it is: no markup, no table cell of its own, no HTML."""
    return _MARKDOWN.sub(r"\\\1", " ".join(visible(text).split()))
