"""Text of strangers made safe to show: what a question, a model or a file name says is shown, never obeyed.

It makes invisible and direction-changing characters visible (`aurelia_core.sanitize`), and escapes Markdown. HTML is escaped
where it is made (by the template, and by `textContent` in the page's script), not here.
"""

import re
from collections.abc import Mapping
from typing import Any

from aurelia_core.sanitize import escape_invisible

_MARKDOWN_SYNTAX = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def escape_values(value: Any) -> Any:
    """The same JSON value with every text in it, keys included, made visible."""
    if isinstance(value, str):
        return escape_invisible(value)
    if isinstance(value, Mapping):
        return {escape_invisible(str(name)): escape_values(part) for name, part in value.items()}
    return [escape_values(part) for part in value] if isinstance(value, list | tuple) else value


def escape_markdown(text: str) -> str:
    """The text as one line that Markdown shows as it is: no markup, no table cell of its own, no HTML."""
    return _MARKDOWN_SYNTAX.sub(r"\\\1", " ".join(escape_invisible(text).split()))
