"""What settings have in common: fields for fallbacks and prompts, the nodes that read them, faults in words."""

from collections.abc import Iterable
from typing import Any

from pydantic import Field
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from aurelia_core.suggestions import suggest_name

MODEL_ID_PATTERN = r"^[a-z_]+:\S+$"
MODEL_ID_OR_NONE = r"^([a-z_]+:\S+)?$"
_MODEL_NAME_FORM = (
    "write PROVIDER:MODEL without spaces, for instance openai:gpt-5.6-terra; `aurelia targets` lists models,"
    " `aurelia doctor` what can run here"
)
_MAX_PROMPT_CHARS = 20_000


def shown_at(*nodes: str) -> dict[str, Any]:
    """The nodes of the graph that read a setting: Studio shows it there."""
    return {"langgraph_nodes": list(nodes)}


def fallback_field(title: str, *nodes: str) -> Any:
    """The setting with the fallback of a role's model, which these nodes read."""
    return Field(
        default="",
        pattern=MODEL_ID_OR_NONE,
        title=f"{title}: fallback",
        description="Model that is asked when that one fails permanently; empty: none.",
        json_schema_extra=shown_at(*nodes),
    )


def prompt_field(title: str, file: str, *nodes: str) -> Any:
    """The setting that replaces the prompt of a file, which these nodes read."""
    return Field(
        default="",
        max_length=_MAX_PROMPT_CHARS,
        title=f"{title}: prompt",
        description=f"The prompt, with all placeholders of prompts/{file}.md; empty: the text of that file.",
        json_schema_extra={**shown_at(*nodes), "langgraph_type": "prompt"},
    )


def fault_in_words(fault: ErrorDetails, known: Iterable[str]) -> InitErrorDetails:
    """A fault of a setting with its message in words; `known` are the names of all settings."""
    kind = fault["type"]
    message = fault["msg"]
    name = str(fault["loc"][-1]) if fault["loc"] else ""
    if kind == "extra_forbidden":
        message = f"there is no such setting; {suggest_name(name, known)}"
    elif kind == "string_pattern_mismatch":
        message = f"{fault['input']!r} is no model name: {_MODEL_NAME_FORM}"
        if name == "unsupported_modality":
            message = f"{fault['input']!r} cannot be used: write error, evidence or describe:PROVIDER:MODEL"
        if name == "audio_track":
            message = f"{fault['input']!r} is no sound track: write its number, from 1, or one language, as eng"
    # The message goes in as a value, so that braces in it are not read as fields.
    return {
        "type": PydanticCustomError(kind, "{message}", {"message": message}),
        "loc": fault["loc"],
        "input": fault["input"],
    }
