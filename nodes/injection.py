"""What of a reasoning is injected with `inject_filter = supported`: no step that rests on a contradicted claim.

A claim is a part of the caption, and the caption was written from the steps. So a step bears a claim if it says most of
the claim's words, in its finding first, else in its cue.
"""

import re
from collections.abc import Sequence

from aurelia_core.claims import Finding
from aurelia_core.types import Reasoning, Step

_MIN_SHARE = 0.6
"""Least part of a claim's words that a step says which bears it."""
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_EMPTY_WORDS = re.compile(
    r"a|an|the|is|are|was|were|be|been|of|to|in|on|at|from|and|or|it|its|that|this|there|then|with|by|for|as|one|has|have"
)


def keep_supported(reasoning: Reasoning, findings: Sequence[Finding]) -> Reasoning | None:
    """The reasoning without what is contradicted; None if nothing is left.

    A step that bears contradicted claims alone is left out. A step that also bears a supported one stays, with the
    contradiction in place of its finding and cue. If any step is changed, the final answer is left out too: it may
    rest on that step.
    """
    contradicted: dict[int, list[str]] = {}
    supported: set[int] = set()
    for finding in findings:
        for number in bearing_steps(reasoning, finding["claim"]["text"]):
            if finding["verdict"] == "contradicted":
                contradicted.setdefault(number, []).append(finding["claim"]["text"])
            elif finding["verdict"] == "supported":
                supported.add(number)
    if not contradicted:
        return reasoning
    steps: list[Step] = []
    for number, step in enumerate(reasoning["steps"]):
        if number not in contradicted:
            steps.append(step)
        elif number in supported:
            mark = f"The clip contradicts this: {'; '.join(contradicted[number])}"
            steps.append({**step, "answer": mark, "justification": ""})
    if not steps:
        return None
    return {"steps": steps, "answer": ""}


def bearing_steps(reasoning: Reasoning, claim: str) -> list[int]:
    """The places of the steps that bear a claim, from 0."""
    wanted = _words(claim)
    if not wanted:
        return []
    steps = reasoning["steps"]
    said = [_words(f"{step['step']} {step['answer']}") for step in steps]
    found = _covering(wanted, said)
    if not found:
        whole = [_words(f"{step['step']} {step['answer']} {step['justification']}") for step in steps]
        found = _covering(wanted, whole)
    return found


def _covering(wanted: frozenset[str], said: Sequence[frozenset[str]]) -> list[int]:
    return [number for number, words in enumerate(said) if len(wanted & words) >= _MIN_SHARE * len(wanted)]


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text.casefold()) if not _EMPTY_WORDS.fullmatch(word))
