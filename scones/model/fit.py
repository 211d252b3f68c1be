"""Fitting: learners side by side over epochs, with early stopping, checkpoints and resume.

The networks of a recipe advance together, an epoch each, so that an epoch's figures are those of
their average, and early stopping and checkpoints speak of the whole. On a CPU each has a core of
its own: torch lets go of Python's lock while it computes, and two networks in two threads of one
core each take as long as one, where one network on two cores is hardly faster than on one
(docs/model-choices.md). It also makes their weights the same on any number of cores.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scones.images.images import Images, Pixels
from scones.model import split
from scones.model.learner import Learner, State
from scones.model.recipe import Recipe

Logits = NDArray[np.float64]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Stopping:
    """When to stop early, judged on an inner split of the training pictures."""

    min_epochs: int = 10
    patience: int = 5
    """Epochs without improvement that are borne."""
    tolerance: float = 0.0
    """An accuracy must beat the best by more than this to be an improvement."""
    share: float = 0.1
    """Of the training pictures, kept out of the fit as judges."""


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    number: int
    """0 for the first."""
    train_accuracy: float
    """On augmented pictures, during the epoch."""
    inner_accuracy: float | None
    """On the inner split; None without early stopping."""


@dataclass(frozen=True)
class Fitted:
    """Networks that are done learning."""

    weights: tuple[State, ...]
    """State dicts on the CPU, one a network."""
    epochs: int
    """How many were run."""
    best_epoch: int
    """Whose weights these are, 0 for the first."""


class Fitting:
    """A fit that can be looked at, saved and gone on with after any epoch."""

    def __init__(
        self,
        images: Images,
        recipe: Recipe,
        seed: int = 0,
        stopping: Stopping | None = None,
        start: Sequence[State] = (),
        device: str | None = None,
    ) -> None:
        """`start`: weights of an earlier model, one set a network; `device`: CUDA if there."""
        self.recipe, self.device = recipe, device or best_device()
        self._identity = _identity(images, recipe, seed, stopping, start)
        self._stopping, self._inner = stopping, None
        self._num_classes = len(images.class_names)
        self._since_best, self._best_accuracy, self.best_epoch = 0, -1.0, 0
        self._best: tuple[State, ...] = ()
        if stopping is not None:
            count = max(len(images.class_names), round(stopping.share * len(images)))
            copy_of_N = split.copies(images.pixels_NHWC)
            kept, taken = split.stratified(images.labels_N, count, seed, copy_of_N)
            self._inner, images = images.take(taken), images.take(kept)
        if start and len(start) != recipe.networks:
            raise ValueError(f"the earlier model has {len(start)} networks, not {recipe.networks}")
        pixels_NCHW = tensor(images.pixels_NHWC, self.device)
        labels_N = torch.from_numpy(np.array(images.labels_N)).to(self.device)
        self._learners = [
            Learner(pixels_NCHW, labels_N, len(images.class_names), recipe, 1000 * seed + number)
            for number in range(recipe.networks)
        ]
        for learner, weights in zip(self._learners, start, strict=False):
            learner.start_from(weights)

    @property
    def epochs(self) -> int:
        """How many have been run."""
        return self._learners[0].epochs

    @property
    def done(self) -> bool:
        stopping = self._stopping
        waited = stopping is not None and self._since_best >= stopping.patience
        early = stopping is not None and waited and self.epochs >= stopping.min_epochs
        return early or self.epochs >= self.recipe.epochs

    def epoch(self) -> Epoch:
        """Run one epoch of every network."""
        accuracy = float(np.mean(self._each(Learner.epoch)))
        return Epoch(self.epochs - 1, accuracy, self._judge())

    def _each(self, do: Callable[[Learner], Result]) -> list[Result]:
        """What `do` gives for each learner; several on a CPU go side by side, a core each."""
        if len(self._learners) == 1 or self.device != "cpu":
            return [do(learner) for learner in self._learners]
        workers = min(len(self._learners), os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, "learner", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(do, self._learners))

    def _judge(self) -> float | None:
        if self._inner is None or self._stopping is None:
            self.best_epoch = self.epochs - 1
            return None
        calls_N = self.logits(self._inner.pixels_NHWC).argmax(1)
        accuracy = float(np.mean(calls_N == self._inner.labels_N))
        if accuracy > self._best_accuracy + self._stopping.tolerance or not self._best:
            self._best_accuracy, self._since_best = accuracy, 0
            self.best_epoch, self._best = self.epochs - 1, self._weights()
        else:
            self._since_best += 1
        return accuracy

    def logits(self, pixels_NHWC: Pixels) -> Logits:
        """Logits_NK of the networks' average as it stands, mirror images averaged in."""
        if len(pixels_NHWC) == 0:
            return np.empty((0, self._num_classes))
        pixels_NCHW = tensor(pixels_NHWC, self.device)
        each = self._each(lambda learner: learner.logits(pixels_NCHW).double().cpu())
        mean: Logits = torch.stack(each).mean(0).numpy()
        return mean

    def _weights(self) -> tuple[State, ...]:
        return tuple(learner.weights() for learner in self._learners)

    def fitted(self) -> Fitted:
        """The best weights by the inner split, or the last ones without early stopping.

        From here on `logits` are of these weights.
        """
        for learner, weights in zip(self._learners, self._best, strict=False):
            learner.start_from(weights)
        return Fitted(self._best or self._weights(), self.epochs, self.best_epoch)

    def state(self) -> State:
        """All that `restore` needs, in another process, to go on as if nothing had happened."""
        return {
            "identity": self._identity,
            "learners": [learner.state() for learner in self._learners],
            "best": list(self._best),
            "judgement": [self._since_best, self._best_accuracy, self.best_epoch],
        }

    def restore(self, state: State) -> bool:
        """Go on from `state`; False, and nothing is changed, if it is of another fit."""
        if state.get("identity") != self._identity:
            return False
        for learner, each in zip(self._learners, state["learners"], strict=True):
            learner.restore(each)
        self._best = tuple(state["best"])
        self._since_best, self._best_accuracy, self.best_epoch = state["judgement"]
        return True


