"""Somebody's own pictures, one subfolder a class."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scones.images import folder


def fill(root: Path, name: str, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (root / name).mkdir(parents=True)
    for number in range(count):
        size = (int(rng.integers(20, 200)), int(rng.integers(20, 200)), 3)
        image = Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8))
        image.save(root / name / f"{number}{'.jpg' if number % 2 else '.PNG'}")


def test_subfolders_are_classes_and_a_sixth_is_for_testing(tmp_path: Path) -> None:
    fill(tmp_path, "cat", 60, 1)
    fill(tmp_path, "dog", 60, 2)
    dataset, damaged = folder.read(tmp_path, side=16)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.pixels_NHWC.shape[1:] == (16, 16, 3)
    assert len(dataset.train) + len(dataset.test) == 120
    assert 10 <= len(dataset.test) <= 32
    assert damaged == []
    assert len(set(dataset.train.filenames + dataset.test.filenames)) == 120


def test_a_new_picture_moves_no_other_across_the_split(tmp_path: Path) -> None:
    fill(tmp_path, "cat", 40, 1)
    fill(tmp_path, "dog", 40, 2)
    before = set(folder.read(tmp_path)[0].test.filenames)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "cat" / "0000.png")
    after = set(folder.read(tmp_path)[0].test.filenames)
    assert before <= after <= before | {"cat_0000_png.png"}


def test_an_owners_own_split_is_kept(tmp_path: Path) -> None:
    for seed, (split, count) in enumerate([("train", 5), ("test", 2)]):
        fill(tmp_path / split, "cat", count, seed)
        fill(tmp_path / split, "dog", count, seed + 9)
    dataset, _ = folder.read(tmp_path, ["dog", "cat"])
    assert (len(dataset.train), len(dataset.test)) == (10, 4)
    assert dataset.train.filenames[0].startswith("dog_")


def test_a_damaged_picture_is_named_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path, "cat", 80, 1)
    fill(tmp_path, "dog", 80, 2)
    (tmp_path / "dog" / "3.jpg").write_bytes(b"oops")
    dataset, damaged = folder.read(tmp_path)
    assert dataset.damaged == tuple(damaged)
    assert str(tmp_path) not in damaged[0]
    assert " at 0x" not in damaged[0]
    assert len(damaged) == 1
    assert "3.jpg" in damaged[0]


def test_more_than_one_damaged_in_a_hundred_is_refused_with_the_list(tmp_path: Path) -> None:
    fill(tmp_path, "cat", 20, 1)
    fill(tmp_path, "dog", 20, 2)
    (tmp_path / "dog" / "3.jpg").write_bytes(b"oops")
    with pytest.raises(ValueError, match=r"1 damaged pictures.*3\.jpg"):
        folder.read(tmp_path)


def test_an_unknown_or_empty_class_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, "cat", 20, 1)
    (tmp_path / "dog").mkdir()
    with pytest.raises(ValueError, match="did you mean cat"):
        folder.read(tmp_path, ["cats", "dog"])
    with pytest.raises(ValueError, match=r"no \.png, \.jpg or \.jpeg pictures"):
        folder.read(tmp_path)


def test_classes_that_a_folder_lacks_are_refused_with_the_words_to_type(tmp_path: Path) -> None:
    fill(tmp_path, "push bike", 2, 1)
    fill(tmp_path, "van", 2, 2)
    with pytest.raises(ValueError, match="name those you want, such as --classes 'push bike,van'"):
        folder.read(tmp_path, ["bicycle", "motorcycle"])


def test_a_folder_without_subfolders_is_told_how_it_should_look(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no subfolders; it should have one folder of PNG or JPEG"):
        folder.read(tmp_path, ["bicycle", "motorcycle"])
