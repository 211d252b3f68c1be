"""The order of tests: where walks begin, how they end, and that they err seldom enough."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from scones.gate.sequence import fewest, last_passing, starts


def test_the_fewest_accepted_pictures_that_certify() -> None:
    assert [fewest(k, 0.05, 0.05) for k in range(4)] == [59, 93, 124, 153]
    assert [fewest(k, 0.05, 0.1) for k in range(4)] == [45, 77, 105, 132]
    assert [fewest(k, 0.01, 0.05) for k in range(3)] == [299, 473, 628]
    assert [fewest(k, 0.1, 0.1) for k in range(3)] == [22, 38, 52]
    for k in (0, 7, 500):
        m = fewest(k, 0.05, 0.05)
        assert stats.binom.cdf(k, m, 0.05) <= 0.05 < stats.binom.cdf(k, m - 1, 0.05)


@pytest.mark.parametrize("n", [0, 1, 59, 100, 150, 200, 300, 400, 600, 1000, 10_000])
@pytest.mark.parametrize(("risk", "delta"), [(0.05, 0.05), (0.01, 0.01), (0.2, 0.3)])
def test_the_parts_of_all_starts_are_delta(n: int, risk: float, delta: float) -> None:
    found = starts(n, risk, delta)
    assert sum(each.level for each in found) == pytest.approx(delta)
    assert np.all(np.diff([each.accepted for each in found]) > 0)
    for each in found:
        assert each.accepted == fewest(each.errors, risk, each.level)
        assert each.accepted <= n / 2 or len(found) == 1


def test_more_pictures_are_walked_from_more_places() -> None:
    places = {n: [each.accepted for each in starts(n, 0.05, 0.05)] for n in (100, 200, 500, 1000)}
    assert places == {100: [59], 200: [93], 500: [115, 225], 1000: [94, 243, 490]}


def walked(accepted: list[int], errors: list[int]) -> int | None:
    return last_passing(np.array(accepted), np.array(errors), 0.05, 0.05)


def test_a_walk_ends_at_its_first_failure() -> None:
    assert walked([10, 60, 80, 100, 118], [0, 0, 3, 3, 3]) == 1
    assert walked([10, 60, 80, 100, 118], [0, 0, 0, 0, 0]) == 4
    assert walked([10, 60, 80, 100, 118], [10, 60, 80, 100, 118]) is None
    assert walked([10], [0]) is None
    assert walked([0], [0]) is None


def test_a_walk_that_failed_begins_again_at_the_next_start() -> None:
    first, second = starts(500, 0.05, 0.05)
    accepted = [first.accepted, first.accepted + 1, second.accepted, second.accepted + 1, 500]
    lost = second.errors + 1
    assert walked(accepted, [lost, lost, second.errors, 400, 400]) == 2
    assert walked(accepted, [lost, lost, lost, 400, 400]) is None


def test_a_walk_that_arrives_alive_bears_more_than_one_that_begins() -> None:
    first, second = starts(500, 0.05, 0.05)
    place = second.accepted + 15
    bears = {
        level: int(stats.binom.ppf(level, place, 0.05)) - 1
        for level in (second.level, first.level + second.level)
    }
    more = bears[first.level + second.level]
    assert more > bears[second.level]
    assert walked([first.accepted, place, 500], [0, more, 400]) == 1
    assert walked([first.accepted, place, 500], [first.errors + 1, more, 400]) is None


def test_starts_that_fall_upon_one_threshold_are_tested_there_together() -> None:
    first, second = starts(500, 0.05, 0.05)
    most = int(stats.binom.ppf(0.05, 400, 0.05)) - 1
    assert stats.binom.cdf(most, 400, 0.05) > max(first.level, second.level)
    assert walked([0, 400, 500], [0, most, 500]) == 1


def rising(place_N: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.046 + 0.012 * place_N


def flat(place_N: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full_like(place_N, 0.0501)


def surest_are_worst(place_N: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(place_N < 0.2, 0.08, 0.044)


@pytest.mark.parametrize("n", [100, 200, 500, 1000])
@pytest.mark.parametrize("rate", [rising, flat, surest_are_worst])
def test_too_risky_a_threshold_passes_no_oftener_than_delta(n: int, rate: object) -> None:
    """Thresholds on a uniform score, where the risk crosses the limit at once or never does."""
    assert callable(rate)
    rng, draws, grid = np.random.default_rng(0), 2000, np.linspace(0, 1, 201)
    fine = np.linspace(0, 1, 20_001)
    true = np.cumsum(rate(fine)) / np.arange(1, len(fine) + 1)
    broken = 0
    for _ in range(draws):
        place = np.sort(rng.random(n))  # 0 is the surest
        wrong = np.append(0, np.cumsum(rng.random(n) < rate(place)))
        accepted = np.searchsorted(place, grid, side="right")
        last = last_passing(accepted, wrong[accepted], 0.05, 0.05)
        broken += last is not None and true[last * 100] > 0.05
    assert broken / draws <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)
