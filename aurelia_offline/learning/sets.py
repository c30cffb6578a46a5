"""Training sets of the study: questions about training clips, with what error-free or faulty agents say about them.

A set is written from the clips' true descriptions, in the words of the runs: the agents' steps, the working that the
target writes when it is given them, and the answer. Agents of lower quality are simulated by planted errors: two
neighbouring turns change their sounds or their places, as in `study.planted_errors`, so that a finding is wrong.
Nothing filters these errors: they stand for those that the evaluator lets pass.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from aurelia_offline.training import examples
from aurelia_offline.training.examples import Example
from aurelia_offline.world import mini_world
from aurelia_offline.world.benchmark import QUESTIONS_PER_CLIP
from aurelia_offline.world.stage import TurnTable
from aurelia_offline.world.stage_chain import Hop, MissingReferent, question_chain

LearnedForm = Literal["answer", "plan", "use"]
"""answer: question to answer; plan: question to steps, working and answer; use: question and steps to the same."""
FIRST_LEARNING_SEED = 2_000_000
"""First seed of the clips that adapters are trained on; test clips have seeds from 0."""
SEEDS_BETWEEN_SETS = 100_000


class LearnedQuestion(NamedTuple):
    """One training question: the seed of its clip, the question, and the chain and answer that the agents report."""

    clip: int
    example: Example
    hops: list[Hop]
    is_wrong: bool


def draw_learning_set(count: int, seed: int, noise: float = 0.0) -> list[LearnedQuestion]:
    """Questions with choices about training clips, four a clip, with equally many of each number of hops.

    Question forms of the groups `steps` and `never` do not occur: they measure what carries over.

    Args:
        count: number of questions.
        seed: seed of clips and questions; a larger set of the same seed begins with a smaller one.
        noise: share of the questions whose findings hold an error, 0..1; where no such error changes them, none does.
    """
    rng = np.random.default_rng([seed, 21])
    known = {
        hops: [one for one in asked if examples.training_group(one) == "trained" and one.kind not in ("odd", "caption")]
        for hops, asked in examples.compositions_by_hops().items()
    }
    found: list[LearnedQuestion] = []
    clip = FIRST_LEARNING_SEED + seed * SEEDS_BETWEEN_SETS
    while len(found) < count:
        true = mini_world.draw_clip(clip).table
        for _ in range(QUESTIONS_PER_CLIP):
            hops = 1 + len(found) % examples.MAX_HOPS
            asked = known[hops][int(rng.integers(len(known[hops])))]
            example = examples.make_example(asked, true, rng)
            if example is not None and example.choices:
                found.append(_report(clip, example, true, np.random.default_rng([clip, len(found), 22]), noise))
        clip += 1
    return found[:count]


def _report(clip: int, example: Example, true: TurnTable, rng: np.random.Generator, noise: float) -> LearnedQuestion:
    """The question as the agents report it; with probability `noise` their findings hold an error."""
    hops = example.hops
    if rng.random() < noise:
        wrong = [table for table in _wrong_tables(true) if _findings(example, table) not in (None, example.hops)]
        if wrong:
            hops = question_chain(example.asked, wrong[int(rng.integers(len(wrong)))])
    return LearnedQuestion(clip, example, hops, hops[-1].value != example.answer)


def _findings(example: Example, table: TurnTable) -> list[Hop] | None:
    try:
        return question_chain(example.asked, table)
    except MissingReferent:
        return None


def _wrong_tables(true: TurnTable) -> list[TurnTable]:
    """Every table in which two neighbouring turns change their sounds or their places."""
    found = []
    for first in range(len(true) - 1):
        one, other = true[first], true[first + 1]
        sounds = one._replace(instrument=other.instrument, level=other.level)
        sounds_after = other._replace(instrument=one.instrument, level=one.level)
        for pair in ((sounds, sounds_after), (one._replace(spot=other.spot), other._replace(spot=one.spot))):
            found.append((*true[:first], *pair, *true[first + 2 :]))
    return found


def learning_pair(question: LearnedQuestion, form: LearnedForm) -> tuple[str, str]:
    """Prompt and reply of a question in one form."""
    example = question.example
    told = example._replace(hops=question.hops, answer=question.hops[-1].value)
    given = examples.chain_reasoning(question.hops)
    if form == "answer":
        prompt = examples.target_prompt(example.put, example.choices, "direct", given)
        return prompt, examples.expected_reply(told, "direct")
    worked = examples.expected_reply(told, "steps")
    if form == "use":
        return examples.target_prompt(example.put, example.choices, "steps", given), worked
    plan = "\n".join(f"{number}. {hop.text}" for number, hop in enumerate(question.hops, 1))
    return examples.target_prompt(example.put, example.choices, "direct", given), f"{plan}\n{worked}"


def wrong_share(questions: Sequence[LearnedQuestion]) -> float:
    """The share of the questions whose reported answer is wrong, 0..1."""
    return sum(question.is_wrong for question in questions) / max(1, len(questions))
