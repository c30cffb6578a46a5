"""Trains LoRA adapters of the mini target on packed rows: a clip once, followed by its questions.

`aurelia train` trains the same adapters from run files, one example at a time and through the video files. This way
encodes each clip once for all its questions, which the study's many adapters need; the two were not compared.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from aurelia_core.models.local.adapters import Adapter, merge_adapter, without_future_warnings
from aurelia_offline.learning.sets import LearnedForm, LearnedQuestion, learning_pair
from aurelia_offline.training import train
from aurelia_offline.training.encoders import fast_encoders
from aurelia_offline.training.evaluate import CheckpointAnswerer
from aurelia_offline.training.packing import SlotAttention, encode_media, place_media

LAYERS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
_NAME_TOKEN_WEIGHT = 2.0
"""Weight in the loss of a token that names something of the mini world; other tokens have weight 1."""
_CLIPS_PER_STEP = 4
_WARM_STEPS = 20
Row = tuple[int, list[tuple[str, str]]]


class AdapterSettings(NamedTuple):
    """How an adapter is trained: rank, highest learning rate, passes over the set, and the seed."""

    rank: int = 16
    rate: float = 1e-2
    passes: int = 4
    seed: int = 0


class TrainedAdapter(NamedTuple):
    """A trained adapter: seconds of the training, and the loss of its last tenth."""

    folder: Path
    seconds: float
    loss: float


class MediaCache:
    """The encoded sound and picture of training clips. The encoders are frozen, so that all adapters share them."""

    def __init__(self, answerer: CheckpointAnswerer) -> None:
        """Encode nothing yet."""
        self._answerer = answerer
        self._encoded: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def encoded(self, clips: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Sounds and frames of the clips as the language model reads them, float32[tokens, hidden] each."""
        for clip in clips:
            if clip not in self._encoded:
                images, spectra = self._answerer.clip(clip)
                with torch.no_grad():
                    self._encoded[clip] = encode_media(self._answerer.model, images[None], spectra)
                del self._answerer.inputs[clip]
        parts = [self._encoded[clip] for clip in clips]
        return torch.cat([heard for heard, _ in parts]), torch.cat([seen for _, seen in parts])


def train_adapter(
    folder: Path,
    base: Path,
    questions: Sequence[LearnedQuestion],
    forms: Sequence[LearnedForm],
    settings: AdapterSettings,
    media: MediaCache,
) -> TrainedAdapter:
    """Train an adapter of the checkpoint `base` into `folder`; of several forms every question is learned in each."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(settings.seed)
    answerer = CheckpointAnswerer(base)
    model = answerer.model
    layers = LoraConfig(r=settings.rank, lora_alpha=2 * settings.rank, target_modules=LAYERS)
    with without_future_warnings():
        adapted: Any = get_peft_model(model, layers)
    model.train()
    slots = SlotAttention()
    model.model.language_model.config._attn_implementation = slots.name
    names = train._mark_name_tokens(answerer.tokenizer)
    rows = _rows(questions, forms)
    steps = _step_count(len(rows), settings.passes)
    weights = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=settings.rate, betas=(0.9, 0.98), weight_decay=0.0)
    order, losses, began = _batches(rows, settings), list[float](), time.process_time()
    with fast_encoders():
        for step in range(steps):
            batch = next(order)
            packed = answerer.packer.pack([pairs for _, pairs in batch])
            slots.ends = packed.ends
            text = place_media(model, packed.ids, *media.encoded([clip for clip, _ in batch]))
            loss = _loss(model, packed, text, names)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            scale = min(1, (step + 1) / _WARM_STEPS) * 0.5 * (1 + np.cos(np.pi * step / steps))
            for group in optimizer.param_groups:
                group["lr"] = settings.rate * scale
            optimizer.step()
            losses.append(loss.item())
    seconds = time.process_time() - began
    adapted.peft_config["default"].base_model_name_or_path = "mini"
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return TrainedAdapter(folder, seconds, float(np.mean(losses[-max(1, steps // 10) :])))


def load_adapted(base: Path, folder: Path | None) -> CheckpointAnswerer:
    """The checkpoint with an adapter merged into its weights; None: the checkpoint alone."""
    answerer = CheckpointAnswerer(base)
    if folder is not None:
        answerer.model = merge_adapter(answerer.model, Adapter(folder, "mini", {}), "transformers:mini").eval()
    return answerer


def _rows(questions: Sequence[LearnedQuestion], forms: Sequence[LearnedForm]) -> list[Row]:
    """The pairs of each clip."""
    by_clip: dict[int, list[tuple[str, str]]] = {}
    for question in questions:
        pairs = by_clip.setdefault(question.clip, [])
        pairs.extend(learning_pair(question, form) for form in forms)
    return list(by_clip.items())


def _step_count(rows: int, passes: int) -> int:
    return passes * max(1, rows // _CLIPS_PER_STEP)


def _batches(rows: list[Row], settings: AdapterSettings) -> Any:
    """Batches without end; within a batch every clip has the same number of questions, as packing needs it."""
    rng = np.random.default_rng([settings.seed, 23])
    size = min(_CLIPS_PER_STEP, len(rows))
    while True:
        order = rng.permutation(len(rows))
        for first in range(0, len(order) - size + 1, size):
            batch = [rows[int(place)] for place in order[first : first + size]]
            most = max(len(pairs) for _, pairs in batch)
            yield [(clip, [pairs[i % len(pairs)] for i in range(most)]) for clip, pairs in batch]


def _loss(model: Any, packed: Any, text: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
    hidden = model.model.language_model(
        inputs_embeds=text, position_ids=packed.positions, use_cache=False
    ).last_hidden_state
    learned = packed.labels[:, 1:] != -100
    wanted = packed.labels[:, 1:][learned]
    weight = torch.where(names[wanted], _NAME_TOKEN_WEIGHT, 1.0)
    losses = F.cross_entropy(model.lm_head(hidden[:, :-1][learned]), wanted, reduction="none")
    return (losses * weight).sum() / weight.sum()
