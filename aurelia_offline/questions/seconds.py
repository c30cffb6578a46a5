"""Rewrites the times of a question as plain seconds: minutes, "the third second", "the last second"."""

import re

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
_NTH_SECOND = re.compile(
    r"\b((?:before|until|after|in|within|during|at) )?the "
    rf"({'|'.join(_ORDINALS)}|\d+(?:st|nd|rd|th)) second\b(?! \w+ed\b)"
    r"(?=[?.,!]|$| (?:of|and|or|is|does|do|in) )",
    re.IGNORECASE,
)
_LAST_SECOND = re.compile(r"\b(last|final) second(?=\s*(?:of\b|[?.,!]|$))", re.IGNORECASE)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_NUMBER = rf"(\d+(?:\.\d+)?|{'|'.join(_NUMBERS)})"
_CLOCK = re.compile(r"\b(\d{1,2}):([0-5]\d)\b(?!:)")
_HALF_MINUTE = re.compile(
    r"\b(?:(first|last|final|opening) (?:half (?:a |of a )?minute)|half (?:a |of a )?minute)\b", re.I
)
_AND_A_HALF = re.compile(rf"\b{_NUMBER}(?: minutes?)? and a half(?: minutes?)?(?=\W|$)", re.IGNORECASE)
_EDGE_MINUTE = re.compile(r"\b(first|last|final|opening) minute\b", re.IGNORECASE)
_MINUTES = re.compile(rf"\b(?<!per )(?<!beats ){_NUMBER}[ -]minutes?\b", re.IGNORECASE)
_MINUTES_SECONDS = re.compile(rf"\b{_NUMBER} minutes? and {_NUMBER} seconds?\b", re.IGNORECASE)
_A_MINUTE_RATE = re.compile(r"\b(?:beats?|bpm|times|often)\b[^?.]*\bminute\b", re.IGNORECASE)


def plain_seconds(question: str) -> str:
    """The question with its times in seconds; "beats a minute" is a rate and stays."""
    if not _A_MINUTE_RATE.search(question):
        question = _plain_minutes(question)
    return _LAST_SECOND.sub(r"\1 1 second", _NTH_SECOND.sub(_nth_second, question))


def _plain_minutes(question: str) -> str:
    question = _CLOCK.sub(lambda found: f"{60 * int(found[1]) + int(found[2])} seconds", question)
    if "minute" not in question.lower():
        return question
    question = _HALF_MINUTE.sub(lambda found: f"{found[1]} 30 seconds" if found[1] else "30 seconds", question)
    question = _MINUTES_SECONDS.sub(lambda found: _seconds(60 * _value(found[1]) + _value(found[2])), question)
    question = _AND_A_HALF.sub(lambda found: _seconds(60 * (_value(found[1]) + 0.5)), question)
    question = _EDGE_MINUTE.sub(r"\1 60 seconds", question)
    return _MINUTES.sub(lambda found: _seconds(60 * _value(found[1])), question)


def _value(word: str) -> float:
    return float(_NUMBERS.get(word.lower(), 0) or word)


def _seconds(number: float) -> str:
    return f"{number:g} seconds"


def _nth_second(match: re.Match[str]) -> str:
    end = _ORDINALS.index(match[2].lower()) + 1 if match[2].isalpha() else int(match[2][:-2])
    edge = {"before": end - 1, "until": end, "after": end}.get((match[1] or "").strip().lower())
    return f"between {end - 1} and {end} seconds" if edge is None else f"{match[1]}{edge} seconds"
