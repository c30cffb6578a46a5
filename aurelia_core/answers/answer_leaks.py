"""Whether the steps that a target is given say the answer in so many words. It compares words and judges no meaning.

The paper's injected reasoning holds steps without their findings (section 3.1), so that a better answer comes from
attending to the right things. A step that names the answer hands it over; such questions can be left out of a gain.
"""

import re
from collections import Counter
from collections.abc import Sequence

from aurelia_core.answers.options import ChoiceNames
from aurelia_core.answers.tokens import MAX_REPLY_CHARS, comparison_key, find_mentions

_POSSESSIVE = re.compile(r"['’]s\b")
_NONE = ("unknown",)
_LETTER = re.compile(r"(?i:\b(?:option|choice|answer(?: is)?)) *\(?([A-Z])\b(?!')")


def find_answer_leaks(steps: Sequence[str], choices: Sequence[str], answer: str) -> list[str]:
    """What the steps say of the answer, as the choices or the answer word it; [] when they keep it to themselves.

    A step leaks when it names some of the choices more often than others (one that names all alike only compares
    them), or, where the reasoning's answer is none of the choices, when it names that answer. Words are compared
    without case, articles and punctuation, numbers as digits; a paraphrase is not noticed.

    Args:
        steps: the steps as the target is given them.
        choices: the question's choices, or none.
        answer: the reasoning's own final answer.
    """
    options, steps = ChoiceNames(tuple(choices)), [_POSSESSIVE.sub("", step[:MAX_REPLY_CHARS]) for step in steps]
    found = [name for step in steps for name in _preferred(step, options)]
    own = comparison_key(answer)
    if (
        own
        and own != _NONE
        and options.find_by_text(answer) is None
        and options.find_by_letter(answer.strip(" ().")) is None
    ):
        found += [answer for step in steps if find_mentions(step, [own])]
    return list(dict.fromkeys(found))


def _preferred(step: str, options: ChoiceNames) -> list[str]:
    """The choices that a step names, by their words or as "option B", more often than it names others."""
    counts = Counter(mention.phrase_index for mention in find_mentions(step, options.keys))
    counts.update(place for letter in _LETTER.findall(step) if (place := options.find_by_letter(letter)) is not None)
    least = min((counts[place] for place in range(len(options.choices))), default=0)
    return [choice for place, choice in enumerate(options.choices) if counts[place] > least]
