"""Cache of encoded clips: the keys and values of a head; a limit in bytes evicts the least recently used one.

A stored entry is never modified: each use works on a copy.
"""

import copy
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class CachedPrefix:
    """The head of all requests on one clip, encoded.

    Attributes:
        blocks: template blocks of the clip, to render a conversation without decoding the clip again.
        placeholder_tokens: the encoded tokens of the head, with one placeholder per medium.
        tokens: the same tokens with every medium at its full length: int64[1, P].
        token_inputs: further inputs per token (token types), by name: each [1, P].
        position_inputs: inputs from which positions are computed (grids and masks of the media), by name.
        cache: keys and values of the P tokens.
        media_count: number of images, sounds and videos.
        cache_bytes: size of the cache.
    """

    blocks: "list[dict[str, Any]]"
    placeholder_tokens: list[int]
    tokens: "torch.Tensor"
    token_inputs: "dict[str, torch.Tensor]"
    position_inputs: dict[str, Any]
    cache: Any
    media_count: int
    cache_bytes: int


class PrefixCache:
    """The cached prefixes of one model. Not thread-safe: the caller holds the model's lock.

    Attributes:
        max_bytes: most bytes of all prefixes together.
        encoded_count: number of prefixes that were encoded so far.
        hit_count: number of times that a prefix was reused.
    """

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache."""
        self.max_bytes = max_bytes
        self.encoded_count = 0
        self.hit_count = 0
        self._prefixes: OrderedDict[Hashable, CachedPrefix] = OrderedDict()

    def get(self, key: Hashable) -> CachedPrefix | None:
        """The prefix of the key, which becomes the most recently used one; None if there is none."""
        if key in self._prefixes:
            self._prefixes.move_to_end(key)
        return self._prefixes.get(key)

    def put(self, key: Hashable, prefix: CachedPrefix) -> bool:
        """Store a prefix; False if it alone exceeds the limit."""
        self.drop(key)
        if prefix.cache_bytes > self.max_bytes:
            return False
        self._prefixes[key] = prefix
        while self.total_bytes > self.max_bytes:
            self._prefixes.popitem(last=False)
        return True

    def drop(self, key: Hashable) -> None:
        """Delete one prefix."""
        self._prefixes.pop(key, None)

    def clear(self) -> bool:
        """Delete all prefixes; False if there was none."""
        had_prefixes = bool(self._prefixes)
        self._prefixes.clear()
        return had_prefixes

    @property
    def total_bytes(self) -> int:
        """Bytes of all prefixes together."""
        return sum(prefix.cache_bytes for prefix in self._prefixes.values())

    def __len__(self) -> int:
        """Number of prefixes."""
        return len(self._prefixes)


def copy_cache(cache: Any) -> Any:
    """A copy of a cache that can grow without changing the original.

    A layer that grows by concatenation never writes into its tensors, so the copy shares them; any other kind of layer
    is copied deeply.
    """
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    growing = (DynamicLayer, DynamicSlidingWindowLayer)
    copied = copy.copy(cache)
    copied.layers = []
    for layer in cache.layers:
        copy_layer = copy.copy if type(layer) in growing else copy.deepcopy
        copied.layers.append(copy_layer(layer))
    return copied


def compact_cache(cache: Any) -> int:
    """Replace views of larger tensors by copies, and return the size of the cache in bytes."""
    import torch

    total = 0
    for layer in cache.layers:
        for name, value in list(vars(layer).items()):
            if isinstance(value, torch.Tensor) and value.untyped_storage().nbytes() > value.nbytes:
                setattr(layer, name, value.clone())
            parts = [value]
            if isinstance(value, dict):
                parts = list(value.values())
            elif isinstance(value, list):
                parts = value
            total += sum(part.nbytes for part in parts if isinstance(part, torch.Tensor))
    return total


def prefix_positions_match(config: Any, prefix_length: int, total_length: int) -> bool:
    """Whether the keys of a cached head equal those that it would have in the whole text.

    Some models (Phi-4: LongRoPE) rotate all positions differently if a text exceeds the length of their first training,
    and then encode the text again without its media.

    Args:
        config: the model's configuration.
        prefix_length: tokens of the head.
        total_length: tokens of the text with the longest reply.
    """
    text = config.get_text_config()
    rope = getattr(text, "rope_parameters", None) or {}
    limits = {getattr(text, "original_max_position_embeddings", None), rope.get("original_max_position_embeddings")}
    return not any(prefix_length <= limit < total_length for limit in limits if limit)
