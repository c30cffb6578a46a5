"""Detection of answer leaks: reasoning steps for a target that state the answer literally.

The paper's injected reasoning contains steps without their findings (section 3.1), so that a better answer comes from
attention to the right things. A step that names the answer gives it away; such questions can be excluded from a gain.
Only words are compared; a paraphrase is not detected.
"""

import re
from collections import Counter
from collections.abc import Sequence

from aurelia_core.answers.options import ChoiceNames
from aurelia_core.answers.tokens import MAX_REPLY_CHARS, comparison_key, find_mentions

_POSSESSIVE = re.compile(r"['’]s\b")
_NO_ANSWER = ("unknown",)
_LETTER = re.compile(r"(?i:\b(?:option|choice|answer(?: is)?)) *\(?([A-Z])\b(?!')")


def find_answer_leaks(steps: Sequence[str], choices: Sequence[str], answer: str) -> list[str]:
    """The choices, or the answer, that the steps leak; [] without a leak.

    A step leaks if it names some choices more often than others (a step that names all choices equally often only
    compares them), or if it names the reasoning's answer and this is none of the choices. Words are compared without
    case, articles and punctuation, and numbers as digits.

    Args:
        steps: the steps as the target receives them.
        choices: the question's choices, or none.
        answer: the reasoning's own final answer.
    """
    options = ChoiceNames(tuple(choices))
    steps = [_POSSESSIVE.sub("", step[:MAX_REPLY_CHARS]) for step in steps]
    leaks: list[str] = []
    for step in steps:
        leaks += _preferred_choices(step, options)
    own = comparison_key(answer)
    is_choice = options.find_by_text(answer) is not None or options.find_by_letter(answer.strip(" ().")) is not None
    if own and own != _NO_ANSWER and not is_choice:
        leaks += [answer for step in steps if find_mentions(step, [own])]
    return list(dict.fromkeys(leaks))


def _preferred_choices(step: str, options: ChoiceNames) -> list[str]:
    """The choices that a step names, by text or as "option B", more often than the least named choice."""
    counts = Counter(mention.phrase_index for mention in find_mentions(step, options.keys))
    counts.update(place for letter in _LETTER.findall(step) if (place := options.find_by_letter(letter)) is not None)
    least = min((counts[place] for place in range(len(options.choices))), default=0)
    return [choice for place, choice in enumerate(options.choices) if counts[place] > least]
