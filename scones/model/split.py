"""Stratified splits: shares of the pictures in which every class keeps its proportion."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def stratified(labels_N: NDArray[np.int64], count: int, seed: int) -> tuple[Rows, Rows]:
    """Rows (kept, taken), each sorted: `count` are taken, the same for a seed.

    A class gives its proportion, to within one picture. Raises ValueError where a class would keep
    nothing.
    """
    ranked = _ranks(labels_N, seed)
    taken = np.sort(np.argsort(ranked, kind="stable")[:count])
    kept = np.setdiff1d(np.arange(len(labels_N)), taken)
    if len(np.unique(labels_N[kept])) < len(np.unique(labels_N)):
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


def _ranks(labels_N: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """A number a picture, random within its class and even over (0, 1): its order mixes classes."""
    rng = np.random.default_rng(seed)
    ranks = np.empty(len(labels_N))
    for label in np.unique(labels_N):
        rows = np.flatnonzero(labels_N == label)
        ranks[rng.permutation(rows)] = (np.arange(len(rows)) + 0.5) / len(rows)
    return ranks
