"""The control conditions of the study: own steps, wrong clips, wrong plans and wrong facts.

Each control is a list of questions with the reasoning to inject.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from aurelia.bench.records import Record
from aurelia_core.answers.clean_answer import UNKNOWN
from aurelia_core.types import Reasoning, Step
from aurelia_offline.study.conditions import GivenQuestion
from aurelia_offline.training.checkpoint import OWN_STEPS_REQUEST
from aurelia_offline.world.stage import stage_names

Plans = Mapping[str, Reasoning]
"""The loop's best reasoning by record id."""


def make_controls(records: Sequence[Record], plans: Plans, seed: int = 0) -> dict[str, list[GivenQuestion]]:
    """Every control by name, over the records that have a plan.

    Args:
        records: the questions.
        plans: the loop's best reasonings by record id.
        seed: seed for the choice of other plans and wrong facts.
    """
    rng = np.random.default_rng([seed, 11])
    asked = [record for record in records if record.id in plans]
    own = [record.model_copy(update={"question": f"{record.question} {OWN_STEPS_REQUEST}"}) for record in asked]
    blind = _with_other_clips(asked)
    others = [_plan_of_another(record, asked, plans, rng) for record in asked]
    wrong = [_corrupt_plan(record, plans[record.id], rng) for record in asked]
    return {
        "own steps": [GivenQuestion(record, None) for record in own],
        "blind, zero-shot": [GivenQuestion(record, None) for record in blind],
        "blind, steps": [GivenQuestion(record, plans[record.id]) for record in blind],
        "blind, steps+answers": [GivenQuestion(record, plans[record.id], "steps+answers") for record in blind],
        "another question's steps": [GivenQuestion(r, other) for r, other in zip(asked, others, strict=True) if other],
        "corrupted, steps+answers": [
            GivenQuestion(r, texts, "steps+answers") for r, texts in zip(asked, wrong, strict=True)
        ],
        "corrupted, full": [GivenQuestion(r, texts, "full") for r, texts in zip(asked, wrong, strict=True)],
    }


def _with_other_clips(records: Sequence[Record]) -> list[Record]:
    """The same questions, each with another clip: the one half the set further on."""
    videos = list(dict.fromkeys(record.video for record in records))
    other = {video: videos[(at + len(videos) // 2) % len(videos)] for at, video in enumerate(videos)}
    return [record.model_copy(update={"video": other[record.video]}) for record in records]


def _plan_of_another(
    record: Record, records: Sequence[Record], plans: Plans, rng: np.random.Generator
) -> Reasoning | None:
    """The plan of another question with the same number of steps, or None."""
    mine = [step["step"] for step in plans[record.id]["steps"]]
    fitting = [
        found for other in records if len((found := plans[other.id])["steps"]) == len(mine)
        and [step["step"] for step in found["steps"]] != mine
    ]  # fmt: skip
    if fitting:
        return fitting[int(rng.integers(len(fitting)))]
    return None


def _corrupt_plan(record: Record, plan: Reasoning, rng: np.random.Generator) -> Reasoning:
    """The plan with every finding replaced by another of the same kind, and another choice as the answer."""
    steps = [Step(**{**step, "answer": other_value(step["answer"], rng)}) for step in plan["steps"]]
    wrong = [choice for choice in record.choices if choice != plan["answer"]]
    if wrong and steps:
        answer = wrong[int(rng.integers(len(wrong)))]
        steps[-1]["answer"] = answer
        return Reasoning(steps=steps, answer=answer)
    return Reasoning(steps=steps, answer=other_value(plan["answer"], rng))


def other_value(value: str, rng: np.random.Generator) -> str:
    """Another value of the same kind; a list (", then ", ", ") is reversed; a value of unknown kind is unchanged."""
    known = stage_names()
    kinds = [known.instruments, known.spots, known.turns, known.counts, ["yes", "no"]]
    kinds += [list(facts.values()) for facts in known.facts.values()]
    for kind in kinds:
        if value in kind:
            return str(rng.choice([one for one in kind if one != value]))
    for comma in (", then ", ", "):
        if comma in value:
            return comma.join(value.split(comma)[::-1])
    return value


def steps_leak(record: Record, plan: Reasoning) -> bool:
    """Whether the texts of the steps name one of the choices or a finding of a step."""
    texts = " ".join(step["step"] for step in plan["steps"]).casefold()
    named = {*record.choices, *(step["answer"] for step in plan["steps"])} - {UNKNOWN, ""}
    return any(re.search(rf"\b{re.escape(name.casefold())}\b", texts) for name in named)
