"""Augmentation: what it may change, what it must not, and that chance comes from its generator."""

from dataclasses import replace

import pytest
import torch
from torch import Generator, Tensor

from scones.model.augment import augment, cut_mix
from scones.model.recipe import FULL, Augmentation


def pictures(count: int = 8) -> Tensor:
    return torch.rand(count, 3, 32, 32, generator=Generator().manual_seed(0))


def test_nothing_asked_for_changes_nothing() -> None:
    assert torch.equal(augment(pictures(), Augmentation(), Generator()), pictures())


@pytest.mark.parametrize(
    "how",
    [
        Augmentation(flip=True),
        Augmentation(shift=3),
        Augmentation(rotation=20),
        Augmentation(scale=0.3),
        Augmentation(shear=0.2),
        Augmentation(colour=0.4),
        Augmentation(cutout=0.4),
        FULL,
    ],
)
def test_every_change_keeps_shape_and_range_and_repeats_for_a_seed(how: Augmentation) -> None:
    one, same, other = (augment(pictures(), how, Generator().manual_seed(s)) for s in (1, 1, 2))
    assert one.shape == pictures().shape
    assert one.min() >= 0
    assert one.max() <= 1
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, pictures())


def test_about_half_of_the_pictures_are_flipped_and_the_others_stay() -> None:
    before = pictures(200)
    after = augment(before, Augmentation(flip=True), Generator().manual_seed(0))
    stayed = torch.isclose(after, before, atol=1e-5).flatten(1).all(1)
    flipped = torch.isclose(after, before.flip(3), atol=1e-5).flatten(1).all(1)
    assert torch.all(stayed ^ flipped)
    assert 70 < int(flipped.sum()) < 130


def test_a_cut_out_hides_a_square_and_nothing_else() -> None:
    after = augment(pictures(50), Augmentation(cutout=0.375), Generator().manual_seed(0))
    changed = (after != pictures(50)).any(1).flatten(1).sum(1)
    assert changed.max() <= 12 * 13
    assert changed.float().mean() > 40


def test_a_mixed_picture_is_of_both_classes_by_the_area_of_each() -> None:
    black_white = torch.stack([torch.zeros(3, 32, 32), torch.ones(3, 32, 32)] * 100)
    classes = torch.tensor([[1.0, 0.0], [0.0, 1.0]] * 100)
    pixels, mixed = cut_mix(black_white, classes, 0.5, Generator().manual_seed(0))
    assert torch.allclose(pixels.mean((1, 2, 3)), mixed[:, 1], atol=1e-6)
    assert torch.allclose(mixed.sum(1), torch.ones(200))
    untouched = (mixed == classes).all(1).sum()  # half are not mixed, half of the rest with alike
    assert 130 < untouched < 170


def test_mixing_no_share_of_the_pictures_changes_none() -> None:
    classes = torch.eye(2).repeat(4, 1)
    pixels, mixed = cut_mix(pictures(), classes, 0.0, Generator().manual_seed(0))
    assert torch.equal(pixels, pictures())
    assert torch.equal(mixed, classes)


def test_a_grey_picture_keeps_its_grey_under_saturation() -> None:
    grey = torch.full((4, 3, 32, 32), 0.5)
    after = augment(grey, replace(Augmentation(), colour=0.3), Generator().manual_seed(0))
    assert (after - after.mean((2, 3), keepdim=True)).abs().max() < 1e-6
