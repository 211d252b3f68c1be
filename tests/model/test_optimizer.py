"""Optimizers by name, and the learning rate over the steps."""

from dataclasses import replace

import pytest

from scones.model.network import Network
from scones.model.optimizer import FINAL, OPTIMIZERS, learning_rate, optimizer
from scones.model.recipe import QUICK


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_only_weights_of_more_than_one_dimension_decay(name: str) -> None:
    network = Network((4, 4), 2)
    found = optimizer(network, replace(QUICK, optimizer=name, weight_decay=0.1))
    decaying, others = found.param_groups
    assert {weight.ndim for weight in decaying["params"]} == {2, 4}
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0)
    counted = len(decaying["params"]) + len(others["params"])
    assert counted == len(list(network.parameters())) - 2  # whitening filters and offsets stay


def test_an_unknown_optimizer_is_refused() -> None:
    with pytest.raises(ValueError, match="'lion'; give one of sgd, nag, adam, rmsprop"):
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
