"""Intervals for shares: how far a count of n can be trusted.

Wilson's is for showing, Clopper and Pearson's for promising (its coverage is never below the
certainty), Newcombe's for the difference of two shares. Numbers or arrays of them go in, the same
comes out. Nothing counted (n = 0) says nothing: [0, 1], and [-1, 1] for a difference.
"""

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]


@overload
def clopper_pearson(k: int, n: int, certainty: float = ...) -> tuple[float, float]: ...
@overload
def clopper_pearson(
    k: ArrayLike, n: ArrayLike, certainty: float = ...
) -> tuple[Floats, Floats]: ...
def clopper_pearson(
    k: ArrayLike, n: ArrayLike, certainty: float = 0.95
) -> tuple[float, float] | tuple[Floats, Floats]:
    """Exact two-sided interval for a share, k of n (Clopper & Pearson 1934)."""
    tail = (1 - _checked(certainty)) / 2
    k_, n_ = _counts(k, n)
    return _both(_beta_low(k_, n_, tail), 1 - _beta_low(n_ - k_, n_, tail))


@overload
def upper_bound(k: int, n: int, certainty: float = ...) -> float: ...
@overload
def upper_bound(k: ArrayLike, n: ArrayLike, certainty: float = ...) -> Floats: ...
def upper_bound(k: ArrayLike, n: ArrayLike, certainty: float = 0.95) -> float | Floats:
    """The exact one-sided upper limit of a share, k of n: no errors in 59 say below 4.95 %."""
    k_, n_ = _counts(k, n)
    return _plain(1 - _beta_low(n_ - k_, n_, 1 - _checked(certainty)))


@overload
def wilson(k: int, n: int, certainty: float = ...) -> tuple[float, float]: ...
@overload
def wilson(k: ArrayLike, n: ArrayLike, certainty: float = ...) -> tuple[Floats, Floats]: ...
def wilson(
    k: ArrayLike, n: ArrayLike, certainty: float = 0.95
) -> tuple[float, float] | tuple[Floats, Floats]:
    """The score interval for a share, k of n (Wilson 1927)."""
    k_, n_ = _counts(k, n)
    return _both(*_wilson(k_, n_, _checked(certainty)))


@overload
def newcombe(k1: int, n1: int, k2: int, n2: int, certainty: float = ...) -> tuple[float, float]: ...
@overload
def newcombe(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, certainty: float = ...
) -> tuple[Floats, Floats]: ...
def newcombe(
    k1: ArrayLike, n1: ArrayLike, k2: ArrayLike, n2: ArrayLike, certainty: float = 0.95
) -> tuple[float, float] | tuple[Floats, Floats]:
    """The difference of two independent shares, k1/n1 - k2/n2 (Newcombe 1998, method 10)."""
    first, second = _counts(k1, n1), _counts(k2, n2)
    low1, high1 = _wilson(*first, _checked(certainty))
    low2, high2 = _wilson(*second, certainty)
    p1, p2 = _share(*first), _share(*second)
    low = p1 - p2 - np.hypot(p1 - low1, high2 - p2)
    high = p1 - p2 + np.hypot(high1 - p1, p2 - low2)
    empty = (first[1] == 0) | (second[1] == 0)
    return _both(np.where(empty, -1.0, low), np.where(empty, 1.0, high))


def _wilson(k: Floats, n: Floats, certainty: float) -> tuple[Floats, Floats]:
    z2 = special.ndtri((1 + certainty) / 2) ** 2
    n_ = np.maximum(n, 1)
    p = k / n_
    middle = (p + z2 / (2 * n_)) / (1 + z2 / n_)
    half = np.sqrt(z2 * (p * (1 - p) / n_ + z2 / (4 * n_**2))) / (1 + z2 / n_)
    # At k = 0 and k = n the ends are 0 and 1 exactly; rounding would put them a hair beside.
    low = np.where((n == 0) | (k == 0), 0.0, middle - half)
    return low, np.where((n == 0) | (k == n), 1.0, middle + half)


def _beta_low(k: Floats, n: Floats, tail: float) -> Floats:
    """The share that gives k or more of n with probability `tail`; 0 where k is 0."""
    low = special.betaincinv(np.maximum(k, 1), n - k + 1, tail)
    return np.where(k == 0, 0.0, low).astype(np.float64)


def _counts(k: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    k_, n_ = np.broadcast_arrays(np.asarray(k, np.float64), np.asarray(n, np.float64))
    if not np.all((k_ >= 0) & (k_ <= n_)):
        raise ValueError(f"a share is k of n with 0 <= k <= n, got k = {k_}, n = {n_}")
    return k_, n_


def _share(k: Floats, n: Floats) -> Floats:
    return np.divide(k, n, out=np.full_like(k, 0.5), where=n > 0)


def _checked(certainty: float) -> float:
    if not 0 < certainty < 1:
        raise ValueError(f"certainty must lie between 0 and 1, got {certainty}: try 0.95")
    return certainty


def _plain(value: Floats) -> float | Floats:
    return float(value) if value.ndim == 0 else value


def _both(low: Floats, high: Floats) -> tuple[float, float] | tuple[Floats, Floats]:
    return (float(low), float(high)) if low.ndim == 0 else (low, high)
