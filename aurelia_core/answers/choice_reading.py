"""The rules that find the choice in a reply, in their order (`aurelia_core.answers.multiple_choice.extract_choice`).

The wordings are in the tables of `aurelia_core.answers.choice_rules` and `aurelia_core.answers.languages`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aurelia_core.answers import choice_rules as rules
from aurelia_core.answers.asserted_choices import asserted_choices
from aurelia_core.answers.choice_forms import normal_form, with_letters, without_restated, without_signs
from aurelia_core.answers.cleaning import clean_reply, is_json_reply
from aurelia_core.answers.languages import BETWEEN, DENYING
from aurelia_core.answers.multiple_choice import UNPARSED, ExtractedChoice
from aurelia_core.answers.options import CHOICE_NOUNS, ChoiceNames
from aurelia_core.answers.sole_letter import sole_letter
from aurelia_core.answers.tokens import comparison_key, is_negated, is_number, strip_reply_markup

# A reply that states more different answers than this lists them; it does not correct itself.
_MAX_STATED_ANSWERS = 2
# A text with more statements repeats itself and states nothing.
_MAX_STATEMENTS = 100
# Characters of a statement that are read, and before it that may deny it.
_MAX_STATEMENT = 400
_NEAR = 120

_LETTER = re.compile(rf"[^\w+#-]*(?:(?i:{'|'.join(CHOICE_NOUNS)})[^\w+#-]+(?=[A-Z]))?([A-Za-z])[^\w+#-]*")
_FILLER = (
    r"(?:(?:i think|i believe|i'd say|i would say|probably|likely|most likely|clearly|definitely|actually|therefore|"
    r"thus|so|that|it's|it is|it was|it would be|this is|that is|the|letter|number|correct|best|right|seems to be|is|"
    rf"{'|'.join(CHOICE_NOUNS)})[\s:]+)*"
)
_AFTER = (
    r"(?:[)\]}>】》）」』\"']+|(?=\s*(?:$|[.;:!?](?!\w)|[,/&(]|[-–—](?!\w)|\n|[^\x00-\x7F]|"
    r"(?:because|since|as|which|for|due|and|or|but|is|not|with|where|here|on|in|at|over|given|based|instead|porque|parce|car|weil|denn|perché|pois|"
    r"omdat|çünkü|karena|wählen|nehmen|sagen)\b)))"
)
_HEAD = re.compile(
    rf"^[\s\"'“”:：=>-]*+(?P<not>not\b|never\b|neither\b|none\b|(?i:(?:{DENYING})(?!\w)|不是))?(?P<several>both\b|either\b)?\s*"
    rf"(?i:{_FILLER})(?i:(?:(?:{BETWEEN})\s+)*)[(（「『\"'\[{{<【《]*(?P<letter>[A-Za-z]){_AFTER}"
)
_JOINED = re.compile(
    r"^[\s.]*(?:,|/|&|\band\b|\bor\b|或|和|与|、|か|又は|또는|ou\b|oder\b|или\b|або\b|أو|atau\b|veya\b|hoặc\b|[oeyиو]\b)\s*"
    rf"(?:(?:also|either|maybe|perhaps|even|option|choice)\s+)*[(\"\[]*([A-Z]){_AFTER}"
)
_MARKED = re.compile(r"[^\w+#-]*(?:(?i:option|choice|answer)\s+)?([A-Za-z1-9])\s*[.(:)\]–—-]+\s*(\S.*)", re.DOTALL)
_LED = re.compile(r"^[^\w]*([A-Za-z])(?:\s*([.):\]。])\s*(?=.*\w\w)|,?\s+(?=(?:because|since)\b))")
_BRACKETED = re.compile(r"\(([A-Z])\)")
_OPENING = re.compile(r"^[^\w]*(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+)?([A-Z])[)\]]?\s*(?:[,;/](?!\w\w)|\(\s*not\b)")
_VERB = re.compile(r"^(?:is|was|are|can|could|might|may|does|has|seems|and|or)\b")
_WEAK = re.compile(r"\W*(?:it|that)\b", re.I)
_CONDITION = re.compile(r"\bif\b(?! (?:i|we) (?:had|have|must)\b| forced\b)|^\W*(?:were|had|should) \w+\b", re.I)
_IF = re.compile(r"\b(?:if|whether|unless|assuming|suppose)(?: \w+){0,2}\s*$", re.I)


def apply_choice_rules(reply: str, choices: Sequence[str]) -> ExtractedChoice:
    """What `extract_choice` returns."""
    options = ChoiceNames(tuple(map(normal_form, choices)))
    cleaned = clean_reply(reply)
    as_json = is_json_reply(reply)
    if as_json and is_json_reply(cleaned):
        # No answer, or several. Shares and verdicts by letter are read.
        plain = re.sub(r"[{}\"']", "", cleaned)
        weighed = _weighed(plain, options)
        if weighed.index is None:
            weighed = _listed(plain.replace(",", "\n"), options)
        if weighed.index is None:
            return ExtractedChoice(None, UNPARSED)
        return ExtractedChoice(weighed.index, "json")
    found = _read_text(cleaned, options)
    if as_json and found.index is not None:
        return ExtractedChoice(found.index, "json")
    return found


@dataclass(frozen=True, slots=True)
class _Outcome:
    """The result of one rule: a choice, a denied choice, nothing, or (`final`) a contradiction that ends the search."""

    index: int | None = None
    final: bool = False
    denied: int | None = None


def _read_text(cleaned: str, options: ChoiceNames) -> ExtractedChoice:
    text = with_letters(normal_form(strip_reply_markup(without_signs(cleaned))), options)
    text = without_restated(text, options).strip()
    for name, rule in _RULES:
        outcome = rule(text, options)
        if outcome.index is not None:
            return ExtractedChoice(outcome.index, name)
        if outcome.final:
            break
    return ExtractedChoice(None, UNPARSED)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?。！？])(?<!\b\d\.)\s+|\n+", text) if part.strip()]


def _whole(text: str, options: ChoiceNames) -> _Outcome:
    """A text that is exactly one choice: its letter, its text, both, or its number."""
    if options.find_verbatim(text) is None:
        outcome = _letter_and_text(text, options)
        if outcome is not None:
            return outcome
    by_text = options.find_by_text(text)
    by_letter = _by_letter(_LETTER.fullmatch(text) or _only_letter(text), options)
    if by_letter is None and by_text is None:
        return _Outcome(options.find_by_number(text))
    if by_letter is None:
        return _Outcome(by_text)
    return _consistent(by_letter, by_text)


def _letter_and_text(text: str, options: ChoiceNames) -> _Outcome | None:
    """A letter with a choice's text ("B. a piano"); None for any other text."""
    marked = _MARKED.fullmatch(text)
    if not marked:
        return None
    by_letter = options.find_by_letter(marked[1])
    if marked[1].isdigit():
        by_letter = options.find_by_number(f"option {marked[1]}")
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
    return options.find_by_letter(match[1]) if match else None


