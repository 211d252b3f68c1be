"""Exact tests against scipy's and against figures computed by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from scones.gate.exact import boschloo, fisher, holm, informative, mcnemar, needed, power

BRIEF = [[10, 0], [0, 2]]
"""The brief's 12 invocations: bicycles and motorcycles, passed and refused."""


def test_the_briefs_twelve_invocations() -> None:
    assert fisher(BRIEF) == pytest.approx(1 / math.comb(12, 2), abs=1e-12)
    assert boschloo(BRIEF) == pytest.approx(0.0090, abs=5e-5)


@pytest.mark.parametrize("table", [BRIEF, [[3, 1], [1, 3]], [[20, 5], [11, 14]], [[1, 1], [1, 1]]])
def test_tables_agree_with_scipy(table: list[list[int]]) -> None:
    columns = [list(column) for column in zip(*table, strict=True)]
    assert fisher(table) == pytest.approx(stats.fisher_exact(np.array(table)).pvalue, abs=1e-12)
    assert boschloo(table) == pytest.approx(
        min(stats.boschloo_exact(columns).pvalue, fisher(table)), abs=1e-9
    )


@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[3, 0], [4, 0]], [[0, 0], [4, 1]]])
def test_a_table_with_an_empty_margin_is_not_testable(table: list[list[int]]) -> None:
    assert not informative(table)
    assert fisher(table) == boschloo(table) == 1.0


def test_boschloo_of_a_large_table_is_fisher() -> None:
    table = [[800, 200], [700, 300]]
    assert boschloo(table) == fisher(table)


def test_what_is_no_table_is_refused() -> None:
    for wrong in ([[1, 2]], [[1, -2], [3, 4]], [[1, 2, 3], [4, 5, 6]]):
        with pytest.raises(ValueError, match="two rows of two counts"):
            fisher(wrong)


def test_mcnemar_is_the_sign_test() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 9) == mcnemar(9, 1) == pytest.approx(22 / 1024, abs=1e-12)


def test_holm_steps_down() -> None:
    assert holm([]) == []
    assert holm([0.04]) == [0.04]
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("share1", "share2", "n", "chance"),
    [(0.9, 0.7, 6, 0.01), (0.9, 0.7, 50, 0.64), (0.9, 0.8, 100, 0.44), (0.9, 0.8, 200, 0.77)],
)
def test_power_of_fishers_test(share1: float, share2: float, n: int, chance: float) -> None:
    assert power(share1, share2, n) == pytest.approx(chance, abs=0.005)


def test_power_counts_the_tables_that_fisher_rejects() -> None:
    n = 7
    by_hand = sum(
        stats.binom.pmf(i, n, 0.9) * stats.binom.pmf(j, n, 0.2)
        for i in range(n + 1)
        for j in range(n + 1)
        if fisher([[i, n - i], [j, n - j]]) <= 0.05
    )
    assert power(0.9, 0.2, n) == pytest.approx(by_hand, abs=1e-12)
    assert power(0.5, 0.5, 0) == 0.0


def test_what_n_would_settle_it() -> None:
    assert needed(0.9, 0.9) is None
    assert needed(1.0, 0.0) == 4
    n = needed(0.9, 0.7)
    assert n == 72  # Fleiss, Levin & Paik (2003), table A.4
    assert power(0.9, 0.7, n) == pytest.approx(0.8, abs=0.03)
    few = needed(0.95, 0.4)
    assert few is not None
    assert power(0.95, 0.4, few) >= 0.8 > power(0.95, 0.4, few - 1)
