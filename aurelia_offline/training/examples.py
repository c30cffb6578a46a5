"""What the mini target is asked and what it should say: questions on a clip's truth, in every way of asking.

Compositions are parted once and for all by their wording: `trained` in every way, `steps` (never asked directly), and
`never` (in no way; to see whether a plan helps where nothing was learned).
"""

import hashlib
from typing import Any, Literal, NamedTuple

import numpy as np

import prompts
from aurelia.bench.records import after
from aurelia_core.types import Reasoning
from aurelia_offline.training import cues
from aurelia_offline.training.checkpoint import OWN
from aurelia_offline.world import world
from aurelia_offline.world.stage import RANKS, Asked, One, Table, follow_up, names, worded
from aurelia_offline.world.stage_agent import reason, told
from aurelia_offline.world.stage_chain import Hop, Missing, chain, compositions, options
from nodes.target import select_injected
from prompts.render import choices_text, injected_text
from targets import target_rows

Way = Literal["direct", "own", "steps", "steps+answers", "full"]
Group = Literal["trained", "steps", "never"]
MOST_HOPS = 5
OWN_HOPS = 2
"""Longest chain of which the target was shown steps of its own."""


class Example(NamedTuple):
    """One question on one clip; `history` is the dialogue before it, as (question, answer) pairs."""

    asked: Asked
    question: str
    choices: list[str]
    answer: str
    hops: list[Hop]
    history: tuple[tuple[str, str], ...] = ()

    @property
    def put(self) -> str:
        """The question as it is put to a model, after its dialogue."""
        return after(self.history, self.question)


def hops_of(asked: Asked) -> int:
    """How many hops a composition has."""
    return len(chain(asked))


def group(asked: Asked) -> Group:
    """How a composition takes part in training; single hops always in every way."""
    if hops_of(asked) < 2 or asked.kind in ("odd", "caption"):
        return "trained"
    share = int(hashlib.sha256(worded(asked).encode()).hexdigest(), 16) % 100
    return "never" if share < 20 else "steps" if share < 35 else "trained"


def by_hops() -> dict[int, list[Asked]]:
    """The compositions of at most MOST_HOPS hops, by their number."""
    found: dict[int, list[Asked]] = {}
    for asked in compositions():
        if hops_of(asked) <= MOST_HOPS:
            found.setdefault(hops_of(asked), []).append(asked)
    return found


def posed(asked: Asked, table: Table, rng: np.random.Generator, tries: int = 6) -> Example | None:
    """A composition asked of a clip, with names drawn; None where the clip has no such thing."""
    for _ in range(tries):
        named = Asked(asked.kind, _named(asked.one, rng), asked.other and _named(asked.other, rng))
        if named.other == named.one:
            continue
        try:
            hops = chain(named, table)
        except Missing:
            continue
        choices = [str(choice) for choice in rng.permutation(options(named))] if options(named) else []
        answer = hops[-1].value if named.kind != "caption" else told(table)
        return Example(named, worded(named), choices, answer, hops)
    return None


def followed(example: Example, table: Table, rng: np.random.Generator) -> Example | None:
    """The question as a follow-up: an instrument was asked for before, and is "it" now; None where none is named."""
    it, start = follow_up(example.asked), example.asked.one.start
    before = [Asked("instrument", One(who)) for who in (*RANKS, *names().spots) if _is(who, start, table)]
    if it is None or not before:
        return None
    earlier = before[int(rng.integers(len(before)))]
    return example._replace(question=it, history=((worded(earlier), start),))


def _is(who: str, instrument: str, table: Table) -> bool:
    try:
        return chain(Asked("instrument", One(who)), table)[-1].value == instrument
    except Missing:
        return False


def _named(one: One, rng: np.random.Generator) -> One:
    known = names()
    for kind in (known.instruments, known.spots):
        if one.start in kind:
            return one._replace(start=str(rng.choice(kind)))
    return one


def loudness(table: Table) -> str:
    """The instruments from the loudest to the softest: what training hears beside the questions."""
    sounding = sorted((turn for turn in table if turn.instrument), key=lambda turn: -turn.level)
    return ", then ".join(str(turn.instrument) for turn in sounding)


def by_instrument(table: Table) -> str:
    """Turn and spot of every instrument: four lookups in one reply, for training."""
    known = names()
    found = {turn.instrument: (number, turn.spot) for number, turn in enumerate(table)}
    parts = []
    for name in known.instruments:
        number, spot = found.get(name, (None, None))
        where = "nowhere" if spot is None else known.spots[spot]
        parts.append(f"{name} none" if number is None else f"{name} {known.turns[number]} {where}")
    return ", ".join(parts)


def by_spot(table: Table) -> str:
    """Turn and instrument of every spot: four lookups in one reply, for training."""
    known = names()
    found = {turn.spot: (number, turn.instrument) for number, turn in enumerate(table)}
    parts = []
    for spot, name in enumerate(known.spots):
        number, instrument = found.get(spot, (None, None))
        parts.append(f"{name} none" if number is None else f"{name} {known.turns[number]} {instrument or 'nothing'}")
    return ", ".join(parts)


def prompt(question: str, choices: list[str], way: Way, given: Reasoning) -> str:
    """The target's prompt, as `nodes.target` fills it."""
    row = target_rows()["mini"]
    before = ""
    if way != "direct" and way != "own":
        before = row.reasoning.lstrip().replace("{{reasoning}}", injected_text(select_injected(given, way)))
    asked = f"{question} {OWN}" if way == "own" else question
    form = row.choice if choices else row.short
    return prompts.fill_prompt("target", reasoning=before, question=asked, choices=choices_text(choices), form=form)


def reasoning(hops: list[Hop]) -> Reasoning:
    """A chain as a reasoning, without justifications."""
    steps: list[Any] = [
        {"step": hop.text, "justification": "", "answer": hop.value, "modality": hop.modality} for hop in hops
    ]
    return {"steps": steps, "answer": hops[-1].value if hops else ""}


def justified(example: Example, clip: world.Clip, rng: np.random.Generator) -> Reasoning:
    """The true reasoning in the measuring agents' words, with cues as they justify their steps."""
    return reason(example.asked, clip.table, cues.observed(clip, rng), example.choices)


def reply(example: Example, way: Way) -> str:
    """What the target should say: with a plan its findings, step by step with their turns; else the answer alone."""
    if way in ("steps", "own"):
        said = [f"{hop.via} {hop.value}".strip() for hop in example.hops]
        found = " ".join(f"{number}. {words}" for number, words in enumerate(said, 1))
        return f"{found}\nAnswer: {example.answer}"
    return f"Answer: {example.answer}"


def answer_of(reply: str) -> str:
    """The answer in a reply of that form: what follows its last "Answer:", or all of it."""
    return reply.rpartition("Answer:")[2].strip()