def _only_letter(text: str) -> re.Match[str] | None:
    """A letter after filler words only ("Probably C.")."""
    head = _HEAD.match(text)
    if not head or head["not"] or head["several"] or re.search(r"\w", text[head.end() :]):
        return None
    return re.compile(r"([A-Za-z])").match(text, head.start("letter"))


def _part(text: str, options: ChoiceNames) -> _Outcome:
    """A text that is a part of the text of only one choice."""
    return _Outcome(options.find_by_part(text))


def _weighed(text: str, options: ChoiceNames) -> _Outcome:
    """Shares of at least two letters, and nothing else; a tie is a contradiction."""
    weights: dict[int, float] = {}
    for match in rules.WEIGHT.finditer(text):
        index = options.find_by_letter(match[1] or match[5])
        if index is None or index in weights:
            return _Outcome()
        weights[index] = float(match[2] or match[4])
    rest = rules.WEIGHT_FILLER.sub("", rules.WEIGHT.sub("", text))
    texts = [comparison_key(f"{weight:g}") for weight in weights.values()]
    if len(weights) < 2 or re.search(r"\w", rest) or any(key in options.keys for key in texts):
        return _Outcome()
    if not re.search(r"[%/]", text) and not 0.9 <= sum(weights.values()) <= 1.1:
        return _Outcome()
    largest = max(weights.values())
    best = [index for index, weight in weights.items() if weight == largest]
    if len(best) > 1:
        return _Outcome(final=True)
    return _Outcome(best[0])


