"""Draws the training questions of the mini target: the mixture of questions and prompt modes, and its schedule."""

from collections.abc import Callable, Iterator

import numpy as np

from aurelia_offline.training import examples
from aurelia_offline.training.features import FIRST_TRAINING_SEED
from aurelia_offline.world import mini_world
from aurelia_offline.world.stage import StageQuestion, TurnTable
from aurelia_offline.world.stage_agent import describe_turns as turn_by_turn

MODE_SHARES: dict[examples.PromptMode, float] = {"direct": 0.31, "own": 0.07, "steps": 0.52, "steps+answers": 0.1}
FULL_EVERY_STEPS, FULL_QUESTIONS = 20, 2
"""Every FULL_EVERY_STEPS steps each clip has FULL_QUESTIONS questions in mode `full`, in a batch of their own.

They are five times as long as the others; mixed in, they would pad every batch.
"""
FOLLOW_UP_SHARE = 0.3
"""Share of the questions about a named instrument that are follow-ups in a dialogue."""
HOP_SCHEDULE = (
    (0.0, (0.9, 0.1, 0.0, 0.0, 0.0)),
    (0.35, (0.7, 0.25, 0.05, 0.0, 0.0)),
    (0.6, (0.25, 0.25, 0.2, 0.15, 0.15)),
    (1.0, (0.2, 0.2, 0.2, 0.2, 0.2)),
)
"""Shares of questions with one to five hops by progress of training; chains are learned only after single hops."""
LOOKUP_DRILLS: dict[str, Callable[[TurnTable], str]] = {
    "What happens, turn by turn?": turn_by_turn,
    "Order the instruments by loudness.": examples.list_by_loudness,
    "Find the instruments.": examples.list_by_instrument,
    "Find the spots.": examples.list_by_spot,
}
"""Questions that list the whole clip. They teach the lookups that every chain needs, and are learned first."""
CHOICES_SHARE = 0.6
"""Share of the prompts that list the choices."""
WHOLE_CLIP_SHARE = 0.06
"""Share of the questions about the whole clip (a caption, or what is odd), besides those drawn as chains."""


def tokenizer_corpus(count: int = 3000) -> Iterator[str]:
    """Training text for the tokenizer, from `count` clips."""
    rng = np.random.default_rng(1)
    known = examples.compositions_by_hops()
    for number in range(count):
        clip = mini_world.draw_clip(FIRST_TRAINING_SEED + number)
        table = clip.table
        hops = known[int(rng.choice(list(known)))]
        posed = examples.make_example(hops[int(rng.integers(len(hops)))], table, rng)
        yield from (said for question, drill in LOOKUP_DRILLS.items() for said in (question, drill(table)))
        if posed is None:
            continue
        for way in MODE_SHARES:
            yield examples.target_prompt(posed.put, posed.choices, way, examples.chain_reasoning(posed.hops))
            yield examples.expected_reply(posed, way)
        if number % 10 == 0:
            yield examples.target_prompt(
                posed.put, posed.choices, "full", examples.justified_reasoning(posed, clip, rng)
            )


class QuestionSampler:
    """Draws the questions about a clip."""

    def __init__(self, seed: int) -> None:
        """Start a sequence of draws."""
        self.rng = np.random.default_rng([seed, 2])
        self.known = examples.compositions_by_hops()

    def pairs(self, table: TurnTable, count: int, done: float) -> list[tuple[str, str]]:
        """`count` pairs of prompt and reply about one clip; `done` is the progress of training, 0..1."""
        rng = self.rng
        share = 0.8 * (1 - done) ** 4 + 0.06
        found = [
            (examples.target_prompt(question, [], "direct", examples.chain_reasoning([])), f"Answer: {drill(table)}")
            for question, drill in LOOKUP_DRILLS.items()
            if rng.random() < share
        ]
        ways, odds = list(MODE_SHARES), list(MODE_SHARES.values())
        while len(found) < count:
            way = ways[int(rng.choice(len(ways), p=odds))]
            posed, choices = self._posed(table, way, done)
            prompt = examples.target_prompt(posed.put, choices, way, examples.chain_reasoning(posed.hops))
            found.append((prompt, examples.expected_reply(posed, way)))
        return found

    def full(self, clip: mini_world.WorldClip, done: float) -> list[tuple[str, str]]:
        """FULL_QUESTIONS pairs of a prompt with a justified reasoning and its reply."""
        found = []
        for _ in range(FULL_QUESTIONS):
            posed, choices = self._posed(clip.table, "full", done)
            given = examples.justified_reasoning(posed, clip, self.rng)
            found.append(
                (examples.target_prompt(posed.put, choices, "full", given), examples.expected_reply(posed, "full"))
            )
        return found

    def _posed(self, table: TurnTable, way: examples.PromptMode, done: float) -> tuple[examples.Example, list[str]]:
        """A question for one prompt mode, and the choices that its prompt lists."""
        rng = self.rng
        while True:
            posed = examples.make_example(self._composition(way, done), table, rng)
            if posed is not None:
                talk = None
                if rng.random() < FOLLOW_UP_SHARE:
                    talk = examples.as_follow_up(posed, table, rng)
                choices = posed.choices
                if rng.random() >= CHOICES_SHARE:
                    choices = []
                return talk or posed, choices

    def _composition(self, way: examples.PromptMode, done: float) -> StageQuestion:
        rng = self.rng
        if way != "own" and rng.random() < WHOLE_CLIP_SHARE:
            return StageQuestion("caption" if rng.random() < 0.5 else "odd")
        most = examples.MAX_HOPS
        if way == "own":
            most = examples.MAX_OWN_HOPS
        points = [point for point, _ in HOP_SCHEDULE]
        odds = np.array([np.interp(done, points, [shares[n] for _, shares in HOP_SCHEDULE]) for n in range(most)])
        while True:
            known = self.known[1 + int(rng.choice(most, p=odds / odds.sum()))]
            asked = known[int(rng.integers(len(known)))]
            group = examples.training_group(asked)
            if group == "trained" or (group == "steps" and way not in ("direct", "own")):
                return asked
