"""What the study gives the target beside the loop's own reasoning: own steps, blind, wrong plans, wrong facts.

Each control is a list of questions with the reasoning to give. It asks nothing.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from aurelia.bench.records import Record
from aurelia_core.types import Reasoning, Step
from aurelia_offline.questions.choices import UNKNOWN
from aurelia_offline.study.arms import Given
from aurelia_offline.training.checkpoint import OWN
from aurelia_offline.world.stage import names

Plans = Mapping[str, Reasoning]
"""The loop's best reasoning by record id."""


def controls(records: Sequence[Record], plans: Plans, seed: int = 0) -> dict[str, list[Given]]:
    """Every control by name, over the records that have a plan.

    Args:
        records: the questions.
        plans: the loop's best reasonings.
        seed: of what is drawn: other clips, other plans, wrong facts.
    """
    rng = np.random.default_rng([seed, 11])
    asked = [record for record in records if record.id in plans]
    own = [record.model_copy(update={"question": f"{record.question} {OWN}"}) for record in asked]
    blind = _blind(asked)
    others = [_another(record, asked, plans, rng) for record in asked]
    wrong = [_corrupted(record, plans[record.id], rng) for record in asked]
    return {
        "own steps": [Given(record, None) for record in own],
        "blind, zero-shot": [Given(record, None) for record in blind],
        "blind, steps": [Given(record, plans[record.id]) for record in blind],
        "blind, steps+answers": [Given(record, plans[record.id], "steps+answers") for record in blind],
        "another question's steps": [Given(r, other) for r, other in zip(asked, others, strict=True) if other],
        "corrupted, steps+answers": [Given(r, told, "steps+answers") for r, told in zip(asked, wrong, strict=True)],
        "corrupted, full": [Given(r, told, "full") for r, told in zip(asked, wrong, strict=True)],
    }


def _blind(records: Sequence[Record]) -> list[Record]:
    """The same questions, each with the clip half the set away."""
    videos = list(dict.fromkeys(record.video for record in records))
    other = {video: videos[(at + len(videos) // 2) % len(videos)] for at, video in enumerate(videos)}
    return [record.model_copy(update={"video": other[record.video]}) for record in records]


def _another(record: Record, records: Sequence[Record], plans: Plans, rng: np.random.Generator) -> Reasoning | None:
    """The plan of another question with as many steps; None where there is none."""
    mine = [step["step"] for step in plans[record.id]["steps"]]
    fitting = [
        found for other in records if len((found := plans[other.id])["steps"]) == len(mine)
        and [step["step"] for step in found["steps"]] != mine
    ]  # fmt: skip
    return fitting[int(rng.integers(len(fitting)))] if fitting else None


def _corrupted(record: Record, plan: Reasoning, rng: np.random.Generator) -> Reasoning:
    """The plan with another name of its kind in the place of every finding, and another choice as the answer."""
    steps = [Step(**{**step, "answer": other(step["answer"], rng)}) for step in plan["steps"]]
    wrong = [choice for choice in record.choices if choice != plan["answer"]]
    if wrong and steps:
        answer = wrong[int(rng.integers(len(wrong)))]
        steps[-1]["answer"] = answer
        return Reasoning(steps=steps, answer=answer)
    return Reasoning(steps=steps, answer=other(plan["answer"], rng))


def other(value: str, rng: np.random.Generator) -> str:
    """Another value of the same kind; lists (", then ", ", ") are turned round; what has no kind stays as it is."""
    known = names()
    kinds = [known.instruments, known.spots, known.turns, known.counts, ["yes", "no"]]
    kinds += [list(facts.values()) for facts in known.facts.values()]
    for kind in kinds:
        if value in kind:
            return str(rng.choice([one for one in kind if one != value]))
    for comma in (", then ", ", "):
        if comma in value:
            return comma.join(value.split(comma)[::-1])
    return value


def leaks(record: Record, plan: Reasoning) -> bool:
    """Whether the texts of the steps name one of the options, or something that a step has found."""
    told = " ".join(step["step"] for step in plan["steps"]).casefold()
    named = {*record.choices, *(step["answer"] for step in plan["steps"])} - {UNKNOWN, ""}
    return any(re.search(rf"\b{re.escape(name.casefold())}\b", told) for name in named)