def _stated(text: str, options: ChoiceNames) -> _Outcome:
    """The last readable statement of an answer, unless the text takes it back afterwards."""
    outcome = _Outcome()
    ended = 0
    stated: set[int] = set()
    for start, end, found in _statements(text, options):
        joined = bool(ended) and re.fullmatch(r"\s*(?:,|/|&|or|and)?\s*", text[ended:start], re.IGNORECASE)
        if joined and None not in (found.index, outcome.index) and found.index != outcome.index:
            return _Outcome(final=True)
        retracted = outcome.index is not None and rules.TAKEN_BACK.search(text[ended:start])
        if retracted and _WEAK.match(text, start) and found.index != outcome.index:
            return _Outcome(final=True)
        if found.index is not None:
            stated.add(found.index)
        if found.index is not None or found.final:
            outcome = found
            ended = end
        elif found.denied is not None and found.denied == outcome.index:
            outcome = _Outcome(final=True)
    if any(
        options.find_by_letter(letter) not in (None, outcome.index)
        for letter in rules.POSSIBLE_TOO.findall(text, ended)
    ):
        return _Outcome(final=True)
    if outcome.index is not None and (len(stated) > _MAX_STATED_ANSWERS or rules.TAKEN_BACK.search(text, ended)):
        return _Outcome(final=True)
    return outcome


def _statements(text: str, options: ChoiceNames) -> Iterator[tuple[int, int, _Outcome]]:
    """All statements of an answer in the text, each with start and end of its introducing words."""
    cues = [*rules.STATED.finditer(text), *rules.APPROVED.finditer(text)]
    if len(cues) > _MAX_STATEMENTS:
        yield 0, 0, _Outcome(final=True)
        return
    for cue in sorted(cues, key=lambda cue: cue.start()):
        outcome = _statement(cue, text, options)
        sentence_start = max(text.rfind(mark, 0, cue.start()) for mark in ".!?\n") + 1
        before = text[max(sentence_start, cue.start() - _NEAR) : cue.start()]
        after = re.split(r"[.!?\n]", text[cue.end() : cue.end() + _NEAR], maxsplit=1)[0]
        hypothetical = re.search(r"\bwould\b|'d\b", f"{before} {cue[0]}") and _CONDITION.search(f"{before} {after}")
        conditional = _IF.search(before) and not re.match(r"(?:i|we)\b", cue[0], re.IGNORECASE)
        if cue.re is rules.APPROVED and rules.SEVERAL_BEFORE.search(text[sentence_start : _letter_start(cue)]):
            outcome = _Outcome(final=True)
        elif hypothetical or conditional or rules.CONCEDED.search(before) or _is_denied(cue, text):
            outcome = _Outcome(denied=outcome.index)
        yield cue.start(), cue.end(), outcome


def _letter_start(cue: re.Match[str]) -> int:
    return max(cue.start("letter"), cue.start("number"))


def _statement(cue: re.Match[str], text: str, options: ChoiceNames) -> _Outcome:
    """What one introducing match states."""
    named = cue.groupdict()
    if cue.re is rules.APPROVED:
        if named["number"]:
            return _Outcome(options.find_by_number(f"option {named['number']}"))
        index = options.find_by_letter(named["letter"])
        if rules.DENIED_AFTER.match(text[cue.end("letter") :]):
            return _Outcome(denied=index)
        if _another_follows(text[cue.end() :], index, options):
            return _Outcome(final=True)
        return _Outcome(index)
    if named["box"]:
        content = cue[0].rstrip("}")
        return _stated_answer(content[content.rindex("{") + 1 :].strip(), options)
    statement = text[cue.end() : cue.end() + _MAX_STATEMENT].lstrip().split("\n")[0]
    outcome = _stated_answer(statement, options)
    if named["correction"] and not _HEAD.match(statement):
        return _Outcome()
    return outcome


def _another_follows(rest: str, index: int | None, options: ChoiceNames) -> bool:
    """Whether the sentence goes on to another letter that it does not deny ("A looks right, but B …")."""
    sentence = next(iter(_sentences(rest)), "")
    hedged = rules.HEDGED.search(sentence)
    if hedged is None or rules.DENIED_AFTER.match(sentence[hedged.end() :]):
        return False
    return options.find_by_letter(hedged[1] or hedged[2]) not in (None, index)


