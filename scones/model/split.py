"""Stratified splits: shares of the pictures in which every class keeps its proportion."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def stratified(labels_N: NDArray[np.int64], count: int, seed: int) -> tuple[Rows, Rows]:
    """Rows (kept, taken), each sorted: `count` are taken, the same for a seed.

    A class gives its proportion, to within one picture. Raises ValueError where a class would keep
    nothing.
    """
    rng = np.random.default_rng(seed)
    classes, sizes = np.unique(labels_N, return_counts=True)
    chosen = [
        rng.permutation(np.flatnonzero(labels_N == label))[:quota]
        for label, quota in zip(classes, _quotas(sizes, count), strict=True)
    ]
    taken = np.sort(np.concatenate([np.zeros(0, np.int64), *chosen]))
    kept = np.setdiff1d(np.arange(len(labels_N)), taken)
    if len(np.unique(labels_N[kept])) < len(classes):
        raise ValueError(f"{count} of {len(labels_N)} pictures held out leave a class without any")
    return kept.astype(np.int64), taken.astype(np.int64)


def folds(labels_N: NDArray[np.int64], count: int, seed: int) -> Rows:
    """The fold, 0 to count - 1, of each picture; every class is spread evenly over the folds."""
    rng = np.random.default_rng(seed)
    fold_N = np.empty(len(labels_N), dtype=np.int64)
    dealt = 0
    for label in np.unique(labels_N):
        rows = rng.permutation(np.flatnonzero(labels_N == label))
        fold_N[rows] = (dealt + np.arange(len(rows))) % count
        dealt += len(rows)
    return fold_N


def _quotas(sizes_K: Rows, count: int) -> Rows:
    """Whole shares of `count` by size; what is left over goes to the largest fractions."""
    exact_K = count * sizes_K / max(sizes_K.sum(), 1)
    quotas_K: Rows = np.floor(exact_K).astype(np.int64)
    left = count - int(quotas_K.sum())
    quotas_K[np.argsort(quotas_K - exact_K, kind="stable")[:left]] += 1
    return quotas_K
