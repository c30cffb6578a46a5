"""The rows of published data sets: MUSIC-AVQA, AVSD, VALOR-32K, Valor32k-AVQA and Daily-Omni.

Each class is one row format and converts a row into a draft. `aurelia.bench.importers.run` adds ids and checks media.
"""

import re
from typing import Any

from pydantic import AliasChoices, Field, model_validator

from aurelia.bench.importers.draft import (
    Draft,
    JsonList,
    OneOrMoreTexts,
    RowModel,
    RowPart,
    check_choices,
    find_choice,
    strip_letters,
)
from aurelia.bench.records import DialogueTurn, NonEmptyText, ReferenceStep

CAPTION_QUESTION = "Describe in one sentence what is seen and heard in this clip."
_BLANK = re.compile(r"<[A-Za-z]+>")
_UNDISCLOSED = "__UNDISCLOSED__"


class MusicAvqaRow(RowModel):
    """MUSIC-AVQA: the key of the answer is `anser`; `type` and `templ_values` are lists in JSON strings."""

    video_id: NonEmptyText
    question_id: NonEmptyText
    type: JsonList
    question_content: NonEmptyText
    templ_values: JsonList
    anser: NonEmptyText = Field(validation_alias=AliasChoices("anser", "answer"))

    def draft(self) -> Draft:
        """The question with its placeholders filled in order; underscores in values and answer become spaces."""
        blanks = len(_BLANK.findall(self.question_content))
        if blanks != len(self.templ_values):
            raise ValueError(f"the question has {blanks} placeholders and templ_values {len(self.templ_values)} values")
        values = iter(value.replace("_", " ") for value in self.templ_values)
        return Draft(
            name=(self.video_id, self.question_id),
            own=True,
            item=self.question_id,
            names={"video_id": self.video_id},
            kinds=self.type,
            question=_BLANK.sub(lambda _: next(values), self.question_content),
            answers=[self.anser.replace("_", " ")],
        )


class _AvsdReason(RowPart):
    timestamp: list[float] = Field(min_length=2, max_length=2)
    sentence: NonEmptyText


class _AvsdTurn(RowPart):
    question: NonEmptyText
    answer: OneOrMoreTexts
    reason: list[_AvsdReason] = []


class AvsdRow(RowModel):
    """AVSD at DSTC10: a dialogue about a clip. The last turn is the question, with references and timed reasons."""

    image_id: NonEmptyText
    dialog: list[_AvsdTurn] = Field(min_length=1)

    def draft(self) -> Draft:
        """The last turn with the dialogue before it; reversed times of a reason are put in order."""
        *before, last = self.dialog
        if _UNDISCLOSED in last.answer:
            raise ValueError("its last answer is not disclosed in this file: use the file with the references")
        reversed_times = sum(reason.timestamp != sorted(reason.timestamp) for reason in last.reason)
        return Draft(
            name=(self.image_id,),
            own=True,
            item=self.image_id,
            names={"video_id": self.image_id},
            question=last.question,
            history=[DialogueTurn(question=turn.question, answer=_single_answer(turn)) for turn in before],
            answers=last.answer,
            reasoning=[
                ReferenceStep(text=reason.sentence, start=min(reason.timestamp), end=max(reason.timestamp))
                for reason in last.reason
            ],
            notes=["the times of a reason are reversed; they were put in order"] * reversed_times,
        )


def _single_answer(turn: _AvsdTurn) -> str:
    if len(turn.answer) > 1:
        raise ValueError("a turn before the last has several answers")
    return turn.answer[0]


class _ValorClipRow(RowModel):
    """A clip of VALOR-32K: tables have the video and the times in separate columns, lists have one clip name."""

    video_id: NonEmptyText
    start_time: str = ""
    end_time: str = ""

    @property
    def clip(self) -> str:
        if not self.start_time:
            return self.video_id
        return f"{self.video_id}_{self.start_time}_{self.end_time}"

    @property
    def names(self) -> dict[str, str]:
        return {"video_id": self.clip, "start_time": self.start_time, "end_time": self.end_time}


class ValorRow(_ValorClipRow):
    """VALOR-32K: a caption of a clip; its key is `desc` in the lists and `caption` in the tables."""

    desc: OneOrMoreTexts = Field(validation_alias=AliasChoices("desc", "caption"))

    def draft(self) -> Draft:
        """A captioning question; several captions of one clip are its references."""
        return Draft(
            name=(self.clip,), own=True, item=self.clip, names=self.names, question=CAPTION_QUESTION, answers=self.desc
        )


class ValorQaRow(_ValorClipRow):
    """Valor32k-AVQA: multiple choice. Version 1 is a table with `mcq_1` … `mcq_4`, version 2 a list with `options`."""

    question: NonEmptyText
    options: list[NonEmptyText]
    correct_answer_idx: int = Field(ge=0)
    rephrased_answers: list[NonEmptyText] = []
    modality: NonEmptyText
    category: NonEmptyText

    @model_validator(mode="before")
    @classmethod
    def _from_table(cls, row: Any) -> Any:
        if not isinstance(row, dict) or "mcq_1" not in row:
            return row
        return {
            **row,
            "options": [row.get(f"mcq_{place}", "") for place in range(1, 5)],
            "correct_answer_idx": row.get("correct_mcq"),
            "rephrased_answers": [text for place in range(1, 4) if (text := row.get(f"answer_{place}"))],
            "modality": row.get("mode"),
            "category": row.get("type"),
        }

    def draft(self) -> Draft:
        """A multiple choice; the rephrased answers are synonyms of the right one."""
        choices = check_choices(self.options)
        if self.correct_answer_idx >= len(choices):
            raise ValueError(f"the right option is number {self.correct_answer_idx} (from 0) of {len(choices)}")
        answer = choices[self.correct_answer_idx]
        others = [text for text in dict.fromkeys(self.rephrased_answers) if text.casefold() != answer.casefold()]
        synonyms = {}
        if others:
            synonyms[answer] = others
        return Draft(
            name=(self.clip,),
            own=False,
            item=self.clip,
            names=self.names,
            kinds=[self.modality, self.category],
            question=self.question,
            choices=choices,
            answers=[answer],
            synonyms=synonyms,
        )


class DailyOmniRow(RowModel):
    """Daily-Omni: four choices with letters; some rows explain the answer (the key has two spellings)."""

    video_id: NonEmptyText
    question: NonEmptyText = Field(validation_alias="Question")
    choices: list[NonEmptyText] = Field(validation_alias="Choice")
    answer: NonEmptyText = Field(validation_alias="Answer")
    kind: NonEmptyText = Field(validation_alias="Type")
    category: str = Field(default="", validation_alias="video_category")
    why: str = Field(default="", validation_alias=AliasChoices("Explaination", "Explanation"))

    def draft(self) -> Draft:
        """A multiple choice, without the letters of its choices; the video's category is the record's."""
        choices = check_choices(strip_letters(self.choices))
        reasoning = []
        if self.why:
            reasoning.append(ReferenceStep(text=self.why))
        return Draft(
            name=(self.video_id,),
            own=False,
            item=self.video_id,
            names={"video_id": self.video_id},
            category=self.category,
            kinds=[self.kind],
            question=self.question,
            choices=choices,
            answers=[find_choice(self.answer, choices)],
            reasoning=reasoning,
        )
