"""Speeds up the audio and vision encoders of Qwen2.5-Omni: attention over segments of equal length in one batch.

The results are the same as those of the library's loop over segments, which is slow for small models.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional


@contextmanager
def fast_encoders() -> Iterator[None]:
    """In this context both encoders attend to all segments in one batch; the segments must have equal lengths."""
    import transformers.models.qwen2_5_omni.modeling_qwen2_5_omni as source

    omni: Any = source
    kinds = (omni.Qwen2_5OmniAudioAttention, omni.Qwen2_5OmniVisionAttention)
    plain = [kind.forward for kind in kinds]
    for kind, forward in zip(kinds, (_audio_attention, _vision_attention), strict=True):
        kind.forward = forward
    try:
        yield
    finally:
        for kind, forward in zip(kinds, plain, strict=True):
            kind.forward = forward


def _audio_attention(self: Any, hidden_states: Any, cu_seqlens: Any, **more: Any) -> Any:
    count, total = len(cu_seqlens) - 1, hidden_states.shape[0]
    projected = [part(hidden_states) for part in (self.q_proj, self.k_proj, self.v_proj)]
    return self.out_proj(_segment_attention(projected, count, total, self.num_heads, self.scaling))


def _vision_attention(
    self: Any, hidden_states: Any, cu_seqlens: Any, position_embeddings: Any = None, **more: Any
) -> Any:
    import transformers.models.qwen2_5_omni.modeling_qwen2_5_omni as omni

    count, total = len(cu_seqlens) - 1, hidden_states.shape[0]
    query, key, value = (part(hidden_states).view(total, self.num_heads, -1) for part in (self.q, self.k, self.v))
    turned: Any = omni.apply_rotary_pos_emb_vision
    query, key = turned(query, key, *position_embeddings)
    return self.proj(_segment_attention([query, key, value], count, total, self.num_heads, None))


def _segment_attention(projected: list[Any], count: int, total: int, heads: int, scale: float | None) -> Any:
    """Attention within each of `count` segments; input and output are [total, heads * D]."""
    parts = [part.reshape(count, total // count, heads, -1).transpose(1, 2) for part in projected]
    attention: Any = torch.nn.functional.scaled_dot_product_attention
    return attention(*parts, scale=scale).transpose(1, 2).reshape(total, -1)
