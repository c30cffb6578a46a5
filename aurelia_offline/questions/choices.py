"""Finds the choice that means the answer, by numbers, sides, colours, kinds, yes and no; never by text similarity."""

import re
from typing import NamedTuple

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_offline.questions.lexicon import Token, list_values, split_words, tokenize

_ONE = re.compile(r"\bone\b", re.IGNORECASE)
_LETTER = re.compile(r"^\s*\(?([A-Za-z])[).:]\s+")
_YES = {"yes", "yeah", "yep", "true", "it does", "it is"}
_NO = {"no", "nope", "false"}
_NOTHING = {"nothing", "none", "neither", "nobody", "nowhere", "never"}
_HEIGHTS = {
    "low": {"low", "low-pitched", "deep", "bass", "hum", "humming", "drone", "rumble"},
    "high": {"high", "high-pitched", "shrill", "beep", "beeps", "beeping", "bleeps", "whistle", "squeak"},
}
_TOLERANCES = {"seconds": 0.25, "hertz": 40.0, "level": 3.0, "bpm": 4.0}
_UNIT_OF = {"s": "seconds", "ms": "seconds", "hz": "hertz", "khz": "hertz", "bpm": "bpm", "db": "level"}
_UNIT_SCALES = {"ms": 0.001, "khz": 1000.0}
_NUMERIC_KINDS = {"number", "seconds", "hertz", "level", "bpm"}
_WORD_KINDS = {"colour", "place", "voice", "ordinal", "trendword", "rel", "rank", "comp", "sync", "still", "same"}


class Value(NamedTuple):
    """One value of an answer: its kind (number, seconds, colour, ...) and its content as a number or word."""

    kind: str
    data: str | float | bool | int


class _Range(NamedTuple):
    unit: str | None
    low: float
    high: float


def _strip_letter(choice: str) -> str:
    """The choice without its letter: "A. left" is "left"."""
    return _LETTER.sub("", choice).strip()


def _read_numbers(found: list[Token]) -> list[tuple[float, str | None]]:
    values = []
    for at, token in enumerate(found):
        if token.kind == "number":
            following = None
            if at + 1 < len(found):
                following = found[at + 1]
            unit = None
            if following is not None and following.kind == "unit":
                unit = following.value
            values.append((float(token.value) * _UNIT_SCALES.get(unit or "", 1.0), _UNIT_OF.get(unit or "")))
    return values


def _read_negatives(text: str) -> list[float]:
    return [float(found) for found in re.findall(r"(?<![\w.])[-\u2212](\d+(?:\.\d+)?)", text)]


def _read_range(text: str, found: list[Token]) -> _Range | None:
    """The range of numbers that a choice allows, or None if it names no number."""
    values = _read_numbers(found)
    if not values:
        return None
    unit = next((unit for _, unit in reversed(values) if unit), None)
    numbers = [value for value, _ in values]
    if _read_negatives(text):
        numbers = [-abs(value) for value in numbers]
    if len(numbers) >= 2:
        return _Range(unit, min(numbers), max(numbers))
    bounds = {token.value for token in found if token.kind == "bound"}
    if "more" in bounds or "least" in bounds or re.search(r"\d\s*\+|or more", text):
        return _Range(unit, numbers[0] + 1e-6 * ("more" in bounds), float("inf"))
    if "less" in bounds or "most" in bounds:
        return _Range(unit, float("-inf"), numbers[0] - 1e-6 * ("less" in bounds))
    return _Range(unit, numbers[0], numbers[0])


def _plain(text: str) -> str:
    return " ".join(split_words(_strip_letter(text)))


def _read_yes_no(text: str) -> bool | None:
    plain = _plain(text)
    first = ""
    if plain:
        first = plain.split(" ")[0]
    if plain in _YES or first in {"yes", "true"}:
        return True
    if plain in _NO or first in {"no", "false"} and len(plain.split()) < 4:
        return False
    return None


def answer_kinds(choice: str) -> set[str]:
    """The kinds of values that a choice may state."""
    if _read_yes_no(choice) is not None:
        return {"bool"}
    found = tokenize(_strip_letter(choice))
    kinds = {token.kind for token in found if token.kind in _WORD_KINDS}
    kinds |= {unit or "number" for _, unit in _read_numbers(found)}
    return kinds


