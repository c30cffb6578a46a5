"""What of a reasoning is injected with `inject_filter = supported`: nothing that a contradicted claim says.

A claim is a part of the caption, and the caption was written from the steps. So a step bears a claim if it says most
of the claim's words, in its finding first, else in its cue. A later finding may rest on that step: it stays only where
a supported claim says it. What a step asks stays worth asking where its finding is wrong: without its task a plan has a
hole, and the target that follows it goes astray.
"""

import re
from collections.abc import Sequence

from aurelia_core.claims import Finding, Verdict
from aurelia_core.types import Reasoning, Step

_MIN_SHARE = 0.6
"""Least part of a claim's words that a step says which bears it."""
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
_EMPTY_WORDS = re.compile(
    r"a|an|the|is|are|was|were|be|been|of|to|in|on|at|from|and|or|it|its|that|this|there|then|with|by|for|as|one|has|have"
)


def keep_supported(reasoning: Reasoning, findings: Sequence[Finding]) -> Reasoning | None:
    """The reasoning without what is contradicted; None if no step is left.

    A step whose task itself says a contradicted claim is left out. Any other step that bears one keeps its task,
    without finding and cue; so does each later step whose finding no supported claim says. If a step is changed, the
    final answer is left out too: it may rest on that step.
    """
    dropped: set[int] = set()
    emptied: set[int] = set()
    for claim in _claims(findings, "contradicted"):
        bearing = bearing_steps(reasoning, claim)
        dropped.update(number for number in bearing if _words(claim) <= _words(reasoning["steps"][number]["step"]))
        emptied.update(bearing)
    if not emptied:
        return reasoning
    confirmed = {number for claim in _claims(findings, "supported") for number in _stating_steps(reasoning, claim)}
    emptied.update(set(range(min(emptied), len(reasoning["steps"]))) - confirmed)
    steps: list[Step] = []
    for number, step in enumerate(reasoning["steps"]):
        if number in dropped:
            continue
        steps.append({**step, "answer": "", "justification": ""} if number in emptied else step)
    if not steps:
        return None
    return {"steps": steps, "answer": ""}


def _claims(findings: Sequence[Finding], verdict: Verdict) -> list[str]:
    return [finding["claim"]["text"] for finding in findings if finding["verdict"] == verdict]


def bearing_steps(reasoning: Reasoning, claim: str) -> list[int]:
    """The places of the steps that bear a claim, from 0."""
    found = _stating_steps(reasoning, claim)
    if not found:
        whole = [_words(f"{step['step']} {step['answer']} {step['justification']}") for step in reasoning["steps"]]
        found = _covering(_words(claim), whole)
    return found


def _stating_steps(reasoning: Reasoning, claim: str) -> list[int]:
    """The places of the steps whose task and finding say a claim, from 0."""
    said = [_words(f"{step['step']} {step['answer']}") for step in reasoning["steps"]]
    return _covering(_words(claim), said)


def _covering(wanted: frozenset[str], said: Sequence[frozenset[str]]) -> list[int]:
    if not wanted:
        return []
    return [number for number, words in enumerate(said) if len(wanted & words) >= _MIN_SHARE * len(wanted)]


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in _WORD.findall(text.casefold()) if not _EMPTY_WORDS.fullmatch(word))
