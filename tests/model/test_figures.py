"""Figures against values worked out by hand."""

import numpy as np
import pytest

from scones.model.figures import figures

PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
LABELS = np.array([0, 0, 1, 1])


def test_counts_and_scores_of_four_pictures() -> None:
    found = figures(PROBABILITIES, LABELS, ("a", "b"))
    assert found["n"] == 4
    assert found["accuracy"]["value"] == 0.75
    assert found["accuracy"]["low"] == pytest.approx(0.19412, abs=1e-5)  # Clopper-Pearson of 3 in 4
    assert found["accuracy"]["high"] == pytest.approx(0.99369, abs=1e-5)
    assert found["confusion"] == [[2, 0], [1, 1]]
    assert found["recall"]["b"]["value"] == 0.5
    expected = -np.mean(np.log([0.9, 0.8, 0.7, 0.4]))
    assert found["log_loss"] == pytest.approx(expected)


def test_risk_by_coverage_ends_with_everything_accepted() -> None:
    curve = figures(PROBABILITIES, LABELS, ("a", "b"))["risk_coverage"]
    assert curve[-1] == {"threshold": 0.6, "coverage": 1.0, "risk": 0.25}
    assert curve[0] == {"threshold": 0.9, "coverage": 0.25, "risk": 0.0}


def test_no_pictures_give_no_figures() -> None:
    assert figures(np.zeros((0, 2)), np.zeros(0, np.int64), ("a", "b")) == {"n": 0}


def test_a_class_without_pictures_has_no_recall() -> None:
    recall = figures(PROBABILITIES[:2], LABELS[:2], ("a", "b"))["recall"]["b"]
    assert recall == {"value": None, "low": 0.0, "high": 1.0, "n": 0}
