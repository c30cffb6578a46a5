"""User-made tables for the tasks whose files are not public: AV-Compositional, AV-Meme, AV-GeoIQ and DM-Match.

All four have the same columns, in CSV (`choice_1`, `choice_2`, …) or JSON (`choices`: a list).
"""

import re
from typing import Any, ClassVar

from pydantic import Field, model_validator

from aurelia.bench.importers.draft import Draft, RowModel, check_choices, find_choice
from aurelia.bench.records import NonEmptyText, ReferenceStep
from aurelia_core.answers.multiple_choice import CHOICE_LETTERS

MATCH_QUESTION = "Which of the four audio tracks fits the movements in the video?"
MATCH_TRACKS = 4
_NUMBERED = re.compile(r"(choice|audio|answer)_([1-9]\d?)")
_LISTS = {"choice": "choices", "audio": "audio", "answer": "answers"}


class PaperTaskRow(RowModel):
    """A row of a table: a question about a clip, open or with choices."""

    choice_needed: ClassVar[bool] = False

    id: str = ""
    video: str = ""
    video_id: str = ""
    audio: list[NonEmptyText] = []
    question: str = ""
    choices: list[NonEmptyText] = []
    answer: str = ""
    answers: list[NonEmptyText] = []
    synonyms: dict[str, list[NonEmptyText]] = {}
    category: str = ""
    kinds: list[NonEmptyText] = []
    reasoning: list[ReferenceStep] = []
    licence: str = ""
    unused: list[str] = Field(default=[], description="Columns of the row that are not used.")

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        found = {key: value for key, value in row.items() if not _NUMBERED.fullmatch(key) and value not in ("", None)}
        found |= {_LISTS[stem]: cells for stem in _LISTS if (cells := _numbered_cells(row, stem))}
        if isinstance(kinds := found.get("kinds"), str):
            found["kinds"] = [kind.strip() for kind in kinds.split("|") if kind.strip()]
        if isinstance(audio := found.get("audio"), str):
            found["audio"] = [audio]
        reasoning = found.get("reasoning")
        if isinstance(reasoning, str):
            reasoning = [reasoning]
        if isinstance(reasoning, list):
            found["reasoning"] = list(map(_as_step, reasoning))
        found["unused"] = sorted(found.keys() - cls.model_fields.keys())
        return found

    def draft(self) -> Draft:
        """Converts the row; the answer of a multiple choice may be its text or its letter."""
        if not (self.video or self.video_id):
            raise ValueError("it names no clip: give video (a path) or video_id")
        answers = [answer for answer in dict.fromkeys([self.answer, *self.answers]) if answer]
        choices = []
        if self.choices or self.choice_needed:
            choices = check_choices(self.choices)
        if not self.question:
            raise ValueError("its question is empty")
        if not answers:
            raise ValueError("its answer is empty")
        if choices:
            answers = list(dict.fromkeys(find_choice(answer, choices) for answer in answers))
        stem = self.video_id or self.video.rsplit(".", 1)[0]
        return Draft(
            name=(self.id or stem,),
            own=bool(self.id),
            item=self.id,
            video=self.video or None,
            names={"video": self.video, "video_id": self.video_id, "id": self.id},
            audio=self.audio,
            question=self.question,
            choices=choices,
            answers=answers,
            synonyms=self.synonyms,
            category=self.category,
            kinds=self.kinds,
            reasoning=self.reasoning,
            licence=self.licence,
            notes=[f"the column {name!r} is not used" for name in self.unused],
        )


class ChoiceRow(PaperTaskRow):
    """A row that must have choices."""

    choice_needed: ClassVar[bool] = True


class MatchRow(PaperTaskRow):
    """A silent dance and four audio tracks; the question and the choices ("audio A" … "audio D") may be left out."""

    def draft(self) -> Draft:
        """The answer may be a letter, a number from 1, or one of the four files."""
        if len(set(self.audio)) != MATCH_TRACKS:
            raise ValueError(f"four different audio files are needed, not {len(set(self.audio))}")
        named = {track: f"audio {letter}" for track, letter in zip(self.audio, CHOICE_LETTERS, strict=False)}
        named |= {str(place): f"audio {letter}" for place, letter in enumerate(CHOICE_LETTERS[:MATCH_TRACKS], 1)}
        choices = self.choices or list(named.values())[:MATCH_TRACKS]
        if len(choices) != MATCH_TRACKS:
            raise ValueError(f"four choices are needed for its four audio files, not {len(choices)}")
        answer = self.answer
        if answer in named:
            answer = choices[list(named.values()).index(named[answer])]
        row = {"question": self.question or MATCH_QUESTION, "choices": choices, "answer": answer}
        return PaperTaskRow.draft(self.model_copy(update=row))


def _as_step(step: Any) -> Any:
    """A step of the reasoning as a mapping; a text is its `text`."""
    if isinstance(step, str):
        return {"text": step}
    return step


def _numbered_cells(row: dict[str, Any], stem: str) -> list[Any]:
    by_number = {}
    for key, cell in row.items():
        match = _NUMBERED.fullmatch(key)
        if match and match[1] == stem:
            by_number[int(match[2])] = cell
    cells = [by_number[number] for number in sorted(by_number)]
    while cells and cells[-1] in ("", None):
        cells.pop()
    if any(cell in ("", None) for cell in cells):
        raise ValueError(f"an empty {stem} column precedes one that is not empty")
    return cells
