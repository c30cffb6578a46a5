"""The optimizer of training: its updates push in every direction alike, whatever the gradient's shape and size."""

import pytest
import torch

from aurelia_offline.training.muon import UPDATE_RMS, Muon, orthogonalize


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 6, 40), (2, 40, 6)])
def test_singular_values_come_near_one_and_the_vectors_stay(shape: tuple[int, int, int]) -> None:
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, spread, right = torch.linalg.svd(drawn, full_matrices=False)
    drawn = left @ torch.diag_embed(spread.clamp(min=0.3)) @ right
    turned = left.mT @ orthogonalize(drawn) @ right.mT
    found = turned.diagonal(dim1=1, dim2=2)
    assert ((found > 0.6) & (found < 1.3)).all()
    assert torch.allclose(turned, torch.diag_embed(found), atol=1e-6)


def test_a_step_is_as_long_where_the_gradient_is_a_thousand_times_smaller() -> None:
    p = torch.nn.Parameter(torch.zeros(4, 4))
    p.grad = torch.diag(torch.tensor([1.0, 0.3, 0.3, 0.3])) * 1e-3
    Muon([p], lr=0.1).step()
    assert ((-p.diagonal() > 0.06 * UPDATE_RMS * 2) & (-p.diagonal() < 0.13 * UPDATE_RMS * 2)).all()


def test_weights_decay_and_those_without_a_gradient_stay() -> None:
    kept, shrunk = (torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2))
    shrunk.grad = torch.zeros(2, 2)
    Muon([kept, shrunk], lr=0.5, weight_decay=0.1).step()
    assert torch.equal(kept, torch.ones(2, 2)) and torch.allclose(shrunk, torch.full((2, 2), 0.95))


def test_it_solves_what_plain_descent_hardly_begins() -> None:
    """A least-squares problem whose directions differ a thousandfold in curvature."""
    rng = torch.Generator().manual_seed(0)
    scales = torch.logspace(0, -3, 8)
    inputs, wanted = torch.randn(64, 8, generator=rng) * scales, torch.randn(8, 8, generator=rng)

    def left(kind: str) -> float:
        p = torch.nn.Parameter(torch.zeros(8, 8))
        optimizer = Muon([p], lr=0.1) if kind == "muon" else torch.optim.SGD([p], lr=0.1, momentum=0.95)
        for _ in range(200):
            optimizer.zero_grad()
            torch.autograd.backward((inputs @ (p - wanted)).pow(2).mean())
            optimizer.step()
        return float((p - wanted).detach().norm() / wanted.norm())

    assert left("muon") < 0.5 * left("descent")
