"""Asks a mini checkpoint questions in every prompt mode, directly from the scenes; for decisions and the model card.

It uses no video files and no graph. `aurelia mini study` measures the target through both.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from aurelia_offline.training import checkpoint, examples
from aurelia_offline.training.encoders import fast_encoders
from aurelia_offline.training.examples import Example, PromptMode
from aurelia_offline.training.features import (
    FRAME_COUNT,
    log_mel_spectra,
    render_frames,
    render_sound_parts,
    shrink_frame,
)
from aurelia_offline.training.packing import SegmentPacker, vision_patches
from aurelia_offline.world import mini_world
from aurelia_offline.world.stage import StageQuestion
from aurelia_offline.world.stage_chain import Hop, question_chain

VALIDATION_SEED = 500_000
"""First seed of the validation clips, for decisions; test clips have seeds from 0."""
MAX_REPLY_TOKENS = 60
_EVALUATION_BATCH = 48


class EvaluationItem(NamedTuple):
    """One question of an evaluation: the seed of its clip, the question's form, and the question with its answer."""

    seed: int
    composition: StageQuestion
    example: Example


def draw_items(count: int, first: int, seed: int = 0) -> list[EvaluationItem]:
    """Questions with choices: two for each clip from seed `first`, with equally many of each number of hops."""
    rng = np.random.default_rng([seed, 3])
    items = examples.compositions_by_hops()
    found: list[EvaluationItem] = []
    while len(found) < count:
        clip_seed = first + len(found) // 2
        asked = items[1 + len(found) % examples.MAX_HOPS]
        composition = asked[int(rng.integers(len(asked)))]
        posed = examples.make_example(composition, mini_world.draw_clip(clip_seed).table, rng)
        if posed is not None and posed.choices:
            found.append(EvaluationItem(clip_seed, composition, posed))
    return found


def plan_of_another_question(item: EvaluationItem, rng: np.random.Generator) -> list[Hop]:
    """The plan of another question with the same number of hops."""
    items = examples.compositions_by_hops()[len(item.example.hops)]
    while True:
        other = question_chain(items[int(rng.integers(len(items)))])
        if [hop.text for hop in other] != [hop.text for hop in item.example.hops]:
            return other


class CheckpointAnswerer:
    """A loaded checkpoint that answers in batches with greedy decoding."""

    def __init__(self, folder: Path) -> None:
        """Load the checkpoint from a folder."""
        from transformers import AutoTokenizer, Qwen2_5OmniThinkerForConditionalGeneration

        kind: Any = Qwen2_5OmniThinkerForConditionalGeneration
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.model: Any = kind.from_pretrained(folder, dtype=torch.float32).eval()
        self.packer, self.listener = SegmentPacker(self.tokenizer, self.model), checkpoint.make_feature_extractor()
        self.inputs: dict[int, tuple[npt.NDArray[np.uint8], torch.Tensor]] = {}

    def clip(self, seed: int) -> tuple[npt.NDArray[np.uint8], torch.Tensor]:
        """Frames uint8[FRAMES, H, W, 3] and spectra float32[parts, mels, steps] of a clip."""
        if seed not in self.inputs:
            scene = mini_world.clip_scene(mini_world.draw_clip(seed))
            times = [(index + 0.5) * mini_world.CLIP_SECONDS / FRAME_COUNT for index in range(FRAME_COUNT)]
            images = np.stack([shrink_frame(image) for image in render_frames(scene, times)])
            self.inputs[seed] = images, log_mel_spectra(render_sound_parts(scene), self.listener)
        return self.inputs[seed]

    def answers(self, asked: Sequence[tuple[int, str]], most: int = MAX_REPLY_TOKENS) -> list[str]:
        """The replies to pairs of (clip seed, prompt), in their order."""
        rows = [self.packer.request(prompt) for _, prompt in asked]
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        replies_in_order = [""] * len(rows)
        with fast_encoders(), torch.no_grad():
            for first in range(0, len(order), _EVALUATION_BATCH):
                chosen = order[first : first + _EVALUATION_BATCH]
                replies = self._batch([rows[n] for n in chosen], [asked[n][0] for n in chosen], most)
                for number, reply in zip(chosen, replies, strict=True):
                    replies_in_order[number] = reply
        return replies_in_order

    def _batch(self, rows: list[list[int]], seeds: list[int], most: int) -> list[str]:
        longest, count = max(map(len, rows)), len(rows)
        ids = torch.full((count, longest), int(self.tokenizer.pad_token_id))
        seen = torch.zeros(count, longest, dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, longest - len(row) :], seen[number, longest - len(row) :] = torch.tensor(row), 1
        inputs = [self.clip(seed) for seed in seeds]
        images, spectra = np.stack([one[0] for one in inputs]), torch.cat([one[1] for one in inputs])
        grid = torch.tensor([[1, images.shape[2] // 14, images.shape[3] // 14]]).expand(count * FRAME_COUNT, 3)
        generated = self.model.generate(
            input_ids=ids, attention_mask=seen, pixel_values=vision_patches(images), image_grid_thw=grid,
            input_features=spectra, feature_attention_mask=torch.ones_like(spectra[:, 0], dtype=torch.long),
            max_new_tokens=most, do_sample=False,
        )  # fmt: skip
        return [self.tokenizer.decode(row, skip_special_tokens=True).strip() for row in generated[:, longest:]]


def is_right_reply(item: EvaluationItem, reply: str) -> bool:
    """Whether the answer in a reply is correct."""
    return examples.read_final_answer(reply) == item.example.answer


class AskedResults(NamedTuple):
    """The results of one prompt mode: whether each answer is correct, and the replies."""

    right: npt.NDArray[np.bool_]
    replies: list[str]


def ask_checkpoint(
    asker: CheckpointAnswerer,
    items: Sequence[EvaluationItem],
    way: PromptMode,
    *,
    blind: bool = False,
    plans: list[list[Hop]] | None = None,
) -> AskedResults:
    """Ask every question in one prompt mode; `blind` shows another clip, `plans` replaces the questions' own plans."""
    asked = []
    for number, item in enumerate(items):
        hops = item.example.hops
        if plans:
            hops = plans[number]
        given = examples.chain_reasoning(hops)
        if way == "full" and not plans:
            given = examples.justified_reasoning(
                item.example, mini_world.draw_clip(item.seed), np.random.default_rng(item.seed)
            )
        prompt = examples.target_prompt(item.example.put, item.example.choices, way, given)
        asked.append((item.seed + 1000 if blind else item.seed, prompt))
    replies = asker.answers(asked, 12 if way in ("direct", "steps+answers", "full") else MAX_REPLY_TOKENS)
    return AskedResults(
        np.array([is_right_reply(item, reply) for item, reply in zip(items, replies, strict=True)]), replies
    )
