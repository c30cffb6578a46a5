"""What the mini target is asked and what it should say: questions on a clip's truth, in every way of asking.

Compositions are parted once and for all by their wording: `trained` in every way, `steps` (never asked directly), and
`never` (in no way; to see whether a plan helps where nothing was learned).
"""

import hashlib
from typing import Any, Literal, NamedTuple

import numpy as np

import prompts
from aurelia.bench.records import question_with_history
from aurelia_core.types import Reasoning
from aurelia_offline.training import simulated_looks
from aurelia_offline.training.checkpoint import OWN_STEPS_REQUEST
from aurelia_offline.world import mini_world
from aurelia_offline.world.stage import (
    RANKS,
    Referent,
    StageQuestion,
    TurnTable,
    follow_up_text,
    question_text,
    stage_names,
)
from aurelia_offline.world.stage_agent import describe_turns, stage_reasoning
from aurelia_offline.world.stage_chain import (
    Hop,
    MissingReferent,
    answer_options,
    question_chain,
    question_compositions,
)
from nodes.target import select_injected
from prompts.render import choices_text, injected_text
from targets import target_rows

PromptMode = Literal["direct", "own", "steps", "steps+answers", "full"]
TrainingGroup = Literal["trained", "steps", "never"]
MAX_HOPS = 5
MAX_OWN_HOPS = 2
"""Longest chain of which the target was shown steps of its own."""


class Example(NamedTuple):
    """One question on one clip; `history` is the dialogue before it, as (question, answer) pairs."""

    asked: StageQuestion
    question: str
    choices: list[str]
    answer: str
    hops: list[Hop]
    history: tuple[tuple[str, str], ...] = ()

    @property
    def put(self) -> str:
        """The question as it is put to a model, after its dialogue."""
        return question_with_history(self.history, self.question)


def count_hops(asked: StageQuestion) -> int:
    """How many hops a composition has."""
    return len(question_chain(asked))


def training_group(asked: StageQuestion) -> TrainingGroup:
    """How a composition takes part in training; single hops always in every way."""
    if count_hops(asked) < 2 or asked.kind in ("odd", "caption"):
        return "trained"
    share = int(hashlib.sha256(question_text(asked).encode()).hexdigest(), 16) % 100
    return "never" if share < 20 else "steps" if share < 35 else "trained"


def compositions_by_hops() -> dict[int, list[StageQuestion]]:
    """The compositions of at most MOST_HOPS hops, by their number."""
    found: dict[int, list[StageQuestion]] = {}
    for asked in question_compositions():
        if count_hops(asked) <= MAX_HOPS:
            found.setdefault(count_hops(asked), []).append(asked)
    return found


def make_example(asked: StageQuestion, table: TurnTable, rng: np.random.Generator, tries: int = 6) -> Example | None:
    """A composition asked of a clip, with names drawn; None where the clip has no such thing."""
    for _ in range(tries):
        named = StageQuestion(asked.kind, _draw_name(asked.one, rng), asked.other and _draw_name(asked.other, rng))
        if named.other == named.one:
            continue
        try:
            hops = question_chain(named, table)
        except MissingReferent:
            continue
        choices = [str(choice) for choice in rng.permutation(answer_options(named))] if answer_options(named) else []
        answer = hops[-1].value if named.kind != "caption" else describe_turns(table)
        return Example(named, question_text(named), choices, answer, hops)
    return None


def as_follow_up(example: Example, table: TurnTable, rng: np.random.Generator) -> Example | None:
    """The question as a follow-up: an instrument was asked for before, and is "it" now; None where none is named."""
    it, start = follow_up_text(example.asked), example.asked.one.start
    before = [
        StageQuestion("instrument", Referent(who))
        for who in (*RANKS, *stage_names().spots)
        if _is_instrument(who, start, table)
    ]
    if it is None or not before:
        return None
    earlier = before[int(rng.integers(len(before)))]
    return example._replace(question=it, history=((question_text(earlier), start),))


def _is_instrument(who: str, instrument: str, table: TurnTable) -> bool:
    try:
        return question_chain(StageQuestion("instrument", Referent(who)), table)[-1].value == instrument
    except MissingReferent:
        return False


def _draw_name(one: Referent, rng: np.random.Generator) -> Referent:
    known = stage_names()
    for kind in (known.instruments, known.spots):
        if one.start in kind:
            return one._replace(start=str(rng.choice(kind)))
    return one


def list_by_loudness(table: TurnTable) -> str:
    """The instruments from the loudest to the softest: what training hears beside the questions."""
    sounding = sorted((turn for turn in table if turn.instrument), key=lambda turn: -turn.level)
    return ", then ".join(str(turn.instrument) for turn in sounding)


def list_by_instrument(table: TurnTable) -> str:
    """Turn and spot of every instrument: four lookups in one reply, for training."""
    known = stage_names()
    found = {turn.instrument: (number, turn.spot) for number, turn in enumerate(table)}
    parts = []
    for name in known.instruments:
        number, spot = found.get(name, (None, None))
        where = "nowhere" if spot is None else known.spots[spot]
        parts.append(f"{name} none" if number is None else f"{name} {known.turns[number]} {where}")
    return ", ".join(parts)


def list_by_spot(table: TurnTable) -> str:
    """Turn and instrument of every spot: four lookups in one reply, for training."""
    known = stage_names()
    found = {turn.spot: (number, turn.instrument) for number, turn in enumerate(table)}
    parts = []
    for spot, name in enumerate(known.spots):
        number, instrument = found.get(spot, (None, None))
        parts.append(f"{name} none" if number is None else f"{name} {known.turns[number]} {instrument or 'nothing'}")
    return ", ".join(parts)


def target_prompt(question: str, choices: list[str], way: PromptMode, given: Reasoning) -> str:
    """The target's prompt, as `nodes.target` fills it."""
    row = target_rows()["mini"]
    before = ""
    if way != "direct" and way != "own":
        before = row.reasoning.lstrip().replace("{{reasoning}}", injected_text(select_injected(given, way)))
    asked = f"{question} {OWN_STEPS_REQUEST}" if way == "own" else question
    form = row.choice if choices else row.short
    return prompts.fill_prompt("target", reasoning=before, question=asked, choices=choices_text(choices), form=form)


def chain_reasoning(hops: list[Hop]) -> Reasoning:
    """A chain as a reasoning, without justifications."""
    steps: list[Any] = [
        {"step": hop.text, "justification": "", "answer": hop.value, "modality": hop.modality} for hop in hops
    ]
    return {"steps": steps, "answer": hops[-1].value if hops else ""}


def justified_reasoning(example: Example, clip: mini_world.WorldClip, rng: np.random.Generator) -> Reasoning:
    """The true reasoning in the measuring agents' words, with cues as they justify their steps."""
    return stage_reasoning(example.asked, clip.table, simulated_looks.simulate_observation(clip, rng), example.choices)


def expected_reply(example: Example, way: PromptMode) -> str:
    """What the target should say: with a plan its findings, step by step with their turns; else the answer alone."""
    if way in ("steps", "own"):
        said = [f"{hop.via} {hop.value}".strip() for hop in example.hops]
        found = " ".join(f"{number}. {words}" for number, words in enumerate(said, 1))
        return f"{found}\nAnswer: {example.answer}"
    return f"Answer: {example.answer}"


def read_final_answer(reply: str) -> str:
    """The answer in a reply of that form: what follows its last "Answer:", or all of it."""
    return reply.rpartition("Answer:")[2].strip()
