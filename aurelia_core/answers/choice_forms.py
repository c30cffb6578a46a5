"""Forms of one thing written alike before a choice is read: numbers, ranges, and letters in place of texts.

`normal_form` applies the table `aurelia_core.answers.choice_rules.NORMAL_FORMS`; `with_letters` replaces the text of a
choice by its letter in the places where only letters are read.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from aurelia_core.answers import choice_rules as rules
from aurelia_core.answers.languages import BETWEEN, CHOOSING, DENYING, INSTEAD, LANGUAGES, NOUNS
from aurelia_core.answers.options import ChoiceNames

_SELF_DENYING = "|".join(one.instead for one in LANGUAGES if one.instead and not one.denying)
_ARTICLE = r"(?:(?:une?|la|le|les|el|los|las|una|einer?|einen?|der|die|das|il|lo|um|uma|een|het|de)\s+|l['’])?"
_NOT_BUT = (
    rf"(?:{rules.WORD_BEGIN}(?:{DENYING}){rules.WORD_END}[^.!?。！？\n]{{1,80}}?(?:[\s,、，]|(?=[,，]))(?:{INSTEAD}){rules.WORD_END}|(?:{_SELF_DENYING}))"
    rf"[\s,、，]*(?:(?:{BETWEEN})\s+)?{_ARTICLE}"
)
# No other choice beside it.
_ALONE = (
    r"(?!\s*,?\s*(?:or|and|ou|et|oder|und|o|u|y|e|или|и|of|en|lub|veya|atau|hoặc|أو|و)(?!\w)"
    r"|\s*[,、，]?\s*(?:或|还是|和|または|か|と|또는|이나|와|과))"
)
_CUE = rf"(?:{NOUNS}|{CHOOSING})(?:[\s:：]*(?:{BETWEEN}))*[\s:：「『“\"]*"
_SHARE_AFTER = r"(?=\s*[:=(]?\s*(?:about\s+)?\d+(?:\.\d+)?\s*%)"
_WIDE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Letters that stand for A, B, C, D in another script. One that looks like another Latin letter is no name.
_OWN_LETTERS: Final = dict(zip("АБСГ" + "أبجد", "ABCD" * 2, strict=True))
_OWN_LETTER = re.compile(
    rf"(^\W*|(?:{NOUNS}|{CHOOSING})(?:[\s:：—–-]*(?:{BETWEEN})(?!\w))*[\s:：—–-]*)[(«\"]?([{''.join(_OWN_LETTERS)}])(?=[.)»:\"]|\s*$)",
    re.IGNORECASE,
)

_LETTER_AND_TEXT = re.compile(r"\W*(?:(?i:option|choice)\s+)?[A-Z]\s*[.:)\]–—-]+\s*(\S.*)")


def without_signs(text: str) -> str:
    """The text with letters and numbers in signs ("🅱", "②") as letters and as "option 2"."""
    for first, size, _ in rules.LETTER_SIGNS:
        alphabet = "".join(chr(ord(first) + place) for place in range(size))
        alone = rf"(?<![{alphabet}])([{alphabet}])\ufe0f?(?![{alphabet}])"
        text = re.sub(alone, lambda match: f" {chr(ord('A') + ord(match[1]) - ord(first))} ", text)  # noqa: B023
    return rules.NUMBER_SIGN.sub(lambda match: f" option {match[1] or int(unicodedata.numeric(match[2]))} ", text)


@lru_cache(maxsize=1024)
def normal_form(text: str) -> str:
    """The text with the forms of `NORMAL_FORMS` written alike, and without a confidence after the answer.

    Cached: the choices of a question are read once, whoever answers it.
    """
    for pattern, replacement, _ in rules.NORMAL_FORMS:
        text = re.sub(pattern, replacement, text, flags=re.IGNORECASE)
    if text.count("%") == 1:
        text = rules.CONFIDENCE.sub("", text)
    return re.sub(r"(?<=option )[一二三四五]", lambda match: rules.CJK_NUMBERS[match[0]], text)


def without_restated(text: str, options: ChoiceNames) -> str:
    """The text without a list that restates every choice, each on a line of its own."""
    rest = []
    restated = set()
    for line in text.splitlines():
        marked = _LETTER_AND_TEXT.fullmatch(line)
        # The mark of a verdict after the text ("B. a piano ✓") is no part of a choice.
        if marked and (index := options.find_verbatim(marked[1])) is not None:
            restated.add(index)
        else:
            rest.append(line)
    return "\n".join(rest) if len(restated) == len(options.choices) else text


def with_letters(text: str, options: ChoiceNames) -> str:
    """The text with the letters of choices in place of their texts where a rule reads letters only.

    These places are: the beginning of a line with a verdict, before a share in percent, after "not X but", and after
    "the answer is" in a script without spaces between words.
    """
    for name in options.texts:
        # "A dog is barking" for the choice "a dog barking".
        acting = re.sub(r"\\ (?=\w+ing\b)", r" (?:is |are |was |were )?", re.escape(name))
        text = re.sub(rf"(?<!\w){acting}(?!\w)", lambda _: name, text, flags=re.I)  # noqa: B023
    text = _OWN_LETTER.sub(lambda match: match[1] + _OWN_LETTERS[match[2].upper()], text)
    named = [index for index, name in enumerate(options.texts) if _occurs(name, text)]
    for index in sorted(named, key=lambda index: -len(options.texts[index])):
        name = re.escape(options.texts[index])
        letter = options.letters[index]
        text = re.sub(rf"(?<!\w){name}\s*[(\[](?:option |choice )?{letter}[)\]]", f"option {letter}", text, flags=re.I)
        if len(named) > 1:
            text = re.sub(
                rf"((?:^|[.;] )\W*(?:\d[.)]\s*)?){name}(?=\s*[:：—–]\s*\S| - )", rf"\1{letter}", text, flags=re.I | re.M
            )
            text = re.sub(rf"(?<!\w){name}{_SHARE_AFTER}", letter, text, flags=re.I)
            text = re.sub(rf"({_NOT_BUT}){name}{_ALONE}", rf"\1({letter})", text, flags=re.I)
        elif _WIDE.search(options.texts[index]):
            text = re.sub(rf"({_CUE}){name}", rf"\1({letter})", text, flags=re.I)
    return text


def _occurs(name: str, text: str) -> bool:
    return (
        (len(name) > 1 or _WIDE.search(name) is not None)
        and re.search(r"[^\W\d]", name) is not None
        and name.casefold() in text.casefold()
    )
