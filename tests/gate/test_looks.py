"""p-values that hold at every look."""

import numpy as np
import pytest
from scipy import stats

from scones.gate.looks import at_once, lasting


@pytest.mark.parametrize("n", [1, 12, 100, 2000, 1e6])
@pytest.mark.parametrize("level", [0.05, 0.05 / 3, 0.001])
def test_the_level_of_one_look_is_what_lasts_at_the_level_asked(n: float, level: float) -> None:
    assert at_once(level, n) < level
    assert lasting(at_once(level, n), n) == pytest.approx(level)


def test_what_lasts_is_between_the_p_and_1() -> None:
    for n in (0, 1, 12, 100, 2000):
        for p in (1.0, 0.5, 0.05, 1e-9, 1e-200):
            assert p <= lasting(p, n) <= 1
    assert lasting(0.0, 100) == 0


def test_a_stake_on_nothing_seldom_grows_twentyfold() -> None:
    rng, n = np.random.default_rng(0), np.arange(1, 3001)
    alarms = 0
    for _ in range(300):
        z = np.cumsum(rng.normal(0, 1, 3000)) / np.sqrt(n)
        p = 2 * stats.norm.sf(np.abs(z[49::50]))
        alarms += min(map(lasting, p.tolist(), n[49::50].tolist())) <= 0.05
    assert alarms <= 0.05 * 300
