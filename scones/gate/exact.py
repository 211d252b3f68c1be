"""Exact tests of counts, what sample would settle them, and the price of asking several at once."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Table = Sequence[Sequence[int]]
"""Two rows of two counts: group by outcome, [[passed, refused], [passed, refused]]."""


def informative(table: Table) -> bool:
    """Whether a 2x2 table can say anything: no row and no column of it is empty."""
    counts = _checked(table)
    return bool(np.all(counts.sum(axis=0) > 0) and np.all(counts.sum(axis=1) > 0))


def fisher(table: Table) -> float:
    """Fisher's exact two-sided p; 1 where a margin is empty."""
    return float(stats.fisher_exact(_checked(table)).pvalue) if informative(table) else 1.0


BOSCHLOO_LIMIT = 200
"""Counts in a table above which Boschloo's test gives way to Fisher's: it takes time in the square
of the counts (0.1 s at 200) and gains little there."""


def boschloo(table: Table) -> float:
    """Boschloo's exact two-sided p, never above Fisher's; 1 where a margin is empty.

    Of more than `BOSCHLOO_LIMIT` counts, Fisher's p.
    """
    counts = _checked(table)
    if not informative(table):
        return 1.0
    if counts.sum() > BOSCHLOO_LIMIT:
        return fisher(table)
    # scipy's groups are the columns.
    return min(fisher(table), float(stats.boschloo_exact(counts.T).pvalue))


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p that two models err alike, from the pictures only one of them got right."""
    pairs = only_first + only_second
    return float(stats.binomtest(only_first, pairs).pvalue) if pairs else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being shown together (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = floor
    return adjusted


def power(share1: float, share2: float, n: int, level: float = 0.05) -> float:
    """Chance that Fisher's test, n in each group, finds these two shares different; exact."""
    if n == 0:
        return 0.0
    k = np.arange(n + 1)
    chance = np.outer(stats.binom.pmf(k, n, share1), stats.binom.pmf(k, n, share2))
    return float(chance[_rejected(n, level)].sum())


def needed(share1: float, share2: float, chance: float = 0.8, level: float = 0.05) -> int | None:
    """How many in each group let Fisher's test tell the shares apart with that chance.

    The smallest such n up to 30; beyond it, within a few of Fleiss's formula with continuity
    correction (Fleiss, Levin & Paik 2003, eq. 4.19), which needs no search. None for equal shares.
    """
    if share1 == share2:
        return None
    by_formula = _fleiss(share1, share2, chance, level)
    if by_formula > 40:
        return by_formula
    return next(n for n in range(1, 1000) if power(share1, share2, n, level) >= chance)


def _fleiss(share1: float, share2: float, chance: float, level: float) -> int:
    z_level, z_chance = stats.norm.ppf(1 - level / 2), stats.norm.ppf(chance)
    mean, gap = (share1 + share2) / 2, abs(share1 - share2)
    spread = z_level * math.sqrt(2 * mean * (1 - mean)) + z_chance * math.sqrt(
        share1 * (1 - share1) + share2 * (1 - share2)
    )
    plain = (spread / gap) ** 2
    return math.ceil(plain / 4 * (1 + math.sqrt(1 + 4 / (plain * gap))) ** 2)


@lru_cache(maxsize=64)
def _rejected(n: int, level: float) -> NDArray[np.bool_]:
    """Which tables [[i, n-i], [j, n-j]] Fisher's test rejects, as [i, j]."""
    rejected = np.zeros((n + 1, n + 1), bool)
    for total in range(2 * n + 1):
        i = np.arange(max(0, total - n), min(n, total) + 1)
        pmf = stats.hypergeom.pmf(i, 2 * n, n, total)
        # Fisher's two-sided p sums what is no likelier; the slack is scipy's own.
        p = np.array([pmf[pmf <= each * (1 + 1e-14)].sum() for each in pmf])
        rejected[i, total - i] = p <= level
    return rejected


def _checked(table: Table) -> NDArray[np.int64]:
    counts = np.asarray(table)
    if counts.shape != (2, 2) or counts.min() < 0 or np.any(counts != np.floor(counts)):
        raise ValueError(f"a table is two rows of two counts, got {table}")
    return counts.astype(np.int64)
