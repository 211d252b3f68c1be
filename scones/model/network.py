"""The network: a fixed whitening layer, then stages of two 3x3 convolutions, then a maximum.

    normalize -> 2x2 whitening -> [3x3, halve, norm, 3x3, norm] a stage -> maximum -> linear

After Keller Jordan's airbench (2024, arXiv 2404.00498), made smaller: whitening takes from the
first layer what 1000 pictures are too few to teach it, halving early keeps a stage cheap, and the
maximum over places asks whether an engine is anywhere, whatever the picture's size.

Shape letters: B pictures, C channels, H rows, W columns, K classes, P patches.
"""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WHITENED = 24
"""Channels after whitening: the twelve principal directions of a 2x2 patch of colours, and their
opposites."""
WHITENING_FLOOR = 5e-3
"""Added to the variances, lest directions that are mostly noise be blown up; 0.0005 in airbench,
whose 50,000 pictures tell noise from signal better."""
LOGIT_SCALE = 1 / 9
"""airbench's: keeps the first steps gentle."""


class Stage(nn.Module):
    """Two convolutions, the first of which halves the side."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = functional.max_pool2d(self.conv1(x_BCHW), 2)
        x_BCHW = functional.gelu(self.norm1(x_BCHW))
        return functional.gelu(self.norm2(self.conv2(x_BCHW)))


class Network(nn.Module):
    """Pixels between 0 and 1 to logits."""

    mean_C11: Tensor
    deviation_C11: Tensor

    def __init__(self, widths: Sequence[int], num_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean_C11", torch.zeros(3, 1, 1))
        self.register_buffer("deviation_C11", torch.ones(3, 1, 1))
        self.whitening = nn.Conv2d(3, WHITENED, 2)
        self.whitening.requires_grad_(False)
        channels = [WHITENED, *widths]
        self.stages = nn.ModuleList(
            Stage(before, after) for before, after in itertools.pairwise(channels)
        )
        self.head = nn.Linear(channels[-1], num_classes, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = (x_BCHW - self.mean_C11) / self.deviation_C11
        x_BCHW = functional.gelu(self.whitening(x_BCHW))
        for stage in self.stages:
            x_BCHW = stage(x_BCHW)
        logits_BK: Tensor = self.head(x_BCHW.amax((2, 3))) * LOGIT_SCALE
        return logits_BK

    @torch.no_grad()
    def look_at(self, pixels_BCHW: Tensor) -> None:
        """Fit normalization and whitening to the training pictures; no labels are used."""
        self.mean_C11.copy_(pixels_BCHW.mean((0, 2, 3))[:, None, None])
        self.deviation_C11.copy_(pixels_BCHW.std((0, 2, 3)).clamp_min(1e-3)[:, None, None])
        normalized_BCHW = (pixels_BCHW - self.mean_C11) / self.deviation_C11
        self.whitening.weight.copy_(whitening(normalized_BCHW))
        assert self.whitening.bias is not None, "a convolution has a bias by default"
        self.whitening.bias.zero_()


def whitening(x_BCHW: Tensor) -> Tensor:
    """[24, 3, 2, 2]: filters whose answers to 2x2 patches of x are uncorrelated, of variance 1."""
    patches_PC = x_BCHW.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
    covariance = torch.cov(patches_PC.double().T)
    variances, directions = torch.linalg.eigh(covariance)
    filters = (directions / (variances + WHITENING_FLOOR).sqrt()).T.reshape(12, 3, 2, 2)
    # An eigenvector's sign is the library's whim; the pair of filter and opposite has none.
    return torch.cat([filters, -filters]).to(x_BCHW.dtype)
