"""Which of the given choices a reply names: by plain rules in a fixed order, or none of them. Never a guess.

It reads wording only: what the choices mean it does not know, so a paraphrase is left unread (a judge may read it).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aurelia_core.answers.options import CHOICE_LETTERS, CHOICE_NOUNS, ChoiceNames
from aurelia_core.answers.tokens import comparison_key, is_negated, parse_json_answer, strip_reply_markup

__all__ = ["CHOICE_LETTERS", "UNPARSED", "ExtractedChoice", "extract_choice_text", "extract_choice"]
UNPARSED: Final = "unparsed"
# A reply that states more answers than this enumerates them; it does not correct itself.
_MAX_CHANGES = 2

_LETTER = re.compile(rf"[^\w+#-]*(?:(?i:{'|'.join(CHOICE_NOUNS)})[^\w+#-]+(?=[A-Z]))?([A-Za-z])[^\w+#-]*")
_FILLER = (
    r"(?:(?:i think|i believe|i'd say|i would say|probably|likely|most likely|clearly|definitely|actually|therefore|"
    r"thus|so|that|it's|it is|it was|it would be|this is|that is|the|letter|number|correct|best|right|seems to be|is|"
    rf"{'|'.join(CHOICE_NOUNS)})[\s:]+)*"
)
_AFTER = (
    r"(?:[)\]}>】》\"']+|(?=\s*(?:$|[.;:!?](?!\w)|[,/&(]|[-–—](?!\w)|\n|[^\x00-\x7F]|"
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
_WRONG = re.compile(
    r"^\W*(?:(?:is|was)\s+(?:not|wrong|incorrect|false)\b|isn't\b|cannot\b|can't\b|是?错|是?錯|不)", re.I
)
_CUES = re.compile(
    r"(?P<box>\\boxed\{[^{}]*\})"
    r"|\b(?:answers?|choice|option|conclusion)\b"
    r"(?: (?:to|for|based on|here|among|from|of|letter|choice|option)\b[^.:;\n]{0,160}?)?\s*"
    r"(?:(?:is|was|would be|should be|must be|will be|seems to be|appears to be)\b\s*:?|:|=|->|→|-(?=\s))"
    r"|\b(?:i|we)(?:'d|'ll| would| will)? (?:choose|pick|select|go with|answer)\b:?"
    r"|\b(?:chose|picked|selected)\b"
    r"|\b(?:leaving|leaves)(?: only| just)?\b"
    r"|(?:antwort|réponse|respuesta|resposta|risposta|đáp án|ответ|정답|답|答え|答案|正解)"
    r"(?:\s*(?:ist|lautet|est|es|é|è|là|은|는|は|是|为|為|应为|應為|应该是|應該是|就是))*\s*:?"
    r"|(?<![不没沒])[选選](?:[择擇项項])?:?",
    re.IGNORECASE,
)
_APPROVED = re.compile(
    r"(?:(?:^|[.!?\n]\s*|\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer) )\(?|\()([A-Za-z])\)?\s*"
    r"(?:\bis (?:the )?(?:most |only )?(?:correct|right|best|answer)\b|[是为為]最?(?:正[确確]|[对對佳好]|合[适適]))"
)
_MARKED = re.compile(r"[^\w+#-]*([A-Za-z])\s*[.):\]-]+\s*(\S.*)", re.DOTALL)
_TAKEN_BACK = re.compile(
    r"\b(?:wait|on second thoughts?|correction|reconsider|kidding|i mean|scratch that)\b"
    r"|[.!?\n]\s*(?:(?:no|hmm|but)\W+)?actually\b",
    re.IGNORECASE,
)
_LED = re.compile(r"^[^\w]*([A-Za-z])(?:\s*([.):\]])\s*(?=.*\w\w)|,?\s+(?=(?:because|since)\b))")
_BRACKETED = re.compile(r"\(([A-Z])\)")
_VERB = re.compile(r"^(?:is|was|are|can|could|might|may|does|has|seems|and|or)\b")
_CLOSING = re.compile(r"(?:\bis|\bbe|=|:)\s*[(\"]?([A-Z])[)\"]?[.!]*$")
_THEREFORE = re.compile(r"\b(?:therefore|so|thus|hence|overall|in conclusion|finally)\b|因此|所以", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExtractedChoice:
    """What a reply chose: the place of the choice (from 0), or None; and the rule that found it, or "unparsed"."""

    index: int | None
    rule: str


def extract_choice_text(answer: str, choices: Sequence[str]) -> str | None:
    """The choice that `answer` names, or None when it names none or several (see `extract`)."""
    index = extract_choice(answer, choices).index
    return None if index is None else choices[index]


def extract_choice(reply: str, choices: Sequence[str]) -> ExtractedChoice:
    r"""Reads which choice a reply names.

    The choices are taken to be shown with the letters A, B, C …, or with the letters they begin with ("A. left"). What
    names several choices, contradicts itself ("B. a piano" where C is the piano), was cut off or refuses is unparsed.

    The rules, in this order (each is the `how` of what it finds):

    * `json`: the reply is a JSON object with an answer; its value is read by the rules below.
    * `whole`: all of it is a letter, a choice's text, both, or its number among the choices ("option 2").
    * `stated`: it says so: "the answer is B", `\boxed{B}`, "I choose …"; the last such statement counts.
    * `led`: it begins with a choice's letter and a mark: "B. The horn is heard twice."
    * `line`: its first or its last line is all of a choice.
    * `closing`: its last sentence ends in "… is B."
    * `concluded`: its last sentence begins with "Therefore" or the like and names one choice's text.
    * `mentioned`: one choice's text alone is named in it and not denied; longer texts before shorter ones within them.

    Args:
        reply: what a model said.
        choices: the choices; of identical ones the first stands for all.
    """
    options = ChoiceNames(tuple(choices))
    if (given := parse_json_answer(reply)) is not None:
        index = _read(given.answer, options).index if given.answer is not None else None
        return ExtractedChoice(index, "json" if index is not None else UNPARSED)
    return _read(reply, options)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one statement says: a choice, none that can be read, or (when `final`) several at once."""

    index: int | None = None
    final: bool = False
    denied: int | None = None


