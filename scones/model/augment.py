"""Random changes to whole batches of training pictures, as tensors, on CPU or CUDA.

All take pixels_BCHW between 0 and 1 and draw from the given generator alone. Letters: B pictures,
C colours, H rows, W columns, K classes.
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
    hidden_B1HW = _square(x_BCHW, torch.tensor(share), _Draws(x_BCHW, generator))
    return torch.where(hidden_B1HW, x_BCHW.mean((2, 3), keepdim=True), x_BCHW)


def cut_mix(
    x_BCHW: Tensor, classes_BK: Tensor, share: float, generator: Generator
) -> tuple[Tensor, Tensor]:
    """A square of another picture in a share of the pictures, and whose classes they are by area.

    Yun et al. 2019, arXiv 1905.04899; sides are drawn so that areas are uniform up to the whole.
    """
    draw = _Draws(x_BCHW, generator)
    others_B = torch.randperm(len(x_BCHW), generator=generator, device=x_BCHW.device)
    side_B = ((draw() + 1) / 2).sqrt() * ((draw() + 1) / 2 < share)
    other_B1HW = _square(x_BCHW, side_B[:, None], draw)
    area_B1 = other_B1HW.float().mean((2, 3))
    mixed_BK = classes_BK + area_B1 * (classes_BK[others_B] - classes_BK)
    return torch.where(other_B1HW, x_BCHW[others_B], x_BCHW), mixed_BK


def _square(x_BCHW: Tensor, side: Tensor, draw: "_Draws") -> Tensor:
    """[B, 1, H, W]: true inside a square of `side`, a share of the picture's, somewhere."""
    inside = [
        (torch.linspace(-1, 1, count, device=x_BCHW.device) - draw()[:, None]).abs() < side
        for count in x_BCHW.shape[2:]
    ]
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


class _Draws:
    """Each call: one number a picture, uniform between -1 and 1."""

    def __init__(self, x_BCHW: Tensor, generator: Generator) -> None:
        self._count, self._device, self._generator = len(x_BCHW), x_BCHW.device, generator

    def __call__(self) -> Tensor:
        drawn = torch.rand(self._count, generator=self._generator, device=self._device)
        return drawn * 2 - 1
