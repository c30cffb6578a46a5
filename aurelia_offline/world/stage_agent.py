"""Questions of the mini world's stage, answered by measuring: the chain's hops as steps, each with cue and finding.

It knows the stage's questions and names; what it finds is read off the measured table, never off a clip's truth.
"""

from collections.abc import Sequence
from functools import cache

from aurelia_core.signals.observation import Observation
from aurelia_core.types import Modality, Reasoning, Step
from aurelia_offline.agents import inventory
from aurelia_offline.questions.choices import UNKNOWN
from aurelia_offline.world.stage import RANKS, Asked, One, Table, names, phrase, understood
from aurelia_offline.world.stage_chain import ODD, Hop, Missing, chain
from aurelia_offline.world.stage_table import staged

_LISTED = 12
"""Sounds of a clip, strike by strike."""


def asked_of(question: str, seen: Observation) -> tuple[Asked, Table] | None:
    """What a question asks of the stage with the table measured in the clip; None for any other question or clip."""
    asked = understood(question)
    table = staged(seen) if asked else None
    return (asked, table) if asked and table else None


def reason(asked: Asked, table: Table, seen: Observation, choices: Sequence[str]) -> Reasoning:
    """The chain's hops as steps, and what the last one finds as the answer.

    The first step that leans on the clip tells all that is heard and seen, so that the Evaluator misses nothing in the
    caption; a chain of nothing but knowledge leans on the clip in its first step all the same.

    Args:
        asked: the question.
        table: as measured.
        seen: what the table was measured in; its sentences are the steps' cues.
        choices: of the question.
    """
    steps: list[Step] = []
    hops = found(asked, table)
    sensed = next((number for number, hop in enumerate(hops) if hop.modality != "knowledge"), None)
    for number, hop in enumerate(hops):
        modality = "both" if sensed is None and number == 0 else hop.modality
        cue = _cue("both" if number == (sensed or 0) else modality, seen)
        steps.append(Step(step=hop.text, justification=cue, answer=hop.value, modality=modality))
    return Reasoning(steps=steps, answer=answer(asked, table, choices))


def answer(asked: Asked, table: Table, choices: Sequence[str]) -> str:
    """What a question finds on a table: one of the choices in its exact text or "unknown"; a caption in a sentence."""
    if asked.kind == "caption" and not choices:
        return told(table)
    value = found(asked, table)[-1].value
    fitting = [choice for choice in choices if choice.casefold().strip() == value.casefold()]
    return (fitting[0] if fitting else UNKNOWN) if choices else value


def found(asked: Asked, table: Table) -> list[Hop]:
    """The hops with their findings; all are "unknown" where the table lacks what the chain needs."""
    try:
        return [hop._replace(value=hop.value or UNKNOWN) for hop in chain(asked, table)]
    except (Missing, KeyError):
        return [hop._replace(value=UNKNOWN) for hop in chain(asked)]


@cache
def verdicts() -> frozenset[str]:
    """Findings that read like something seen or heard and tell nothing of when and where: no sentences of a caption."""
    ones = (phrase(One(start)) for start in (*RANKS, *names().instruments, *names().spots))
    return frozenset({*ODD.values(), *ones})


def told(table: Table) -> str:
    """The clip in a sentence, turn by turn."""
    spots = names().spots
    parts = [f"{t.instrument or 'nothing'} at {'nowhere' if t.spot is None else spots[t.spot]}" for t in table]
    return ", then ".join(parts)


def _cue(modality: Modality, seen: Observation) -> str:
    """What can be heard or seen that a finding rests on, in sentences that can be checked against the clip."""
    said = inventory.heard(seen, _LISTED) if modality in ("audio", "both") else []
    if modality in ("visual", "both"):
        said += inventory.visible(seen)
    return " ".join(said) or "This is known of the instrument."
