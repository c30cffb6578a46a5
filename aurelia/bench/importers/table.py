"""Rows of any table as drafts of records, by a mapping of the record's fields to the table's columns.

A mapping comes from `--map FIELD=COLUMN` or from a small TOML file. A column is named by its name, by a path
("answer.text"), by a pattern ("clips/{id}.mp4", "{path:name}" for the last part of a path, "{key:from0}" for an answer
that counts the choices from 0) or as a constant ("=Yes|No"). Several columns are separated by commas, alternatives by
"|": the first that has a value counts.
"""

import difflib
import fnmatch
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aurelia.bench.importers.draft import Draft, check_choices, find_choice, strip_letters
from aurelia.bench.importers.rows import AnnotationRow
from aurelia.bench.records import ReferenceStep
from aurelia_core.errors import InputError
from aurelia_core.types import Modality

FIELDS = (
    "id",
    "video",
    "images",
    "audio",
    "question",
    "choices",
    "answer",
    "category",
    "kinds",
    "reasoning",
    "subtitles",
    "rows",
)
"""The fields that a mapping may name; `rows` names nested questions (a list, or objects such as "task*")."""
NEEDED = ("question", "answer")
MEDIA = ("video", "images", "audio")
_PLACE = re.compile(r"\{([\w. -]+)(:name|:from[01])?\}")
_COUNTED = re.compile(r":from([01])\}")
_OPTION_LINE = re.compile(r"^\s*\(?([A-Z])[.):]\s*(\S.*)$")
_NOUN = re.compile(r"^\s*(?:option|choice|answer)\s+(?=\(?[A-Z]\b)", re.IGNORECASE)
_TIME_LINE = re.compile(r"^\s*(?:\d+|[\d:.,]+ --> .*|WEBVTT.*)?\s*$")
_MARKUP = re.compile(r"<[^>]+>")
_MODALITIES: dict[str, Modality] = {
    "audio": "audio",
    "sound": "audio",
    "speech": "audio",
    "a": "audio",
    "vision": "visual",
    "visual": "visual",
    "video": "visual",
    "v": "visual",
    "both": "both",
    "av": "both",
    "audio-visual": "both",
}
_STEP_TEXTS = ("text", "sentence", "step", "evidence", "inference", "description")