def _word_match(value: Value, choice: str) -> bool:
    """Whether a choice names this value and no other of the same kind."""
    text = {token.value for token in tokenize(_strip_letter(choice)) if token.kind == value.kind}
    if value.kind == "voice" and not text and "noise" in _plain(choice).split():
        text = {"noise"}
    return text == {str(value.data)}


def _numeric_fit(value: Value, choices: list[str]) -> list[str]:
    """The choices whose range contains the number; among exact numbers, the nearest one if it is clearly nearest."""
    number = float(value.data)
    exact: list[tuple[float, str]] = []
    inside: list[str] = []
    for choice in choices:
        # Where a number is asked for, "one" is a number.
        text = _ONE.sub("1", _strip_letter(choice))
        allowed = _read_range(text, tokenize(text))
        if allowed is None or allowed.unit not in (None, value.kind):
            continue
        if allowed.low == allowed.high:
            exact.append((abs(allowed.low - number), choice))
        elif allowed.low <= number <= allowed.high:
            inside.append(choice)
    if inside or not exact:
        return inside
    exact.sort()
    tolerance = 0.0
    if value.kind != "number":
        tolerance = max(_TOLERANCES[value.kind], 0.05 * abs(number))
    if len(exact) > 1:
        gap = exact[1][0] - exact[0][0]
        near = exact[0][0] <= tolerance and (gap > exact[0][0] or tolerance == 0.0)
    else:
        near = exact[0][0] <= tolerance
    if near:
        return [exact[0][1]]
    return []


def _fitting_choices(value: Value, choices: list[str]) -> list[str]:
    if value.kind == "bool":
        return [choice for choice in choices if _read_yes_no(choice) is bool(value.data)]
    if value.kind in _NUMERIC_KINDS:
        return _numeric_fit(value, choices)
    if value.kind == "letter":
        plain = {choice: split_words(choice) for choice in choices}
        return [c for c, text in plain.items() if str(value.data).lower() in text or _has_letter(c, str(value.data))]
    if value.kind == "sequence":
        return [choice for choice in choices if _read_sequence(choice) == value.data]
    if value.kind == "trendword":
        return [choice for choice in choices if list_values(_strip_letter(choice), "trendword") == {value.data}]
    if value.kind == "nothing":
        return [choice for choice in choices if set(split_words(_strip_letter(choice))) & _NOTHING]
    if value.kind == "phrase":
        return [choice for choice in choices if _plain(choice) == _plain(str(value.data))]
    if value.kind == "tone_height":
        tones = [choice for choice in choices if _word_match(Value("voice", "tone"), choice)]
        return [choice for choice in tones if _heights(choice) == {value.data}]
    if value.kind == "ordinal":
        return [choice for choice in choices if _ordinal_match(value, choice)]
    return [choice for choice in choices if _word_match(value, choice)]


def _heights(choice: str) -> set[str]:
    """Whether a choice speaks of a low or of a high tone; a word such as "high" goes before a hum or a beep."""
    words = set(_plain(choice).split())
    said = words & {"low", "high"}
    return said or {height for height, names in _HEIGHTS.items() if words & names}


def _read_sequence(choice: str) -> str:
    """The kinds or colours that a choice lists, in its order; "noise" alone is the kind here."""
    named = [
        t.value for t in tokenize(_strip_letter(choice)) if t.kind in {"voice", "colour"} or t.value == "noise_word"
    ]
    return " ".join(name.removesuffix("_word") for name in named)


def _ordinal_match(value: Value, choice: str) -> bool:
    text = {int(token.value) for token in tokenize(_strip_letter(choice)) if token.kind == "ordinal"}
    return text == {int(value.data)}


def _has_letter(choice: str, letter: str) -> bool:
    found = _LETTER.match(choice)
    return found is not None and found[1].upper() == letter.upper()


def choose_answer(values: list[Value], choices: list[str]) -> str:
    """The choice that the first applicable value means, or "unknown"; it never guesses."""
    for value in values:
        fitting = _fitting_choices(value, choices)
        if len(fitting) == 1:
            return fitting[0]
    return UNKNOWN
