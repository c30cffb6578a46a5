"""An estimate of the memory that a training takes, told before it starts."""

from typing import Any, NamedTuple

import psutil
import torch

from aurelia.train.settings import TrainSettings
from aurelia_core.models.local.loading import Placement
from aurelia_core.models.local.weights import Weights

_GIB = 1024**3
_ACTIVATIONS_OF_A_LAYER = 18
"""Values per token and hidden unit that one layer holds while its gradient is computed (Korthikanti et al., 2022)."""
_BITS = {"float32": 32, "bfloat16": 16, "float16": 16}
_ADAM_BYTES = 16
"""Bytes for each adapted weight: the weight, its gradient and Adam's two averages, in float32."""


class MemoryEstimate(NamedTuple):
    """Bytes: of the base's weights, of the adapter with its optimizer, of the activations; and what is free."""

    weights: int
    adapter: int
    activations: int
    free: int

    @property
    def total(self) -> int:
        """All bytes together."""
        return self.weights + self.adapter + self.activations

    def text(self, device: str) -> str:
        """The estimate in one sentence."""
        parts = (
            f"base {_size(self.weights)}, adapter and optimizer {_size(self.adapter)},"
            f" longest example {_size(self.activations)}"
        )
        return f"Memory: about {_size(self.total)} of {_size(self.free)} free on {device} ({parts})."


def estimate_memory(
    model: Any, placement: Placement, settings: TrainSettings, longest: int, adapted: int
) -> MemoryEstimate:
    """The memory of a training.

    Args:
        model: the base, loaded (its own memory is counted, not taken from what is free).
        placement: device and precision.
        settings: the settings.
        longest: tokens of the longest example.
        adapted: number of the adapter's weights.
    """
    text = model.config.get_text_config()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    item = 4 if placement.dtype == "float32" else 2
    kept = int(getattr(text, "num_hidden_layers", 1)) * longest * int(text.hidden_size) * item
    layer = _ACTIVATIONS_OF_A_LAYER * longest * int(text.hidden_size) * item
    return MemoryEstimate(weights, adapted * _ADAM_BYTES, kept + layer, _free_bytes(placement) + weights)


def weights_text(weights: Weights, placement: Placement, *, qlora: bool) -> str:
    """What the base's weights will take, before they are loaded."""
    stored = sum(file.stat().st_size for file in weights.folder.glob("*.safetensors"))
    kind = weights.config.get("dtype") or weights.config.get("torch_dtype") or "float32"
    bits = 4 if qlora else _BITS[placement.dtype]
    return (
        f"Loading {weights.model_id}: its weights take about {_size(stored * bits // _BITS.get(str(kind), 32))} of"
        f" {_size(_free_bytes(placement))} free on {placement.device}."
    )


def _free_bytes(placement: Placement) -> int:
    if placement.device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(torch.device(placement.device))
        return int(free)
    return int(psutil.virtual_memory().available)


def _size(count: int) -> str:
    if count >= _GIB // 10:
        return f"{count / _GIB:.1f} GiB"
    return f"{count / 1024**2:.1f} MiB"
