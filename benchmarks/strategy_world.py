"""A world of simulated providers of known quality, and what each strategy answers in it, as arithmetic on arrays.

One model plays generator and target: it is right about question q with the probability p(q), which varies between
questions, so that errors repeat. An evaluator's score correlates with the truth as it is told to. Feedback
raises or lowers the chance of the next attempt. `benchmarks.strategies` puts the same draws behind the real graph.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
MOST = 16
"""Draws of each kind for one question: attempts, scores, answers."""
SPREAD = 2.0
"""p(q) has a beta distribution with these many pseudo-observations: a small number makes questions easy or hard."""
FAVOURITE = 0.6
"""Probability that a wrong answer is the question's favourite one; the others share the rest."""
WRONG = 3
FOLLOWS = 0.9
"""Probability that the target answers what the injected reasoning says; else it answers by itself."""
THRESHOLD = 8


class Setting(NamedTuple):
    """A cell of the map.

    Attributes:
        error: error rate of one attempt, and of one answer of the target, 0..1.
        correlation: of the evaluator's score with the truth of the attempt, 0..1.
        gain: share of the next attempt's chance of error that feedback takes away; below 0, where it misleads: share of
            its chance of being right.
    """

    error: float
    correlation: float
    gain: float


@dataclass(frozen=True)
class World:
    """The draws of all questions, and the setting that reads them.

    Attributes:
        chance: p(q), float64[n].
        attempt, answer, follow: uniform draws, float64[n, 16].
        noise: normal draws of the evaluator, float64[n, 16].
        wrong: the wrong choice of answer k, int[n, 16], from 1.
        setting: the cell.
    """

    chance: Numbers
    attempt: Numbers
    answer: Numbers
    follow: Numbers
    noise: Numbers
    wrong: NDArray[np.int64]
    setting: Setting

    @classmethod
    def draw(cls, setting: Setting, questions: int, seed: int = 0) -> "World":
        """The world of a setting; the same seed gives the same draws in every setting."""
        rng = np.random.default_rng(seed)
        shape = (questions, MOST)
        attempt, answer, follow = rng.random(shape), rng.random(shape), rng.random(shape)
        noise = rng.normal(size=shape)
        liked = rng.integers(1, WRONG + 1, questions)[:, None]
        wrong = np.where(rng.random(shape) < FAVOURITE, liked, rng.integers(1, WRONG + 1, shape))
        right = 1 - setting.error
        chance = rng.beta(SPREAD * right, SPREAD * setting.error, questions)
        return cls(chance, attempt, answer, follow, noise, wrong, setting)

    def first_right(self, number: int) -> Flags:
        """Whether an attempt that knows of no other is right; `number` from 0."""
        return self.attempt[:, number] < self.chance

    def next_right(self, number: int) -> Flags:
        """Whether attempt `number`, from 0, is right after feedback on the last one."""
        gain = self.setting.gain
        room = self.chance if gain < 0 else 1 - self.chance
        return self.attempt[:, number] < self.chance + gain * room

    def score(self, number: int, right: Flags) -> NDArray[np.int64]:
        """The evaluator's score of an attempt, 1..10, from its truth and its own noise."""
        mean = 1 - self.setting.error
        truth = (right - mean) / np.sqrt(mean * (1 - mean))
        rho = self.setting.correlation
        latent = rho * truth + np.sqrt(1 - rho**2) * self.noise[:, number]
        return np.clip(np.rint(6.5 + 2.0 * latent), 1, 10).astype(np.int64)

    def target_right(self, number: int, reasoning: Flags | None) -> Flags:
        """Whether answer `number`, from 0, of the target is right, with an injected reasoning or without."""
        alone = self.answer[:, number] < self.chance
        if reasoning is None:
            return alone
        return np.where(self.follow[:, number] < FOLLOWS, reasoning, alone)


def refine(world: World, attempts: int) -> Flags:
    """The paper's loop: at most so many attempts, stopped by the threshold; the best one is injected."""
    right = world.first_right(0)
    best, held, going = world.score(0, right), right, np.ones(len(right), bool)
    for number in range(1, attempts):
        going = going & (best < THRESHOLD)
        right = world.next_right(number)
        score = world.score(number, right)
        better = going & (score >= best)
        held, best = np.where(better, right, held), np.where(better, score, best)
    return world.target_right(0, held)


def best_of_n(world: World, candidates: int) -> Flags:
    """Independent attempts; the best one is injected, the later one on a tie."""
    right = np.stack([world.first_right(number) for number in range(candidates)], axis=1)
    scores = np.stack([world.score(number, right[:, number]) for number in range(candidates)], axis=1)
    last_best = candidates - 1 - np.argmax(scores[:, ::-1], axis=1)
    return world.target_right(0, right[np.arange(len(right)), last_best])


def vote(world: World, candidates: int) -> Flags:
    """The majority of the target's own answers; of equal ones that of the earlier."""
    right = np.stack([world.target_right(number, None) for number in range(candidates)], axis=1)
    said = np.where(right, 0, world.wrong[:, :candidates])
    counts = np.stack([(said == choice).sum(axis=1) for choice in range(WRONG + 1)], axis=1)
    most = counts.max(axis=1)
    winning = counts[np.arange(len(said))[:, None], said] == most[:, None]
    return said[np.arange(len(said)), np.argmax(winning, axis=1)] == 0


def at_equal_calls(world: World, clip_calls: int) -> dict[str, Flags]:
    """Each strategy with the same number of calls that carry the clip: an attempt has two of them, an answer one."""
    attempts = (clip_calls - 1) // 2
    return {
        "zero-shot": world.target_right(0, None),
        "vote": vote(world, clip_calls),
        "best of n": best_of_n(world, attempts),
        "refine": refine(world, attempts),
    }
