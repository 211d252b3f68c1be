"""Optimizers and learning rates, by the names and meanings of SageMaker's hyperparameters."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn, optim

from scones.model.muon import Muon
from scones.model.recipe import Recipe

OPTIMIZERS = ("muon", "sgd", "nag", "adam", "rmsprop")
"""All but muon are the built-in algorithm's."""
FINAL = 0.05
"""One cycle ends at this share of the highest learning rate."""


def optimizer(network: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """Over the trainable weights; only matrices and convolutions decay."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    groups: Iterable[dict[str, object]] = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    if recipe.optimizer == "muon":
        return Muon(_by_shape(weights, recipe), recipe.learning_rate, recipe.momentum)
    rate, betas = recipe.learning_rate, (recipe.beta_1, recipe.beta_2)
    match recipe.optimizer:
        case "sgd":
            return optim.SGD(groups, rate, recipe.momentum)
        case "nag":
            return optim.SGD(groups, rate, recipe.momentum, nesterov=recipe.momentum > 0)
        case "adam":
            return optim.Adam(groups, rate, betas, recipe.eps)
        case "rmsprop":
            return optim.RMSprop(groups, rate, recipe.gamma, recipe.eps, momentum=recipe.momentum)
    raise ValueError(f"optimizer is {recipe.optimizer!r}; give one of {', '.join(OPTIMIZERS)}")


def _by_shape(weights: Sequence[Tensor], recipe: Recipe) -> list[dict[str, object]]:
    """Convolutions step orthogonally, the last layer decays, biases and the like do neither."""
    return [
        {"params": [w for w in weights if w.ndim == 4], "orthogonal": True},
        {
            "params": [w for w in weights if w.ndim == 2],
            "orthogonal": False,
            "weight_decay": recipe.weight_decay,
        },
        {"params": [w for w in weights if w.ndim == 1], "orthogonal": False},
    ]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of step 0, 1, ...: one cycle, or stairs where the recipe names epochs."""
    if recipe.lr_scheduler_step:
        fallen = sum(step >= epoch * steps_per_epoch for epoch in recipe.lr_scheduler_step)
        return recipe.learning_rate * recipe.lr_scheduler_factor**fallen
    share = step / (recipe.epochs * steps_per_epoch)
    if share < recipe.warmup:
        return recipe.learning_rate * share / recipe.warmup
    fall = (share - recipe.warmup) / (1 - recipe.warmup)
    return recipe.learning_rate * (1 - (1 - FINAL) * fall)
