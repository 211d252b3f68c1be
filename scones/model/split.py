"""Stratified splits: shares of the pictures in which every class keeps its proportion.

Copies of a picture, the same to the pixel, always fall on one side: a picture that was learnt from
judges and certifies nothing. `copy_of_N` says which they are; without it all pictures differ.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

HELD_OUT, HELD_OUT_SHARE = 200, 0.2
"""Pictures held out when nobody says: 200, or a fifth if that is less."""


def num_held_out(num_pictures: int, asked: int | None = None) -> int:
    """How many pictures are held out to certify."""
    return min(HELD_OUT, int(HELD_OUT_SHARE * num_pictures)) if asked is None else asked


def copies(pixels_NHWC: NDArray[np.uint8]) -> Rows:
    """For each picture the first row with the same pixels: its own where it is no copy."""
    first: dict[bytes, int] = {}
    hashes = (hashlib.sha256(each.tobytes()).digest() for each in pixels_NHWC)
    return np.array([first.setdefault(each, row) for row, each in enumerate(hashes)], np.int64)


def stratified(
    labels_N: NDArray[np.int64], count: int, seed: int, copy_of_N: Rows | None = None
) -> tuple[Rows, Rows]:
    """Rows (kept, taken), each sorted: `count` are taken, the same for a seed.

    A class gives its proportion, to within one picture; a little less where only pictures with more
    copies than are wanted are left. Copies under different labels are kept. Raises ValueError where
    a class would keep nothing.
    """
    rng = np.random.default_rng(seed)
    classes, sizes = np.unique(labels_N, return_counts=True)
    copy_of = np.arange(len(labels_N)) if copy_of_N is None else copy_of_N
    chosen = [
        _take(rng.permutation(np.flatnonzero(labels_N == label)), quota, labels_N, copy_of)
        for label, quota in zip(classes, _quotas(sizes, count), strict=True)
    ]
    taken = np.sort(np.concatenate([np.zeros(0, np.int64), *chosen]))
    kept = np.setdiff1d(np.arange(len(labels_N)), taken)
    if len(np.unique(labels_N[kept])) < len(classes):
        raise ValueError(f"{count} of {len(labels_N)} pictures held out leave a class without any")
    return kept.astype(np.int64), taken.astype(np.int64)


def once(rows: Rows, copy_of_N: Rows) -> Rows:
    """The rows without those that are copies of an earlier one among them."""
    firsts = np.sort(np.unique(copy_of_N[rows], return_index=True)[1])
    return rows[firsts]


def folds(
    labels_N: NDArray[np.int64], count: int, seed: int, copy_of_N: Rows | None = None
) -> Rows:
    """The fold, 0 to count - 1, of each picture; every class is spread evenly over the folds, but
    for copies, which follow their first."""
    rng = np.random.default_rng(seed)
    fold_N = np.empty(len(labels_N), dtype=np.int64)
    dealt = 0
    for label in np.unique(labels_N):
        rows = rng.permutation(np.flatnonzero(labels_N == label))
        fold_N[rows] = (dealt + np.arange(len(rows))) % count
        dealt += len(rows)
    return fold_N if copy_of_N is None else fold_N[copy_of_N]


def _take(rows: Rows, quota: int, labels_N: Rows, copy_of_N: Rows) -> Rows:
    """`quota` of the rows or as many as fit, in their order, each with all of its copies."""
    if quota == 0 or len(np.unique(copy_of_N)) == len(copy_of_N):
        return rows[:quota]
    groups: dict[int, list[int]] = {}
    for row, first in enumerate(copy_of_N.tolist()):
        groups.setdefault(first, []).append(row)
    taken: list[int] = []
    for first in dict.fromkeys(copy_of_N[rows].tolist()):
        group = groups[first]
        if len(set(labels_N[group])) == 1 and len(taken) + len(group) <= quota:
            taken += group
    return np.array(taken, np.int64)


def _quotas(sizes_K: Rows, count: int) -> Rows:
    """Whole shares of `count` by size; what is left over goes to the largest fractions."""
    exact_K = count * sizes_K / max(sizes_K.sum(), 1)
    quotas_K: Rows = np.floor(exact_K).astype(np.int64)
    left = count - int(quotas_K.sum())
    quotas_K[np.argsort(quotas_K - exact_K, kind="stable")[:left]] += 1
    return quotas_K
