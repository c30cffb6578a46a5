"""The cells of the study of training: one trained adapter each, with how it was trained and what it answered.

Every cell is one JSON file, written when it is complete. A study that is stopped goes on with the cells that it lacks.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aurelia_offline.learning.adapters import AdapterSettings, MediaCache, load_adapted, train_adapter
from aurelia_offline.learning.sets import LearnedForm, draw_learning_set, wrong_share
from aurelia_offline.training import examples
from aurelia_offline.training.evaluate import CheckpointAnswerer, EvaluationItem, draw_items, is_right_reply
from aurelia_offline.world import mini_world
from aurelia_offline.world.benchmark import draw_questions
from aurelia_offline.world.stage import StageQuestion, question_text

WAYS = ("alone", "injected", "blind")
"""alone: the question; injected: with the true steps; blind: the question about another clip."""
MAX_PLAN_TOKENS = 112
SIDE_QUESTIONS = 400
"""Held-out questions that curve and noise ask: the first ones of the main table's."""
RATES: dict[LearnedForm, float] = {"answer": 1e-3, "plan": 1e-2, "use": 1e-3}
"""Highest learning rate of a form; of several forms the highest. At 1e-2, answers alone unlearn what the base knew."""
_PASSES = ((100, 12), (400, 6), (2000, 4), (10**9, 2))
"""Passes over a set by its largest size: small sets are seen more often."""


class CellKey(NamedTuple):
    """What a cell measures: the forms trained, the number of questions, the planted errors (0..1), and the seed."""

    forms: tuple[LearnedForm, ...]
    questions: int
    noise: float
    seed: int

    @property
    def name(self) -> str:
        """A name for files."""
        if not self.forms:
            return "base"
        return f"{'+'.join(self.forms)}-{self.questions}-{round(100 * self.noise)}-{self.seed}"


@dataclass
class Cell:
    """One measured adapter.

    Attributes:
        right: by way, 1 for a right answer and 0 for a wrong one, in the order of the held-out questions.
        seconds: by way, processor seconds for an answer (batches of 48).
        tokens: by way, mean tokens of a reply.
        forgetting: by kind of other question, the share of right answers.
        training_seconds: processor seconds of the training.
        passes: passes over the training set.
        loss: loss of the last tenth of the training.
        wrong: share of the training answers that are wrong.
    """

    right: dict[str, list[int]]
    seconds: dict[str, float]
    tokens: dict[str, float]
    forgetting: dict[str, float]
    training_seconds: float = 0.0
    passes: int = 0
    loss: float | None = None
    wrong: float = 0.0
    rank: int = field(default=AdapterSettings().rank)


class HeldOut(NamedTuple):
    """The held-out questions, and questions of other kinds for forgetting, by their name."""

    items: list[EvaluationItem]
    others: dict[str, list[tuple[int, str, str]]]

    def side(self) -> "HeldOut":
        """What curve and noise ask."""
        return HeldOut(self.items[:SIDE_QUESTIONS], {})


def draw_held_out(count: int, others: int) -> HeldOut:
    """Questions about test clips (seeds from 0).

    Args:
        count: number of questions.
        others: number of questions of each other kind: captions, what is odd, follow-ups in a dialogue.
    """
    rng, kinds = np.random.default_rng(31), dict[str, list[tuple[int, str, str]]]()
    for kind in ("caption", "odd"):
        asked = StageQuestion(kind)
        kinds[kind] = []
        for clip in range(others):
            example = examples.make_example(asked, mini_world.draw_clip(clip).table, rng)
            if example is not None:
                kinds[kind].append((clip, _prompt(question_text(asked), example.choices), example.answer))
    kinds["follow-up"] = [
        (one.seed, _prompt(one.example.put, one.example.choices), one.example.answer)
        for one in draw_questions(others, first=0, follow_up=True)
    ]
    return HeldOut(draw_items(count, 0), kinds)


