"""Profiles on real pictures beside two baselines trained in the same run: accuracy and seconds.

    SCONES_DATA=cifar-100-python.tar.gz python -m bench model

Baselines: a plain ResNet-18 recipe (momentum 0.9, one cycle to 0.1, batch 64, flips and shifts),
and the course's default, that of SageMaker's built-in algorithm (SGD 0.1, batch 32, no
augmentation), on the same ResNet-18; both 30 epochs, judged as ours are but for the mirror image.
CV is out of fold on the training pictures, seed 0; the test pictures judge finished recipes alone.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from bench.table import say
from scones.images.images import Dataset, Images
from scones.model import fit, split
from scones.model.augment import augment
from scones.model.recipe import PROFILES, Augmentation
from scones.workflow import archive

CLASSES = ("bicycle", "motorcycle")
HELD_OUT = 200
EPOCHS = 30

Predict = Callable[[Images], fit.Logits]


@dataclass(frozen=True)
class Row:
    """A way to get from training pictures to a predictor."""

    name: str
    train: Callable[[Images, int], Predict]
    cross_validated: Callable[[Images], float | None] = lambda _images: None


def main(environment: dict[str, str] | os._Environ[str] = os.environ) -> None:
    """Print the table; BENCH_SEEDS (5), BENCH_ROWS (all; comma-separated beginnings of names)."""
    cache = Path(tempfile.gettempdir()) / "scones-bench"
    source = archive.locate("auto", cache, environment, say)
    dataset, _ = archive.read(source, CLASSES)
    seeds = range(int(environment.get("BENCH_SEEDS", "5")))
    wanted = tuple(environment.get("BENCH_ROWS", "").split(","))
    say(
        f"\nTest accuracy on {dataset.name}: {len(dataset.train)} pictures to train, "
        f"{len(dataset.test)} to test, {torch.get_num_threads()} threads"
    )
    say(f"  {'':28}{'mean':>7}{'sd':>7}{'n':>3}{'min':>7}{'max':>7}{'wall s':>8}{'CPU s':>7}  CV")
    for row in rows():
        if row.name.startswith(wanted):
            _measure(row, dataset, seeds)


def rows() -> Iterable[Row]:
    """Our profiles with all pictures and with some held out, then the baselines."""
    for name in PROFILES:
        yield Row(f"{name}, certify 0", _profile(name, 0), _cross_validated(name))
        yield Row(f"{name}, certify {HELD_OUT}", _profile(name, HELD_OUT))
    flips = Augmentation(flip=True, shift=4.0)
    yield Row("plain ResNet-18 recipe", _resnet(64, 0.1, 0.9, 5e-4, flips, one_cycle=True))
    yield Row("course's default, ResNet-18", _resnet(32, 0.1, 0.0, 1e-4, Augmentation(), False))


def _measure(row: Row, dataset: Dataset, seeds: range) -> None:
    accuracies, wall_s, cpu_s = [], [], []
    for seed in seeds:
        walls, cpus = time.perf_counter(), time.process_time()
        predict = row.train(dataset.train, seed)
        wall_s.append(time.perf_counter() - walls)
        cpu_s.append(time.process_time() - cpus)
        accuracies.append(float(np.mean(predict(dataset.test).argmax(1) == dataset.test.labels_N)))
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else float("nan")
    judged = row.cross_validated(dataset.train)
    say(
        f"  {row.name:28}{statistics.mean(accuracies):7.4f}{deviation:7.4f}{len(accuracies):3d}"
        f"{min(accuracies):7.3f}{max(accuracies):7.3f}{statistics.median(wall_s):8.1f}"
        f"{statistics.median(cpu_s):7.1f}  {'-' if judged is None else f'{judged:.4f}'}"
    )


def _profile(name: str, held_out: int) -> Callable[[Images, int], Predict]:
    def train(images: Images, seed: int) -> Predict:
        kept, _ = split.stratified(images.labels_N, held_out, seed)
        fitting = fit.fit(images.take(kept), PROFILES[name], seed)
        return lambda judged: fitting.logits(judged.pixels_NHWC)

    return train


def _cross_validated(name: str) -> Callable[[Images], float]:
    def judge(images: Images) -> float:
        calls_N = fit.cross_validate(images, PROFILES[name]).argmax(1)
        return float(np.mean(calls_N == images.labels_N))

    return judge


def _resnet(
    batch: int, rate: float, momentum: float, decay: float, how: Augmentation, one_cycle: bool
) -> Callable[[Images, int], Predict]:
    def train(images: Images, seed: int) -> Predict:
        torch.manual_seed(seed)
        generator = torch.Generator().manual_seed(seed)
        network = resnet18(len(images.class_names)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.SGD(network.parameters(), rate, momentum, weight_decay=decay)
        steps = EPOCHS * (len(images) // batch)
        schedule = OneCycleLR(optimizer, rate, steps) if one_cycle else None
        pixels_NCHW, labels_N = _normalized(images), torch.from_numpy(images.labels_N.copy())
        for _ in range(EPOCHS):
            network.train()
            x_NCHW = augment(pixels_NCHW, how, generator)
            order = torch.randperm(len(images), generator=generator)
            for rows_B in order[: len(images) // batch * batch].view(-1, batch):
                loss = functional.cross_entropy(network(x_NCHW[rows_B]), labels_N[rows_B])
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                if schedule is not None:
                    schedule.step()
        return lambda judged: _predict(network, judged)

    return train


@torch.no_grad()
def _predict(network: nn.Module, images: Images) -> fit.Logits:
    network.eval()
    logits_NK: fit.Logits = network(_normalized(images)).double().numpy()
    return logits_NK


def _normalized(images: Images) -> Tensor:
    return (fit.tensor(images.pixels_NHWC, "cpu") - 0.5) * 4


class Block(nn.Module):
    """He et al. 2016: two 3x3 convolutions and a way around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        around = [nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)]
        self.around = nn.Sequential(*around) if (before, stride) != (after, 1) else nn.Identity()

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return functional.relu(self.inner(x_BCHW) + self.around(x_BCHW))


def resnet18(num_classes: int) -> nn.Module:
    """ResNet-18 as for ImageNet, but for a first layer that halves once: pictures are of 32."""
    channels = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [
        Block(channels[i], channels[i + 1], 1 if channels[i] == channels[i + 1] else 2)
        for i in range(8)
    ]
    stem = [nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, num_classes)]
    return nn.Sequential(*stem, *blocks, *end)