def _read(reply: str, options: ChoiceNames) -> ExtractedChoice:
    text = strip_reply_markup(reply)
    for how, rule in (("whole", _whole), ("stated", _stated), ("led", _led), ("line", _line)):
        outcome = rule(text, options)
        if outcome.index is not None:
            return ExtractedChoice(outcome.index, how)
        if outcome.final:
            return ExtractedChoice(None, UNPARSED)
    *before, last = _sentences(text) or [""]
    if (closing := _CLOSING.search(last)) and not is_negated(last, closing.start(1)):
        index = options.find_by_letter(closing[1])
        if index is not None and options.find_by_text(closing[1]) in (None, index):
            return ExtractedChoice(index, "closing")
    if _THEREFORE.match(last) and len(named := options.find_asserted(last)) == 1:
        return ExtractedChoice(named.pop(), "concluded")
    cut_off = bool(before) and not re.search(r"[.!?。！？)\"'”]$", last)
    if not cut_off and len(named := options.find_asserted(text)) == 1:
        return ExtractedChoice(named.pop(), "mentioned")
    return ExtractedChoice(None, UNPARSED)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?。！？])\s+|\n+", text) if part.strip()]


def _whole(text: str, options: ChoiceNames) -> _Outcome:
    """A text that is nothing but one choice: its letter, its words, both, or its number."""
    by_text = options.find_verbatim(text)
    marked = _MARKED.fullmatch(text)
    index = options.find_by_letter(marked[1]) if marked else None
    if by_text is None and marked and index is not None and (named := options.find_by_text(marked[2])) is not None:
        return _Outcome(index) if named == index else _Outcome(final=True)
    by_text = by_text if by_text is not None else options.find_by_text(text)
    bare = _LETTER.fullmatch(text) or _only_letter(text)
    by_letter = options.find_by_letter(bare[1]) if bare else None
    if by_letter is not None and by_text not in (None, by_letter):
        return _Outcome(final=True)
    if (index := by_letter if by_letter is not None else by_text) is not None:
        return _Outcome(index)
    return _Outcome(options.numeric_aliases.get(comparison_key(text)))


def _only_letter(text: str) -> re.Match[str] | None:
    """A letter with mere filling before it ("Probably C.")."""
    head = _HEAD.match(text)
    if not head or head["not"] or head["several"] or re.search(r"\w", text[head.end() :]):
        return None
    return re.compile(r"([A-Za-z])").match(text, head.start("letter"))


def _stated(text: str, options: ChoiceNames) -> _Outcome:
    """The last statement of an answer that can be read, unless it is taken back after it."""
    outcome, ended = _Outcome(), 0
    said_so: set[int] = set()
    for end, found in _statements(text, options):
        if found.index is not None or found.final:
            outcome, ended = found, end
            said_so |= {found.index} if found.index is not None else set()
        elif found.denied is not None and found.denied == outcome.index:
            outcome = _Outcome(final=True)
    if outcome.index is not None and (len(said_so) > _MAX_CHANGES or _TAKEN_BACK.search(text, ended)):
        return _Outcome(final=True)
    return outcome


