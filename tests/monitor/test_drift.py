"""Martingales: exact ranks, known capital, found drift, and seldom a false alarm."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special, stats

from scones.monitor.drift import audit, conformal_p, simple_jumper, watch

Floats = NDArray[np.float64]


def confidences(rng: np.random.Generator, n: int, sd: float = 2.2) -> Floats:
    logits = rng.normal(0.3, sd, n)
    found: Floats = special.expit(np.abs(logits))
    return found


def test_p_values_are_ranks_among_what_came_before() -> None:
    rng = np.random.default_rng(0)
    reference, scores = rng.integers(0, 9, 20), rng.integers(0, 9, 50)
    found = conformal_p(reference, scores, seed=3)
    chance = np.random.default_rng(3).random(50)
    for i, score in enumerate(scores):
        before = np.concatenate([reference, scores[:i]])
        lower, equal = (before < score).sum(), (before == score).sum()
        assert found[i] == pytest.approx((lower + chance[i] * (equal + 1)) / (len(before) + 1))


def test_p_values_are_uniform_while_nothing_changes() -> None:
    rng = np.random.default_rng(1)
    found = conformal_p(rng.normal(size=200), rng.normal(size=5000))
    assert stats.kstest(found, "uniform").pvalue > 0.01
    assert stats.kstest(conformal_p([], np.ones(5000)), "uniform").pvalue > 0.01


def test_the_jumpers_capital_by_hand() -> None:
    # One step: a third each on 1 - (p - .5), 1 and 1 + (p - .5); the bets cancel at first.
    assert simple_jumper([0.1])[0] == pytest.approx(0, abs=1e-12)
    low, flat, high = (1 + 0.4) / 3, 1 / 3, (1 - 0.4) / 3
    low, flat, high = (0.99 * c + 0.01 / 3 for c in (low, flat, high))
    capital = low * (1 + 0.5) + flat + high * (1 - 0.5)
    assert simple_jumper([0.1, 0.0])[1] == pytest.approx(math.log(capital), abs=1e-12)


def test_stakes_that_come_later_are_bets_that_begin_later() -> None:
    p = np.random.default_rng(8).random(50)
    stakes = np.zeros(50)
    stakes[[0, 20]] = 0.75, 0.25
    early, late = np.exp(simple_jumper(p)), np.exp(simple_jumper(p[20:]))
    found = np.exp(simple_jumper(p, stakes))
    assert found[:20] == pytest.approx(0.75 * early[:20])
    assert found[20:] == pytest.approx(0.75 * early[20:] + 0.25 * late)


def test_capital_beyond_what_a_float_holds_is_still_counted() -> None:
    found = simple_jumper(np.zeros(5000))
    assert found[-1] > 1000
    assert np.all(np.diff(found)[10:] > 0)


def test_no_records_no_alarm() -> None:
    for life in (watch([], []), watch([0.5], []), audit([], 0.05)):
        assert (life.alarm, life.drifted, life.peak) == (None, False, 0.0)
        assert len(life.log10_capital_N) == 0


@pytest.mark.parametrize("n", [1, 2, 3000])
def test_equal_scores_do_not_alarm(n: int) -> None:
    assert not watch(np.ones(200), np.ones(n)).drifted


def test_nan_is_no_score() -> None:
    with pytest.raises(ValueError, match="got NaN"):
        watch([0.5], [math.nan])


def test_no_drift_against_oneself() -> None:
    scores = confidences(np.random.default_rng(2), 1000)
    assert not watch(scores, np.random.default_rng(3).permutation(scores)).drifted


def test_the_same_life_gives_the_same_capital() -> None:
    scores = confidences(np.random.default_rng(4), 500)
    one, other = (watch(scores, scores, seed=7).log10_capital_N for _ in range(2))
    assert np.array_equal(one, other)


def test_a_long_life_counts_every_record() -> None:
    scores = np.random.default_rng(5).random(100_000)
    assert len(watch([], scores).log10_capital_N) == 100_000


@pytest.mark.slow
@pytest.mark.parametrize("reference", [200, 2000])
def test_planted_drift_is_found_soon(reference: int) -> None:
    delays = []
    for seed in range(300):
        rng = np.random.default_rng(1000 + seed)
        scores = np.concatenate([confidences(rng, 1000), confidences(rng, 1000, sd=1.4)])
        alarm = watch(confidences(rng, reference), scores, seed=seed).alarm
        delays.append(math.inf if alarm is None else alarm - 1000)
    found = [delay for delay in delays if 0 <= delay < math.inf]
    assert len(found) >= 0.95 * 300
    assert np.median(found) <= 150


@pytest.mark.slow
def test_without_drift_hardly_a_life_alarms() -> None:
    alarms = 0
    for seed in range(2000):
        rng = np.random.default_rng(10**6 + seed)
        alarms += watch(confidences(rng, 200), confidences(rng, 5000), seed=seed).drifted
    assert alarms <= 0.02 * 2000


@pytest.mark.slow
def test_a_long_calm_does_not_dull_it() -> None:
    delays = []
    for seed in range(12):
        rng = np.random.default_rng(5000 + seed)
        scores = np.concatenate([confidences(rng, 30_000), confidences(rng, 500, sd=1.4)])
        alarm = watch(confidences(rng, 200), scores, seed=seed).alarm
        delays.append(math.inf if alarm is None else alarm - 30_000)
    assert min(delays) >= 0
    assert np.median(delays) <= 200


@pytest.mark.slow
def test_a_long_calm_does_not_dull_the_audit() -> None:
    calm = np.random.default_rng(0).random(5000) < 0.01
    alarm = audit(np.concatenate([calm, np.tile([1, 0, 0, 0], 100)]), 0.05).alarm
    assert alarm is not None and 5000 <= alarm <= 5100


@pytest.mark.slow
def test_the_audit_finds_a_broken_risk_and_leaves_a_kept_one() -> None:
    def alarms(risk: float) -> list[float]:
        lives = [audit(np.random.default_rng(s).random(2000) < risk, 0.05) for s in range(500)]
        return [math.inf if life.alarm is None else life.alarm for life in lives]

    assert np.isfinite(alarms(0.05)).mean() <= 0.05
    assert np.median(alarms(0.1)) <= 250
    assert np.median(alarms(0.2)) <= 40


def test_a_risk_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1, got 5"):
        audit([0], 5)
