"""Stratified splits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.model import split


@given(st.lists(st.integers(2, 60), min_size=2, max_size=5), st.floats(0, 0.5), st.integers(0, 9))
def test_every_class_gives_its_proportion(sizes: list[int], share: float, seed: int) -> None:
    labels_N = np.repeat(np.arange(len(sizes)), sizes)
    count = int(share * len(labels_N))
    try:
        kept, taken = split.stratified(labels_N, count, seed)
    except ValueError:
        assert min(sizes) <= 2
        return
    assert len(taken) == count
    assert sorted([*kept, *taken]) == list(range(len(labels_N)))
    for label, size in enumerate(sizes):
        assert abs((labels_N[taken] == label).sum() - count * size / len(labels_N)) <= 1


def test_a_seed_takes_the_same_pictures_again_and_another_seed_others() -> None:
    labels_N = np.arange(200) % 2
    one, same, other = (split.stratified(labels_N, 50, seed)[1].tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_folds_are_even_in_every_class() -> None:
    labels_N = np.array([0] * 50 + [1] * 23)
    fold_N = split.folds(labels_N, 5, 0)
    counts = [np.bincount(fold_N[labels_N == label], minlength=5) for label in (0, 1)]
    assert all(count.max() - count.min() <= 1 for count in counts)
    assert np.bincount(fold_N).tolist() == [15, 15, 15, 14, 14]


def test_a_split_that_empties_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match="leave a class without any"):
        split.stratified(np.array([0, 0, 0, 1]), 3, 0)


def test_copies_are_known_by_their_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    pixels[3], pixels[4] = pixels[1], pixels[1]
    assert split.copies(pixels).tolist() == [0, 1, 2, 1, 1]
    assert split.copies(pixels[:0]).tolist() == []
    assert split.once(np.array([0, 3, 4]), split.copies(pixels)).tolist() == [0, 3]


@given(st.lists(st.integers(0, 30), min_size=40, max_size=120), st.integers(0, 9))
def test_copies_fall_on_one_side(drawn: list[int], seed: int) -> None:
    """30 pictures, most of them several times; some under both labels."""
    first = {each: row for row, each in reversed(list(enumerate(drawn)))}
    copy_of_N = np.array([first[each] for each in drawn])
    labels_N = copy_of_N % 2
    labels_N[-1] = 1 - labels_N[-1]
    count = len(drawn) // 4
    try:
        kept, taken = split.stratified(labels_N, count, seed, copy_of_N)
    except ValueError:
        return
    assert sorted([*kept, *taken]) == list(range(len(drawn)))
    assert len(taken) <= count
    assert not set(copy_of_N[kept]) & set(copy_of_N[taken])
    fold_N = split.folds(labels_N, 5, seed, copy_of_N)
    assert np.array_equal(fold_N, fold_N[copy_of_N])


def test_pictures_without_copies_are_split_as_if_nobody_asked() -> None:
    labels_N = np.arange(200) % 2
    asked = split.stratified(labels_N, 50, 3, np.arange(200))[1]
    assert asked.tolist() == split.stratified(labels_N, 50, 3)[1].tolist()
    with_one_copy = np.arange(200)
    with_one_copy[10] = 8
    taken = split.stratified(labels_N, 50, 3, with_one_copy)[1]
    assert len(taken) == 50