def _prompt(question: str, choices: Sequence[str]) -> str:
    return examples.target_prompt(question, list(choices), "direct", examples.chain_reasoning([]))


def measure(answerer: CheckpointAnswerer, held: HeldOut, ways: Sequence[str] = WAYS) -> Cell:
    """Ask every held-out question in every way."""
    cell = Cell({}, {}, {}, {})
    for way in ways:
        mode: Any = "steps" if way == "injected" else "direct"
        asked = [
            (
                item.seed + 1000 * (way == "blind"),
                examples.target_prompt(
                    item.example.put, item.example.choices, mode, examples.chain_reasoning(item.example.hops)
                ),
            )
            for item in held.items
        ]
        for clip, _ in asked:
            answerer.clip(clip)
        began = time.process_time()
        replies = answerer.answers(asked, MAX_PLAN_TOKENS)
        cell.seconds[way] = (time.process_time() - began) / len(asked)
        cell.right[way] = [int(is_right_reply(i, r)) for i, r in zip(held.items, replies, strict=True)]
        cell.tokens[way] = float(np.mean([len(answerer.tokenizer(reply)["input_ids"]) + 1 for reply in replies]))
    for kind, questions in held.others.items():
        replies = answerer.answers([(clip, prompt) for clip, prompt, _ in questions], MAX_PLAN_TOKENS)
        right = [examples.read_final_answer(r) == answer for r, (_, _, answer) in zip(replies, questions, strict=True)]
        cell.forgetting[kind] = float(np.mean(right))
    return cell


class CellStore:
    """The cells of a study in its folder."""

    def __init__(self, folder: Path, base: Path, held: HeldOut, progress: Callable[[str], None]) -> None:
        """Read nothing yet.

        Args:
            folder: folder of the study.
            base: folder of the mini target.
            held: the held-out questions.
            progress: called with lines about the progress.
        """
        self.folder = folder
        self._base, self._held, self._progress = base, held, progress
        self._media: MediaCache | None = None
        self._clips: dict[int, Any] = {}

    def adapter(self, key: CellKey) -> Path:
        """The folder of a cell's adapter."""
        return self.folder / "adapters" / key.name

    def find(self, key: CellKey) -> Cell | None:
        """A cell that is complete; None otherwise."""
        file = self._file(key)
        if not file.is_file():
            return None
        return Cell(**json.loads(file.read_text("utf-8")))

    def make(self, key: CellKey, ways: Sequence[str] = WAYS, *, is_side: bool = False) -> Cell:
        """The cell; trained and measured if it is not complete. A side cell is one of the curve or of the noise."""
        if found := self.find(key):
            return found
        self._progress(f"{key.name}: training")
        trained = None
        folder = None
        questions = draw_learning_set(key.questions, key.seed, key.noise)
        passes = next(passes for most, passes in _PASSES if key.questions <= most)
        if key.forms:
            self._media = self._media or MediaCache(CheckpointAnswerer(self._base))
            folder = self.adapter(key)
            rate = max(RATES[form] for form in key.forms)
            settings = AdapterSettings(rate=rate, passes=passes, seed=key.seed)
            trained = train_adapter(folder, self._base, questions, key.forms, settings, self._media)
        answerer = load_adapted(self._base, folder)
        answerer.inputs = self._clips
        cell = measure(answerer, self._held.side() if is_side else self._held, ways)
        if trained:
            cell.training_seconds, cell.passes, cell.loss = trained.seconds, passes, trained.loss
            cell.wrong = wrong_share(questions)
        file = self._file(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(cell)), encoding="utf-8")
        part.replace(file)
        shares = ", ".join(f"{way} {100 * np.mean(right):.1f} %" for way, right in cell.right.items())
        self._progress(f"{key.name}: {shares}")
        return cell

    def _file(self, key: CellKey) -> Path:
        return self.folder / "cells" / f"{key.name}.json"
