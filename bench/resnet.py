"""The baseline: ResNet-18 (He et al. 2016) trained as usual, or as the built-in algorithm does."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from scones.images.images import Images
from scones.model import fit
from scones.model.augment import augment
from scones.model.recipe import Augmentation


@dataclass(frozen=True)
class Plain:
    """A way to train a ResNet-18 with SGD."""

    batch_size: int
    learning_rate: float
    """Constant, or the highest of one cycle."""
    momentum: float
    weight_decay: float
    one_cycle: bool
    augmentation: Augmentation
    epochs: int = 30


USUAL = Plain(64, 0.1, 0.9, 5e-4, True, Augmentation(flip=True, shift=4.0))
COURSE = Plain(32, 0.1, 0.0, 1e-4, False, Augmentation())
"""SageMaker's defaults for its built-in image classification: SGD 0.1, 30 epochs, batch 32."""


def train(images: Images, how: Plain, seed: int) -> nn.Module:
    """A ResNet-18 that has learned."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = resnet18(len(images.class_names))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        network.parameters(), how.learning_rate, how.momentum, weight_decay=how.weight_decay
    )
    steps = len(images) // how.batch_size
    schedule = OneCycleLR(optimizer, how.learning_rate, how.epochs * steps)
    pixels_NCHW, labels_N = _normalized(images), torch.from_numpy(images.labels_N.copy())
    network.train()
    for _ in range(how.epochs):
        x_NCHW = augment(pixels_NCHW, how.augmentation, generator)
        order_N = torch.randperm(len(images), generator=generator)
        for rows_B in order_N[: steps * how.batch_size].view(-1, how.batch_size):
            loss = functional.cross_entropy(network(x_NCHW[rows_B]), labels_N[rows_B])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if how.one_cycle:
                schedule.step()
    return network


@torch.no_grad()
def logits(network: nn.Module, images: Images) -> fit.Logits:
    """Logits_NK of the pictures as they are."""
    network.eval()
    logits_NK: fit.Logits = network(_normalized(images)).double().numpy()
    return logits_NK


def _normalized(images: Images) -> Tensor:
    return (fit.tensor(images.pixels_NHWC, "cpu") - 0.5) * 4


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them."""

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
    """As for ImageNet, but for a first layer that halves the side once: pictures are of 32."""
    channels = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [
        Block(channels[i], channels[i + 1], 1 if channels[i] == channels[i + 1] else 2)
        for i in range(8)
    ]
    stem = [nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    end = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, num_classes)]
    return nn.Sequential(*stem, *blocks, *end)