def fit(
    images: Images,
    recipe: Recipe,
    seed: int = 0,
    tell: Callable[[Epoch], None] = lambda _epoch: None,
    **options: Any,
) -> Fitting:
    """Run a whole fit, telling of every epoch; `options` are `Fitting`'s."""
    fitting = Fitting(images, recipe, seed, **options)
    while not fitting.done:
        tell(fitting.epoch())
    return fitting


def cross_validate(
    images: Images,
    recipe: Recipe,
    seed: int = 0,
    count: int = 5,
    tell: Callable[[int], None] = lambda _fold: None,
) -> Logits:
    """Logits_NK of every picture by networks that have not seen it: fit `count` times.

    `tell` hears of each fold when it is done.
    """
    logits_NK = np.empty((len(images), len(images.class_names)))
    for fold in range(count):
        rows_M, logits_MK = out_of_fold(images, recipe, fold, count, seed)
        logits_NK[rows_M] = logits_MK
        tell(fold)
    return logits_NK


def out_of_fold(
    images: Images, recipe: Recipe, fold: int, count: int = 5, seed: int = 0
) -> tuple[split.Rows, Logits]:
    """The rows of one fold, and their logits_MK by a fit of the others; the same folds for all
    seeds."""
    fold_N = split.folds(images.labels_N, count, 0, split.copies(images.pixels_NHWC))
    rows_M = np.flatnonzero(fold_N == fold)
    fitting = fit(images.take(np.flatnonzero(fold_N != fold)), recipe, seed * count + fold)
    return rows_M, fitting.logits(images.take(rows_M).pixels_NHWC)


def tensor(pixels_NHWC: Pixels, device: str) -> Tensor:
    """Pixels as floats between 0 and 1, colours first."""
    return torch.from_numpy(np.array(pixels_NHWC)).to(device).permute(0, 3, 1, 2).float() / 255


def best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _identity(
    images: Images, recipe: Recipe, seed: int, stopping: Stopping | None, start: Sequence[State]
) -> str:
    """What must be the same for a checkpoint to fit."""
    stop = asdict(stopping) if stopping else None
    before = [_sha256(weights) for weights in start]
    return repr((images.sha256(), asdict(recipe), seed, stop, before, torch.__version__))


def _sha256(weights: State) -> str:
    found = hashlib.sha256()
    for name, value in sorted(weights.items()):
        found.update(name.encode())
        found.update(value.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
