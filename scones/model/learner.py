"""A learner: one network on its way, with its optimizer, its average and its own randomness."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from scones.model.augment import augment, cut_mix
from scones.model.network import Network
from scones.model.optimizer import learning_rate, optimizer
from scones.model.recipe import Recipe

State = dict[str, Any]


class Learner:
    """Learns from pixels_NCHW (0 to 1) and labels_N, an epoch at a time.

    Everything random comes from one generator, so that a learner restored from `state` goes on
    exactly as it would have (bit for bit on a CPU with the same number of threads).
    """

    def __init__(
        self, pixels_NCHW: Tensor, labels_N: Tensor, num_classes: int, recipe: Recipe, seed: int
    ) -> None:
        device = pixels_NCHW.device
        self.recipe = recipe
        self.epochs = 0
        self._pixels_NCHW, self._labels_N = pixels_NCHW, labels_N
        self._classes_NK = functional.one_hot(labels_N, num_classes).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Network(recipe.widths, num_classes)
        network.look_at(pixels_NCHW.cpu())
        # Convolutions are 1.5 times as fast with channels last (Zen 5, 1 and 2 threads).
        self._network = network.to(device)
        for weight in self._network.parameters():
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        self._optimizer = optimizer(self._network, recipe)
        self._average = self._copy() if recipe.averaging else None
        self._generator = torch.Generator(device).manual_seed(seed)

    def start_from(self, weights: State) -> None:
        """Take over the weights of an earlier model; ValueError where they do not fit."""
        try:
            self._network.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(f"the earlier model's weights do not fit: {error}") from error
        self._average = self._copy() if self._average is not None else None

    def epoch(self) -> float:
        """One pass over the freshly augmented pictures; the share that was called right on the way.

        Raises ValueError when the loss is no longer a number, with step and learning rate.
        """
        self._network.train()
        count, size = len(self._labels_N), min(self.recipe.batch_size, len(self._labels_N))
        steps = count // size
        pixels_NCHW, targets_N = self._look()
        order_N = torch.randperm(count, generator=self._generator, device=pixels_NCHW.device)
        losses, right = [], []
        for number, rows_B in enumerate(torch.split(order_N[: steps * size], size)):
            step = self.epochs * steps + number
            rate = learning_rate(self.recipe, step, steps)
            loss, calls_B = self._step(pixels_NCHW[rows_B], targets_N[rows_B], rate)
            self._follow(step)
            losses.append(loss)
            right.append(calls_B == self._labels_N[rows_B])
        self._check(torch.stack(losses), steps)
        self.epochs += 1
        return float(torch.cat(right).float().mean())

    def _look(self) -> tuple[Tensor, Tensor]:
        """The pictures as this epoch sees them, and labels_N, or shares of classes_NK if mixed."""
        how = self.recipe.augmentation
        pixels_NCHW = augment(self._pixels_NCHW, how, self._generator)
        if not how.cutmix:
            return pixels_NCHW, self._labels_N
        return cut_mix(pixels_NCHW, self._classes_NK, how.cutmix, self._generator)

    def _step(self, x_BCHW: Tensor, targets_B: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        x_BCHW = x_BCHW.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x_BCHW.device.type, torch.bfloat16, enabled=x_BCHW.is_cuda):
            logits_BK = self._network(x_BCHW)
        smoothing = self.recipe.label_smoothing
        loss = functional.cross_entropy(logits_BK.float(), targets_B, label_smoothing=smoothing)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimizer.step()
        return loss.detach(), logits_BK.detach().argmax(1)

    def _check(self, losses_S: Tensor, steps: int) -> None:
        """The losses of an epoch, and by one picture the one that its last weights would give."""
        sound = torch.isfinite(self.logits(self._pixels_NCHW[:1])).all()
        coming = torch.where(sound, 0.0, torch.nan)
        losses_S = torch.cat([losses_S, coming[None]])
        bad = torch.nonzero(~torch.isfinite(losses_S))
        if len(bad):
            step = self.epochs * steps + int(bad[0])
            rate = learning_rate(self.recipe, step, steps)
            raise ValueError(
                f"the loss is {losses_S[bad[0]].item()} at step {step} (epoch {self.epochs}), "
                f"where the learning rate is {rate:.6g}; try a lower learning_rate"
            )

    @torch.no_grad()
    def logits(self, pixels_NCHW: Tensor) -> Tensor:
        """Logits_NK of the model as it stands, each the mean of a picture and its mirror image."""
        last = self._copy() if self._average is not None else None
        if self._average is not None:
            self._network.load_state_dict(self._average)
        self._network.eval()
        both = [
            (self._network(x) + self._network(x.flip(3))) / 2 for x in torch.split(pixels_NCHW, 500)
        ]
        if last is not None:
            self._network.load_state_dict(last)
        return torch.cat(both)

    def weights(self) -> State:
        """Of the model as it stands, on the CPU: the averaged ones where the recipe averages."""
        weights = self._average if self._average is not None else self._network.state_dict()
        return {name: value.detach().cpu().contiguous().clone() for name, value in weights.items()}

    def state(self) -> State:
        """All that a later `restore` needs to go on as if nothing had happened."""
        return {
            "epochs": self.epochs,
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average,
            "generator": self._generator.get_state(),
        }

    def restore(self, state: State) -> None:
        """Go on from where `state` was taken."""
        self.epochs = state["epochs"]
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average = state["average"]
        self._generator.set_state(state["generator"])

    def _copy(self) -> State:
        return {name: value.clone() for name, value in self._network.state_dict().items()}

    @torch.no_grad()
    def _follow(self, step: int) -> None:
        """Move the average of the weights a little towards the weights, at first more."""
        if self._average is None:
            return
        # TensorFlow's ExponentialMovingAverage: else a short fit would keep its random start.
        decay = min(self.recipe.averaging, (1 + step) / (10 + step))
        for name, value in self._network.state_dict().items():
            if value.is_floating_point():
                self._average[name].lerp_(value, 1 - decay)
            else:
                self._average[name].copy_(value)
