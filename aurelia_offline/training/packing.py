"""Packs training batches: each row holds a clip once, followed by several questions that do not see each other.

A row is the head (the clip) and then segments (a prompt and its reply). Attention is causal within head and segment,
and positions restart after the head in every segment. Each segment is therefore computed as in a request of its own.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from aurelia_core.models.local.prompt_writer import PromptWriter
from aurelia_offline.training import checkpoint
from aurelia_offline.training.features import FRAME_COUNT, MODEL_FRAME_HEIGHT, MODEL_RATE, SOUND_PART_SECONDS
from aurelia_offline.world import mini_world

PATCH_PIXELS, MERGE_PATCHES = 14, 2
_SEGMENT_MARK = "[[SEGMENT]]"
_MAX_CACHED_TEXTS = 200_000


class PackedBatch(NamedTuple):
    """One batch.

    Attributes:
        ids, labels: int64[B, L]; the label -100 is ignored.
        positions: int64[3, B, L].
        ends: the positions, in tokens, where the head and each slot of segments ends.
    """

    ids: torch.Tensor
    labels: torch.Tensor
    positions: torch.Tensor
    ends: list[int]


class SegmentPacker:
    """Packs segments after the head of a clip."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        """Compute the head and its positions with the checkpoint's template and model."""
        self.tokenizer = tokenizer
        writer = PromptWriter("transformers:mini", _TemplateProcessor(tokenizer), checkpoint.model_senses())
        whole = writer.conversation_text(checkpoint.make_request(_SEGMENT_MARK), checkpoint.head_blocks())
        head, _, tail = whole.partition(_SEGMENT_MARK)
        self.head = self._media(tokenizer(head)["input_ids"])
        self.tail = tokenizer(tail)["input_ids"]
        self.end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        self.known: dict[str, list[int]] = {}
        ids = torch.tensor([self.head])
        grids = torch.tensor([[1, MERGE_PATCHES, self.across * MERGE_PATCHES]] * FRAME_COUNT)
        lengths = torch.tensor([self.steps] * self.parts)
        found, _ = model.get_rope_index(
            ids, image_grid_thw=grids, attention_mask=torch.ones_like(ids), audio_seqlens=lengths
        )
        self.positions = found[:, 0]
        self.first = int(found.max()) + 1

    def _media(self, ids: list[int]) -> list[int]:
        """The ids with each media token repeated to its full length."""
        image, audio = (
            self.tokenizer.convert_tokens_to_ids(checkpoint.MEDIA_TOKENS[n]) for n in ("image_token", "audio_token")
        )
        self.across = round(mini_world.CLIP_WIDTH * MODEL_FRAME_HEIGHT / mini_world.CLIP_HEIGHT) // (
            PATCH_PIXELS * MERGE_PATCHES
        )
        self.parts, self.steps = ids.count(audio), int(SOUND_PART_SECONDS * MODEL_RATE) // checkpoint.HOP_SAMPLES
        full: list[int] = []
        for token in ids:
            full += [token] * (self.across if token == image else self.steps // 4 if token == audio else 1)
        return full

    def tokens(self, text: str) -> list[int]:
        """The token ids of a text, from a cache."""
        if text not in self.known:
            if len(self.known) > _MAX_CACHED_TEXTS:
                self.known.clear()
            self.known[text] = list(self.tokenizer(text)["input_ids"])
        return self.known[text]

    def request(self, prompt: str) -> list[int]:
        """The ids of the head, the prompt and the start of the reply."""
        return [*self.head, *self.tokens(prompt), *self.tail]

    def pack(self, rows: Sequence[Sequence[tuple[str, str]]]) -> PackedBatch:
        """Pack rows of (prompt, reply) pairs: one row for each clip, with the same number of pairs.

        The segments of a row are sorted by length, so that the segments of one slot need little padding.
        """
        slots = list(
            zip(*(sorted(map(self._segment, pairs), key=lambda one: len(one[0])) for pairs in rows), strict=True)
        )
        count, size = len(rows), len(self.head)
        ends = [size]
        for slot in slots:
            ends.append(ends[-1] + max(len(ids) for ids, _ in slot))
        ids, labels = torch.zeros(count, ends[-1], dtype=torch.long), torch.full((count, ends[-1]), -100)
        positions = torch.zeros(3, count, ends[-1], dtype=torch.long)
        ids[:, :size], positions[:, :, :size] = torch.tensor(self.head), self.positions[:, None]
        for slot, start, end in zip(slots, ends, ends[1:], strict=False):
            positions[:, :, start:end] = torch.arange(self.first, self.first + end - start)
            for number, (row, learned) in enumerate(slot):
                ids[number, start : start + len(row)] = torch.tensor(row)
                labels[number, start : start + len(row)] = torch.tensor(learned)
        return PackedBatch(ids, labels, positions, ends)

    def _segment(self, pair: tuple[str, str]) -> tuple[list[int], list[int]]:
        asked, said = self.tokens(pair[0]) + self.tail, [*self.tokens(pair[1]), self.end]
        return asked + said, [-100] * len(asked) + said


class SlotAttention:
    """Attention for packed rows: the head attends to itself, a segment to the head and itself, both causally."""

    def __init__(self) -> None:
        """Register the function with transformers, as `aurelia_slots`."""
        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        self.ends: list[int] = []
        self.name = "aurelia_slots"
        ALL_ATTENTION_FUNCTIONS.register(self.name, self.attend)

    def attend(self, module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[Any, None]:
        """Attention over [B, heads, L, D]; `mask` is ignored."""
        shares = query.shape[1] // key.shape[1]
        if shares > 1:
            key, value = key.repeat_interleave(shares, 1), value.repeat_interleave(shares, 1)
        sizes = [end - start for start, end in zip([0, *self.ends], self.ends, strict=False)]
        asking, keys, values = (x.split(sizes, 2) for x in (query, key, value))
        mixed: Any = torch.nn.functional.scaled_dot_product_attention
        parts = [mixed(asking[0], keys[0], values[0], is_causal=True)]
        for own, *pair in zip(asking[1:], keys[1:], values[1:], strict=True):
            seen = torch.ones(own.shape[2], sizes[0] + own.shape[2], dtype=torch.bool).tril(sizes[0])
            both = [torch.cat([head, part], 2) for head, part in zip((keys[0], values[0]), pair, strict=True)]
            parts.append(mixed(own, *both, attn_mask=seen))
        return torch.cat(parts, 2).transpose(1, 2).contiguous(), None


class _TemplateProcessor:
    """The part of a processor that a `PromptWriter` uses."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.chat_template = tokenizer.chat_template
        for name, token in checkpoint.MEDIA_TOKENS.items():
            setattr(self, name, token)

    def apply_chat_template(self, said: Any, **options: Any) -> Any:
        return self.tokenizer.apply_chat_template(said, **options)


def vision_patches(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Frames uint8[B, N, H, W, 3] as patches for the vision encoder, float32[B * N * patches, 1176]."""
    pixels = (torch.from_numpy(images).float() / 255 - torch.tensor(checkpoint.PIXEL_MEAN)) / torch.tensor(
        checkpoint.PIXEL_STD
    )
    count, high, wide = pixels.shape[0] * pixels.shape[1], pixels.shape[2], pixels.shape[3]
    pixels = pixels.reshape(count, 1, high, wide, 3).expand(count, 2, high, wide, 3).permute(0, 1, 4, 2, 3)
    step = PATCH_PIXELS * MERGE_PATCHES
    cut = pixels.reshape(
        count, 2, 3, high // step, MERGE_PATCHES, PATCH_PIXELS, wide // step, MERGE_PATCHES, PATCH_PIXELS
    )
    return cut.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(-1, 3 * 2 * PATCH_PIXELS * PATCH_PIXELS)


def calibrate_encoders(model: Any, images: npt.NDArray[np.uint8], mels: torch.Tensor, scale: float = 0.3) -> None:
    """Scale both encoders so that their first outputs have mean 0 and standard deviation `scale` over these clips.

    Without this, the part that all clips share is a hundred times larger than their differences, and the language model
    cannot tell the clips apart.
    """
    with torch.no_grad():
        for last, out in zip(
            (model.model.audio_tower.proj, model.model.visual.merger.mlp[2]),
            encode_media(model, images, mels),
            strict=True,
        ):
            mean, spread = out.mean(0), (out - out.mean(0)).pow(2).mean().sqrt()
            last.weight.mul_(scale / spread)
            last.bias.copy_((last.bias - mean) * (scale / spread))


def embed_batch(model: Any, ids: torch.Tensor, images: npt.NDArray[np.uint8], mels: torch.Tensor) -> torch.Tensor:
    """The embeddings of ids, with the encoded frames and sounds at the media tokens, float32[B, L, hidden]."""
    return place_media(model, ids, *encode_media(model, images, mels))


def place_media(model: Any, ids: torch.Tensor, heard: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """The embeddings of ids, with encoded sounds and frames at the media tokens in order, float32[B, L, hidden]."""
    config = model.config
    text: torch.Tensor = model.model.get_input_embeddings()(ids)
    text = text.masked_scatter((ids == config.image_token_id)[..., None], seen.to(text.dtype))
    return text.masked_scatter((ids == config.audio_token_id)[..., None], heard.to(text.dtype))


def encode_media(model: Any, images: npt.NDArray[np.uint8], mels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The encoded sounds and frames, float32[tokens, hidden] each."""
    inner = model.model
    grid = torch.tensor([[1, images.shape[2] // PATCH_PIXELS, images.shape[3] // PATCH_PIXELS]]).expand(
        images.shape[0] * images.shape[1], 3
    )
    lengths = torch.full((mels.shape[0],), mels.shape[-1])
    heard = inner.audio_tower(
        mels.permute(1, 0, 2).reshape(mels.shape[1], -1), feature_lens=lengths, aftercnn_lens=lengths // 2
    ).last_hidden_state
    return heard, inner.visual(vision_patches(images), grid_thw=grid).pooler_output
