"""Which of the given choices a reply names: by plain rules in a fixed order, or none of them. Never a guess.

It reads wording only: what the choices mean it does not know, so a paraphrase is left unread (a judge may read it).
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from aurelia.wording import Key, is_number, key, mentions, said, spoken

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
UNPARSED = "unparsed"
_EITHER = -1

_MARK = re.compile(r"^\s*\(?([A-Za-z])[.):]\s+")
_LISTED = ("option", "choice")
_NOUNS = (*_LISTED, "answer", "audio", "track", "clip", "sound", "candidate", "music", "song", "soundtrack")
_LETTER = re.compile(
    rf"[^\w+#-]*(?:(?i:{'|'.join(_NOUNS)})[^\w+#-]+(?=[A-Z]))?([A-Za-z])[^\w+#-]*"
)
_FILLER = (
    r"(?:(?:i think|i believe|i'd say|i would say|probably|likely|most likely|clearly|definitely|actually|therefore|"
    r"thus|so|that|it's|it is|it was|it would be|this is|that is|the|letter|number|correct|best|right|seems to be|is|"
    rf"{'|'.join(_NOUNS)})[\s:]+)*"
)
_AFTER = (
    r"(?:[)\]}>】》\"']+|(?=\s*(?:$|[.;:!?](?!\w)|[,/&]|[-–—](?!\w)|\n|[^\x00-\x7F]|"
    r"(?:because|since|as|which|for|due|and|or|but|is|not|with|where)\b)))"
)
_HEAD = re.compile(
    r"^[\s\"'“”:=>-]*(?P<not>not\b|never\b|neither\b|none\b)?(?P<several>both\b|either\b)?\s*"
    rf"(?i:{_FILLER})[(\"'\[{{<【《]*(?P<letter>[A-Za-z]){_AFTER}"
)
_JOINED = re.compile(
    r"^[\s.]*(?:,|/|&|\band\b|\bor\b|和|或|与|、)\s*(?:(?:also|either|maybe|perhaps|even|option|choice)\s+)*"
    rf"[(\"\[]*([A-Z]){_AFTER}"
)
_HEDGED = re.compile(
    r"\b(?:but|although|though|or|maybe|perhaps|possibly|alternatively)\b(?! not\b)[^.!?\n]*?"
    r"(?:\(([A-Z])\)|(?<=\s)([A-HJ-Z])(?=[\s.,;!?]|$))"
)
_WRONG = re.compile(r"^\W*(?:(?:is|was)\s+(?:not|wrong|incorrect|false)\b|isn't\b|cannot\b|can't\b|是?错|是?錯|不)", re.I)
_CUES = re.compile(
    r"(?P<box>\\boxed\{[^{}]*\})"
    r"|\b(?:answers?|choice|option|conclusion)\b"
    r"(?: (?:to|for|based on|here|among|from|of|letter|choice|option)\b[^.:;\n]{0,160}?)?\s*"
    r"(?:(?:is|was|would be|should be|must be|will be|seems to be|appears to be)\b\s*:?|:|=|->|→|-(?=\s))"
    r"|\b(?:i|we)(?:'d|'ll| would| will)? (?:choose|pick|select|go with|answer)\b:?"
    r"|\b(?:leaving|leaves)(?: only| just)?\b"
    r"|(?:antwort|réponse|respuesta|resposta|risposta|đáp án|ответ|정답|답|答え|答案|正解)"
    r"(?:\s*(?:ist|lautet|est|es|é|è|là|은|는|は|是|为|為|应为|應為))*\s*:?"
    r"|(?<![不没沒])[选選](?:[择擇项項])?:?",
    re.IGNORECASE,
)
_APPROVED = re.compile(
    r"(?:\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer) \(?|\()([A-Z])\)? is (?:the )?(?:most |only )?(?:correct|right|best|answer)\b"
)
_LED = re.compile(r"^[^\w]*([A-Za-z])\s*([.):\]])\s*(?=.*\w\w)")
_BRACKETED = re.compile(r"\(([A-Z])\)")
_VERB = re.compile(r"^(?:is|was|are|can|could|might|may|does|has|seems|and|or)\b")
_CLOSING = re.compile(r"(?:\bis|\bbe|=|:)\s*[(\"]?([A-Z])[)\"]?[.!]*$")
_THEREFORE = re.compile(r"\b(?:therefore|so|thus|hence|overall|in conclusion|finally)\b|因此|所以", re.IGNORECASE)
_FENCE = re.compile(r"^```\w*\s*(.*?)\s*```$", re.DOTALL)
_ANSWER_NAMES = ("answer", "final_answer", "choice", "option", "prediction", "label")


class Extracted(NamedTuple):
    """What a reply chose: the place of the choice (from 0), or None; and the rule that found it, or "unparsed"."""

    index: int | None
    how: str


def choose(answer: str, choices: Sequence[str]) -> str | None:
    """The choice that `answer` names, or None when it names none or several (see `extract`)."""
    index = extract(answer, choices).index
    return None if index is None else choices[index]


def extract(reply: str, choices: Sequence[str]) -> Extracted:
    """Reads which choice a reply names.

    The choices are taken to be shown with the letters A, B, C …, or with the letters they begin with ("A. left"). What
    names several choices, contradicts itself ("B. a piano" where C is the piano), was cut off or refuses is unparsed.

    The rules, in this order (each is the `how` of what it finds):

    * `json`: the reply is a JSON object with an answer; its value is read by the rules below.
    * `whole`: all of it is a letter, a choice's text, both, or its number among the choices ("option 2").
    * `stated`: it says so: "the answer is B", `\\boxed{B}`, "I choose …"; the last such statement counts.
    * `led`: it begins with a choice's letter and a mark: "B. The horn is heard twice."
    * `line`: its last line is all of a choice.
    * `closing`: its last sentence ends in "… is B."
    * `concluded`: its last sentence begins with "Therefore" or the like and names one choice's text.
    * `mentioned`: one choice's text alone is named in it and not denied; longer texts before shorter ones within them.

    Args:
        reply: what a model said.
        choices: the choices; of identical ones the first stands for all.
    """
    options = _Options(tuple(choices))
    if (given := _from_json(reply)) is not None:
        index = _read(given.answer, options).index if given.answer is not None else None
        return Extracted(index, "json" if index is not None else UNPARSED)
    return _read(reply, options)


class _Given(NamedTuple):
    answer: str | None


class _Outcome(NamedTuple):
    """What one statement says: a choice, none that can be read, or (when `final`) several at once."""

    index: int | None = None
    final: bool = False
    denied: int | None = None


@dataclass(frozen=True)
class _Options:
    choices: tuple[str, ...]

    @cached_property
    def bare(self) -> list[str]:
        return [_MARK.sub("", choice) for choice in self.choices]

    @cached_property
    def letters(self) -> list[str]:
        marks = [match[1].upper() if (match := _MARK.match(choice)) else "" for choice in self.choices]
        return marks if all(marks) and len(set(marks)) == len(marks) else list(LETTERS[: len(self.choices)])

    @cached_property
    def keys(self) -> list[Key]:
        """The key of each choice; empty where another text has the same or an identical choice stands before."""
        keys = [key(text) for text in self.bare]
        texts = [text.casefold().strip() for text in self.bare]
        clash = {one for one in keys if len({t for k, t in zip(keys, texts, strict=True) if k == one}) > 1}
        return [() if k in clash or k in keys[:place] else k for place, k in enumerate(keys)]

    @cached_property
    def numbered(self) -> dict[Key, int]:
        """Further names of the choices by number, where a number can mean one thing only."""
        last = [k[-1] if k else "" for k in self.keys]
        if all(is_number(number) for number in last):
            return self._tracks(last) if all(len(k) == 2 for k in self.keys) else {}
        places = range(1, len(self.keys) + 1)
        return {name: at - 1 for at in places for noun in _LISTED for name in ((noun, str(at)), (f"{at}th", noun))}

    def _tracks(self, numbers: list[str]) -> dict[Key, int]:
        names: dict[Key, int] = {}
        nouns = {*_NOUNS, "1", *(k[0] for k in self.keys)}
        for place, number in enumerate(numbers):
            in_order = number == str(place + 1)
            names[(number,)] = place
            names |= {(noun, number): place for noun in nouns if in_order or noun not in _LISTED}
            names |= {(f"{number}th", noun): place for noun in nouns if in_order} | (
                {(f"{number}th",): place} if in_order else {}
            )
        return names

    def by_text(self, text: str) -> int | None:
        """The choice that is `text`, as written or by its key."""
        plain = text.casefold().strip(" .\t\n")
        for place, (choice, bare) in enumerate(zip(self.choices, self.bare, strict=True)):
            if plain in (choice.casefold().strip(" ."), bare.casefold().strip(" .")):
                return place
        found = key(text)
        return self.keys.index(found) if found and found in self.keys else None

    def by_letter(self, letter: str) -> int | None:
        return self.letters.index(letter.upper()) if letter.upper() in self.letters else None

    def named(self, text: str) -> set[int]:
        """The choices whose texts (or numbered names) `text` stands by."""
        aliases = {name: place for name, place in self.numbered.items() if len(name) > 1 and name not in self.keys}
        # "Option 2" where the choices are numbers is either the second or the one that reads 2.
        aliases |= {(noun, k[0]): _EITHER for noun in _LISTED for k in self.keys if len(k) == 1 and is_number(k[0])}
        places = [*range(len(self.keys)), *aliases.values()]
        found = mentions(text, [*self.keys, *aliases])
        named = said(mention._replace(which=places[mention.which]) for mention in found)
        return set() if _EITHER in named else named


def _from_json(reply: str) -> _Given | None:
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
        return _Given(None)
    return _Given(str(values[0]))


def _read(reply: str, options: _Options) -> Extracted:
    text = spoken(reply)
    for how, rule in (("whole", _whole), ("stated", _stated), ("led", _led), ("line", _line)):
        outcome = rule(text, options)
        if outcome.index is not None:
            return Extracted(outcome.index, how)
        if outcome.final:
            return Extracted(None, UNPARSED)
    *before, last = _sentences(text) or [""]
    if (closing := _CLOSING.search(last)) and " not " not in last and "n't" not in last:
        index = options.by_letter(closing[1])
        if index is not None and options.by_text(closing[1]) in (None, index):
            return Extracted(index, "closing")
    if _THEREFORE.match(last) and len(named := options.named(last)) == 1:
        return Extracted(named.pop(), "concluded")
    cut_off = bool(before) and not re.search(r"[.!?。！？)\"'”]$", last)
    if not cut_off and len(named := options.named(text)) == 1:
        return Extracted(named.pop(), "mentioned")
    return Extracted(None, UNPARSED)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?。！？])\s+|\n+", text) if part.strip()]


def _whole(text: str, options: _Options) -> _Outcome:
    """A text that is nothing but one choice: its letter, its words, both, or its number."""
    by_text = options.by_text(text)
    bare = _LETTER.fullmatch(text)
    by_letter = options.by_letter(bare[1]) if bare else None
    if by_letter is not None and by_text not in (None, by_letter):
        return _Outcome(final=True)
    if (index := by_letter if by_letter is not None else by_text) is not None:
        return _Outcome(index)
    marked = re.fullmatch(r"[^\w+#-]*([A-Za-z])\s*[.):\]-]+\s*(\S.*)", text, re.DOTALL)
    index = options.by_letter(marked[1]) if marked else None
    if marked and index is not None and (named := options.by_text(marked[2])) is not None:
        return _Outcome(index) if named == index else _Outcome(final=True)
    return _Outcome(options.numbered.get(key(text)))


def _stated(text: str, options: _Options) -> _Outcome:
    """The last statement of an answer that can be read; a later one that denies it takes it back."""
    outcome = _Outcome()
    for found in _statements(text, options):
        if found.index is not None or found.final:
            outcome = found
        elif found.denied is not None and found.denied == outcome.index:
            outcome = _Outcome(final=True)
    return outcome


def _statements(text: str, options: _Options) -> Iterator[_Outcome]:
    cues = [(cue.start(), cue) for cue in _CUES.finditer(text)]
    for _, cue in sorted(cues + [(found.start(), found) for found in _APPROVED.finditer(text)], key=lambda pair: pair[0]):
        if cue.re is _APPROVED:
            yield _Outcome(options.by_letter(cue[1]))
        elif box := cue["box"]:
            yield _payload(box[len("\\boxed{") : -1].strip(), options)
        else:
            yield _payload(text[cue.end() :].lstrip().split("\n")[0], options)


def _payload(payload: str, options: _Options) -> _Outcome:
    """What follows "the answer is": a letter with its text, if any, or a choice's text within the first sentence."""
    head = _HEAD.match(payload)
    index = options.by_letter(head["letter"]) if head else None
    if head and index is not None and (head["letter"].isupper() or re.match(r"[.):\]]|\s*$", payload[head.end("letter") :])):
        return _lettered(head, payload[head.end() :], index, options)
    sentence = (_sentences(payload) or [""])[0]
    whole = _whole(sentence.rstrip(" .!"), options)
    if whole.index is not None or whole.final:
        return whole
    named = options.named(sentence)
    return _Outcome(named.pop()) if len(named) == 1 else _Outcome(final=len(named) > 1)


