"""Intervals against scipy's and against published figures."""

import numpy as np
import pytest
from scipy import stats

from scones.gate.intervals import clopper_pearson, newcombe, upper_bound, wilson

SMALL = [(k, n) for n in (1, 2, 12, 59, 200) for k in sorted({0, 1, n // 2, n - 1, n})]


@pytest.mark.parametrize(("k", "n"), SMALL)
@pytest.mark.parametrize("certainty", [0.5, 0.9, 0.95, 0.999])
def test_shares_agree_with_scipy(k: int, n: int, certainty: float) -> None:
    test = stats.binomtest(k, n)
    for ours, method in ((clopper_pearson, "exact"), (wilson, "wilson")):
        theirs = test.proportion_ci(certainty, method=method)  # type: ignore[arg-type]
        assert ours(k, n, certainty) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    one_sided = stats.binomtest(k, n, alternative="less").proportion_ci(certainty, "exact")
    assert upper_bound(k, n, certainty) == pytest.approx(one_sided.high, abs=1e-9)


def test_the_briefs_share_of_bicycles() -> None:
    assert wilson(10, 12) == pytest.approx((0.552, 0.953), abs=5e-4)
    assert clopper_pearson(10, 12) == pytest.approx((0.516, 0.979), abs=5e-4)


def test_no_errors_in_59_say_below_5_percent() -> None:
    bounds = upper_bound(0, [12, 59, 100, 200, 299])
    assert bounds == pytest.approx([0.221, 0.0495, 0.0295, 0.0149, 0.0100], abs=1e-4)
    assert np.all(upper_bound([1, 2, 3], [93, 124, 153]) < 0.05)


# Newcombe (1998), Statistics in Medicine 17:873-890, table II, method 10.
@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((6, 7, 2, 7), 0.0582, 0.8062),
        ((5, 56, 0, 29), -0.0381, 0.1926),
        ((0, 10, 0, 20), -0.1611, 0.2775),
        ((0, 10, 0, 10), -0.2775, 0.2775),
        ((10, 10, 0, 20), 0.6791, 1.0),
        ((10, 10, 0, 10), 0.6075, 1.0),
    ],
)
def test_differences_agree_with_newcombes_table(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    assert newcombe(*counts) == pytest.approx((low, high), abs=1e-4)


def test_nothing_counted_says_nothing() -> None:
    assert clopper_pearson(0, 0) == wilson(0, 0) == (0.0, 1.0)
    assert upper_bound(0, 0) == 1.0
    assert newcombe(0, 0, 3, 4) == newcombe(3, 4, 0, 0) == (-1.0, 1.0)


def test_arrays_give_what_numbers_give() -> None:
    k, n = np.array([[0, 3], [4, 0]]), np.array([[0, 3], [9, 7]])
    for interval in (clopper_pearson, wilson):
        low, high = interval(k, n)
        one_by_one = [interval(int(a), int(b)) for a, b in zip(k.flat, n.flat, strict=True)]
        assert list(zip(low.flat, high.flat, strict=True)) == one_by_one
    low, high = newcombe(k, n, 1, 2)
    assert (low[1, 0], high[1, 0]) == newcombe(4, 9, 1, 2)


def test_counts_and_certainties_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="0 <= k <= n"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="0 <= k <= n"):
        clopper_pearson(-1, 2)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 95: try 0\.95"):
        wilson(1, 2, 95)
