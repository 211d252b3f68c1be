"""How good probabilities are, against figures worked out by hand and by simulation."""

import math

import numpy as np
import pytest

from scones.gate.score import (
    NORMAL,
    at_threshold,
    brier,
    log_loss,
    num_bins,
    reliability,
    risk_coverage,
)


def test_log_loss_and_brier_by_hand() -> None:
    p, labels = [[0.8, 0.2], [0.4, 0.6]], [0, 0]
    assert log_loss(p, labels) == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2, abs=1e-12)
    assert brier(p, labels) == pytest.approx((0.04 + 0.04 + 0.36 + 0.36) / 2, abs=1e-12)


def test_a_sure_error_costs_much_but_not_everything() -> None:
    assert log_loss([[1.0, 0.0]], [1]) == pytest.approx(-math.log(1e-6))
    assert brier([[1.0, 0.0]], [1]) == 2.0


def test_the_bias_of_ece_is_that_of_a_perfect_model() -> None:
    # shared reference: .102 is what a perfect model stays below 95 % of the time at n = 200
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 200)
    found = reliability(confidence, rng.random(200) < confidence)
    assert found.ece_null == pytest.approx(0.102, abs=0.03)
    assert found.ece < found.ece_null * 1.3
    assert found.count_B.tolist() == [20] * 10


def test_overconfidence_stands_out_of_the_null_band() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.9, 1, 1000)
    found = reliability(confidence, rng.random(1000) < 0.7)
    assert found.ece > 2 * found.ece_null
    assert found.ece == pytest.approx(0.25, abs=0.03)


def test_ece_by_hand() -> None:
    found = reliability([0.9, 0.7], [1, 0])  # one bin: mean confidence .8, accuracy .5
    assert found.ece == pytest.approx(0.3, abs=1e-12)
    assert (found.confidence_B.tolist(), found.accuracy_B.tolist()) == ([pytest.approx(0.8)], [0.5])


def test_bins_follow_the_number_of_pictures() -> None:
    assert [num_bins(n) for n in (0, 1, 39, 40, 200, 300, 10_000)] == [1, 1, 1, 2, 10, 15, 15]


def test_many_pictures_fit_in_memory() -> None:
    confidence = np.full(300_000, 0.75)
    found = reliability(confidence, np.arange(300_000) % 4 > 0, draws=20)
    assert found.ece == pytest.approx(0, abs=1e-4)


def test_equal_confidences_are_accepted_together() -> None:
    curve = risk_coverage([0.9, 0.8, 0.8, 0.6], [0, 1, 0, 1])
    assert curve.threshold_M.tolist() == [0.9, 0.8, 0.6]
    assert curve.coverage_M.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk_M == pytest.approx([0, 1 / 3, 0.5])
    assert curve.area == pytest.approx(0.5 * 1 / 3 + 0.25 * 0.5)


def test_no_pictures_have_no_figures() -> None:
    assert math.isnan(log_loss(np.zeros((0, 2)), []))
    assert math.isnan(brier(np.zeros((0, 2)), []))
    empty = reliability([], [])
    assert math.isnan(empty.ece)
    assert math.isnan(empty.ece_null)
    assert math.isnan(risk_coverage([], []).area)
    assert at_threshold([], [], 0.8).coverage == (0.0, 1.0)


def test_a_gate_accepts_at_its_threshold() -> None:
    found = at_threshold([0.8, 0.79, 0.9], [True, True, False], 0.8)
    assert (found.n, found.accepted, found.errors) == (3, 2, 1)
    assert found.risk == pytest.approx((0.0126, 0.9874), abs=1e-4)


def test_of_many_pictures_the_null_band_is_drawn_at_once_and_is_the_same() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 1, NORMAL + 1)
    correct = rng.random(NORMAL + 1) < confidence
    many = reliability(confidence, correct)
    some = reliability(confidence[1:], correct[1:])
    assert many.ece == pytest.approx(some.ece, rel=0.1)
    assert many.ece_null == pytest.approx(some.ece_null, rel=0.04)
