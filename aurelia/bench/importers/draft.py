"""What one row of an annotation file says, before it has an id, media and neighbours: the common ground of all kinds.

It reads no files; `import_run` turns drafts into records.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from aurelia.bench.records import DialogueTurn, NonEmptyText, ReferenceStep
from aurelia_core.answers.multiple_choice import CHOICE_LETTERS

_LETTER = re.compile(r"^\(?([A-Za-z])\s*[.):]?$")
_LETTERED = re.compile(r"^\s*\(?([A-Z])[.):]\s+(?=\S)")


@dataclass(frozen=True)
class Draft:
    """What a row says.

    Attributes:
        name: the parts of its id after the kind; they alone identify it when `own` is true.
        video: the video's path as the row gives it, or None when a pattern names it.
        names: what a pattern may name.
        notes: what was put right on the way.
    The rest is as in `Record`; an empty category or licence is that of the kind.
    """

    name: tuple[str, ...]
    own: bool
    question: str
    answers: list[str]
    item: str = ""
    video: str | None = None
    names: dict[str, str] = field(default_factory=dict)
    audio: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    category: str = ""
    kinds: list[str] = field(default_factory=list)
    history: list[DialogueTurn] = field(default_factory=list)
    synonyms: dict[str, list[str]] = field(default_factory=dict)
    reasoning: list[ReferenceStep] = field(default_factory=list)
    licence: str = ""
    notes: list[str] = field(default_factory=list)


class RowModel(BaseModel):
    """The fields that a kind's rows have; numbers may stand for texts, what is not named is not used."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)

    def draft(self) -> Draft:
        """What the row says.

        Raises:
            ValueError: its fields do not fit together; the message says which.
        """
        raise NotImplementedError


def parse_json_list(value: Any) -> Any:
    """A list that stands as a JSON string in some files, or the value itself."""
    return json.loads(value) if isinstance(value, str) else value


def as_list(value: Any) -> Any:
    """A list of what may also stand alone."""
    return [value] if isinstance(value, str) else value


JsonList = Annotated[list[str], BeforeValidator(parse_json_list)]
OneOrMoreTexts = Annotated[list[NonEmptyText], BeforeValidator(as_list), Field(min_length=1)]


def find_choice(answer: str, choices: Sequence[str]) -> str:
    """The choice that a reference answer names: by its text, or else by its letter.

    Raises:
        ValueError: it names none of them.
    """
    for choice in choices:
        if choice.casefold() == answer.casefold():
            return choice
    if (letter := _LETTER.match(answer)) and (place := CHOICE_LETTERS.index(letter[1].upper())) < len(choices):
        return choices[place]
    raise ValueError(f"the answer {answer!r} is none of the {len(choices)} choices")


def strip_letters(choices: Sequence[str]) -> list[str]:
    """The choices without "A. ", "B. " … before them, where each has its own letter."""
    marks = [_LETTERED.match(choice) for choice in choices]
    if all(mark and mark[1] == letter for mark, letter in zip(marks, CHOICE_LETTERS, strict=False)):
        return [choice[mark.end() :].strip() for choice, mark in zip(choices, marks, strict=True) if mark]
    return [choice.strip() for choice in choices]


def check_choices(choices: Sequence[str]) -> list[str]:
    """The choices, at least two and no two alike.

    Raises:
        ValueError: they are not.
    """
    if len(choices) < 2:
        raise ValueError(f"a multiple choice needs two choices or more, not {len(choices)}")
    if len({choice.casefold() for choice in choices}) < len(choices):
        raise ValueError("two of its choices are alike")
    return list(choices)
