"""The settings of a training."""

from dataclasses import dataclass
from typing import Literal

from aurelia_core.errors import InputError

AdaptedLayers = Literal["language", "all"]


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How an adapter is trained.

    Attributes:
        rank: rank of the LoRA matrices; their scale is 2.
        rate: highest learning rate; it falls along a cosine after a warm-up of a twentieth of the steps.
        epochs: passes over the examples.
        max_steps: number of steps, in place of `epochs`; 0: by epochs.
        batch: examples in a step on each device, one after the other.
        layers: linear layers that are adapted: of the language model, or also of the encoders of sound and picture.
        qlora: hold the base in 4 bits (bitsandbytes, CUDA only).
        every: steps between two checkpoints; each also evaluates the held-out examples.
        seed: seed of the adapter and the order of the examples.
    """

    rank: int = 16
    rate: float = 2e-4
    epochs: float = 2.0
    max_steps: int = 0
    batch: int = 8
    layers: AdaptedLayers = "language"
    qlora: bool = False
    every: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: a value cannot be used.
        """
        low = [name for name in ("rank", "batch", "every") if getattr(self, name) < 1]
        if low:
            raise InputError(f"The setting {low[0]} must be at least 1.")
        if self.rate <= 0 or (self.epochs <= 0 and not self.max_steps):
            raise InputError("The learning rate and the number of epochs must be above 0.")
