"""Which of the given choices an answer names: by plain rules, or none of them. Never a guess."""

import re
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTER = re.compile(r"(?:^\W*|\b(?:[Aa]nswer|[Cc]hoice|[Oo]ption)(?: is)?\W+)([A-Z])(?:\s*[.):,\]]|\W*$)")
_MARK = re.compile(r"^\s*\(?([A-Za-z])[.):]\s+")


def choose(answer: str, choices: Sequence[str]) -> str | None:
    """The choice that `answer` names, or None when it names none or several.

    The rules, in this order: the answer is a choice's text; it begins with a choice's letter ("B", "(B) …", "The answer
    is B"); exactly one choice's text stands in it as whole words, longer texts before shorter ones within them.
    """
    plain = _plain(answer)
    bare = [_plain(_MARK.sub("", choice)) for choice in choices]
    for choice, text in zip(choices, bare, strict=True):
        if plain in (text, _plain(choice)):
            return choice
    marks = [match[1].upper() if (match := _MARK.match(choice)) else None for choice in choices]
    letters = marks if all(marks) else list(LETTERS[: len(choices)])
    if (named := _LETTER.search(answer.strip())) and named[1] in letters:
        return choices[letters.index(named[1])]
    return _mentioned(plain, choices, bare)


def _mentioned(plain: str, choices: Sequence[str], bare: list[str]) -> str | None:
    found: list[str] = []
    for text, choice in sorted(zip(bare, choices, strict=True), key=lambda pair: -len(pair[0])):
        pattern = rf"(?<!\w){re.escape(text)}(?!\w)"
        if text and re.search(pattern, plain):
            found.append(choice)
            plain = re.sub(pattern, " ", plain)
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s.%/-]", " ", text.casefold()).split()).strip(" .")
