"""The benchmark record: one question about one clip with its reference answers, one JSON object a line (JSONL).

Importers make records, the runner asks their questions, and metrics score the answers.
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
    """One step of the reference reasoning: `start` and `end` in seconds, `modality` that it rests on, if known."""

    text: NonEmptyText
    start: float | None = Field(default=None, ge=0)
    end: float | None = Field(default=None, ge=0)
    modality: Modality | None = None


class RecordSource(_StrictModel):
    """Origin of the record: the data set, its split, and the item's name and row there."""

    dataset: NonEmptyText
    split: str = ""
    item: str = Field(default="", description="The item's own id in the data set.")
    row: int | None = Field(default=None, ge=0, description="Its row in the annotation file, from 0.")


def question_with_history(history: Iterable[tuple[str, str]], question: str) -> str:
    """A question preceded by its dialogue of (question, answer) pairs; the question alone if there is none."""
    dialogue = "\n".join(f"Q: {asked}\nA: {answer}" for asked, answer in history)
    if not dialogue:
        return question
    return f"The dialogue about this clip so far:\n{dialogue}\nThe question now: {question}"


class Record(_StrictModel):
    """One question of the benchmark.

    Attributes:
        id: Unique name in a benchmark file, the same in every import of the same annotations.
        column: Column of Table 1 (one of seven) that it counts for, or `other` for a data set outside the paper; the
            task (one of six) follows from it.
        category: One of the paper's 17 categories (Table 2), or another name; may be empty.
        kinds: Kinds of question in the data set's terms, for instance ["Audio", "Counting"].
        video: Path of the video under the media folder, or a clip's id; null for a question about sounds or images
            alone.
        audio: Sounds: beside a video, one replaces the clip's own and several are candidates (four in DM-Match);
            without a video, the sounds that the question is about, or its options. A model is told their letters,
            Sound A, Sound B, in this order.
        images: Still pictures (png, jpeg or webp), alone or with a video or sounds. A model is told their numbers,
            Image 1, Image 2, in this order.
        question: The question itself.
        history: The dialogue before it, oldest first (AVSD).
        choices: Options of a multiple choice; empty for an open question.
        answers: Reference answers, at least one; for a multiple choice the text of the right options.
        synonyms: Other words that count as a reference answer, by answer.
        reasoning: Reference reasoning; may be empty.
        source: Origin of the record.
        licence: Licence of the annotation (its SPDX id if there is one, or "unknown").
        conflicts: Ids of records with the same clip and question but another answer.
        missing: Media files that were missing at import.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/#-]{0,199}$")]
    column: Column
    category: str = ""
    kinds: list[str] = []
    video: NonEmptyText | None = None
    audio: list[NonEmptyText] = Field(default=[], max_length=8)
    images: list[NonEmptyText] = Field(default=[], max_length=16)
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
        """The task (one of six) of its column."""
        return COLUMNS[self.column]

    @property
    def media_names(self) -> list[str]:
        """The names of all its media, the main one first."""
        return [*filter(None, [self.video]), *self.images, *self.audio]

    @property
    def clip_name(self) -> str:
        """The name of its main medium, which groups the questions about one clip."""
        return self.media_names[0]

    def full_question(self) -> str:
        """The question that a model gets, with the dialogue before it."""
        return question_with_history(((turn.question, turn.answer) for turn in self.history), self.question)

    @property
    def correct_choices(self) -> frozenset[int]:
        """Indices of the right options, from 0; empty for an open question."""
        texts = {text.casefold().strip() for text in self.answers}
        exact = frozenset(index for index, choice in enumerate(self.choices) if choice.casefold().strip() in texts)
        if exact:
            return exact
        keys = {comparison_key(text) for text in self.answers}
        return frozenset(index for index, choice in enumerate(self.choices) if comparison_key(choice) in keys)

    @model_validator(mode="after")
    def _check_media(self) -> "Record":
        if not self.media_names:
            raise ValueError("it names no media: give video, images or audio")
        return self

    @model_validator(mode="after")
    def _check_answer_is_a_choice(self) -> "Record":
        if self.choices and not self.correct_choices:
            raise ValueError(f"the reference answer {self.answers[0]!r} is none of the choices")
        return self

    def to_json_line(self) -> str:
        """The record as one line of JSON, without default values."""
        return json.dumps(self.model_dump(exclude_defaults=True), ensure_ascii=False)


def describe_validation_error(error: ValidationError) -> str:
    """The first three errors of a validation in one line, each with its field."""
    lines = []
    for detail in error.errors()[:3]:
        field = ".".join(map(str, detail["loc"])) or "record"
        lines.append(f"{field}: {detail['msg']}")
    return "; ".join(lines)


def record_schema() -> dict[str, Any]:
    """The JSON schema of a record."""
    return Record.model_json_schema()


def read_records(path: Path) -> Iterator[Record]:
    """Reads the records of a JSONL file in order; skips blank lines.

    Raises:
        InputError: The file is missing, a line is not a record, or an id occurs twice; the message names the line.
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
                raise InputError(f"{path.name}, line {number}: the id {record.id!r} is also in line {seen[record.id]}.")
            seen[record.id] = number
            yield record


def write_records(records: Iterable[Record], path: Path) -> int:
    """Writes a JSONL file, completely or not at all; returns the number of records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    count = 0
    with part.open("w", encoding="utf-8") as out:
        for record in records:
            out.write(f"{record.to_json_line()}\n")
            count += 1
    part.replace(path)
    return count


def _parse_record(line: str, where: str) -> Record:
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        raise InputError(f"{where} is not a benchmark record: {describe_validation_error(error)}.") from None
