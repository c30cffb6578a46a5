"""`aurelia mini train`: trains the mini target from scratch on clips that never repeat, on one or two cores.

The learning rate follows a cosine over the given minutes. `question_sampler` draws the questions.
"""

import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.multiprocessing
import torch.nn.functional as F
from torch import distributed

from aurelia_offline.training import checkpoint
from aurelia_offline.training.encoders import fast_encoders
from aurelia_offline.training.features import ClipSynthesizer, log_mel_spectra
from aurelia_offline.training.muon import Muon
from aurelia_offline.training.packing import SegmentPacker, SlotAttention, calibrate_encoders, embed_batch
from aurelia_offline.training.question_sampler import FULL_EVERY_STEPS, QuestionSampler, tokenizer_corpus

NAME_TOKEN_WEIGHT = 4.0
"""Weight in the loss of a token that names something of the mini world; other tokens have weight 1."""
WEIGHT_DECAY = 0.02


class TrainingSettings(NamedTuple):
    """Settings of a training run.

    Attributes:
        minutes: duration of the training.
        clips, questions: clips in a step, and questions about each clip, in each process.
        rate: the highest learning rate, reached after `warm` steps.
        seed: seed of weights and clips.
        cores: number of processes.
        turns: rendered turns of each instrument, from which training clips are assembled.
        texts: number of clips whose questions train the tokenizer.
    """

    minutes: float = 60
    clips: int = 4
    questions: int = 10
    rate: float = 1.5e-3
    seed: int = 0
    cores: int = 2
    warm: int = 200
    turns: int = 300
    texts: int = 3000


def train_checkpoint(folder: Path, settings: TrainingSettings, progress: Any = print) -> Path:
    """Train a checkpoint into `folder`, with one process per core; `say` receives progress lines."""
    processes: Any = torch.multiprocessing

    tokenizer = checkpoint.train_tokenizer(tokenizer_corpus(settings.texts))
    checkpoint.save_checkpoint(folder, checkpoint.make_thinker(tokenizer, settings.seed), tokenizer)
    with tempfile.TemporaryDirectory() as rendezvous:
        where = f"file://{rendezvous}/rendezvous"
        if settings.cores == 1:
            _run_process(0, folder, settings, where, progress)
        else:
            processes.spawn(_run_process, (folder, settings, where, progress), nprocs=settings.cores)
    return folder


def _run_process(rank: int, folder: Path, settings: TrainingSettings, where: str, progress: Any) -> None:
    """Run one process: it draws its own clips and makes every step together with the others."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", where, rank=rank, world_size=settings.cores, timeout=timedelta(minutes=10))
    model, tokenizer = _load_checkpoint(folder)
    model.train()
    slots = SlotAttention()
    model.model.language_model.config._attn_implementation = slots.name
    seed = settings.seed * settings.cores + rank
    packer, sampler = SegmentPacker(tokenizer, model), QuestionSampler(seed)
    listener = checkpoint.make_feature_extractor()
    parts = ClipSynthesizer(seed, settings.turns)
    name_tokens, optimizers = _mark_name_tokens(tokenizer), _make_optimizers(model, settings.rate)
    first = ClipSynthesizer(settings.seed, turns=8).batch(32)
    with fast_encoders():
        calibrate_encoders(model, first.images, log_mel_spectra(first.sound, listener))
    began, step, done, accuracy = time.monotonic(), 0, 0.0, RunningAccuracy()
    with fast_encoders():
        while done < 1:
            batch = parts.batch(settings.clips)
            full = step % FULL_EVERY_STEPS == FULL_EVERY_STEPS - 1
            rows = [
                sampler.full(clip, done) if full else sampler.pairs(clip.table, settings.questions, done)
                for clip in batch.clips
            ]
            packed = packer.pack(rows)
            slots.ends = packed.ends
            loss = _loss(model, packed, batch.images, log_mel_spectra(batch.sound, listener), name_tokens, accuracy)
            model.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            _average_gradients(model, settings.cores)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scale = min(1, (step + 1) / settings.warm) * (0.97 * 0.5 * (1 + np.cos(np.pi * done)) + 0.03)
            for optimizer in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = settings.rate * scale
                optimizer.step()
            step += 1
            done = _share_progress((time.monotonic() - began) / (60 * settings.minutes), settings.cores)
            if rank == 0 and step % 100 == 0:
                progress(f"step {step}, {(time.monotonic() - began) / 60:.1f} min, {accuracy.summary()}")
            if rank == 0 and (step % 500 == 0 or done >= 1):
                checkpoint.save_checkpoint(folder, model, tokenizer)
    distributed.destroy_process_group()


def _make_optimizers(model: Any, rate: float) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the matrices within the layers, AdamW for embeddings, convolutions, norms and biases."""
    known = dict(model.named_parameters())
    inner = {name for name, p in known.items() if p.ndim == 2 and "embed" not in name}
    wide = [p for name, p in known.items() if name not in inner and p.ndim >= 2]
    flat = [p for p in known.values() if p.ndim < 2]
    groups = [{"params": wide, "weight_decay": WEIGHT_DECAY}, {"params": flat, "weight_decay": 0.0}]
    return (
        Muon([known[name] for name in sorted(inner)], lr=rate, weight_decay=WEIGHT_DECAY),
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98)),
    )


