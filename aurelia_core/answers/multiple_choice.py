"""Extraction of the choice that a reply names, by rules in a fixed order. Without a clear choice the result is None.

The rules compare words and never guess; a paraphrase of a choice is not read (a judge model can read it). Their tables
are compiled at the first reply.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aurelia_core.answers.options import CHOICE_LETTERS

__all__ = ["CHOICE_LETTERS", "UNPARSED", "ExtractedChoice", "extract_choice_text", "extract_choice"]
UNPARSED: Final = "unparsed"


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

    The reply is cleaned first (`aurelia_core.answers.cleaning.clean_reply`). The rules in their order; the name is the
    `rule` of the result:

    * `json`: the reply is JSON with an answer; its value is read by the rules below.
    * `whole`: the whole reply is a letter, a choice's text, both, or its number among the choices ("option 2").
    * `part`: the whole reply is a part of the text of only one choice ("right" for "to the right").
    * `weighed`: the reply gives each letter a share ("B: 70%, C: 20%"); the largest counts.
    * `stated`: the reply states an answer: "the answer is B", `\boxed{B}`, "I choose …"; the last statement counts.
    * `listed`: the reply judges the choices line by line, and only one is right.
    * `led`: the reply begins with a choice's letter and a mark: "B. The horn is heard twice."
    * `line`: the first or the last line is exactly a choice.
    * `closing`: the last sentence ends in "… is B." or ", B."
    * `concluded`: the last sentence concludes ("Therefore …", "…, so …") and names the text of one choice.
    * `total`: the choices are numbers, and the reply gives a number before a colon and a list.
    * `named`: the reply names only one letter, in sentences that decide and doubt nothing.
    * `mentioned`: the reply names the text of only one choice, and asserts it.

    Args:
        reply: a model's reply.
        choices: the choices; for identical choices the index of the first is returned.
    """
    from aurelia_core.answers.choice_reading import read_choice

    return read_choice(reply, choices)
