"""What the study gives the target beside the loop's own reasoning: own steps, blind, wrong plans, wrong facts.

Each control is a list of questions with the reasoning to give. It asks nothing.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from aurelia.bench.records import Record
from aurelia_core.types import Reasoning, Step
from aurelia_offline.questions.choices import UNKNOWN
from aurelia_offline.study.conditions import GivenQuestion
from aurelia_offline.training.checkpoint import OWN_STEPS_REQUEST
from aurelia_offline.world.stage import stage_names

Plans = Mapping[str, Reasoning]
"""The loop's best reasoning by record id."""


def make_controls(records: Sequence[Record], plans: Plans, seed: int = 0) -> dict[str, list[GivenQuestion]]:
    """Every control by name, over the records that have a plan.

    Args:
        records: the questions.
        plans: the loop's best reasonings.
        seed: of what is drawn: other clips, other plans, wrong facts.
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
            GivenQuestion(r, told, "steps+answers") for r, told in zip(asked, wrong, strict=True)
        ],
        "corrupted, full": [GivenQuestion(r, told, "full") for r, told in zip(asked, wrong, strict=True)],
    }


def _with_other_clips(records: Sequence[Record]) -> list[Record]:
    """The same questions, each with the clip half the set away."""
    videos = list(dict.fromkeys(record.video for record in records))
    other = {video: videos[(at + len(videos) // 2) % len(videos)] for at, video in enumerate(videos)}
    return [record.model_copy(update={"video": other[record.video]}) for record in records]


def _plan_of_another(
    record: Record, records: Sequence[Record], plans: Plans, rng: np.random.Generator
) -> Reasoning | None:
    """The plan of another question with as many steps; None where there is none."""
    mine = [step["step"] for step in plans[record.id]["steps"]]
    fitting = [
        found for other in records if len((found := plans[other.id])["steps"]) == len(mine)
        and [step["step"] for step in found["steps"]] != mine
    ]  # fmt: skip
    return fitting[int(rng.integers(len(fitting)))] if fitting else None


def _corrupt_plan(record: Record, plan: Reasoning, rng: np.random.Generator) -> Reasoning:
    """The plan with another name of its kind in the place of every finding, and another choice as the answer."""
    steps = [Step(**{**step, "answer": other_value(step["answer"], rng)}) for step in plan["steps"]]
    wrong = [choice for choice in record.choices if choice != plan["answer"]]
    if wrong and steps:
        answer = wrong[int(rng.integers(len(wrong)))]
        steps[-1]["answer"] = answer
        return Reasoning(steps=steps, answer=answer)
    return Reasoning(steps=steps, answer=other_value(plan["answer"], rng))


def other_value(value: str, rng: np.random.Generator) -> str:
    """Another value of the same kind; lists (", then ", ", ") are turned round; what has no kind stays as it is."""
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
    """Whether the texts of the steps name one of the options, or something that a step has found."""
    told = " ".join(step["step"] for step in plan["steps"]).casefold()
    named = {*record.choices, *(step["answer"] for step in plan["steps"])} - {UNKNOWN, ""}
    return any(re.search(rf"\b{re.escape(name.casefold())}\b", told) for name in named)
