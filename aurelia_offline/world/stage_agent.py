"""Questions of the mini world's stage, answered by measuring: the chain's hops as steps, each with cue and finding.

It knows the stage's questions and names; what it finds is read off the measured table, never off a clip's truth.
"""

from collections.abc import Sequence
from functools import cache

from aurelia_core.signals.observation import Observation
from aurelia_core.types import Modality, Reasoning, Step
from aurelia_offline.agents import inventory
from aurelia_offline.questions.choices import UNKNOWN
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
"""Sounds of a clip, strike by strike."""


def read_stage_question(question: str, seen: Observation) -> tuple[StageQuestion, TurnTable] | None:
    """What a question asks of the stage with the table measured in the clip; None for any other question or clip."""
    asked = parse_stage_question(question)
    table = measure_table(seen) if asked else None
    return (asked, table) if asked and table else None


def stage_reasoning(asked: StageQuestion, table: TurnTable, seen: Observation, choices: Sequence[str]) -> Reasoning:
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
    hops = find_hops(asked, table)
    sensed = next((number for number, hop in enumerate(hops) if hop.modality != "knowledge"), None)
    for number, hop in enumerate(hops):
        modality = "both" if sensed is None and number == 0 else hop.modality
        cue = _evidence_text("both" if number == (sensed or 0) else modality, seen)
        steps.append(Step(step=hop.text, justification=cue, answer=hop.value, modality=modality))
    return Reasoning(steps=steps, answer=stage_answer(asked, table, choices))


def stage_answer(asked: StageQuestion, table: TurnTable, choices: Sequence[str]) -> str:
    """What a question finds on a table: one of the choices in its exact text or "unknown"; a caption in a sentence."""
    if asked.kind == "caption" and not choices:
        return describe_turns(table)
    value = find_hops(asked, table)[-1].value
    fitting = [choice for choice in choices if choice.casefold().strip() == value.casefold()]
    return (fitting[0] if fitting else UNKNOWN) if choices else value


def find_hops(asked: StageQuestion, table: TurnTable) -> list[Hop]:
    """The hops with their findings; all are "unknown" where the table lacks what the chain needs."""
    try:
        return [hop._replace(value=hop.value or UNKNOWN) for hop in question_chain(asked, table)]
    except (MissingReferent, KeyError):
        return [hop._replace(value=UNKNOWN) for hop in question_chain(asked)]


@cache
def bare_findings() -> frozenset[str]:
    """Findings that read like something seen or heard and tell nothing of when and where: no sentences of a caption."""
    ones = (referent_text(Referent(start)) for start in (*RANKS, *stage_names().instruments, *stage_names().spots))
    return frozenset({*ODD_FINDINGS.values(), *ones})


def describe_turns(table: TurnTable) -> str:
    """The clip in a sentence, turn by turn."""
    spots = stage_names().spots
    parts = [f"{t.instrument or 'nothing'} at {'nowhere' if t.spot is None else spots[t.spot]}" for t in table]
    return ", then ".join(parts)


def _evidence_text(modality: Modality, seen: Observation) -> str:
    """What can be heard or seen that a finding rests on, in sentences that can be checked against the clip."""
    said = inventory.describe_audio(seen, _MAX_LISTED_SOUNDS) if modality in ("audio", "both") else []
    if modality in ("visual", "both"):
        said += inventory.describe_picture(seen)
    return " ".join(said) or "This is known of the instrument."
