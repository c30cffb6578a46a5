"""Text tools for reading replies: removal of markup, tokens with numbers as digits, and mentions with their negation.

`aurelia_core.answers.multiple_choice` and `aurelia_core.answers.open_answer` build on them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

MAX_REPLY_CHARS = 20_000
_MAX_MENTIONS = 200
_MAX_CLAUSE_CHARS = 1_000
_ARTICLES = frozenset({"a", "an", "the"})
_MARKUP = (
    (re.compile(r"\\(?:text|textbf|mathrm|mathbf|textit)\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\([%$&#_])"), r"\1"),
    (re.compile(r"\\[\[\]()]|[$`]|(?<!\d)\*+|\*+(?!\d)"), ""),
    (re.compile(r"_+"), " "),
    (re.compile(r"[‘’ʼ]"), "'"),
    (re.compile(r"−"), "-"),
)
_TOKEN = re.compile(
    r"(?<!\w)[-+]?\d+(?:[.,:/]\d+)*(?:%|(?:st|nd|rd|th)\b|(?![^\W\d_]))|[^\W_]+(?:'[^\W\d_]+)*", re.IGNORECASE
)
_UNITS = dict(zero=0, one=1, two=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9)
_TEENS = dict(ten=10, eleven=11, twelve=12, thirteen=13, fourteen=14, fifteen=15)
_TEENS |= dict(sixteen=16, seventeen=17, eighteen=18, nineteen=19)
_TENS = dict(twenty=20, thirty=30, forty=40, fifty=50, sixty=60, seventy=70, eighty=80, ninety=90)
_NUMBERS = {**_UNITS, **_TEENS, **_TENS}
_NTH = dict(first=1, second=2, third=3, fourth=4, fifth=5, sixth=6, seventh=7, eighth=8, ninth=9, tenth=10)
_MAGNITUDES = frozenset({"hundred", "thousand", "million", "billion", "dozen", "dozens", "point", "half", "percent"})
_QUALIFIERS = frozenset(
    {"least", "most", "than", "over", "under", "about", "around", "nearly", "almost", "approximately"}
)
_AGREEING = frozenset({"that's", "that", "is", "are", "all", "you're"})
_NUMBER = re.compile(r"[-+]?\d+(?:[.:/]\d+)*%?")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_AFTER_WORD = re.compile(r"[^\W_] $")
_CAPITAL_FOLLOWS = re.compile(r" [A-Z0-9]")

_BOUNDARY = re.compile(
    r"[.!?](?=\s|$)|[;:\n]|\s[-–—]\s|\b(?:but|yet)\b|,\s*(?=(?:it|it's|this|that|so|i|rather|instead|there|then|he|she"
    r"|they|which|what|the "
    r"(?:answer|correct))\b)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=[\s\"'”)]|$)|\n")
_HEADING = re.compile(r"(?:Final )?Answer:")
_DENIAL = re.compile(
    r"\b(?:not|no(?! doubt)|never|nobody|nothing|none|neither|nor|without(?! (?:a |any )?doubt)|cannot|\w+n't|"
    r"rather than|instead of|rul\w+ out|eliminat\w+|exclud\w+|unlike|except|lack\w*|absent|incorrect|wrong)\b",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^\W*(?!and\b)(?:\w+\s+){0,2}?(?:not|never|\w+n't|cannot|incorrect|wrong|absent|ruled out|eliminated"
    r"|unlikely|silent)\b",
    re.IGNORECASE,
)

ComparisonKey = tuple[str, ...]
MentionStatus = Literal["asserted", "denied", "unclear"]


class TextToken(NamedTuple):
    """One word or number and its position in the text (characters, end exclusive)."""

    text: str
    start: int
    end: int


class Mention(NamedTuple):
    """A phrase found in a text: its index among the sought phrases, its position, and whether the text asserts it."""

    phrase_index: int
    start: int
    end: int
    status: MentionStatus


def strip_reply_markup(reply: str) -> str:
    """Remove emphasis and LaTeX markup from a cleaned reply (`aurelia_core.answers.cleaning.clean_reply`).

    The result is empty for a reply of more than MAX_REPLY_CHARS characters.
    """
    text = unicodedata.normalize("NFKC", reply)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    if len(text) > MAX_REPLY_CHARS:
        return ""
    return text.strip()


def tokenize_text(text: str) -> list[TextToken]:
    """The words and numbers of a text in lower case; number words as digits ("twenty-two": 22), ordinals as "3th"."""
    found: list[TextToken] = []
    for match in _TOKEN.finditer(text):
        word = match[0].casefold().lstrip("+")
        if ordinal := _ORDINAL.fullmatch(word):
            word = f"{ordinal[1]}th"
        elif word in _NTH:
            word = f"{_NTH[word]}th"
        elif word in _NUMBERS:
            unit = _NUMBERS[word]
            if 0 < unit < 10 and found and text[found[-1].start : found[-1].end].casefold() in _TENS:
                found[-1] = TextToken(str(int(found[-1].text) + unit), found[-1].start, match.end())
                continue
            word = str(unit)
        else:
            word = re.sub(r"(?<=\d),(?=\d{3})", "", word)
        found.append(TextToken(word, match.start(), match.end()))
    return found


def comparison_key(text: str) -> ComparisonKey:
    """A text for comparison: its tokens without articles, unless it consists of articles only."""
    plain = strip_reply_markup(text)
    tokens = tokenize_text(plain)
    return tuple(token.text for token in tokens if not _is_article(plain, token)) or tuple(
        token.text for token in tokens
    )


def _is_article(text: str, token: TextToken) -> bool:
    """Whether a token is an article, and not a label: "A" after a word and before none, or before a small letter."""
    if token.text not in _ARTICLES:
        return False
    labels = text[token.start : token.end] == "A" and _AFTER_WORD.search(text, 0, token.start) is not None
    return not labels or _CAPITAL_FOLLOWS.match(text, token.end) is not None


def is_number(word: str) -> bool:
    """Whether a token is a number."""
    return bool(_NUMBER.fullmatch(word))


def find_mentions(text: str, keys: Sequence[ComparisonKey], form: Callable[[str], str] = str) -> list[Mention]:
    """Find all mentions of several phrases in a text; a longer phrase takes precedence over a shorter one inside it.

    A mention is denied if its clause denies it ("not the guitar", "the guitar is silent"). It is unclear if a denial
    may or may not refer to it ("no guitar, and a piano"), or if the sentence is a question. With more than 200 mentions
    the text repeats itself, and all are unclear.

    Args:
        text: a reply without markup (see `strip_reply_markup`).
        keys: the phrases; empty ones are never found.
        form: normalizes a word for comparison; the phrases are already normalized.
    """
    words = [token._replace(text=form(token.text)) for token in tokenize_text(text) if not _is_article(text, token)]
    positions = sorted(_positions(words, keys), key=lambda position: position[1])
    if len(positions) > _MAX_MENTIONS:
        return [Mention(*position, "unclear") for position in positions]
    starts = [start for _, start, _ in positions]
    return [Mention(index, start, end, _status(text, start, end, starts)) for index, start, end in positions]


def asserted(mentions: Iterable[Mention]) -> set[int]:
    """The indices of the asserted phrases; empty if a mention is unclear, or a phrase is both asserted and denied."""
    indices: dict[MentionStatus, set[int]] = {"asserted": set(), "denied": set(), "unclear": set()}
    for mention in mentions:
        indices[mention.status].add(mention.phrase_index)
    if indices["unclear"] or indices["asserted"] & indices["denied"]:
        return set()
    return indices["asserted"]


def is_negated(text: str, at: int) -> bool:
    """Whether the clause before a position denies what follows; a heading ("Answer:") begins a new clause."""
    if _HEADING.match(text, at):
        return False
    # The words after a comma decide whether it begins a clause, so the search does not end at the position.
    first = max(0, at - _MAX_CLAUSE_CHARS)
    around = text[first : at + 20]
    opened = max(
        (first + match.end() for match in _BOUNDARY.finditer(around) if first + match.end() <= at), default=first
    )
    return bool(_DENIAL.search(text, opened, at))


def _positions(words: list[TextToken], keys: Sequence[ComparisonKey]) -> list[tuple[int, int, int]]:
    """(phrase index, start, end) of each mention; longer phrases first."""
    taken: set[int] = set()
    positions = []
    for index in sorted(range(len(keys)), key=lambda index: -len(keys[index])):
        key = keys[index]
        if not key:
            continue
        for at in range(len(words) - len(key) + 1):
            span = range(at, at + len(key))
            matches = all(words[here].text == word for here, word in zip(span, key, strict=True))
            if matches and not taken.intersection(span) and _is_mention(words, span):
                taken.update(span)
                positions.append((index, words[at].start, words[span[-1]].end))
    return positions


def _is_mention(words: list[TextToken], span: range) -> bool:
    """Whether words are a mention: no part of a longer or vaguer number, and no "no" or "right" in passing."""
    first = words[span[0]].text
    last = words[span[-1]].text
    before = ""
    if span[0]:
        before = words[span[0] - 1].text
    after = next(iter(words[span[-1] + 1 : span[-1] + 2]), None)
    if is_number(last) and after and (after.text in _MAGNITUDES or is_number(after.text)):
        return False
    following = [word.text for word in words[span[-1] + 1 : span[-1] + 3]]
    if is_number(last) and following[:1] == ["or"] and following[1:] in (["more"], ["fewer"], ["less"], ["so"]):
        return False
    if is_number(first) and (is_number(before) or before in _MAGNITUDES | _QUALIFIERS):
        return False
    apart = after is None or after.start > words[span[-1]].end + 1
    if len(span) == 1 and first in ("yes", "no") and before:
        return apart
    if len(span) == 1 and first == "right":
        return before not in _AGREEING and not (not before and after and apart)
    return True


def _status(text: str, start: int, end: int, starts: list[int]) -> MentionStatus:
    clause_start = max((match.end() for match in _BOUNDARY.finditer(text, 0, start)), default=0)
    sentence_end = _SENTENCE_END.search(text, end)
    if sentence_end and sentence_end[0] == "?":
        return "unclear"
    following = text[end : min((other for other in starts if other >= end), default=len(text))]
    following = _BOUNDARY.split(following, maxsplit=1)[0]
    if _DENIED_AFTER.match(following.split(",")[0]):
        return "denied"
    denials = list(_DENIAL.finditer(text, clause_start, start))
    if not denials:
        return "asserted"
    if any(denials[-1].start() < other < start for other in starts):
        return "unclear"
    return "denied"
