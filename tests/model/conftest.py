"""Small sets of drawn pictures, quick to make and to learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scones.images import sample
from scones.images.images import Images
from scones.model.recipe import QUICK, Recipe

torch.set_num_threads(1)  # two threads on a busy machine wait for each other, tenfold


def drawn(count: int, seed: int = 0) -> Images:
    """`count` bicycles and motorcycles by turns."""
    rng = np.random.default_rng(seed)
    kinds = [sample.KINDS[i % 2] for i in range(count)]
    pixels_NHWC = np.stack([sample.draw(rng, kind) for kind in kinds])
    labels_N = np.array([i % 2 for i in range(count)], dtype=np.int64)
    names = tuple(f"{kind}_{i}.png" for i, kind in enumerate(kinds))
    return Images(pixels_NHWC, labels_N, sample.KINDS, names)


@pytest.fixture(scope="session")
def images() -> Images:
    return drawn(60)


@pytest.fixture(scope="session")
def tiny() -> Recipe:
    small = replace(QUICK, name="tiny", widths=(8, 8, 8), epochs=3, batch_size=20)
    return replace(small, networks=1, averaging=0.0)