def _statements(text: str, options: ChoiceNames) -> Iterator[tuple[int, _Outcome]]:
    """Every statement of an answer, with where it begins to say it."""
    cues = [(cue.start(), cue) for cue in _CUES.finditer(text)]
    for at, cue in sorted(
        cues + [(found.start(), found) for found in _APPROVED.finditer(text)], key=lambda cue: cue[0]
    ):
        if cue.re is _APPROVED:
            outcome = _Outcome(options.find_by_letter(cue[1]))
        elif box := cue["box"]:
            outcome = _payload(box[len("\\boxed{") : -1].strip(), options)
        else:
            outcome = _payload(text[cue.end() :].lstrip().split("\n")[0], options)
        opened = max(text.rfind(mark, 0, at) for mark in ".!?\n")
        supposed = cue[0].rstrip(": ").endswith("would be") and re.search(r"\b[Ii]f\b", text[opened + 1 : at])
        denied = is_negated(text, at) and not cue[0].casefold().startswith("leav")
        yield cue.end(), _Outcome(denied=outcome.index) if denied or supposed else outcome


def _payload(payload: str, options: ChoiceNames) -> _Outcome:
    """What follows "the answer is": a letter with its text, if any, or a choice's text within the first sentence."""
    head = _HEAD.match(payload)
    index = options.find_by_letter(head["letter"]) if head else None
    if (
        head
        and index is not None
        and (head["letter"].isupper() or re.match(r"[.):\]]|\s*$", payload[head.end("letter") :]))
    ):
        return _lettered(head, payload[head.end() :], index, options)
    sentence = (_sentences(payload) or [""])[0]
    whole = _whole(sentence.rstrip(" .!"), options)
    if whole.index is not None or whole.final:
        return whole
    named = options.find_asserted(sentence)
    return _Outcome(named.pop()) if len(named) == 1 else _Outcome(final=len(named) > 1)


def _lettered(head: re.Match[str], rest: str, index: int, options: ChoiceNames) -> _Outcome:
    if head["not"] or _WRONG.match(rest):
        return _Outcome(denied=index)
    others = [match[1] for match in (_JOINED.match(rest),) if match]
    others += [match[1] or match[2] for match in (_HEDGED.search((_sentences(rest) or [""])[0]),) if match]
    if head["several"] or any(options.find_by_letter(other) not in (None, index) for other in others):
        return _Outcome(final=True)
    return _agreed(head["letter"], rest, index, options)


def _agreed(letter: str, rest: str, index: int, options: ChoiceNames) -> _Outcome:
    """The lettered choice, unless the text after the letter, or the letter as a text, is another choice."""
    words = comparison_key(rest)
    begins = [place for place, sought in enumerate(options.keys) if sought and words[: len(sought)] == sought]
    if index in begins:
        return _Outcome(index)
    other = options.find_by_text(letter)
    return _Outcome(final=True) if begins or other not in (None, index) else _Outcome(index)


def _led(text: str, options: ChoiceNames) -> _Outcome:
    led = _LED.match(text)
    index = options.find_by_letter(led[1]) if led else None
    if not led or index is None or _TAKEN_BACK.search(text) or (led[1].islower() and led[2] not in (".", ")")):
        return _Outcome()
    rest = text[led.end() :]
    own, words = options.keys[index], comparison_key(rest)
    if own and words[: len(own)] == own:
        elsewhere = {letter for line in text.splitlines()[1:] for letter in (_LED.match(line) or ["", ""])[1]}
        return _Outcome() if elsewhere & set(options.letters) - {led[1].upper()} else _Outcome(index)
    marked = {match[1] for match in _BRACKETED.finditer(text)} - {led[1].upper()}
    # "A:" before anything but the choice itself is how a dialogue marks an answer.
    if led[2] == ":" or _VERB.match(rest) or _WRONG.match(rest) or marked & set(options.letters):
        return _Outcome()
    return _agreed(led[1], rest, index, options)


def _line(text: str, options: ChoiceNames) -> _Outcome:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    read = [_whole(line, options).index for line in lines]
    found = set(read) - {None}
    if len(read) < 2 or len(found) != 1 or not found & {read[0], read[-1]}:
        return _Outcome()
    return _Outcome(found.pop())
