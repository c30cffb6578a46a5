"""Extraction of the choice that a reply names, by rules in a fixed order. Without a clear choice the result is None.

The rules compare words and never guess; a paraphrase of a choice is not read (a judge model can read it).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aurelia_core.answers.options import CHOICE_LETTERS, CHOICE_NOUNS, ChoiceNames
from aurelia_core.answers.tokens import comparison_key, is_negated, parse_json_answer, strip_reply_markup

__all__ = ["CHOICE_LETTERS", "UNPARSED", "ExtractedChoice", "extract_choice_text", "extract_choice"]
UNPARSED: Final = "unparsed"
# A reply that states more different answers than this lists them; it does not correct itself.
_MAX_STATED_ANSWERS = 2

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
    """The index of the chosen choice (from 0) or None, and the rule that found it or "unparsed"."""

    index: int | None
    rule: str


def extract_choice_text(answer: str, choices: Sequence[str]) -> str | None:
    """The choice that `answer` names, or None if it names none or several (see `extract_choice`)."""
    index = extract_choice(answer, choices).index
    if index is None:
        return None
    return choices[index]


def extract_choice(reply: str, choices: Sequence[str]) -> ExtractedChoice:
    r"""Extract the choice that a reply names.

    The model saw the choices with the letters A, B, C …, or with their own letters ("A. left"). A reply is unparsed if
    it names several choices, contradicts itself ("B. a piano" where C is the piano), was cut off or refuses to answer.

    The rules in their order; the name is the `rule` of the result:

    * `json`: the reply is a JSON object with an answer; its value is read by the rules below.
    * `whole`: the whole reply is a letter, a choice's text, both, or its number among the choices ("option 2").
    * `stated`: the reply states an answer: "the answer is B", `\boxed{B}`, "I choose …"; the last statement counts.
    * `led`: the reply begins with a choice's letter and a mark: "B. The horn is heard twice."
    * `line`: the first or the last line is exactly a choice.
    * `closing`: the last sentence ends in "… is B."
    * `concluded`: the last sentence begins with "Therefore" or a similar word and names the text of one choice.
    * `mentioned`: the reply names the text of only one choice and does not deny it.

    Args:
        reply: a model's reply.
        choices: the choices; for identical choices the index of the first is returned.
    """
    options = ChoiceNames(tuple(choices))
    parsed = parse_json_answer(reply)
    if parsed is None:
        return _read_text(reply, options)
    index = None
    if parsed.answer is not None:
        index = _read_text(parsed.answer, options).index
    if index is None:
        return ExtractedChoice(None, UNPARSED)
    return ExtractedChoice(index, "json")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one rule: a choice, a denied choice, nothing, or (`final`) a contradiction that ends the search."""

    index: int | None = None
    final: bool = False
    denied: int | None = None


def _read_text(reply: str, options: ChoiceNames) -> ExtractedChoice:
    text = strip_reply_markup(reply)
    for name, rule in (("whole", _whole), ("stated", _stated), ("led", _led), ("line", _line)):
        outcome = rule(text, options)
        if outcome.index is not None:
            return ExtractedChoice(outcome.index, name)
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
    """A text that is exactly one choice: its letter, its text, both, or its number."""
    if options.find_verbatim(text) is None:
        outcome = _letter_and_text(text, options)
        if outcome is not None:
            return outcome
    by_text = options.find_by_text(text)
    by_letter = _by_letter(_LETTER.fullmatch(text) or _only_letter(text), options)
    if by_letter is None and by_text is None:
        return _Outcome(options.numeric_aliases.get(comparison_key(text)))
    if by_letter is None:
        return _Outcome(by_text)
    return _consistent(by_letter, by_text)


def _letter_and_text(text: str, options: ChoiceNames) -> _Outcome | None:
    """A letter with a choice's text ("B. a piano"); None for any other text."""
    marked = _MARKED.fullmatch(text)
    if not marked:
        return None
    by_letter = options.find_by_letter(marked[1])
    by_text = options.find_by_text(marked[2])
    if by_letter is None or by_text is None:
        return None
    return _consistent(by_letter, by_text)


def _consistent(by_letter: int, by_text: int | None) -> _Outcome:
    """The choice of a letter, unless a text beside it is another choice."""
    if by_text not in (None, by_letter):
        return _Outcome(final=True)
    return _Outcome(by_letter)


def _by_letter(match: re.Match[str] | None, options: ChoiceNames) -> int | None:
    """The choice whose letter is the first group of a match."""
    if match is None:
        return None
    return options.find_by_letter(match[1])


def _only_letter(text: str) -> re.Match[str] | None:
    """A letter after filler words only ("Probably C.")."""
    head = _HEAD.match(text)
    if not head or head["not"] or head["several"] or re.search(r"\w", text[head.end() :]):
        return None
    return re.compile(r"([A-Za-z])").match(text, head.start("letter"))


