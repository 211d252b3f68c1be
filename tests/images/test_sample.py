"""The sample set: the archive's layout, and the same pictures for the same seed."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest

from scones.images import cifar100, sample


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.tar.gz"
    path.write_bytes(sample.archive())
    return path


@pytest.mark.slow
def test_the_sample_archive_is_read_by_the_archives_own_loader(path: Path) -> None:
    dataset = cifar100.read(path, ["bicycle", "motorcycle"])
    assert dataset.name == "sample"
    assert (len(dataset.train), len(dataset.test)) == (1000, 200)
    assert dataset.train.labels_N.sum() == 500
    assert dataset.test.labels_N.sum() == 100
    assert len(set(dataset.train.filenames)) == 1000
    digests = {hashlib.sha256(p.tobytes()).digest() for p in dataset.train.pixels_NHWC}
    assert not digests & {hashlib.sha256(p.tobytes()).digest() for p in dataset.test.pixels_NHWC}


@pytest.mark.slow
def test_a_course_notebook_can_unpickle_it(path: Path) -> None:
    tables = cifar100._from_tar(path)
    train = pickle.loads(tables["train"], encoding="bytes")
    assert train[b"data"].shape == (1000, 3072)
    assert train[b"filenames"][0].endswith(b".png")
    assert pickle.loads(tables["meta"], encoding="bytes")[b"fine_label_names"][8] == b"bicycle"


@pytest.mark.parametrize("kind", sample.KINDS)
def test_a_seed_draws_the_same_picture_again_and_another_seed_another(kind: str) -> None:
    one, same, other = (sample.draw(np.random.default_rng(seed), kind) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.shape == (32, 32, 3)


def test_a_motorcycle_is_darker_and_denser_than_a_bicycle_on_the_whole() -> None:
    rng = np.random.default_rng(0)

    def roughness(kind: str) -> float:
        pictures = np.stack([sample.draw(rng, kind) for _ in range(60)]).astype(float)
        middle = pictures[:, 12:24, 8:24].mean(axis=(1, 2, 3))
        return float(np.mean(pictures.mean(axis=(1, 2, 3)) - middle))

    assert roughness("motorcycle") > roughness("bicycle") + 5
