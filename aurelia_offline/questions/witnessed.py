"""Understands questions about speech and about text on the picture, which witnesses answer instead of measurements.

A question is read only if every word of it is known here: nothing is bent into a question that can be answered.
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from aurelia_core.types import Span, Window
from aurelia_core.witnesses.written import quoted_texts
from aurelia_offline.questions.query import span_in_seconds
from aurelia_offline.questions.seconds import plain_seconds

Subject = Literal["speech", "text"]
WitnessedAsk = Literal["exists", "what", "when", "end", "length"]

_PLACES = frozenset({"top", "bottom", "left", "right"})
_CAPITALS = re.compile(r"\b(?:[A-Z0-9]+-)*[A-Z0-9]*[A-Z]{2}[A-Z0-9]*(?:[\s-]+[A-Z0-9]{2,})*\b")
_BETWEEN = re.compile(r"\b(?:between|from)\s+(\d+(?:\.\d+)?)\s*(?:s|seconds)?\s*(?:and|to|until)\s+(\d+(?:\.\d+)?)")
_AFTER = re.compile(r"\bafter\s+(\d+(?:\.\d+)?)")
_BEFORE = re.compile(r"\bbefore\s+(\d+(?:\.\d+)?)")
_AT = re.compile(r"\bat\s+(\d+(?:\.\d+)?)\s*(?:s|seconds?)\b")
_EDGE_SECONDS = re.compile(r"\b(first|last)\s+(\d+(?:\.\d+)?)\s*(?:s|seconds?)\b")
_PARTS = {
    "first half": (0.0, 0.5),
    "second half": (0.5, 1.0),
    "at the start": (0.0, 0.15),
    "at the beginning": (0.0, 0.15),
    "at the end": (0.85, 1.0),
}
_NEAR_SECONDS = 0.25


@cache
def _words(*lists: str) -> frozenset[str]:
    """The words of some lists of `witnessed_words.toml`."""
    text = resources.files(__package__).joinpath("witnessed_words.toml").read_text(encoding="utf-8")
    table: dict[str, str] = tomllib.loads(text)
    return frozenset(word for name in lists for word in table[name].split())


class WitnessedQuestion(NamedTuple):
    """A question that a witness answers.

    Attributes:
        subject: what it is about.
        ask: what is asked.
        quoted: the text whose presence is asked, or "".
        negated: whether a yes/no question denies ("Does nobody speak?").
        places: sides of the picture that the text stands on.
        span: the part of the clip, as fractions of it if `half`, else seconds, below 0 from its end; None: all of it.
        half: whether `span` is in fractions.
        titled: whether the text is called a title.
    """

    subject: Subject
    ask: WitnessedAsk
    quoted: str = ""
    negated: bool = False
    places: frozenset[str] = frozenset()
    span: Span | None = None
    half: bool = False
    titled: bool = False

    def window(self, duration: float) -> Window | None:
        """The part of a clip in seconds; None: all of it, or none of it is left."""
        if self.span is None:
            return None
        start, end = span_in_seconds(self.span, self.half, duration)
        start, end = max(0.0, start), min(duration, end)
        return Window(start=start, end=end) if end > start else None


def read_witnessed(question: str) -> WitnessedQuestion | None:
    """The question, if it is about speech or text and every word of it is understood; else None."""
    quoted, rest = _take_quoted(question)
    rest = plain_seconds(rest)
    words = re.findall(r"[a-z]+", rest.lower())
    subject = _subject(words, quoted)
    if subject is None or not set(words) <= _words("common", f"names_{subject}", subject):
        return None
    ask = _asked(words, quoted)
    if ask is None or (subject == "speech" and ask == "what"):
        return None
    span, half = _span(rest.lower())
    if span is None and (set(words) & {"half", "after", "before", "between"} or any(map(str.isdigit, rest))):
        return None
    negated = ask == "exists" and bool(set(words) & {"no", "nobody"})
    return WitnessedQuestion(subject, ask, quoted, negated, _PLACES & set(words), span, half, "title" in words)


def _take_quoted(question: str) -> tuple[str, str]:
    """The quoted text, or the words in capitals, and the question without them."""
    for text in quoted_texts(question):
        return text, question.replace(text, " ")
    if found := _CAPITALS.search(question):
        return found[0], _CAPITALS.sub(" ", question)
    return "", question


def _subject(words: list[str], quoted: str) -> Subject | None:
    """What the question is about; None if it is about neither, or about both."""
    speech, text = _words("names_speech"), _words("names_text")
    written = bool(set(words) & text) and not {"words", "spoken"} <= set(words)
    written = written or bool(quoted and set(words) & {"appear", "appears", "screen", "visible"})
    spoken = bool(set(words) & speech) and not written
    if spoken and not quoted:
        return "speech"
    return "text" if written and not set(words) & (speech - {"said"}) else None


def _asked(words: list[str], quoted: str) -> WitnessedAsk | None:
    if not words:
        return None
    if "when" in words or ("what" in words and set(words) & {"time", "point", "moment"}):
        return "end" if set(words) & {"stop", "stops", "end", "ends", "last"} else "when"
    if words[:2] == ["how", "long"] or {"how", "much"} <= set(words):
        return "length"
    if words[0] in {"is", "are", "was", "were", "does", "do", "did", "can", "could"}:
        return "exists"
    if {"what", "which"} & set(words) and not quoted:
        return "what"
    return None


def _span(question: str) -> tuple[Span | None, bool]:
    """The part of the clip that is asked about, and whether it is in fractions of the clip."""
    for part, span in _PARTS.items():
        if part in question:
            return span, True
    if found := _EDGE_SECONDS.search(question):
        seconds = float(found[2])
        return ((0.0, seconds) if found[1] == "first" else (-seconds, 0.0)), False
    if found := _AT.search(question):
        return (max(0.0, float(found[1]) - _NEAR_SECONDS), float(found[1]) + _NEAR_SECONDS), False
    if found := _BETWEEN.search(question):
        return (float(found[1]), float(found[2])), False
    if found := _AFTER.search(question):
        return (float(found[1]), float("inf")), False
    if found := _BEFORE.search(question):
        return (0.0, float(found[1])), False
    return None, False
