"""How many labels a promise would take, and whether so many do."""

import numpy as np
import pytest
from numpy.typing import NDArray

from scones.gate.certificate import certify
from scones.gate.outlook import LIKELY, chance, error_rates, labels_wanted


def world(
    rng: np.random.Generator, n: int, spread: float = 4.0, noise: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Calibrated confidences of an accuracy of about .87, and of labels as noisy as said."""
    confidence = 1 / (1 + np.exp(-np.abs(rng.normal(0, spread, n))))
    return confidence, rng.random(n) < (1 - confidence) * (1 - 2 * noise) + noise


def test_smoothed_error_rates_rise_with_doubt_and_end_at_the_counted_share() -> None:
    confidence, wrong = world(np.random.default_rng(0), 2000)
    rate = error_rates(confidence, wrong)
    assert np.all(np.diff(rate) > 0)
    assert rate[-1] == pytest.approx(wrong.mean(), abs=2e-3)
    surest = np.argsort(-confidence)[:1000]
    assert rate[999] == pytest.approx(wrong[surest].mean(), abs=0.01)


def test_no_labels_say_nothing_and_errors_everywhere_do_not_certify() -> None:
    assert labels_wanted(np.zeros(0), np.zeros(0, bool), 0.05, 0.05) is None
    assert labels_wanted(np.full(200, 0.9), np.arange(200) % 2 == 0, 0.05, 0.05) is None
    assert labels_wanted(np.full(100, 1.0), np.ones(100, bool), 0.05, 0.05) is None


def test_so_many_labels_are_likely_to_do_and_a_few_less_are_not() -> None:
    confidence, wrong = world(np.random.default_rng(1), 60)
    wanted = labels_wanted(confidence, wrong, 0.05, 0.05)
    assert wanted is not None
    rate = error_rates(confidence, wrong)
    assert chance(rate, wanted, 0.05, 0.05) >= LIKELY > chance(rate, wanted // 2, 0.05, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 200, 400])
def test_labels_that_were_said_to_do_do_about_as_often_as_said(n: int) -> None:
    """Over draws that could not be certified: again with as many more as each was told."""
    rng, told, done = np.random.default_rng(n), 0, 0
    for spread, noise in ((4.0, 0.0), (2.5, 0.0), (5.0, 0.01), (5.0, 0.02)):
        for _ in range(150):
            first = certify(*world(rng, n, spread, noise))
            if first.chance is not None and first.more is not None:
                told += 1
                done += certify(*world(rng, n + first.more, spread, noise)).threshold is not None
    assert told > 100
    assert 0.65 <= done / told <= 0.95
