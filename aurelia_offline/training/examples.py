"""Prompts and expected replies of the mini target: questions with answers from a clip's true description.

A question form belongs to one of three fixed groups, chosen by a hash of its wording: `trained` (asked in every prompt
mode), `steps` (never asked directly), and `never` (not trained at all, to measure whether a plan helps there).
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
"""Longest chain for which the target is trained to write its own steps."""


class Example(NamedTuple):
    """One question about one clip; `history` is the dialogue before it, as (question, answer) pairs."""

    asked: StageQuestion
    question: str
    choices: list[str]
    answer: str
    hops: list[Hop]
    history: tuple[tuple[str, str], ...] = ()

    @property
    def put(self) -> str:
        """The question as a model receives it, after its dialogue."""
        return question_with_history(self.history, self.question)


def count_hops(asked: StageQuestion) -> int:
    """The number of hops of a question form."""
    return len(question_chain(asked))


def training_group(asked: StageQuestion) -> TrainingGroup:
    """The training group of a question form; single hops are always `trained`."""
    if count_hops(asked) < 2 or asked.kind in ("odd", "caption"):
        return "trained"
    share = int(hashlib.sha256(question_text(asked).encode()).hexdigest(), 16) % 100
    if share < 20:
        return "never"
    if share < 35:
        return "steps"
    return "trained"


def compositions_by_hops() -> dict[int, list[StageQuestion]]:
    """All question forms with at most MAX_HOPS hops, by number of hops."""
    found: dict[int, list[StageQuestion]] = {}
    for asked in question_compositions():
        if count_hops(asked) <= MAX_HOPS:
            found.setdefault(count_hops(asked), []).append(asked)
    return found


def make_example(asked: StageQuestion, table: TurnTable, rng: np.random.Generator, tries: int = 6) -> Example | None:
    """A question of this form about a clip, with random names; None if the clip has no answer to it."""
    for _ in range(tries):
        named = StageQuestion(asked.kind, _draw_name(asked.one, rng), asked.other and _draw_name(asked.other, rng))
        if named.other == named.one:
            continue
        try:
            hops = question_chain(named, table)
        except MissingReferent:
            continue
        choices = []
        if answer_options(named):
            choices = [str(choice) for choice in rng.permutation(answer_options(named))]
        answer = hops[-1].value
        if named.kind == "caption":
            answer = describe_turns(table)
        return Example(named, question_text(named), choices, answer, hops)
    return None


def as_follow_up(example: Example, table: TurnTable, rng: np.random.Generator) -> Example | None:
    """The question as a follow-up that says "it" for the instrument of an earlier answer; None if it names none."""
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
    """The instruments from loudest to softest, as an extra training target."""
    sounding = sorted((turn for turn in table if turn.instrument), key=lambda turn: -turn.level)
    return ", then ".join(str(turn.instrument) for turn in sounding)


def list_by_instrument(table: TurnTable) -> str:
    """Turn and spot of every instrument in one reply, as an extra training target."""
    known = stage_names()
    found = {turn.instrument: (number, turn.spot) for number, turn in enumerate(table)}
    parts = []
    for name in known.instruments:
        number, spot = found.get(name, (None, None))
        where = "nowhere"
        if spot is not None:
            where = known.spots[spot]
        parts.append(f"{name} none" if number is None else f"{name} {known.turns[number]} {where}")
    return ", ".join(parts)


def list_by_spot(table: TurnTable) -> str:
    """Turn and instrument of every spot in one reply, as an extra training target."""
    known = stage_names()
    found = {turn.spot: (number, turn.instrument) for number, turn in enumerate(table)}
    parts = []
    for spot, name in enumerate(known.spots):
        number, instrument = found.get(spot, (None, None))
        parts.append(f"{name} none" if number is None else f"{name} {known.turns[number]} {instrument or 'nothing'}")
    return ", ".join(parts)


def target_prompt(question: str, choices: list[str], way: PromptMode, given: Reasoning) -> str:
    """The target's prompt, filled as in `nodes.target`."""
    row = target_rows()["mini"]
    before = ""
    if way != "direct" and way != "own":
        before = row.reasoning.lstrip().replace("{{reasoning}}", injected_text(select_injected(given, way)))
    asked = question
    if way == "own":
        asked = f"{question} {OWN_STEPS_REQUEST}"
    form = row.short
    if choices:
        form = row.choice
    return prompts.fill_prompt("target", reasoning=before, question=asked, choices=choices_text(choices), form=form)


def chain_reasoning(hops: list[Hop]) -> Reasoning:
    """The reasoning of a chain, without justifications."""
    steps: list[Any] = [
        {"step": hop.text, "justification": "", "answer": hop.value, "modality": hop.modality} for hop in hops
    ]
    return {"steps": steps, "answer": hops[-1].value if hops else ""}


def justified_reasoning(example: Example, clip: mini_world.WorldClip, rng: np.random.Generator) -> Reasoning:
    """The true reasoning in the measuring agents' words, with simulated justifications."""
    return stage_reasoning(example.asked, clip.table, simulated_looks.simulate_observation(clip, rng), example.choices)


def expected_reply(example: Example, way: PromptMode) -> str:
    """The expected reply: in the modes `steps` and `own` the findings and the answer, else only the answer."""
    if way in ("steps", "own"):
        findings = [f"{hop.via} {hop.value}".strip() for hop in example.hops]
        found = " ".join(f"{number}. {words}" for number, words in enumerate(findings, 1))
        return f"{found}\nAnswer: {example.answer}"
    return f"Answer: {example.answer}"


def read_final_answer(reply: str) -> str:
    """The answer in a reply: the text after the last "Answer:", or the whole reply."""
    return reply.rpartition("Answer:")[2].strip()
