"""The Muon optimizer: orthogonalized momentum (Jordan et al., 2024, kellerjordan.github.io/posts/muon).

Why not torch.optim.Muon: it computes in bfloat16, one matrix at a time. On a CPU without bfloat16 instructions a step
of the mini target takes 0.9 s (torch 2.13, one AVX2 core); here it takes 0.06 s. This version stacks matrices of equal
shape and computes in their own type. Both need 0.06 s where the CPU has bfloat16 instructions.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic Newton-Schulz iteration; singular values come close to 1 but do not converge."""
UPDATE_RMS = 0.4
"""Root mean square of an update. Adam's is about 0.2 (Liu et al., 2025, section 2.2); 0.4 learned faster."""


def orthogonalize(stack: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Matrices [N, rows, columns] with the same singular vectors, and singular values of about 0.7 to 1.2."""
    a, b, c = NEWTON_SCHULZ_COEFFICIENTS
    tall = stack.shape[1] > stack.shape[2]
    found: torch.Tensor = stack
    if tall:
        found = stack.transpose(1, 2)
    found = found / (found.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = found @ found.transpose(1, 2)
        found = a * found + (b * gram + c * gram @ gram) @ found
    if tall:
        return found.transpose(1, 2)
    return found


class Muon(torch.optim.Optimizer):
    """Orthogonalized Nesterov momentum; all parameters must be matrices."""

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        """Set up the optimizer.

        Args:
            params: matrices or groups of them.
            lr: the learning rate, on Adam's scale.
            momentum: decay of the running average of gradients, 0..1.
            weight_decay: fraction of each weight that every step subtracts, times the learning rate.
        """
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all parameters; `closure` is not called."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Any]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for shape, params in by_shape.items():
                updates = orthogonalize(torch.stack([self._momentum_update(p, group["momentum"]) for p in params]))
                for p, update in zip(params, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update, alpha=-group["lr"] * UPDATE_RMS * max(shape) ** 0.5)

    def _momentum_update(self, p: Any, momentum: float) -> torch.Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - momentum)
        update: torch.Tensor = p.grad.lerp(state["momentum"], momentum)
        return update
