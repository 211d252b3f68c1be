"""A job's folder, as SageMaker lays it out."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from scones.images import png, sample
from scones.images.manifest import Entry, write_lst

torch.set_num_threads(1)  # two threads on a busy machine wait for each other, tenfold


LayOut = Callable[..., Path]


@pytest.fixture
def lay_out(tmp_path: Path) -> LayOut:
    """`lay_out(count=40, **hyperparameters)`: /opt/ml with two channels of drawn pictures."""

    def lay(count: int = 40, **hyperparameters: object) -> Path:
        for split, number, seed in (("train", count, 1), ("validation", 10, 2)):
            rng = np.random.default_rng(seed)
            folder = tmp_path / "input" / "data" / split
            folder.mkdir(parents=True)
            entries = []
            for i in range(number):
                pixels_HWC = sample.draw(rng, sample.KINDS[i % 2])
                (folder / f"{split}_{i}.png").write_bytes(png.encode(pixels_HWC))
                entries.append(Entry(f"{split}_{i}.png", i % 2, split, ""))
            lists = folder.with_name(f"{split}_lst")
            lists.mkdir()
            (lists / f"{split}.lst").write_text(write_lst(entries))
        config = tmp_path / "input" / "config"
        config.mkdir()
        texts = {"num_classes": "2", **{k: str(v) for k, v in hyperparameters.items()}}
        (config / "hyperparameters.json").write_text(json.dumps(texts))
        return tmp_path

    return lay