def _is_denied(cue: re.Match[str], text: str) -> bool:
    """Whether the words before an introducing match deny it; a correction follows a denial and is not denied."""
    named = cue.groupdict()
    if named.get("correction") or cue[0].casefold().startswith(("leav", "remain", "left")):
        return False
    at = cue.end() - len(cue[0].lstrip(" .!?,;:\n"))
    if cue.re is rules.APPROVED and at > cue.start():
        return False
    return is_negated(text, at) or bool(rules.DENIED_BEFORE.search(text, max(0, at - _NEAR), at))


def _stated_answer(statement: str, options: ChoiceNames) -> _Outcome:
    """The words after "the answer is": a letter, with or without text, or a choice's text in the first sentence."""
    head = _HEAD.match(statement)
    if head:
        index = options.find_by_letter(head["letter"])
        marked = head["letter"].isupper() or re.match(r"[.):\]]|\s*$", statement[head.end("letter") :])
        if index is not None and marked:
            return _letter_statement(head, statement[head.end() :], index, options)
    sentence = next(iter(_sentences(statement)), "")
    for words in (sentence, sentence.partition(" (")[0]):
        whole = _whole(words.rstrip(" .!。"), options)
        if whole.index is not None:
            bracketed = [options.find_by_letter(letter) for letter in _BRACKETED.findall(sentence)]
            return _consistent(whole.index, next((index for index in bracketed if index is not None), None))
        if whole.final:
            return whole
    if (part := options.find_by_part(sentence)) is not None:
        return _Outcome(part)
    found = options.find_asserted(sentence)
    if len(found) == 1:
        return _Outcome(found.pop())
    return _Outcome(final=len(found) > 1)


def _letter_statement(head: re.Match[str], rest: str, index: int, options: ChoiceNames) -> _Outcome:
    if head["not"] or rules.DENIED_AFTER.match(rest):
        return _Outcome(denied=index)
    others = []
    if joined := _JOINED.match(rest):
        others.append(joined[1])
    if hedged := rules.HEDGED.search(next(iter(_sentences(rest)), "")):
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


def _listed(text: str, options: ChoiceNames) -> _Outcome:
    """A verdict on each choice, one a line: one is right, all others are wrong. Or one box of several is checked."""
    checked = rules.CHECKED_BOX.findall(text)
    if len(checked) == 1:
        return _whole(checked[0].strip(), options)
    verdicts: dict[int, bool | None] = {}
    for line in rules.INLINE_LIST.sub("\n", text).splitlines():
        match = rules.VERDICT_LINE.match(line)
        index = _by_letter(match, options)
        if match is None or index is None:
            continue
        verdict = _verdict(match["text"], options.texts[index])
        if index in verdicts and verdicts[index] != verdict:
            return _Outcome()
        verdicts[index] = verdict
    right = [index for index, verdict in verdicts.items() if verdict]
    if len(verdicts) < 2 or len(right) != 1 or None in verdicts.values():
        return _Outcome()
    return _Outcome(right[0])


def _verdict(line: str, choice: str) -> bool | None:
    """Whether a line about a choice says that it is right; None if it says neither or both."""
    line = re.sub(re.escape(choice), "", line, flags=re.I)
    wrong = bool(rules.WRONG_VERDICT.search(line))
    right = bool(rules.RIGHT_VERDICT.search(rules.WRONG_VERDICT.sub("", line)))
    if right == wrong:
        return None
    return right


def _led(text: str, options: ChoiceNames) -> _Outcome:
    """A text that begins with a choice's letter and a mark."""
    led = _LED.match(text)
    index = _by_letter(led, options)
    if opening := _OPENING.match(text):
        return _opening_letter(opening, text, options)
    if not led or index is None or rules.TAKEN_BACK.search(text) or (led[1].islower() and led[2] not in (".", ")")):
        return _Outcome()
    rest = text[led.end() :]
    own_key = options.keys[index]
    other_letters = set(options.letters) - {led[1].upper()}
    later_letters = {match[1] for line in text.splitlines()[1:] if (match := _LED.match(line))}
    if later_letters & other_letters:
        # The reply lists the choices.
        return _Outcome()
    if own_key and comparison_key(rest)[: len(own_key)] == own_key:
        return _Outcome(index)
    bracketed = {match[1] for match in _BRACKETED.finditer(text)}
    # "A:" before other words than the choice's text marks a speaker of a dialogue.
    if led[2] == ":" or _VERB.match(rest) or rules.DENIED_AFTER.match(rest) or bracketed & other_letters:
        return _Outcome()
    return _check_text_after_letter(led[1], rest, index, options)


