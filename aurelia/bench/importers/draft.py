"""The draft of a record: the content of one annotation row, before ids, media and other rows are considered.

All kinds of annotations produce drafts; `aurelia.bench.importers.run` turns drafts into records.
"""

import json
import re
from abc import ABC, abstractmethod
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
    """The content of a row.

    Attributes:
        name: Parts of the record's id after the kind.
        own: Whether `name` alone identifies the record.
        video: Path of the video in the row, or None if a pattern gives it.
        has_video: False for a question about `audio` or `images` without a video.
        names: Fields that a pattern may use.
        notes: Corrections made.
    The others are as in `Record`; an empty category or licence is that of the kind.
    """

    name: tuple[str, ...]
    own: bool
    question: str
    answers: list[str]
    item: str = ""
    video: str | None = None
    has_video: bool = True
    names: dict[str, str] = field(default_factory=dict)
    audio: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    category: str = ""
    kinds: list[str] = field(default_factory=list)
    history: list[DialogueTurn] = field(default_factory=list)
    synonyms: dict[str, list[str]] = field(default_factory=dict)
    reasoning: list[ReferenceStep] = field(default_factory=list)
    licence: str = ""
    notes: list[str] = field(default_factory=list)


class RowPart(BaseModel):
    """Fields of a row, or of a part of one. Numbers are accepted as text; other fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True, str_strip_whitespace=True)


class RowModel(RowPart, ABC):
    """The fields of a kind's rows."""

    @abstractmethod
    def draft(self) -> Draft:
        """Converts the row into a draft.

        Raises:
            ValueError: The fields do not fit together; the message names them.
        """


def parse_json_list(value: Any) -> Any:
    """A list from a JSON string, as some files have it; any other value unchanged."""
    if isinstance(value, str):
        return json.loads(value)
    return value


def as_list(value: Any) -> Any:
    """A single text as a list of one; any other value unchanged."""
    if isinstance(value, str):
        return [value]
    return value


JsonList = Annotated[list[str], BeforeValidator(parse_json_list)]
OneOrMoreTexts = Annotated[list[NonEmptyText], BeforeValidator(as_list), Field(min_length=1)]


def find_choice(answer: str, choices: Sequence[str]) -> str:
    """The choice that a reference answer names, by its text or by its letter.

    Raises:
        ValueError: It names none of them.
    """
    for choice in choices:
        if choice.casefold() == answer.casefold():
            return choice
    letter = _LETTER.match(answer)
    if letter:
        index = CHOICE_LETTERS.index(letter[1].upper())
        if index < len(choices):
            return choices[index]
    raise ValueError(f"the answer {answer!r} is not one of the {len(choices)} choices")


def strip_letters(choices: Sequence[str]) -> list[str]:
    """The choices without their leading "A. ", "B. " …, if each has its own letter."""
    matches = [_LETTERED.match(choice) for choice in choices]
    if all(match and match[1] == letter for match, letter in zip(matches, CHOICE_LETTERS, strict=False)):
        return [choice[match.end() :].strip() for choice, match in zip(choices, matches, strict=True) if match]
    return [choice.strip() for choice in choices]


def check_choices(choices: Sequence[str]) -> list[str]:
    """Checks that there are at least two choices and that they differ.

    Raises:
        ValueError: There are fewer than two, or two are alike.
    """
    if len(choices) < 2:
        raise ValueError(f"a multiple choice needs two choices or more, not {len(choices)}")
    if len({choice.casefold() for choice in choices}) < len(choices):
        raise ValueError("two of its choices are alike")
    return list(choices)
