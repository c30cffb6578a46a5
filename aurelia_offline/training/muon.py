"""Muon, the optimizer of training: momentum made orthogonal (Jordan et al., 2024, kellerjordan.github.io/posts/muon).

torch.optim.Muon multiplies in bfloat16, one matrix after the other: on a CPU without it that takes longer than all the
rest of a step. Here matrices of one shape go together, in their own type.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic Newton-Schulz iteration; they bring singular values near 1, not to it."""
UPDATE_RMS = 0.4
"""Root mean square of an update. Adam's is about 0.2 (Liu et al., 2025, section 2.2); twice that learned sooner."""


def orthogonalize(stack: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Matrices [N, rows, columns] with the same singular vectors and singular values of about 0.7 to 1.2."""
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    tall = stack.shape[1] > stack.shape[2]
    found: torch.Tensor = stack.transpose(1, 2) if tall else stack
    found = found / (found.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = found @ found.transpose(1, 2)
        found = a * found + (b * gram + c * gram @ gram) @ found
    return found.transpose(1, 2) if tall else found


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal; takes matrices alone."""

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        """Begins.

        Args:
            params: matrices or groups of them.
            lr: the learning rate, on Adam's scale.
            momentum: how much of the last steps' push stays, 0..1.
            weight_decay: a share of each weight that goes in every step, times the learning rate.
        """
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; `closure` is not called."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Any]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    alike.setdefault(p.shape, []).append(p)
            for shape, known in alike.items():
                made = orthogonalize(torch.stack([self._pushed(p, group["momentum"]) for p in known]))
                for p, turn in zip(known, made, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(turn, alpha=-group["lr"] * UPDATE_RMS * max(shape) ** 0.5)

    def _pushed(self, p: Any, momentum: float) -> torch.Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - momentum)
        pushed: torch.Tensor = p.grad.lerp(state["momentum"], momentum)
        return pushed
