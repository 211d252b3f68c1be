"""Accuracy counted and estimated."""

import math

import numpy as np
import pytest
from scipy import special

from scones.gate.heldout import Baseline
from scones.gate.intervals import clopper_pearson
from scones.monitor.accuracy import counted, estimated
from scones.monitor.windows import UNKNOWN, Window

NAMES = ("bicycle", "motorcycle")


def world(seed: int, n: int) -> Window:
    """A calibrated stream of about .8 accuracy."""
    rng = np.random.default_rng(seed)
    p = special.expit(rng.normal(0, 2, n))
    labels = (rng.random(n) < p).astype(np.int64)
    return Window(NAMES, np.arange(float(n)), np.stack([1 - p, p], axis=1), labels)


def test_counted_accuracy_is_of_accepted_records_with_labels() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.9, 0.1]])
    stream = Window(NAMES, np.arange(4.0), p, np.array([0, 0, 1, UNKNOWN]))
    assert counted(stream, 0.8).n == 2
    assert counted(stream, 0.8).value == 0.5
    assert (counted(stream).low, counted(stream).high) == clopper_pearson(1, 3)


@pytest.mark.slow
def test_an_estimate_covers_the_truth_while_calibration_holds() -> None:
    covered = 0
    for seed in range(60):
        base = world(1000 + seed, 200)
        stream = world(seed, 1000)
        share = estimated(
            stream.probabilities_NK, 0.8, Baseline(NAMES, base.probabilities_NK, base.truth_N)
        )
        covered += share.low <= counted(stream, 0.8).value <= share.high
    assert covered >= 52


def test_an_estimate_without_a_baseline_is_the_mean_confidence() -> None:
    p = np.array([[0.9, 0.1], [0.3, 0.7]])
    share = estimated(p)
    assert share.value == pytest.approx(0.8, abs=1e-12)
    half = 1.959963985 * math.sqrt(0.9 * 0.1 + 0.7 * 0.3) / 2
    assert (share.low, share.high) == pytest.approx((0.8 - half, 1.0), abs=1e-9)
    assert estimated(p, 0.8).n == 1


def test_nothing_accepted_has_no_accuracy() -> None:
    empty = world(0, 0)
    for share in (
        counted(empty),
        estimated(empty.probabilities_NK),
        estimated(world(0, 9).probabilities_NK, 1.0),
    ):
        assert math.isnan(share.value)
        assert (share.low, share.high, share.n) == (0.0, 1.0, 0)


def test_a_baseline_without_labels_adds_nothing() -> None:
    p = world(1, 50).probabilities_NK
    nothing = Baseline(NAMES, np.zeros((0, 2)), np.zeros(0, np.int64))
    assert estimated(p, baseline=nothing) == estimated(p)
