"""Random changes to whole batches of training pictures, as tensors, on CPU or CUDA.

All take pixels_BCHW between 0 and 1 and draw from the given generator alone.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from scones.model.recipe import Augmentation


def augment(pixels_BCHW: Tensor, how: Augmentation, generator: Generator) -> Tensor:
    """New pictures of the same size; the same pictures where `how` asks for nothing."""
    x_BCHW = pixels_BCHW
    if how.flip or how.shift or how.rotation or how.scale or how.shear:
        x_BCHW = move(x_BCHW, how, generator)
    if how.colour:
        x_BCHW = recolour(x_BCHW, how.colour, generator)
    if how.cutout:
        x_BCHW = cut_out(x_BCHW, how.cutout, generator)
    return x_BCHW


def move(x_BCHW: Tensor, how: Augmentation, generator: Generator) -> Tensor:
    """Flip, turn, scale, shear and shift in one resampling."""
    draw = _Draws(x_BCHW, generator)
    bent = (draw() + 1) / 2 < how.bent
    angle = draw() * math.radians(how.rotation) * bent
    size = torch.exp(draw() * math.log1p(how.scale) * bent)
    ratio = torch.exp(draw() * math.log1p(how.scale) / 2 * bent)
    shear = draw() * how.shear * bent
    flip = torch.where(draw() < 0, -1.0, 1.0) if how.flip else torch.ones_like(angle)
    cos, sin = angle.cos(), angle.sin()
    across = torch.stack([cos * size * ratio * flip, (shear - sin) * size], dim=1)
    down = torch.stack([sin * size * flip, cos * size / ratio], dim=1)
    matrix = torch.cat(
        [torch.stack([across, down], dim=1), _shift(x_BCHW, how.shift, bent, draw)[:, :, None]],
        dim=2,
    )
    grid = functional.affine_grid(matrix, list(x_BCHW.shape), align_corners=False)
    return functional.grid_sample(
        x_BCHW, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _shift(x_BCHW: Tensor, most: float, bent: Tensor, draw: "_Draws") -> Tensor:
    """[B, 2]: right and down, where 2 is a whole side; by whole pixels for what is not bent."""
    height, width = x_BCHW.shape[2:]
    sides = torch.tensor([width, height], device=x_BCHW.device)
    pixels = torch.stack([draw(), draw()], dim=1) * most * sides / 32
    return torch.where(bent[:, None], pixels, pixels.round()) * 2 / sides


def recolour(x_BCHW: Tensor, strength: float, generator: Generator) -> Tensor:
    """Brightness, contrast, saturation and a colour cast."""
    draw = _Draws(x_BCHW, generator)
    bright, contrast, saturation = (1 + strength * draw()[:, None, None, None] for _ in range(3))
    cast = torch.stack([draw() for _ in range(3)], dim=1)[:, :, None, None] * strength / 5
    x_BCHW = x_BCHW * bright
    level = x_BCHW.mean((1, 2, 3), keepdim=True)
    x_BCHW = (x_BCHW - level) * contrast + level
    grey = x_BCHW.mean(1, keepdim=True)
    return ((x_BCHW - grey) * saturation + grey + cast).clamp(0, 1)


def cut_out(x_BCHW: Tensor, share: float, generator: Generator) -> Tensor:
    """A square, partly outside perhaps, filled with the picture's mean colour."""
    draw = _Draws(x_BCHW, generator)
    hidden = [
        (torch.linspace(-1, 1, side, device=x_BCHW.device) - draw()[:, None]).abs() < share
        for side in x_BCHW.shape[2:]
    ]
    hidden_B1HW = (hidden[0][:, :, None] & hidden[1][:, None, :])[:, None]
    return torch.where(hidden_B1HW, x_BCHW.mean((2, 3), keepdim=True), x_BCHW)


class _Draws:
    """Each call: one number a picture, uniform between -1 and 1."""

    def __init__(self, x_BCHW: Tensor, generator: Generator) -> None:
        self._count, self._device, self._generator = len(x_BCHW), x_BCHW.device, generator

    def __call__(self) -> Tensor:
        drawn = torch.rand(self._count, generator=self._generator, device=self._device)
        return drawn * 2 - 1
