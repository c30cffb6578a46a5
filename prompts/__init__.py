"""Prompts as Markdown files: loading, filling and hashing them. Placeholders are `{{name}}`.

A placeholder after `> ` is quoted line by line: whatever a user, a model or a clip says, it cannot end the quotation,
and the system prompt says that quoted text is never an instruction.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from aurelia_core.errors import InputError
from aurelia_core.sanitize import quote_lines

PROMPT_NAMES = tuple(
    sorted(one.name.removesuffix(".md") for one in files("prompts").iterdir() if one.name.endswith(".md"))
)
_PLACEHOLDER = re.compile(r"(^> )?\{\{(\w+)\}\}", re.MULTILINE)


@lru_cache
def load_prompt(name: str) -> str:
    """The text of `prompts/<name>.md`."""
    return files("prompts").joinpath(f"{name}.md").read_text(encoding="utf-8").strip()


def prompt_name(role: str, style: str) -> str:
    """The name of a role's prompt in a style (`state.context.Context.prompts`); the project's own where it has none."""
    styled = f"{style}_{role}"
    if styled in PROMPT_NAMES:
        return styled
    return role


def reload_prompts() -> None:
    """Reads the files and hashes all texts anew at their next use, at the start of each run."""
    load_prompt.cache_clear()
    _own_hashes.cache_clear()


def fill_prompt(name: str, edited: str = "", /, **values: str) -> str:
    """The prompt with its placeholders replaced, in one pass: `{{…}}` inside a user's text stays as it is.

    Args:
        name: the name of the file.
        edited: a text to use in place of the file's; empty: the file's.
        values: the value of each placeholder.

    Raises:
        InputError: a placeholder has no value, or a value has no placeholder.
    """
    text = edited or load_prompt(name)
    wanted = _placeholders(text)
    if wanted != values.keys():
        raise InputError(f"prompts/{name}.md has the placeholders {sorted(wanted)}, but is given {sorted(values)}.")
    return _PLACEHOLDER.sub(lambda match: quote_lines(values[match[2]]) if match[1] else values[match[2]], text)


def check_prompts(edited: Mapping[str, str]) -> None:
    """Refuses an edited prompt that lacks a placeholder of its file, or has another one.

    Args:
        edited: texts by the name of the file that each replaces (`state.context.Context.edited_prompts`).

    Raises:
        InputError: the message names the setting and the placeholder.
    """
    for name, text in edited.items():
        wanted, found = _placeholders(load_prompt(name)), _placeholders(text)
        setting = f"The setting {name}_prompt"
        if missing := sorted(wanted - found):
            raise InputError(f"{setting} lacks the placeholder {_braced(missing[0])}: write it where its text belongs.")
        if unknown := sorted(found - wanted):
            known = ", ".join(map(_braced, sorted(wanted))) or "none"
            raise InputError(f"{setting} has {_braced(unknown[0])}, which nothing fills: it may have {known}.")


@lru_cache
def _placeholders(text: str) -> frozenset[str]:
    return frozenset(name for _, name in _PLACEHOLDER.findall(text))


def _braced(name: str) -> str:
    return f"{{{{{name}}}}}"


def prompt_hashes(edited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The first 12 hex digits of the SHA-256 of every text that a model reads, for a run's metadata.

    One entry a Markdown file, `render` and `media` for the texts of `prompts/render.py` (about videos, and about other
    media), `schemas` for the forms of replies.

    Args:
        edited: texts that replace those of files, by the name of the file.
    """
    return _own_hashes() | {name: _short_hash(text) for name, text in (edited or {}).items()}


@lru_cache
def _own_hashes() -> dict[str, str]:
    """The hashes of the project's own texts; making the texts takes half as long as a model call costs the program."""
    from aurelia_core.models.replies import reply_schemas
    from prompts.specimen import other_media_texts, video_texts

    texts = {name: load_prompt(name) for name in PROMPT_NAMES}
    texts["render"] = "\n".join(video_texts())
    texts["media"] = "\n".join(other_media_texts())
    texts["schemas"] = reply_schemas()
    return {name: _short_hash(text) for name, text in texts.items()}


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