def _opening_letter(opening: re.Match[str], text: str, options: ChoiceNames) -> _Outcome:
    """A text that begins with a letter and a comma or slash: "D, not B"."""
    index = _by_letter(opening, options)
    head = _HEAD.match(text)
    if index is None or head is None or rules.TAKEN_BACK.search(text):
        return _Outcome()
    return _Outcome(_letter_statement(head, text[head.end() :], index, options).index)


def _line(text: str, options: ChoiceNames) -> _Outcome:
    """A text of several lines whose first or last line is exactly a choice, and no line another choice."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    read = [_whole(line, options).index for line in lines]
    found = set(read) - {None}
    if len(read) < 2 or len(found) != 1 or not found & {read[0], read[-1]}:
        return _Outcome()
    return _Outcome(found.pop())


def _closing(text: str, options: ChoiceNames) -> _Outcome:
    """A last sentence that ends in a letter after "is" or a comma."""
    *before, last = _sentences(text) or [""]
    closing = rules.CLOSING.search(last) or rules.CONNECTED.match(last)
    if before and not any(map(_LETTER.fullmatch, before)):
        closing = closing or _LETTER.fullmatch(last)
    if not closing or rules.TAKEN_BACK.search(text) or (" would " in last and _CONDITION.search(last)):
        return _Outcome()
    letter = closing[closing.lastindex or 0]
    at = closing.start(closing.lastindex or 0)
    concluded = closing.groupdict().get("so")
    if not concluded and is_negated(last, at) or rules.IMPROBABLE.search(last, last.rfind(",", 0, at) + 1, at):
        return _Outcome()
    index = options.find_by_letter(letter)
    if index is None or options.find_by_text(letter) not in (None, index):
        return _Outcome()
    return _Outcome(index)


def _concluded(text: str, options: ChoiceNames) -> _Outcome:
    """A last sentence, or its last clause, that begins with a word of conclusion."""
    last = next(reversed(_sentences(text)), "")
    begun = list(rules.THEREFORE.finditer(last))
    if not begun:
        return _Outcome()
    return _only(asserted_choices(last[begun[-1].start() :], options))


def _total(text: str, options: ChoiceNames) -> _Outcome:
    """A number before a colon, and a list that it counts after it."""
    if not options.keys or not all(len(key) == 1 and is_number(key[0]) for key in options.keys):
        return _Outcome()
    totals = rules.TOTAL_AFTER.findall(text)
    if len(totals) == 1:
        return _Outcome(options.find_by_text(totals[0]))
    head, colon, rest = text.partition(":")
    if not colon or not re.search(r",|\band\b", rest):
        return _Outcome()
    return _only(asserted_choices(head, options))


def _named(text: str, options: ChoiceNames) -> _Outcome:
    """The only letter that a text names, unless the text takes it back or asserts another choice."""
    index = sole_letter(text, options)
    if index is None or rules.UNSURE.search(text) or rules.TAKEN_BACK.search(text):
        return _Outcome()
    return _Outcome(index if asserted_choices(text, options) <= {index} else None)


def _mentioned(text: str, options: ChoiceNames) -> _Outcome:
    """The only choice whose text the reply asserts, if the reply was not cut off and is not unsure."""
    *before, last = _sentences(text) or [""]
    cut_off = bool(before) and not re.search(r"[.!?。！？)\"'”]$", last)
    led = {match[1] for line in text.splitlines() if (match := _LED.match(line))}
    if len(led & set(options.letters)) > 1 or cut_off:
        return _Outcome()
    if rules.UNSURE.search(text) or rules.TAKEN_BACK.search(text):
        return _Outcome()
    found = asserted_choices(text, options)
    named = {mention.phrase_index for mention in options.find_mentions(text)}
    if len(found) == 1 and options.find_paraphrased(text, named):
        return _Outcome()
    return _only(found)


def _only(found: set[int]) -> _Outcome:
    if len(found) == 1:
        return _Outcome(next(iter(found)))
    return _Outcome()


_RULES = (
    ("whole", _whole),
    ("part", _part),
    ("weighed", _weighed),
    ("stated", _stated),
    ("listed", _listed),
    ("led", _led),
    ("line", _line),
    ("closing", _closing),
    ("concluded", _concluded),
    ("total", _total),
    ("named", _named),
    ("mentioned", _mentioned),
)
