"""Checks an update of a thread's state that a person writes, field by field, before it is merged.

An update holds any part of the state; an attempt in it may be partial (`state.schema.merge_attempts`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from aurelia_core.errors import InputError
from aurelia_core.types import Reasoning, Role, Usage, Window
from state.context import make_context
from state.schema import Input, Update

_Score = Annotated[int, Field(ge=1, le=10)]


@with_config(ConfigDict(extra="forbid"))
class _WrittenAttempt(TypedDict, total=False):
    """A part of an attempt; `iteration` says of which one."""

    iteration: Annotated[int, Field(ge=1)]
    score: _Score | None
    caption: str | None
    reasoning: Reasoning | None
    critique: str | None
    doubts: list[Window]
    feedback: str | None
    windows: list[Window]
    error: str | None
    seconds: Annotated[float, Field(ge=0)]
    usage: Usage
    fallbacks: list[Role]
    notes: dict[Role, str]
    candidate: Annotated[int, Field(ge=1)]
    reply: str
    feedback_seconds: Annotated[float, Field(ge=0)]
    feedback_usage: Usage


_OTHER_FORMS: dict[str, Any] = {
    "iterations": list[_WrittenAttempt] | None,
    "score": _Score | None,
    "warnings": list[str | None] | None,
    "run": Annotated[str, Field(min_length=1)],
    "question": Annotated[str, Field(min_length=1)],
}


def check_update(written: Mapping[str, Any]) -> None:
    """Refuse an update whose fields do not have the form that the graph reads.

    Args:
        written: any part of the state, as plain JSON; unknown keys are another check's business.

    Raises:
        InputError: the message names each field and what is wrong with it.
    """
    faults = []
    for name, value in written.items():
        if name in _forms():
            faults += _faults(name, value)
    for number, attempt in enumerate(written.get("iterations") or []):
        if not faults and "iteration" not in attempt:
            faults.append(f"iterations.{number}.iteration: Field required")
    if faults:
        raise InputError(f"This state cannot be written: {'; '.join(faults)}.")
    make_context(written.get("settings") or {})


@lru_cache(maxsize=1)
def _forms() -> dict[str, TypeAdapter[Any]]:
    hints = {**get_type_hints(Input), **get_type_hints(Update), **_OTHER_FORMS}
    return {name: TypeAdapter(form) for name, form in hints.items()}


def _faults(name: str, value: Any) -> list[str]:
    try:
        _forms()[name].validate_python(value, strict=True)
    except ValidationError as fault:
        return [f"{'.'.join(map(str, (name, *part['loc'])))}: {part['msg']}" for part in fault.errors()]
    return []
