"""Captions as text: normalization, clauses, times and the word list."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

Spans = tuple[tuple[float, float | None], ...]

_N = r"(\d+(?:\.\d+)?)"
_S = r"(?: ?s\b)"
_ABOUT = r"(?:about |around |roughly |approximately |near |~)?"
_AT = rf"{_ABOUT}(?:t ?= ?)?{_N}"
_RANGE = re.compile(
    rf"(?:between {_AT}{_S}? ?and"
    rf"|(?:from |starting at |starts at |beginning at |begins at |runs from |spans |during |over )?{_AT}{_S}?"
    r" ?(?:to|until|till|through|up to|-|and ends at|and ending at|ending at|and stops at))"
    rf" {_AT}{_S}"
)
_MOMENT = re.compile(
    rf"(?:at|around|near|about|by|@|from|starting at|starts at|beginning at|begins at|after|past|roughly) "
    rf"(?:the )?{_ABOUT}(?:t ?= ?)?{_N}(?:{_S}|(?= mark))(?! (?:long|clip|video|apart))(?: mark| in\b| into)?"
    rf"|{_ABOUT}{_N}{_S} (?:in\b|into|mark)"
)
_UNTIL = re.compile(
    rf"(?:until|till|before|up to|for the first|the first|first|during the first|in the first) {_ABOUT}{_N}{_S}"
)
_ONWARD = re.compile(
    rf"(?:from|after|since|past) {_ABOUT}{_N}{_S} (?:on|onward|onwards|to the end|until the end|till the end)\b"
)
TIME_PATTERN = re.compile("|".join(part.pattern for part in (_ONWARD, _RANGE, _UNTIL, _MOMENT)))

_ONE_OF_WHAT = (
    "sound|tone|note|click|tick|cut|noise|hiss|burst|thing|shape|circle|square|triangle|flash|scene|shot|event|beep"
    "|single|separate|distinct|short|brief|loud|soft|quiet|continuous|long|change|moving|object|beat|s\\b|movement"
)
_ALSO = re.compile(rf"(?:, |,? and ){_ABOUT}{_N}{_S}")
CLIP_END = 1e6
"""The end of a time span that lasts to the end of the clip."""

_DETERMINERS = "a|an|the|there|its|it|no|nothing|one|another|this|that|something|they|each|both|several|some"
_DETERMINED = rf"(?=(?:{_DETERMINERS}|\d+(?! ?(?:s|hz|khz|bpm)\b)) )"
_COMES = "(?:comes |is heard |happens |occurs |starts |sounds )?"
_LINKS = re.compile(
    r"(?P<colon>:)"
    rf"|(?P<after>,? ?\b(?:and )?(?:(?:is |are )?preceded by|{_COMES}(?:after|later than) (?=the |a |an )"
    r"|follows(?= the| a)))"
    r"|(?P<until>,? ?\buntil (?=a |an |the |it |some))"
    r"|(?P<then>[,;]? ?\b(?:and )?(?:then|(?:(?:is|are) )?followed by|next comes|after that|after which|afterwards"
    rf"|precedes|{_COMES}(?:before|earlier than|ahead of) (?=the |a |an ))\b,?)"
    r"|(?P<while>[,;]? ?\b(?:and )?(?:while|whereas|when|during which|as (?=a |an |the |it )(?!the \w+est\b))\b)"
    rf"|(?P<comma>[,;] (?:and |but |with )?|\b (?:and|but) {_DETERMINED})"
)
_LEANING = re.compile(
    r"(?:(?:at|on|in|from|between|around|to|of|near|over|during|for|by|about|until|after|starting|ending|lasting)\b"
    r"|(?:pitched|both|which|that|where|again)\b|\w+ed\b|\w+ing (?:at|from|between|for|near|on|in|the)\b"
    r"|\d+(?:\.\d+)? ?(?:s|hz)\b)"
)
"""The start of a fragment that continues the description in a neighbouring clause."""

_ORDERING_LINKS = ("then", "after", "while", "until")


class Clause(NamedTuple):
    """A clause and its link to the clause before: one of _ORDERING_LINKS, or ""."""

    text: str
    link: str


class WordList:
    """A word list, matched as whole words. A table is named "section.key".

    A term that ends in * matches any ending; a word with ~ behind it stands for all forms of a regular verb.
    """

    def __init__(self, data: dict[str, dict[str, list[str]]]) -> None:
        self._tables = {
            section: {key: _compile_terms(terms) for key, terms in entries.items()} for section, entries in data.items()
        }

    def has(self, table: str, text: str) -> bool:
        """Whether the text contains a word of a table such as "topics.cut"."""
        section, key = table.split(".")
        return bool(self._tables[section][key].search(text))

    def last(self, table: str, text: str) -> int:
        """Where the last word of a table begins in the text; -1 if there is none."""
        section, key = table.split(".")
        return max((match.start() for match in self._tables[section][key].finditer(text)), default=-1)

    def blank(self, table: str, text: str) -> str:
        """The text without the words of a table."""
        section, key = table.split(".")
        return self._tables[section][key].sub(" ", text)

    def pattern(self, table: str) -> str:
        """The regular expression of the words of a table."""
        section, key = table.split(".")
        return self._tables[section][key].pattern

    def all(self, section: str, text: str) -> tuple[str, ...]:
        """The keys of a section whose words the text contains, in the order of their first position."""
        return tuple(self.places(section, text))

    def places(self, section: str, text: str) -> dict[str, tuple[int, int]]:
        """The keys of a section with the span of their first word, in order; of two at one place the longer first."""
        found = {key: match.span() for key, pattern in self._tables[section].items() if (match := pattern.search(text))}
        return dict(sorted(found.items(), key=lambda item: (item[1][0], -item[1][1])))

    def speaks(self, text: str) -> bool:
        """Whether the text contains a voice, a colour or a topic, or a word that refers to an earlier thing."""
        sections = ("voices", "colours", "topics")
        return any(self.all(section, text) for section in sections) or bool(
            re.search(r"\b(?:1(?![\d.]| ?s\b)|one|another|other)\b", text)
        )

    def knows(self, word: str) -> bool:
        """Whether a word by itself is a word of any table."""
        return any(pattern.fullmatch(word) for tables in self._tables.values() for pattern in tables.values())

    def any_voice(self, text: str) -> bool:
        """Whether the text mentions sound."""
        return bool(self.all("voices", text))


def _compile_terms(terms: list[str]) -> re.Pattern[str]:
    parts = sorted((_term_pattern(term) for term in terms), key=len, reverse=True)
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(parts)})(?!\w|\.\d)")


def _term_pattern(term: str) -> str:
    words = [
        re.escape(word).replace(r"\*", r"\w*") if "~" not in word else _verb_pattern(word) for word in term.split()
    ]
    return " ".join(words)


def _verb_pattern(word: str) -> str:
    """The pattern of a regular verb in all its forms: move~ for moves, moved and moving; bob~, carry~ likewise."""
    stem = word.rstrip("~")
    forms = [f"{stem}(?:s|es|d|ed|ing)?", f"{stem}{stem[-1]}(?:ed|ing)"]
    if stem.endswith("e"):
        forms.append(f"{stem[:-1]}ing")
    if stem.endswith("y"):
        forms.append(f"{stem[:-1]}(?:ies|ied)")
    return f"(?:{'|'.join(forms)})"


@cache
def _word_data() -> dict[str, Any]:
    return tomllib.loads(files("aurelia_offline.critic").joinpath("critic_words.toml").read_text("utf-8"))


@cache
def caption_words() -> WordList:
    """The word list of captions (critic_words.toml)."""
    return WordList(
        {section: entries for section, entries in _word_data().items() if section not in ("numbers", "glue")}
    )


def normalize_caption(caption: str) -> str:
    """Normalize a caption: lower case, plain dashes and quotes, digits for numbers, "s" for seconds."""
    text = caption.lower().replace("’", "'").replace("–", "-").replace("—", ", ")
    text = re.sub(r"\s+", " ", text).replace("split second", "instant")
    digits = "|".join(_word_data()["numbers"])
    text = re.sub(
        rf"\b({digits}) point ({digits})\b",
        lambda match: ".".join(str(_word_data()["numbers"][word]) for word in match.groups()),
        text,
    )
    for word, number in _word_data()["numbers"].items():
        only = ""
        if word == "one":
            only = rf"(?= (?:{_ONE_OF_WHAT}))"
        text = re.sub(rf"(?<![\w-]){word}(?![\w])(?! of (?:the|them|these)){only}", str(number), text)
    text = re.sub(r"\b(\d+) (?:(?:of the )?)(?=one\b)", r"\1 ", text)
    text = re.sub(r"\bseconds? (\d+(?:\.\d+)?)\b(?! ?(?:s\b|sec))", r"\1 seconds", text)
    for place, word in enumerate(("second", "third", "fourth", "fifth"), 2):
        suffix = {2: "nd", 3: "rd"}.get(place, "th")
        text = re.sub(rf"(?<!\d )(?<!\d)(?<!-)\b{word}\b(?! mark)(?!s)", f"{place}{suffix}", text)
    text = re.sub(r"(?<=\d)[ -]?(?:seconds|second|secs|sec)\b", " s", text)
    text = re.sub(r"\bseconds?\b", "s", text)
    text = re.sub(r"(?<=\d)s\b", " s", text)
    text = re.sub(r"(\d+(?:\.\d+)?) ?(?:ms|milliseconds)\b", lambda m: f"{float(m[1]) / 1000:g} s", text)
    text = re.sub(
        r"\b(\d{1,2}):(\d\d)(?:\.(\d+))?\b", lambda m: f"{int(m[1]) * 60 + float(f'{m[2]}.{m[3] or 0}'):g} s", text
    )
    text = re.sub(r"(?<=\d) ?hertz\b", " hz", text)
    return re.sub(r"(?<=\d)-(?=\d)", " - ", text)


def caption_sentences(text: str) -> list[str]:
    """The sentences of a normalized caption."""
    return [part.strip() for part in re.split(r"[.!?](?=\s|$)|\n|;", text) if part.strip()]


def caption_clauses(sentence: str) -> list[Clause]:
    """The clauses of a normalized sentence."""
    joint = caption_words().has("topics.sync", sentence)
    found: list[Clause] = []
    prefix, start, link = "", 0, ""
    matches = [match for match in _LINKS.finditer(sentence) if not (joint and match.lastgroup == "comma")]
    for stop, after, kind in [*((m.start(), m.end(), m.lastgroup or "") for m in matches), (len(sentence), 0, "")]:
        piece = sentence[start:stop].strip(" ,")
        start = after
        if not piece:
            if kind in _ORDERING_LINKS:
                link = kind
            continue
        leaning = bool(_LEANING.match(piece)) or not caption_words().speaks(piece)
        if leaning and link in ("", "comma"):
            if found and not prefix and not (piece.startswith(("at first", "from ", "between ")) and kind == "comma"):
                found[-1] = Clause(f"{found[-1].text}, {piece}", found[-1].link)
            else:
                prefix = f"{prefix} {piece}".strip()
        else:
            found.append(Clause(f"{prefix} {piece}".strip(), link if link in _ORDERING_LINKS else ""))
            prefix = ""
        link = kind
    if prefix:
        found.append(Clause(prefix, ""))
    return found


def unknown_words(text: str) -> list[str]:
    """The words of a caption that the reader does not know, in order; what it says with them is not checked.

    Args:
        text: a caption in plain English.
    """
    plain = TIME_PATTERN.sub(" ", normalize_caption(text))
    known = caption_words()
    return [
        word
        for word in re.findall(r"(?<![\w-])[a-z]+(?:-[a-z]+)*", plain)
        if not known.knows(word) and word not in _glue()
    ]


@cache
def _glue() -> frozenset[str]:
    """Words that change nothing, and the words of the longer terms of the list."""
    data = _word_data()
    tables = [terms for name, entries in data.items() if name not in ("glue", "numbers") for terms in entries.values()]
    parts = {word.strip("*") for terms in tables for term in terms for word in term.split()}
    return frozenset({*data["glue"]["words"], *parts})


def read_times(clause: str) -> Spans:
    """The time spans and moments in a normalized clause, in order; seconds, CLIP_END for the end of the clip."""
    spans: list[tuple[int, tuple[float, float | None]]] = []
    rest = clause
    for match in _ONWARD.finditer(rest):
        spans.append((match.start(), (float(match[1]), CLIP_END)))
    rest = _blank_out(_ONWARD, rest)
    for match in _RANGE.finditer(rest):
        start, end = float(match[1] or match[2]), float(match[3])
        spans.append((match.start(), (start, end) if start < end else (start, None)))
    rest = _blank_out(_RANGE, rest)
    for match in _UNTIL.finditer(rest):
        spans.append((match.start(), (0.0, float(match[1]))))
    rest = _blank_out(_UNTIL, rest)
    moments = list(_MOMENT.finditer(rest))
    spans += [(match.start(), (float(match[1] or match[2]), None)) for match in moments]
    if moments:
        rest = " " * moments[0].start() + _blank_out(_MOMENT, rest[moments[0].start() :])
        spans += [(match.start(), (float(match[1]), None)) for match in _ALSO.finditer(rest)]
    return tuple(span for _, span in sorted(spans, key=lambda item: item[0]))


def _blank_out(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: " " * len(match[0]), text)