def _lettered(head: re.Match[str], rest: str, index: int, options: _Options) -> _Outcome:
    if head["not"] or _WRONG.match(rest):
        return _Outcome(denied=index)
    others = [match[1] for match in (_JOINED.match(rest),) if match]
    others += [match[1] or match[2] for match in (_HEDGED.search((_sentences(rest) or [""])[0]),) if match]
    if head["several"] or any(options.by_letter(other) not in (None, index) for other in others):
        return _Outcome(final=True)
    return _agreed(head["letter"], rest, index, options)


def _agreed(letter: str, rest: str, index: int, options: _Options) -> _Outcome:
    """The lettered choice, unless the text after the letter, or the letter as a text, is another choice."""
    words = key(rest)
    begins = [place for place, sought in enumerate(options.keys) if sought and words[: len(sought)] == sought]
    if index in begins:
        return _Outcome(index)
    other = options.by_text(letter)
    return _Outcome(final=True) if begins or other not in (None, index) else _Outcome(index)


def _led(text: str, options: _Options) -> _Outcome:
    led = _LED.match(text)
    index = options.by_letter(led[1]) if led else None
    if not led or index is None or (led[1].islower() and led[2] not in ".)"):
        return _Outcome()
    rest = text[led.end() :]
    own, words = options.keys[index], key(rest)
    if own and words[: len(own)] == own:
        elsewhere = {letter for line in text.splitlines()[1:] for letter in (_LED.match(line) or ["", ""])[1]}
        return _Outcome() if elsewhere & set(options.letters) - {led[1].upper()} else _Outcome(index)
    marked = {match[1] for match in _BRACKETED.finditer(text)} - {led[1].upper()}
    # "A:" before anything but the choice itself is how a dialogue marks an answer.
    if led[2] == ":" or _VERB.match(rest) or _WRONG.match(rest) or marked & set(options.letters):
        return _Outcome()
    return _agreed(led[1], rest, index, options)


def _line(text: str, options: _Options) -> _Outcome:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    read = [_whole(line, options).index for line in lines]
    if len(read) < 2 or read[-1] is None or set(read) - {None, read[-1]}:
        return _Outcome()
    return _Outcome(read[-1])