def _load_checkpoint(folder: Path) -> tuple[Any, Any]:
    """Load the model and the tokenizer of a checkpoint."""
    from transformers import AutoTokenizer, Qwen2_5OmniThinkerForConditionalGeneration

    kind: Any = Qwen2_5OmniThinkerForConditionalGeneration
    return kind.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)


def _average_gradients(model: Any, cores: int) -> None:
    """Average the gradients over the processes."""
    if cores == 1:
        return
    known = [p for p in model.parameters() if p.grad is not None]
    flat = torch.cat([p.grad.reshape(-1) for p in known])
    distributed.all_reduce(flat)
    flat /= cores
    at = 0
    for p in known:
        p.grad.copy_(flat[at : at + p.numel()].view_as(p))
        at += p.numel()


def _share_progress(done: float, cores: int) -> float:
    """The progress of the first process, in all processes."""
    if cores == 1:
        return done
    shared = torch.tensor([done])
    distributed.broadcast(shared, 0)
    return float(shared)


class RunningAccuracy:
    """Loss and accuracy of the last steps, over the tokens that name something of the mini world."""

    def __init__(self) -> None:
        """Start without steps."""
        self.losses: list[float] = []
        self.right: list[float] = []

    def summary(self) -> str:
        """Loss and accuracy as text; starts a new average."""
        summary = f"loss {np.mean(self.losses):.3f}, names right {100 * np.mean(self.right):.1f} %"
        self.losses, self.right = [], []
        return summary


def _mark_name_tokens(tokenizer: Any) -> torch.Tensor:
    """Which tokens name something of the mini world, bool[vocabulary]."""
    from aurelia_offline.world.stage import stage_names

    known = stage_names()
    names = [*known.instruments, *known.spots, *known.turns, *known.counts, "yes", "no", "none", "nothing", "nowhere"]
    names += [value for facts in known.facts.values() for value in facts.values()]
    heavy = torch.zeros(len(tokenizer), dtype=torch.bool)
    for name in names:
        ids = tokenizer(" " + name)["input_ids"]
        if len(ids) == 1:
            heavy[ids[0]] = True
    return heavy


def _loss(
    model: Any, packed: Any, images: Any, spectra: torch.Tensor, is_name: torch.Tensor, accuracy: RunningAccuracy
) -> torch.Tensor:
    text = embed_batch(model, packed.ids, images, spectra)
    hidden = model.model.language_model(
        inputs_embeds=text, position_ids=packed.positions, use_cache=False
    ).last_hidden_state
    learned = packed.labels[:, 1:] != -100
    wanted = packed.labels[:, 1:][learned]
    logits = model.lm_head(hidden[:, :-1][learned])
    weight = torch.where(is_name[wanted], NAME_TOKEN_WEIGHT, 1.0)
    loss = (F.cross_entropy(logits, wanted, reduction="none") * weight).sum() / weight.sum()
    accuracy.losses.append(loss.item())
    accuracy.right.append(float((logits.argmax(-1) == wanted)[is_name[wanted]].float().mean()))
    return loss
