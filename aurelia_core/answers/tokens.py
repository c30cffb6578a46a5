"""What readers of replies share: the words that are meant, numbers as digits, and mentions with what denies them.

It knows no questions and no choices, and it judges nothing: `aurelia_core.answers.multiple_choice` and the benchmark's scoring do.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

MAX_REPLY_CHARS = 20_000
_MAX_MENTIONS = 200
_ARTICLES = frozenset({"a", "an", "the"})
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"^.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_TAGGED = re.compile(
    r"<answer>((?:(?!<answer>).)*?)</answer>|\[answer\]((?:(?!\[answer\]).)*?)\[/answer\]", re.DOTALL | re.IGNORECASE
)
_DRESS = (
    (re.compile(r"<\|[^|<>]*\|>"), " "),
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

_BOUNDARY = re.compile(
    r"[.!?](?=\s|$)|[;:\n]|\bbut\b|,\s*(?=(?:it|it's|this|that|so|i|rather|instead|there|then|he|she|they|which|the "
    r"(?:answer|correct))\b)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"(?:Final )?Answer:")
_DENIAL = re.compile(
    r"\b(?:not|no(?! doubt)|never|nobody|nothing|none|neither|nor|without(?! (?:a |any )?doubt)|cannot|\w+n't|"
    r"rather than|instead of|rul\w+ out|eliminat\w+|exclud\w+|unlike|except|lack\w*|absent|incorrect|wrong)\b",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^\W*(?:\w+\s+){0,2}?(?:not|never|\w+n't|cannot|incorrect|wrong|absent|ruled out|eliminated|unlikely|silent)\b",
    re.IGNORECASE,
)

_FENCE = re.compile(r"^```\w*\s*(.*?)\s*```$", re.DOTALL)
_ANSWER_NAMES = ("answer", "final_answer", "choice", "option", "prediction", "label")

ComparisonKey = tuple[str, ...]
MentionStatus = Literal["said", "denied", "unsure"]


class TextToken(NamedTuple):
    """One word or number, and where it stands in the text (characters, end exclusive)."""

    text: str
    start: int
    end: int


class Mention(NamedTuple):
    """One of the phrases sought (by its place among them), where it stands, and whether the text stands by it."""

    phrase_index: int
    start: int
    end: int
    status: MentionStatus


class JsonAnswer(NamedTuple):
    """The answer in a reply that is a JSON object; None where it holds none, or several."""

    answer: str | None


def parse_json_answer(reply: str) -> JsonAnswer | None:
    """The answer of a reply that is one JSON object, in a code fence or not; None when the reply is no such object."""
    text = reply.strip()
    text = match[1] if (match := _FENCE.match(text)) else text
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    values = [found[name] for name in found if name.casefold() in _ANSWER_NAMES]
    if len(values) != 1 or not isinstance(values[0], str | int) or isinstance(values[0], bool):
        return JsonAnswer(None)
    return JsonAnswer(str(values[0]))


def strip_reply_markup(reply: str) -> str:
    """What a reply says to its reader: without thinking, tags, emphasis and the dress of LaTeX.

    Thinking that never ends leaves nothing: the reply was cut off before it began; and so does what goes on for more
    than LONGEST_SPOKEN letters, which answers nothing. Of several `<answer>` the last one counts.
    """
    text = _THOUGHT_END.sub("", _THOUGHT.sub("", unicodedata.normalize("NFKC", reply)))
    if tagged := _TAGGED.findall(text):
        text = "".join(tagged[-1])
    for pattern, instead in _DRESS:
        text = pattern.sub(instead, text)
    return text.strip() if len(text) <= MAX_REPLY_CHARS else ""


def tokenize_text(text: str) -> list[TextToken]:
    """The words and numbers of a text: lower case, number words as digits ("twenty-two" is 22), "third" as "3th"."""
    found: list[TextToken] = []
    for match in _TOKEN.finditer(text):
        word = match[0].casefold().lstrip("+")
        if ordinal := _ORDINAL.fullmatch(word):
            word = f"{ordinal[1]}th"
        elif word in _NUMBERS:
            unit = _NUMBERS[word]
            if 0 < unit < 10 and found and text[found[-1].start : found[-1].end].casefold() in _TENS:
                found[-1] = TextToken(str(int(found[-1].text) + unit), found[-1].start, match.end())
                continue
            word = str(unit)
        else:
            word = f"{_NTH[word]}th" if word in _NTH else re.sub(r"(?<=\d),(?=\d{3})", "", word)
        found.append(TextToken(word, match.start(), match.end()))
    return found


def comparison_key(text: str) -> ComparisonKey:
    """A text for comparison: its tokens without articles; those of a text that is nothing else stay."""
    words = tuple(token.text for token in tokenize_text(strip_reply_markup(text)))
    return tuple(word for word in words if word not in _ARTICLES) or words


def is_number(word: str) -> bool:
    """Whether a token is a number."""
    return bool(_NUMBER.fullmatch(word))


def find_mentions(text: str, keys: Sequence[ComparisonKey], form: Callable[[str], str] = str) -> list[Mention]:
    """Where a text names each of several phrases, longer ones before shorter ones within them.

    A phrase is denied where its clause denies it ("not the guitar", "the guitar is silent"), and unsure where a denial
    may or may not reach it ("no guitar, and a piano") or where it is asked for. A text that names them more than
    MOST_MENTIONS times goes round in circles: all are unsure.

    Args:
        text: what was said (see `spoken`).
        keys: the phrases; empty ones are never found.
        form: what a word is compared by; the phrases have that form already.
    """
    words = [token._replace(text=form(token.text)) for token in tokenize_text(text) if token.text not in _ARTICLES]
    places = sorted(_places(words, keys), key=lambda place: place[1])
    if len(places) > _MAX_MENTIONS:
        return [Mention(*place, "unsure") for place in places]
    starts = [start for _, start, _ in places]
    return [Mention(which, start, end, _status(text, start, end, starts)) for which, start, end in places]


def asserted(found: Iterable[Mention]) -> set[int]:
    """The phrases that are stood by, when no mention is unsure and none is said as well as denied; else nothing."""
    found = list(found)
    if any(mention.status == "unsure" for mention in found):
        return set()
    by = {
        status: {mention.phrase_index for mention in found if mention.status == status} for status in ("said", "denied")
    }
    return set() if by["said"] & by["denied"] else by["said"]


def is_negated(text: str, at: int) -> bool:
    """Whether the clause before a place in the text denies what follows there; a heading begins a clause of its own."""
    if _HEADING.match(text, at):
        return False
    opened = max((match.end() for match in _BOUNDARY.finditer(text, 0, at)), default=0)
    return bool(_DENIAL.search(text, opened, at))


def _places(words: list[TextToken], keys: Sequence[ComparisonKey]) -> list[tuple[int, int, int]]:
    taken: set[int] = set()
    places = []
    for which in sorted(range(len(keys)), key=lambda which: -len(keys[which])):
        sought, length = keys[which], len(keys[which])
        for at in range(len(words) - length + 1 if length else 0):
            span = range(at, at + length)
            fits = all(words[here].text == word for here, word in zip(span, sought, strict=True))
            if fits and not taken.intersection(span) and _whole(words, span):
                taken.update(span)
                places.append((which, words[at].start, words[at + length - 1].end))
    return places


def _whole(words: list[TextToken], span: range) -> bool:
    """Whether words are a mention: not a number within a longer or vaguer one, not a "no" or "right" in passing."""
    first, last = words[span[0]].text, words[span[-1]].text
    after = words[span[-1] + 1] if span[-1] + 1 < len(words) else None
    before = words[span[0] - 1].text if span[0] else ""
    if is_number(last) and after and (after.text in _MAGNITUDES or is_number(after.text)):
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
    opened = max((match.end() for match in _BOUNDARY.finditer(text, 0, start)), default=0)
    ending = re.compile(r"[.!?](?=\s|$)|\n").search(text, end)
    if ending and ending[0] == "?":
        return "unsure"
    later = [other for other in starts if other >= end]
    closed = _BOUNDARY.search(text, end)
    stop = min([len(text), *later[:1], *([closed.start()] if closed else [])])
    if _DENIED_AFTER.match(text[end:stop].split(",")[0]):
        return "denied"
    denials = list(_DENIAL.finditer(text, opened, start))
    if not denials:
        return "said"
    return "unsure" if any(denials[-1].start() < other < start for other in starts) else "denied"
