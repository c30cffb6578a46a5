"""The benchmark record: one question about one clip with its reference answers, one JSON object a line.

It reads and writes records and nothing else: importers make them, the runner asks them, metrics score their answers.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aurelia_core.answers.tokens import comparison_key
from aurelia_core.errors import InputError
from aurelia_core.types import Modality

Task = Literal["av-qa", "av-captioning", "av-compositional", "av-geoiq", "av-meme", "dm-match"]
Column = Literal["music-avqa", "avsd", "av-captioning", "av-compositional", "av-geoiq", "av-meme", "dm-match", "other"]
COLUMNS: dict[Column, Task] = {
    "music-avqa": "av-qa",
    "avsd": "av-qa",
    "av-captioning": "av-captioning",
    "av-compositional": "av-compositional",
    "av-geoiq": "av-geoiq",
    "av-meme": "av-meme",
    "dm-match": "dm-match",
    "other": "av-qa",
}
NonEmptyText = Annotated[str, Field(min_length=1, pattern=r"\S")]


class _StrictModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DialogueTurn(_StrictModel):
    """One earlier question of a dialogue about the clip, and its answer."""

    question: NonEmptyText
    answer: NonEmptyText


class ReferenceStep(_StrictModel):
    """One step of the reference reasoning; `start` and `end` are seconds, `modality` is what it rests on, if known."""

    text: NonEmptyText
    start: float | None = Field(default=None, ge=0)
    end: float | None = Field(default=None, ge=0)
    modality: Modality | None = None


class RecordSource(_StrictModel):
    """Where the record comes from: the data set, its split, and the item's own name and place there."""

    dataset: NonEmptyText
    split: str = ""
    item: str = Field(default="", description="The item's own id in the data set.")
    row: int | None = Field(default=None, ge=0, description="Its place in the annotation file, from 0.")


def question_with_history(history: Iterable[tuple[str, str]], question: str) -> str:
    """A question as it is put after a dialogue of (question, answer) pairs; itself where there is none."""
    said = "\n".join(f"Q: {asked}\nA: {answer}" for asked, answer in history)
    return f"The dialogue about this clip so far:\n{said}\nThe question now: {question}" if said else question


class Record(_StrictModel):
    """One question of the benchmark.

    Attributes:
        id: its name, the same in every import of the same file; unique in a benchmark file.
        column: which of Table 1's seven columns it counts for, or `other` for a data set outside the paper; the task
            (of six) follows from it.
        category: one of the paper's 17 categories (Table 2), or another name; may be empty.
        kinds: the kinds of question as the data set names them, for instance ["Audio", "Counting"].
        video: the video's path under the media folder, or a clip's id.
        audio: separate sound tracks: one replaces the clip's own, several are candidates (four in DM-Match).
        question: the question itself.
        history: the dialogue before it, oldest first (AVSD).
        choices: the options of a multiple choice; empty for an open question.
        answers: the reference answers, one or several; of a multiple choice the text of the right options.
        synonyms: other words that count as a reference answer, by answer.
        reasoning: the reference reasoning; may be empty.
        source: where it comes from.
        licence: that of the annotation (SPDX where there is one; "unknown" otherwise).
        conflicts: ids of records with the same clip and question and another answer.
        missing: those of `video` and `audio` that were not there when it was imported.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,199}$")]
    column: Column
    category: str = ""
    kinds: list[str] = []
    video: NonEmptyText
    audio: list[NonEmptyText] = Field(default=[], max_length=8)
    question: NonEmptyText
    history: list[DialogueTurn] = []
    choices: list[NonEmptyText] = []
    answers: list[NonEmptyText] = Field(min_length=1)
    synonyms: dict[str, list[NonEmptyText]] = {}
    reasoning: list[ReferenceStep] = []
    source: RecordSource
    licence: NonEmptyText = "unknown"
    conflicts: list[str] = []
    missing: list[str] = []

    @property
    def task(self) -> Task:
        """The task, of six, that its column belongs to."""
        return COLUMNS[self.column]

    def asked(self) -> str:
        """The question as it is put to a model: the dialogue so far, if any, before it."""
        return question_with_history(((turn.question, turn.answer) for turn in self.history), self.question)

    @property
    def right(self) -> frozenset[int]:
        """The places of the right options, from 0; empty for an open question."""
        texts, keys = (
            {text.casefold().strip() for text in self.answers},
            {comparison_key(text) for text in self.answers},
        )
        exact = {place for place, choice in enumerate(self.choices) if choice.casefold().strip() in texts}
        return frozenset(
            exact or {place for place, choice in enumerate(self.choices) if comparison_key(choice) in keys}
        )

    @model_validator(mode="after")
    def _answered_by_a_choice(self) -> "Record":
        if self.choices and not self.right:
            raise ValueError(f"the reference answer {self.answers[0]!r} is none of the choices")
        return self

    def line(self) -> str:
        """The record as one line of JSON, without what is at its default."""
        return json.dumps(self.model_dump(exclude_defaults=True), ensure_ascii=False)


def describe_validation_error(error: ValidationError) -> str:
    """What a validation found wrong, in one line: the first three faults, each with its field."""
    return "; ".join(f"{'.'.join(map(str, f['loc'])) or 'record'}: {f['msg']}" for f in error.errors()[:3])


def record_schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    return Record.model_json_schema()


def read_records(path: Path) -> Iterator[Record]:
    """The records of a JSONL file, in order; blank lines are passed over.

    Raises:
        InputError: the file is not there, a line is no record, or an id stands there twice; it names the line.
    """
    if not path.is_file():
        raise InputError(f"There is no benchmark file {path.name!r}: check its path, or make one with bench import.")
    seen: dict[str, int] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            record = _parse_record(line, f"{path.name}, line {number}")
            if record.id in seen:
                raise InputError(
                    f"{path.name}, line {number}: the id {record.id!r} stands in line {seen[record.id]} too."
                )
            seen[record.id] = number
            yield record


def write_records(records: Iterable[Record], path: Path) -> int:
    """Writes a JSONL file, whole or not at all, and says how many records it holds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    count = 0
    with part.open("w", encoding="utf-8") as out:
        for record in records:
            out.write(f"{record.line()}\n")
            count += 1
    part.replace(path)
    return count


def _parse_record(line: str, where: str) -> Record:
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        raise InputError(f"{where} is no benchmark record: {describe_validation_error(error)}.") from None
