"""Optimizers by name, and the learning rate over the steps."""

from dataclasses import replace

import pytest
import torch

from scones.model.muon import COEFFICIENTS, ROUNDS, Muon, orthogonal
from scones.model.network import Network
from scones.model.optimizer import FINAL, OPTIMIZERS, learning_rate, optimizer
from scones.model.recipe import QUICK


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_weights_of_more_than_one_dimension_decay(name: str) -> None:
    network = Network((4, 4), 2)
    found = optimizer(network, replace(QUICK, optimizer=name, weight_decay=0.1))
    for group in found.param_groups:
        shapes = {weight.ndim for weight in group["params"]}
        decays = group["weight_decay"] > 0
        assert shapes == {1} or decays or group["orthogonal"]
        assert not (shapes == {1} and decays)
    counted = sum(len(group["params"]) for group in found.param_groups)
    assert counted == len(list(network.parameters())) - 2  # whitening filters and offsets stay


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="'lion'; give one of muon, sgd, nag, adam, rmsprop"):
        optimizer(Network((4,), 2), replace(QUICK, optimizer="lion"))


def test_one_cycle_rises_to_the_highest_rate_and_falls_to_a_twentieth() -> None:
    recipe = replace(QUICK, epochs=10, learning_rate=2.0, warmup=0.25)
    rates = [learning_rate(recipe, step, 20) for step in range(201)]
    assert rates[0] == 0
    assert max(rates) == rates[50] == 2.0
    assert rates[200] == pytest.approx(2.0 * FINAL)
    assert rates[25] == pytest.approx(1.0)


def test_stairs_fall_at_the_epochs_named() -> None:
    recipe = replace(QUICK, learning_rate=1.0, lr_scheduler_step=(2, 4), lr_scheduler_factor=0.1)
    rates = [learning_rate(recipe, epoch * 5, 5) for epoch in range(6)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 144)])
def test_an_orthogonal_step_moves_all_directions_about_alike(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(shape, generator=generator)
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.3
    assert values.max() < 1.3
    # It turns nothing: the product with the matrix itself stays symmetric and positive.
    product = orthogonal(matrix) @ matrix.T
    assert torch.allclose(product, product.T, atol=1e-3)
    assert torch.linalg.eigvalsh(product).min() > -1e-3


def test_an_orthogonal_step_is_the_published_iteration() -> None:
    matrix = torch.randn((24, 90), generator=torch.Generator().manual_seed(0))
    matrix *= torch.logspace(0, -3, 24)[:, None]
    a, b, c = COEFFICIENTS
    x = matrix.double() / matrix.double().norm()
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    assert torch.allclose(orthogonal(matrix).double(), x, atol=1e-5)


def test_muon_on_plain_weights_is_nesterovs_momentum() -> None:
    weights = [torch.ones(3, requires_grad=True) for _ in range(2)]
    ours = Muon([{"params": [weights[0]], "orthogonal": False, "weight_decay": 0.1}], 0.1, 0.9)
    theirs = torch.optim.SGD([weights[1]], 0.1, 0.9, weight_decay=0.1, nesterov=True)
    for _ in range(5):
        for each, weight in ((ours, weights[0]), (theirs, weights[1])):
            each.zero_grad()
            torch.autograd.backward((weight**3).sum())
            each.step()
    assert torch.allclose(weights[0], weights[1])


def test_muon_keeps_filters_at_a_norm_of_one_each() -> None:
    weight = torch.randn(16, 4, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ours = Muon([{"params": [weight], "orthogonal": True}], 1e-9, 0.9)
    torch.autograd.backward((weight**3).sum())
    ours.step()
    assert float(weight.detach().norm()) == pytest.approx(4, rel=1e-4)
