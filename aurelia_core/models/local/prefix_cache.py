"""Kept encodings of clips: the keys and values of a head, the least recently used ones dropped beyond a size in bytes.

A kept cache is never written to: each use forks it. It computes nothing and knows no model.
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
        blocks: the template blocks of the clip, with which a conversation is rendered without decoding it again.
        plain: tokens of the head as it is written, each medium one placeholder; those that are encoded.
        tokens: the same with every medium at its full length: int64[1, P].
        kinds: what a processor gives a token beside its id, by name: each [1, P].
        small: what positions are computed from (grids, masks of the media), by name.
        cache: keys and values of the P tokens.
        media: pictures, sounds and films in it.
        bytes: size of the cache.
    """

    blocks: "list[dict[str, Any]]"
    plain: list[int]
    tokens: "torch.Tensor"
    kinds: "dict[str, torch.Tensor]"
    small: dict[str, Any]
    cache: Any
    media: int
    bytes: int


class PrefixCache:
    """The kept prefixes; whoever uses it holds its model's lock.

    Attributes:
        limit: most bytes of all caches together.
        made: how many prefixes were encoded so far.
        used: how often one was used again.
    """

    def __init__(self, limit: int) -> None:
        """Keeps nothing yet."""
        self.limit = limit
        self.made = 0
        self.used = 0
        self._kept: OrderedDict[Hashable, CachedPrefix] = OrderedDict()

    def get(self, key: Hashable) -> CachedPrefix | None:
        """The prefix under the key, which becomes the most recently used one."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: Hashable, prefix: CachedPrefix) -> bool:
        """Keeps a prefix; False when it alone is larger than everything that may be kept."""
        self.drop(key)
        if prefix.bytes > self.limit:
            return False
        self._kept[key] = prefix
        while self.size > self.limit:
            self._kept.popitem(last=False)
        return True

    def drop(self, key: Hashable) -> None:
        """Forgets one prefix."""
        self._kept.pop(key, None)

    def clear(self) -> bool:
        """Forgets all; False when there was none."""
        had = bool(self._kept)
        self._kept.clear()
        return had

    @property
    def size(self) -> int:
        """Bytes of all kept caches."""
        return sum(prefix.bytes for prefix in self._kept.values())

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)


def copy_cache(cache: Any) -> Any:
    """A cache that goes on from the kept one and leaves it as it is.

    A layer that grows by concatenation never writes into the tensors that it was given, so that sharing them costs
    nothing; any other kind of layer is copied.
    """
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    growing = (DynamicLayer, DynamicSlidingWindowLayer)
    forked = copy.copy(cache)
    forked.layers = [copy.copy(layer) if type(layer) in growing else copy.deepcopy(layer) for layer in cache.layers]
    return forked


def compact_cache(cache: Any) -> int:
    """Cuts tensors loose from larger ones that they are views of, and returns the bytes that the cache takes."""
    import torch

    total = 0
    for layer in cache.layers:
        for name, value in list(vars(layer).items()):
            if isinstance(value, torch.Tensor) and value.untyped_storage().nbytes() > value.nbytes:
                setattr(layer, name, value.clone())
            parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
            total += sum(part.nbytes for part in parts if isinstance(part, torch.Tensor))
    return total


def prefix_positions_match(config: Any, kept: int, whole: int) -> bool:
    """Whether the keys of a kept head are those that it would have in the whole text.

    Some models (Phi-4: LongRoPE) turn all positions otherwise once a text is longer than they were first trained for,
    and would then encode the text anew without its media.

    Args:
        config: the model's.
        kept: tokens of the head.
        whole: tokens of the text with the longest reply.
    """
    text = config.get_text_config()
    rope = getattr(text, "rope_parameters", None) or {}
    limits = {getattr(text, "original_max_position_embeddings", None), rope.get("original_max_position_embeddings")}
    return not any(kept <= limit < whole for limit in limits if limit)
