"""Turns the words of a question into tokens by the word lists of `words.toml`."""

import difflib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple

_WORD = re.compile(r"\d+(?:\.\d+)?|[a-z]+(?:'[a-z]+)?|,|;|:|\.|!|\?|/")
_ORDINAL_DIGITS = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_MAX_PHRASE_WORDS = 6
_UNKNOWN = "unknown"


class Token(NamedTuple):
    """One phrase: its kind (a section of the word lists, or number, comma, unknown), its value there, and its words."""

    kind: str
    value: str
    text: str


@cache
def _word_lists() -> dict[str, dict[str, list[str]]]:
    """The word lists of the file: kind -> value -> phrases."""
    text = resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def known_phrases() -> dict[tuple[str, ...], tuple[str, str]]:
    """All known phrases, as words -> (kind, value); the first list that names a phrase wins."""
    table: dict[tuple[str, ...], tuple[str, str]] = {}
    for kind, values in _word_lists().items():
        for value, listed in values.items():
            for phrase in listed:
                table.setdefault(tuple(phrase.split()), (kind, value))
    return table


@cache
def _vocabulary() -> frozenset[str]:
    return frozenset(word for phrase in known_phrases() for word in phrase)


@cache
def _single_words() -> frozenset[str]:
    return frozenset(phrase[0] for phrase in known_phrases() if len(phrase) == 1)


@cache
def _spellings() -> list[str]:
    return sorted(word for word in _vocabulary() if len(word) >= 4)


def _stems(word: str) -> Iterator[str]:
    """The word, then its possible base forms."""
    yield word
    for ending in ("'s", "s", "es", "ed", "d", "ing"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            yield stem
            if ending in ("ing", "ed"):
                yield stem + "e"
                if stem[-1] == stem[-2]:
                    yield stem[:-1]


@cache
def _listed_form(word: str) -> str:
    """The listed form of a word: itself, its stem, or the listed word that it misspells."""
    for listed in (_single_words(), _vocabulary()):
        for form in _stems(word):
            if form in listed:
                return form
    if len(word) >= 5 and word.isalpha():
        near = difflib.get_close_matches(word, _spellings(), n=1, cutoff=0.82)
        if near and near[0][0] == word[0]:
            return near[0]
    return word


def split_words(text: str) -> list[str]:
    """The plain lower-case words, numbers and commas of a text."""
    plain = text.lower().replace("\u2019", "'").replace("\u2018", "'")
    plain = re.sub(r"(?<=[a-z])-(?=[a-z])", " ", plain)
    plain = _ORDINAL_DIGITS.sub(lambda found: _ordinal_name(int(found[1])), plain)
    plain = re.sub(r"(?<=\d)(?=[a-z])", " ", plain)
    return _WORD.findall(plain)


def _ordinal_name(number: int) -> str:
    named = {
        value: phrase[0] for phrase, (kind, value) in known_phrases().items() if kind == "ordinal" and len(phrase) == 1
    }
    return named.get(str(number), f"{number}")


def _is_unit(tokens: list[Token], word: str) -> bool:
    return bool(tokens) and tokens[-1].kind == "number" and (word,) in _units()


@cache
def _units() -> dict[tuple[str, ...], str]:
    return {tuple(phrase.split()): unit for unit, names in _word_lists()["unit"].items() for phrase in names}


def _longest_phrase(listed: list[str], at: int) -> Token | None:
    """The longest known phrase that starts at a word: first as written, then by the listed forms of its words."""
    bases = [_listed_form(word) for word in listed[at : at + _MAX_PHRASE_WORDS]]
    for length in range(min(_MAX_PHRASE_WORDS, len(bases)), 0, -1):
        exact = tuple(listed[at : at + length])
        for phrase in (exact, tuple(bases[:length]), (*exact[:-1], bases[length - 1])):
            if phrase in known_phrases():
                kind, value = known_phrases()[phrase]
                return Token(kind, value, " ".join(exact))
    return None


def tokenize(text: str) -> list[Token]:
    """The tokens of a text; a word in no list has the kind `unknown`."""
    listed = split_words(text)
    found: list[Token] = []
    at = 0
    while at < len(listed):
        word = listed[at]
        if word[0].isdigit():
            token: Token | None = Token("number", word, word)
        elif word in {",", ";", ":", ".", "!", "?", "/"}:
            token = Token("comma", word, word)
            if word == "/":
                token = Token("conj", "or", word)
        elif _is_unit(found, word):
            token = Token("unit", _units()[(word,)], word)
        else:
            token = _longest_phrase(listed, at)
        token = token or Token(_UNKNOWN, word, word)
        found.append(token)
        at += max(1, len(token.text.split()))
    return found


def list_values(text: str, kind: str) -> set[str]:
    """The values of one list for the single words of a text, regardless of other meanings of these words."""
    listed = {phrase: value for value, names in _word_lists()[kind].items() for phrase in names}
    return {listed[form] for word in split_words(text) for form in _stems(word) if form in listed}
