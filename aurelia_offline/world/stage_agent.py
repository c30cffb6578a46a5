"""Answers questions of the mini world by measurement: the hops of the chain become steps with cue and finding.

All findings come from the measured table, not from the true description of the clip.
"""

from collections.abc import Sequence
from functools import cache

from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.signals.observation import Observation
from aurelia_core.types import Modality, Reasoning, Step
from aurelia_offline.agents import inventory
from aurelia_offline.world.stage import (
    RANKS,
    Referent,
    StageQuestion,
    TurnTable,
    parse_stage_question,
    referent_text,
    stage_names,
)
from aurelia_offline.world.stage_chain import ODD_FINDINGS, Hop, MissingReferent, question_chain
from aurelia_offline.world.stage_table import measure_table

_MAX_LISTED_SOUNDS = 12
"""Most sounds that a cue lists; each strike is one sound."""


def read_stage_question(question: str, seen: Observation) -> tuple[StageQuestion, TurnTable] | None:
    """The question and the table measured in the clip; None if the question or the clip is not of the mini world."""
    asked = parse_stage_question(question)
    table = None
    if asked:
        table = measure_table(seen)
    if asked and table:
        return (asked, table)
    return None


def stage_reasoning(asked: StageQuestion, table: TurnTable, seen: Observation, choices: Sequence[str]) -> Reasoning:
    """The hops of the chain as steps, and the finding of the last hop as the answer.

    The cue of the first step that uses the clip lists everything that was measured, so that the caption omits nothing.
    If all hops are knowledge, the first step has this cue.

    Args:
        asked: the question.
        table: the measured table.
        seen: the observation of the clip; the cues describe it.
        choices: the choices of the question.
    """
    steps: list[Step] = []
    hops = find_hops(asked, table)
    sensed = next((number for number, hop in enumerate(hops) if hop.modality != "knowledge"), None)
    for number, hop in enumerate(hops):
        modality = hop.modality
        if sensed is None and number == 0:
            modality = "both"
        evidence = modality
        if number == (sensed or 0):
            evidence = "both"
        cue = _evidence_text(evidence, seen)
        steps.append(Step(step=hop.text, justification=cue, answer=hop.value, modality=modality))
    return Reasoning(steps=steps, answer=stage_answer(asked, table, choices))


def stage_answer(asked: StageQuestion, table: TurnTable, choices: Sequence[str]) -> str:
    """The answer in a table: the exact text of a choice, or "unknown"; for a caption without choices, a sentence."""
    if asked.kind == "caption" and not choices:
        return describe_turns(table)
    value = find_hops(asked, table)[-1].value
    fitting = [choice for choice in choices if choice.casefold().strip() == value.casefold()]
    if choices:
        if fitting:
            return fitting[0]
        return UNKNOWN
    return value


def find_hops(asked: StageQuestion, table: TurnTable) -> list[Hop]:
    """The hops with their findings; all are "unknown" if the table lacks something that the chain needs."""
    try:
        return [hop._replace(value=hop.value or UNKNOWN) for hop in question_chain(asked, table)]
    except (MissingReferent, KeyError):
        return [hop._replace(value=UNKNOWN) for hop in question_chain(asked)]


@cache
def bare_findings() -> frozenset[str]:
    """Findings that look like observations but state no time and place; a caption leaves them out."""
    ones = (referent_text(Referent(start)) for start in (*RANKS, *stage_names().instruments, *stage_names().spots))
    return frozenset({*ODD_FINDINGS.values(), *ones})


def describe_turns(table: TurnTable) -> str:
    """The turns of the clip in one sentence."""
    spots = stage_names().spots
    parts = [f"{t.instrument or 'nothing'} at {'nowhere' if t.spot is None else spots[t.spot]}" for t in table]
    return ", then ".join(parts)


def _evidence_text(modality: Modality, seen: Observation) -> str:
    """The observations behind a finding, in sentences that can be checked against the clip."""
    sentences = []
    if modality in ("audio", "both"):
        sentences = inventory.describe_audio(seen, _MAX_LISTED_SOUNDS)
    if modality in ("visual", "both"):
        sentences += inventory.describe_picture(seen)
    return " ".join(sentences) or "This is known of the instrument."