@dataclass(frozen=True)
class TableMapping:
    """Columns by field of the record; see the module for how a column is named."""

    columns: Mapping[str, str]

    @classmethod
    def parse(cls, given: Iterable[str]) -> "TableMapping":
        """A mapping from "field=column" texts and names of TOML files; a later one replaces an earlier one.

        Raises:
            InputError: A text has no "=", a field is unknown or missing, or a file cannot be read.
        """
        columns: dict[str, str] = {}
        for text in given:
            if text.endswith(".toml") and "=" not in text:
                columns |= _read_mapping(Path(text))
                continue
            field, equals, column = text.partition("=")
            if not equals or not column:
                raise InputError(f"--map {text!r} cannot be used: write FIELD=COLUMN, for instance question=Question.")
            columns[field.strip()] = column.strip()
        return cls.checked(columns, "--map")

    @classmethod
    def checked(cls, columns: Mapping[str, str], where: str) -> "TableMapping":
        """A mapping with known fields, and with those that a record needs.

        Raises:
            InputError: A field is unknown or missing; the message names it and `where` it stands.
        """
        unknown = [field for field in columns if field not in FIELDS]
        if unknown:
            raise InputError(f"{where}: there is no field {unknown[0]!r}; the fields are {', '.join(FIELDS)}.")
        missing = [field for field in NEEDED if field not in columns]
        if not any(field in columns for field in MEDIA):
            missing.append("video")
        if missing:
            raise InputError(
                f"{where}: {missing[0]!r} has no column. Say where it is, for instance --map {missing[0]}=COLUMN."
            )
        return cls(dict(columns))

    def to_toml(self) -> str:
        """The mapping as a TOML file that `parse` reads."""
        return "".join(
            f"{field} = {json.dumps(column, ensure_ascii=False)}\n" for field, column in self.columns.items()
        )

    def expand(self, rows: Iterable[AnnotationRow]) -> list[AnnotationRow]:
        """The rows with nested questions as rows of their own, which have the outer fields too; numbered anew."""
        nested = self.columns.get("rows")
        if nested is None:
            return list(rows)
        found: list[AnnotationRow] = []
        for row in rows:
            for fields in _nested(row.fields, nested.split("|")) or [row.fields]:
                found.append(AnnotationRow(len(found), row.line, fields, row.fault))
        return found

    def draft(self, fields: Mapping[str, Any], media: Path) -> Draft:
        """A row as a draft.

        Args:
            fields: The row.
            media: Folder of the clips, where subtitles are read.

        Raises:
            ValueError: A needed column has no value, or the fields do not fit together.
        """
        answers = _texts(self._value(fields, "answer"))
        if not answers:
            raise ValueError(self._lacking("answer", fields))
        choices = self._choices(fields, answers)
        notes = []
        if choices:
            counted = _COUNTED.search(self.columns["answer"])
            if counted:
                answers = [_numbered(answer, choices, int(counted[1])) for answer in answers]
            else:
                answers = [_find_answer(answer, choices) for answer in answers]
            different = list({choice.casefold(): choice for choice in reversed(choices)}.values())[::-1]
            if len(different) < len(choices):
                notes = ["a choice stands twice; once is kept"]
            choices = check_choices(different)
        media_names = {field: _paths(self._value(fields, field)) for field in MEDIA}
        question = " ".join(_texts(self._value(fields, "question")))
        if not any(media_names.values()):
            raise ValueError(self._lacking(next(field for field in MEDIA if field in self.columns), fields))
        if not question:
            raise ValueError(self._lacking("question", fields))
        first = next(names[0] for names in media_names.values() if names)
        name = _texts(self._value(fields, "id"))
        return Draft(
            name=tuple(name) or (Path(first).stem,),
            own=bool(name),
            item=":".join(name),
            video=next(iter(media_names["video"]), None),
            has_video=bool(media_names["video"]),
            images=media_names["images"],
            audio=media_names["audio"],
            question=self._with_subtitles(question, fields, media),
            choices=choices,
            answers=answers,
            category=" ".join(_texts(self._value(fields, "category"))),
            kinds=_texts(self._value(fields, "kinds")),
            reasoning=list(_steps(self._value(fields, "reasoning"))),
            names={name: str(value) for name, value in fields.items() if isinstance(value, str | int)},
            notes=notes,
        )

    def _value(self, fields: Mapping[str, Any], field: str) -> Any:
        column = self.columns.get(field, "")
        return _column_value(fields, column)

    def _lacking(self, field: str, fields: Mapping[str, Any]) -> str:
        return f"it has no {field} in {self.columns[field]!r}; its columns are {', '.join(map(str, fields))}"

    def _choices(self, fields: Mapping[str, Any], answers: list[str]) -> list[str]:
        """The choices without their letters; constant ones only for an answer that is one of them."""
        column = self.columns.get("choices", "")
        choices = _split_choices(self._value(fields, "choices"))
        if column.startswith("=") and answers[0].casefold() not in {choice.casefold() for choice in choices}:
            return []
        if len(choices) == 1:
            raise ValueError(f"its choices {choices[0][:60]!r} are one text: separate them by '|', ';' or lines")
        return _bare_choices(choices)

    def _with_subtitles(self, question: str, fields: Mapping[str, Any], media: Path) -> str:
        names = _texts(self._value(fields, "subtitles"))
        if not names:
            return question
        path = media / _plain_path(names[0])
        if ".." in path.relative_to(media).parts or not path.is_file():
            raise ValueError(f"its subtitles {names[0]!r} are not in the media folder")
        said = _subtitle_text(path.read_text(encoding="utf-8-sig", errors="replace"))
        return f"This video's subtitles are listed below:\n{said}\n{question}"


def _read_mapping(path: Path) -> dict[str, str]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise InputError(f"--map {path.name} cannot be read: {fault}.") from None
    return {field: str(column) for field, column in found.items()}


def _nested(fields: Mapping[str, Any], names: list[str]) -> list[dict[str, Any]]:
    """The nested questions of a row, each with the row's other fields."""
    keys = [key for key in fields if any(fnmatch.fnmatchcase(key, name) for name in names)]
    inner: list[Any] = []
    for key in keys:
        value = fields[key]
        if isinstance(value, list):
            inner += value
        elif isinstance(value, Mapping):
            inner.append(value)
    outer = {key: value for key, value in fields.items() if key not in keys}
    return [{**outer, **one} for one in inner if isinstance(one, Mapping)]


def _column_value(fields: Mapping[str, Any], column: str) -> Any:
    """The value of the first alternative that has one; None without any."""
    if column.startswith("="):
        return column[1:].split("|")
    for alternative in column.split("|"):
        names = [name.strip() for name in alternative.split(",")]
        values = [value for name in names if (value := _one_value(fields, name)) not in (None, "", [])]
        if not values:
            continue
        if len(names) == 1:
            return values[0]
        return [item for value in values for item in (value if isinstance(value, list) else [value])]
    return None