def _stated(text: str, options: ChoiceNames) -> _Outcome:
    """The last readable statement of an answer, unless the text takes it back afterwards."""
    outcome = _Outcome()
    ended = 0
    stated: set[int] = set()
    for end, found in _statements(text, options):
        if found.index is not None:
            stated.add(found.index)
        if found.index is not None or found.final:
            outcome = found
            ended = end
        elif found.denied is not None and found.denied == outcome.index:
            outcome = _Outcome(final=True)
    if outcome.index is not None and (len(stated) > _MAX_STATED_ANSWERS or _TAKEN_BACK.search(text, ended)):
        return _Outcome(final=True)
    return outcome


def _statements(text: str, options: ChoiceNames) -> Iterator[tuple[int, _Outcome]]:
    """All statements of an answer in the text, each with the end of its introducing words."""
    for cue in sorted([*_CUES.finditer(text), *_APPROVED.finditer(text)], key=lambda cue: cue.start()):
        at = cue.start()
        if cue.re is _APPROVED:
            outcome = _Outcome(options.find_by_letter(cue[1]))
        elif box := cue["box"]:
            outcome = _stated_answer(box[len("\\boxed{") : -1].strip(), options)
        else:
            outcome = _stated_answer(text[cue.end() :].lstrip().split("\n")[0], options)
        sentence_start = max(text.rfind(mark, 0, at) for mark in ".!?\n") + 1
        hypothetical = cue[0].rstrip(": ").endswith("would be") and re.search(r"\b[Ii]f\b", text[sentence_start:at])
        denied = is_negated(text, at) and not cue[0].casefold().startswith("leav")
        if denied or hypothetical:
            outcome = _Outcome(denied=outcome.index)
        yield cue.end(), outcome


def _stated_answer(statement: str, options: ChoiceNames) -> _Outcome:
    """The words after "the answer is": a letter, with or without text, or a choice's text in the first sentence."""
    head = _HEAD.match(statement)
    if head:
        index = options.find_by_letter(head["letter"])
        marked = head["letter"].isupper() or re.match(r"[.):\]]|\s*$", statement[head.end("letter") :])
        if index is not None and marked:
            return _letter_statement(head, statement[head.end() :], index, options)
    sentence = _first_sentence(statement)
    whole = _whole(sentence.rstrip(" .!"), options)
    if whole.index is not None or whole.final:
        return whole
    asserted = options.find_asserted(sentence)
    if len(asserted) == 1:
        return _Outcome(asserted.pop())
    return _Outcome(final=len(asserted) > 1)


def _first_sentence(text: str) -> str:
    return next(iter(_sentences(text)), "")


def _letter_statement(head: re.Match[str], rest: str, index: int, options: ChoiceNames) -> _Outcome:
    if head["not"] or _WRONG.match(rest):
        return _Outcome(denied=index)
    others = []
    if joined := _JOINED.match(rest):
        others.append(joined[1])
    if hedged := _HEDGED.search(_first_sentence(rest)):
        others.append(hedged[1] or hedged[2])
    if head["several"] or any(options.find_by_letter(other) not in (None, index) for other in others):
        return _Outcome(final=True)
    return _check_text_after_letter(head["letter"], rest, index, options)


def _check_text_after_letter(letter: str, rest: str, index: int, options: ChoiceNames) -> _Outcome:
    """The choice of a letter, unless the text after the letter, or the letter itself as a text, is another choice."""
    words = comparison_key(rest)
    beginning = [number for number, key in enumerate(options.keys) if key and words[: len(key)] == key]
    if index in beginning:
        return _Outcome(index)
    if beginning:
        return _Outcome(final=True)
    return _consistent(index, options.find_by_text(letter))


def _led(text: str, options: ChoiceNames) -> _Outcome:
    """A text that begins with a choice's letter and a mark."""
    led = _LED.match(text)
    index = _by_letter(led, options)
    if not led or index is None or _TAKEN_BACK.search(text) or (led[1].islower() and led[2] not in (".", ")")):
        return _Outcome()
    rest = text[led.end() :]
    own_key = options.keys[index]
    other_letters = set(options.letters) - {led[1].upper()}
    if own_key and comparison_key(rest)[: len(own_key)] == own_key:
        later_letters = {match[1] for line in text.splitlines()[1:] if (match := _LED.match(line))}
        if later_letters & other_letters:
            # The reply lists the choices.
            return _Outcome()
        return _Outcome(index)
    bracketed = {match[1] for match in _BRACKETED.finditer(text)}
    # "A:" before other words than the choice's text marks a speaker of a dialogue.
    if led[2] == ":" or _VERB.match(rest) or _WRONG.match(rest) or bracketed & other_letters:
        return _Outcome()
    return _check_text_after_letter(led[1], rest, index, options)


def _line(text: str, options: ChoiceNames) -> _Outcome:
    """A text of several lines whose first or last line is exactly a choice, and no line another choice."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    read = [_whole(line, options).index for line in lines]
    found = set(read) - {None}
    if len(read) < 2 or len(found) != 1 or not found & {read[0], read[-1]}:
        return _Outcome()
    return _Outcome(found.pop())
