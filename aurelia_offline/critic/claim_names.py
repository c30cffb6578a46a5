"""What one claim names, wherever it stands in it: times, numbers, hertz, voices, colours, places, ranks and denials.

The text is first made plain: idioms and hyphens, bare decimals, denied bounds ("does not stop until"), words of
observing, and several sentences that are about one thing. Its words are those of claim_words.toml.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from aurelia_offline.critic.caption_text import WordList, caption_words, normalize_caption

_NUMBER = r"\d+(?:\.\d+)?"
_TIME = re.compile(
    rf"(?:t ?= ?)?({_NUMBER})(?: ?s\b|(?= ?(?:-|to|and|until|till|through|up to) (?:t ?= ?)?{_NUMBER} ?s\b))"
)
_CLOCKLESS = r"(?<![\d.:])\d+\.\d+(?![\d:]|\.\d)"
"""A number with a decimal point and no unit behind it: of what is told here, only times are such numbers."""
_HERTZ = re.compile(rf"({_NUMBER}) ?hz\b")
_RATE = re.compile(r"(\d+) ?(?:bpm\b|(?:\w+ ){0,2}?(?:per|a|each|to the|in 1|in one|every) ?min(?:ute)?\b)")
_COUNT = re.compile(r"(?<![\w.])(\d+)(?![\w.]|\.\d)")
_ONE_SIDED = re.compile(r"\b(?:first|last) (?:about |around )?$")
_DURATION = re.compile(rf"\b(?:for|lasts|lasting|takes) (?:about |around )?{_NUMBER} s\b(?! (?:to|until|till|-))")
NEGATION = re.compile(
    r"\b(?:no|not|never|none|nothing|nobody|neither|nor|without|cannot|fails?|failed|lack(?:s|ing|ed)?|absen(?:t|ce)"
    r"|devoid|missing|free of|unaccompanied|rarely|seldom|scarcely)\b|n't\b"
)
_HYPHEN = re.compile(r"(?<=\d)-(?=[a-z])|(?<=[a-z])-(?=[a-z])(?!-?(?:pitched|volume)\b)")
_OBSERVER = re.compile(r"\w+ing [^,.:]*, (?=(?:i|we|you|one)\b)")
"""What an observer says of the observing before the claim: "Looking at it closely, I ..."."""
_SENTENCE_END = re.compile(r"[.!]\s+")
_LEANS = re.compile(
    r"\b(?:it|its|it's|they|their|them|this|that|these|those|then|next|later|afterwards?|more|after that|both|so|such"
    r"|does|did|there|followed|finally|thereafter|each|neither|here)\b|\b\d(?:st|nd|rd|th)\b"
)
_NEW_THING = re.compile(r"\b(?:an?|another|some|1)\b")
_SAME_WORDS = (
    (
        re.compile(
            r"\bif (?:you|we|one|i) (?:listen|look|watch|count|ask|play|tally|add|measure|check|time|rank"
            r"|compare|order|pay)\b"
        ),
        " ",
    ),
    (re.compile(r"\bright (?=answer|number|count|total|moment|way|order)"), ""),
    (re.compile(r"\b(?:between|of) the (?:2|two)\b"), " "),
    (
        re.compile(
            r"\b(?:from|between) (?:the |its )?first (?:\w+ )?(?:to|and|until|till) (?:the |its )?last\b(?: \w+$)?"
        ),
        " ",
    ),
    (
        re.compile(
            r",? (?:no|not|neither) (?:more|fewer|less)"
            r"(?:,? (?:and|or|nor) (?:no |not )?(?:more|fewer|less))?\b(?! than)"
        ),
        "",
    ),
    (
        re.compile(
            rf"(?<!the )(?<!far )(?<!left )\bright (?=(?:about|across|after|against|along|around|at|away|back|before"
            r"|behind|by|down|from|here|in|inside|into|near|next|now|off|on|onto|out|over|past|round|then|there|through|till|under"
            rf"|until|up|when|where|with|to {_NUMBER})\b)"
        ),
        "",
    ),
    (re.compile(rf"\b(?:some|almost|nearly|just under|just over|just about|shy of) (?=(?:t ?= ?)?{_NUMBER})"), ""),
    (
        re.compile(
            rf"({_CLOCKLESS})(?= *(?:[,.;:)]|$|-|(?:and|to|until|till|through|it|its|on|in|into|there|with|a|an"
            r"|the|up|is|as|mark|point)\b))"
        ),
        r"\1 s",
    ),
)
_SLOTS = ("times", "hertz", "rate", "numbers", "voices", "colours", "places", "ordinals", "levels")


@dataclass(frozen=True, slots=True)
class NamedThings:
    """What a claim names, each in its order; times in seconds, rates a minute.

    Attributes:
        text: the normalized claim.
        bare: the same without times, hertz and rates.
        levels: words of loudness, pitch and comparison.
        negations: number of words that deny.
    """

    text: str
    bare: str
    times: tuple[str, ...]
    hertz: tuple[str, ...]
    rate: tuple[str, ...]
    numbers: tuple[str, ...]
    voices: tuple[str, ...]
    colours: tuple[str, ...]
    places: tuple[str, ...]
    ordinals: tuple[str, ...]
    levels: tuple[str, ...]
    negations: int

    def says(self, *cues: str) -> bool:
        """Whether it holds a word of one of the cues; a cue without a dot is one of the table `cues`."""
        return any(claim_words().has(cue if "." in cue else f"cues.{cue}", self.text) for cue in cues)

    @property
    def moves(self) -> bool:
        """Whether it says that something moves, by a noun of movement or a verb that may be a figure of speech."""
        return self.says("motion", "motion_verb")

    def only(self, *slots: str) -> bool:
        """Whether it names nothing but these."""
        return not any(getattr(self, slot) for slot in _SLOTS if slot not in slots)

    @property
    def pauses(self) -> bool:
        """Whether it says that something rests, or ends, during its time: what happens then is not what it names."""
        return any(_pause(cue).search(self.text) for cue in ("ending", "gap", "still"))

    @property
    def span(self) -> str:
        """Its one or two times in plain words; empty if there are others, or it tells of what lies outside them."""
        if _DURATION.search(self.text) or len(self.times) not in (1, 2):
            return ""
        roles = _time_roles(self.text)
        if len(roles) == 1:
            ((time, role),) = roles.items()
            bound = any(_ONE_SIDED.search(self.text[: match.start()]) for match in _TIME.finditer(self.text))
            return "" if bound or role == "ending" else f"at {time} s"
        start, end = sorted(roles, key=float)
        return "" if (roles[start], roles[end]) == ("ending", "starting") else f"from {start} s to {end} s"


def _time_roles(text: str) -> dict[str, str]:
    """The times of a text with the last word before each, and after the one before, that makes it a start or an end."""
    roles, before = {}, 0
    for match in _TIME.finditer(text):
        part, before = text[before : match.start()], match.end()
        last = {role: claim_words().last(f"cues.{role}", part) for role in ("starting", "ending")}
        role = max(last, key=lambda name: last[name])
        roles[match[1]] = role if last[role] >= 0 else ""
    return roles


@cache
def claim_words() -> WordList:
    """The words of claim_words.toml."""
    return WordList({section: entries for section, entries in _word_data().items() if section != "idioms"})


@cache
def _word_data() -> dict[str, Any]:
    return tomllib.loads(files("aurelia_offline.critic").joinpath("claim_words.toml").read_text("utf-8"))


@cache
def _idioms() -> tuple[re.Pattern[str], dict[str, str]]:
    """The pattern of all idioms, the longest first, and their plain words."""
    idioms = _word_data()["idioms"].items()
    plain = {_without_hyphens(normalize_caption(phrase)): words for words, phrases in idioms for phrase in phrases}
    longest_first = "|".join(re.escape(phrase) for phrase in sorted(plain, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{longest_first})(?![\w-])"), plain


def plain_claim_text(text: str) -> str:
    """The claim normalized, with plain words for idioms.

    Args:
        text: one claim in English.
    """
    pattern, idioms = _idioms()
    plain = pattern.sub(lambda match: idioms[match[0]], _without_hyphens(normalize_caption(text))).rstrip(" .!")
    if (aside := _OBSERVER.match(plain)) and read_names(aside[0]).only():
        plain = plain[aside.end() :]
    for pattern, other in _denied_bounds():
        plain = pattern.sub(other, plain)
    for pattern, other in _SAME_WORDS:
        plain = pattern.sub(other, plain)
    return plain


def _without_hyphens(text: str) -> str:
    return _HYPHEN.sub(" ", text)


@cache
def _pause(cue: str) -> re.Pattern[str]:
    return re.compile(
        rf"{claim_words().pattern(f'cues.{cue}')}(?: moving| its \w+| all \w+)? (?:from|between|during)\b"
    )


@cache
def _denied_bounds() -> tuple[tuple[re.Pattern[str], str], ...]:
    """A denied end or start before "until": what does not stop until a time lasts until then, or starts at it."""
    denied, until = r"(?:\b(?:never|not|without)\b|\w*n't) (?:\w+ )?", " (?:until|till|before|up to)"
    ending, starting = (claim_words().pattern(f"cues.{role}") for role in ("ending", "starting"))
    return (
        (re.compile(f"{denied}{ending}(?={until})"), "lasts"),
        (re.compile(f"{denied}{starting}{until}"), "starts at"),
    )


def joined_sentences(text: str) -> str | None:
    """The sentences as one, unless a later one names a new thing and takes up nothing of the first; then None."""
    first, *later = _SENTENCE_END.split(text)
    for sentence in later:
        names = all(_names_thing(part) for part in (first, sentence))
        if names and _NEW_THING.search(sentence) and not _LEANS.search(sentence):
            return None
        first = f"{first}, {sentence}"
    return first


def _names_thing(text: str) -> bool:
    named = read_names(text)
    return bool(named.voices or named.colours or named.negations or claim_words().all("shapes", text))


def read_names(plain: str) -> NamedThings:
    """What a claim names.

    Args:
        plain: the claim, normalized.
    """
    lexicon, words = caption_words(), claim_words()
    bare = _HERTZ.sub(" ", _RATE.sub(" ", plain))
    bare, times = _TIME.sub(" ", bare), tuple(_TIME.findall(bare))
    ranks = lexicon.all("ranks", bare)
    levels = tuple(name for table in ("levels", "heights", "comparisons") for name in lexicon.all(table, bare))
    return NamedThings(
        plain,
        bare,
        times,
        tuple(_HERTZ.findall(plain)),
        tuple(_RATE.findall(plain)),
        tuple(_COUNT.findall(bare)),
        words.all("voices", bare),
        lexicon.all("colours", bare),
        lexicon.all("places", bare),
        tuple(rank for rank in ranks if rank in ("second", "third", "fourth", "fifth") or f"{rank} " in f"{bare} "),
        levels,
        len(NEGATION.findall(bare)),
    )


def leans_on_others(text: str) -> bool:
    """Whether a text has several sentences of which one takes up what another names."""
    return any(_LEANS.search(sentence) for sentence in _SENTENCE_END.split(plain_claim_text(text))[1:])