def _one_value(fields: Mapping[str, Any], name: str) -> Any:
    if "{" not in name:
        return _at_path(fields, name)
    filled = name
    for match in _PLACE.finditer(name):
        value = _at_path(fields, match[1])
        if value in (None, ""):
            return None
        text = str(value)
        if match[2] == ":name":
            text = text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
        filled = filled.replace(match[0], text)
    return filled


def _at_path(fields: Mapping[str, Any], name: str) -> Any:
    if name in fields:
        return fields[name]
    value: Any = fields
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _texts(value: Any) -> list[str]:
    """A value as texts, without empty ones; a path or text of an object (`path`, `text`)."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        value = value.get("path") or value.get("text")
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    text = str(value).strip()
    if isinstance(value, float) and value.is_integer():
        text = str(int(value))
    return [text] if text and text != "None" else []


def _split_choices(value: Any) -> list[str]:
    """Choices from a list, an object by letter, a list written as text, lines, or a line with letters, "|" or ";"."""
    if isinstance(value, Mapping):
        return [f"{key}. {text}" for key, text in value.items() if text not in (None, "")]
    if not isinstance(value, str):
        return _texts(value)
    text = value.strip()
    if text.startswith("[") and text.endswith("]"):
        return _written_list(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        lines = [part.strip(" ;,|") for part in re.split(r"\s+(?=\(?[A-Z][.):]\s)", text)]
    if len(lines) == 1:
        lines = [part.strip() for part in re.split(r"[|;]", text) if part.strip()]
    return lines


def _written_list(text: str) -> list[str]:
    """A list in a text, as JSON or as Python writes it."""
    try:
        return _texts(json.loads(text))
    except ValueError:
        pass
    quoted = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", text)
    found = [re.sub(r"\\(.)", r"\1", single or double) for single, double in quoted]
    if not found:
        raise ValueError(f"its choices {text[:60]!r} are not a list")
    return found


def _bare_choices(choices: list[str]) -> list[str]:
    """The choices without letters, with or without a space after the mark ("A.left")."""
    matches = [_OPTION_LINE.match(choice) for choice in choices]
    letters = [match[1] for match in matches if match]
    if len(letters) == len(choices) and letters == [chr(ord("A") + place) for place in range(len(choices))]:
        return [match[2].strip() for match in matches if match]
    return strip_letters(choices)


def _find_answer(answer: str, choices: list[str]) -> str:
    """The choice that an answer names: by text, by letter, or by letter and text."""
    if answer.casefold() in {choice.casefold() for choice in choices}:
        return find_choice(answer, choices)
    if answer.isdecimal():
        raise ValueError(
            f"the answer {answer!r} is not one of the {len(choices)} choices; if it counts them, map the answer with "
            "'{COLUMN:from0}' or '{COLUMN:from1}'"
        )
    answer = _NOUN.sub("", answer)
    lettered = _OPTION_LINE.match(answer)
    return find_choice(lettered[1] if lettered else answer.strip("<>() "), choices)


def _numbered(answer: str, choices: list[str], first: int) -> str:
    """The choice whose number an answer is; `first` is the number of the first choice."""
    place = int(answer) - first if answer.isdecimal() else -1
    if not 0 <= place < len(choices):
        raise ValueError(f"the answer {answer!r} is no number of its {len(choices)} choices, counted from {first}")
    return choices[place]


def _paths(value: Any) -> list[str]:
    return [_plain_path(name) for name in _texts(value)]


def _plain_path(name: str) -> str:
    return name.removeprefix("./")


def _steps(value: Any) -> Iterator[ReferenceStep]:
    """The reference reasoning: texts, or objects with a text (evidence and inference are joined) and a modality."""
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if isinstance(entry, Mapping):
            said = " ".join(str(entry[name]).strip() for name in _STEP_TEXTS if entry.get(name))
            modality = _modality(str(entry.get("modality", "")))
            if said:
                yield ReferenceStep(text=said, modality=modality)
        elif isinstance(entry, str) and entry.strip():
            yield ReferenceStep(text=entry.strip())


def _modality(name: str) -> Modality | None:
    """The modality that a name means, also with a slip ("aduio", "vision."); None for any other name."""
    near = difflib.get_close_matches(name.casefold().strip(" .,"), _MODALITIES, n=1, cutoff=0.75)
    return _MODALITIES[near[0]] if near else None


def _subtitle_text(text: str) -> str:
    """The words of an SRT or WebVTT file, one line each, without numbers, times and markup."""
    lines = [_MARKUP.sub("", line).strip() for line in text.splitlines() if not _TIME_LINE.match(line)]
    return "\n".join(dict.fromkeys(line for line in lines if line))
