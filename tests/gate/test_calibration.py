"""Calibration: known distortions are recovered, and poor data have defined answers."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special

from scones.gate.calibration import (
    FEWEST,
    SLOPES,
    Calibration,
    balance,
    bias_errors,
    deployable,
    fit,
    fit_biased,
    fit_temperature,
    identity,
    logits_of,
)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def world(
    seed: int, n: int, *, classes: int = 2, temperature: float = 1.0, bias: float = 0.0
) -> tuple[Floats, Labels]:
    """Logits whose truth is softmax((logits - bias for class 0) / temperature)."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 3, (n, classes))
    cumulated = special.softmax(true, axis=1).cumsum(axis=1)
    labels = (cumulated > rng.random((n, 1))).argmax(axis=1)
    logits = temperature * true
    logits[:, 0] += bias
    return logits, labels


@pytest.mark.parametrize("classes", [2, 5])
def test_a_known_temperature_is_recovered(classes: int) -> None:
    found = fit(*world(1, 20_000, classes=classes, temperature=1.8))
    assert found.temperature == pytest.approx(1.8, rel=0.04)
    assert not found.biased
    assert found.favoured is None


@pytest.mark.parametrize("classes", [2, 5])
def test_a_known_class_bias_is_named_and_repaired(classes: int) -> None:
    logits, labels = world(2, 20_000, classes=classes, temperature=1.8, bias=1.2)
    found = fit(logits, labels)
    assert found.temperature == pytest.approx(1.8, rel=0.04)
    assert found.favoured == 0
    assert found.bias_p is not None
    assert found.bias_p < 1e-6
    # The bias of 1.2 on class 0 is undone by -1.2 / 1.8 against the others; biases sum to 0.
    expected = -1.2 / 1.8 * (np.eye(classes)[0] - 1 / classes)
    assert found.biases_K == pytest.approx(expected, abs=0.1)
    assert sum(found.biases_K) == pytest.approx(0, abs=1e-12)
    names = ["bicycle", "motorcycle", "bus", "tram", "van"][:classes]
    assert "favoured bicycle" in found.sentence(names)
    assert found(logits).argmax(axis=1).tolist().count(0) < logits.argmax(axis=1).tolist().count(0)


def test_the_fit_is_the_optimum() -> None:
    logits, labels = world(3, 300, temperature=2.0, bias=0.8)
    margin, sign = logits[:, 1] - logits[:, 0], 2.0 * labels - 1

    def loss(theta: Floats) -> float:
        return float(np.logaddexp(0, -sign * (theta[0] * margin + theta[1])).sum())

    theirs = optimize.minimize(loss, [1.0, 0.0], method="Nelder-Mead", tol=1e-14).x
    ours = fit_biased(logits, labels)
    assert ours.slope == pytest.approx(theirs[0], abs=1e-6)
    assert ours.biases_K[1] - ours.biases_K[0] == pytest.approx(theirs[1], abs=1e-6)
    # At the optimum the mean confidence in a class is the share of that class, exactly.
    assert ours(logits)[:, 1].mean() == pytest.approx(labels.mean(), abs=1e-10)
    slope = fit_temperature(logits, labels).slope
    p = special.expit(slope * margin)
    assert ((p - labels) * margin).mean() == pytest.approx(0, abs=1e-9)


def test_errors_of_a_bias_are_those_of_logistic_regression() -> None:
    logits, labels = world(4, 500, bias=0.5)
    found = fit_biased(logits, labels)
    margin = logits[:, 1] - logits[:, 0]
    p = found(logits)[:, 1]
    design = np.stack([margin, np.ones_like(margin)], axis=1)
    covariance = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    # Of two centred biases each is half of the intercept.
    assert bias_errors(found, logits) == pytest.approx(np.sqrt(covariance[1, 1]) / 2, rel=1e-9)


def test_unbiased_data_are_called_biased_at_the_level_of_the_test() -> None:
    called = sum(fit(*world(seed, 200)).biased for seed in range(200))
    assert called <= 0.05 * 200 + 3 * np.sqrt(0.05 * 0.95 * 200)


@pytest.mark.parametrize(
    ("logits", "labels", "warning"),
    [
        (np.zeros((0, 2)), [], "no labels"),
        ([[1.0, 2.0]], [0], "all labels are of one class"),
        ([[1.0, 2.0], [2.0, 1.0]], [1, 1], "all labels are of one class"),
        ([[0.5, 0.5], [3.0, 3.0]], [0, 1], "the model gives every class the same"),
    ],
)
def test_labels_that_say_nothing_leave_confidences_alone(
    logits: Floats, labels: list[int], warning: str
) -> None:
    for found in (fit(logits, labels), fit_biased(logits, labels), fit_temperature(logits, labels)):
        assert (found.slope, found.biases_K, found.n) == (1.0, (0.0, 0.0), 0)
        assert found.warning is not None
        assert warning in found.warning
        assert warning in found.sentence(["a", "b"])


def test_perfect_separation_stands_at_the_bound_with_a_warning() -> None:
    found = fit([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0]], [1, 0, 1])
    assert found.slope == SLOPES[1]
    assert found.warning is not None
    assert "bound" in found.sentence(["a", "b"])


def test_confidences_that_say_the_contrary_stand_at_the_other_bound() -> None:
    found = fit_temperature([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    assert found.slope == SLOPES[0]
    assert found.warning is not None


def test_equal_confidences_take_the_share_of_right_ones() -> None:
    logits = np.array([[0.0, 2.0]] * 5 + [[2.0, 0.0]] * 5)
    labels = [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]
    assert fit(logits, labels)(logits).max(axis=1) == pytest.approx(0.8, abs=1e-9)


def test_two_pictures_of_two_classes_are_enough_for_an_answer() -> None:
    assert fit([[0.0, 1.0], [0.5, 0.0]], [1, 1]).n == 0
    assert fit([[0.0, 1.0], [0.5, 0.0]], [1, 0]).n == 2


def test_probabilities_of_0_and_1_become_finite_logits() -> None:
    logits = logits_of([[0.0, 1.0], [0.25, 0.75]])
    assert np.isfinite(logits).all()
    assert special.softmax(logits, axis=1) == pytest.approx(
        np.array([[0, 1], [0.25, 0.75]]), abs=2e-6
    )


@pytest.mark.parametrize(
    ("logits", "labels", "says"),
    [
        ([[1.0, np.nan]], [0], "finite"),
        ([[1.0, np.inf]], [0], "finite"),
        ([[1.0, 2.0]], [0, 1], "one label a picture"),
        ([[1.0, 2.0]], [2], r"labels lie in 0\.\.1"),
        ([[1.0, 2.0]], [-1], r"labels lie in 0\.\.1"),
        ([[1.0]], [0], "at least two classes"),
        ([1.0, 2.0], [0, 1], "at least two classes"),
    ],
)
def test_what_is_no_logits_and_labels_is_refused(
    logits: Floats, labels: list[int], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        fit(logits, labels)


def test_nan_is_no_probability_and_another_number_of_classes_no_logits() -> None:
    with pytest.raises(ValueError, match="none is NaN"):
        logits_of([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="3 classes are wanted, got 2"):
        identity(3)([[0.0, 1.0]])


def test_a_calibration_survives_json() -> None:
    found = fit(*world(5, 500, classes=3, bias=1.0))
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_balancing_makes_the_expected_calls_as_many_as_the_pictures() -> None:
    logits, labels = world(5, 500, bias=1.2)
    counts = np.bincount(labels)
    found, p = balance(logits, counts)
    assert found(logits).sum(axis=0) == pytest.approx(counts, abs=1e-6)
    assert (found.slope, sum(found.biases_K), found.favoured) == (1.0, 0.0, 0)
    assert p < 1e-6


def test_the_score_test_agrees_with_the_likelihood_ratio_and_sees_no_labels() -> None:
    agreed, found = 0, 0
    for seed in range(300):
        logits, labels = world(100 + seed, 200, temperature=1.5, bias=0.4 * (seed % 3))
        shuffled = np.random.default_rng(seed).permutation(labels)
        told, p = balance(logits, np.bincount(labels))
        assert balance(logits, np.bincount(shuffled)) == (told, p)
        ratio = fit(logits, labels).bias_p
        assert ratio is not None
        agreed += (p < 0.05) == (ratio < 0.05)
        found += ratio < 0.05
    assert 60 < found < 240
    assert agreed > 240


@pytest.mark.parametrize("sharp", [1.0, 50.0, 5000.0])
def test_balancing_leaves_so_much_doubt_that_calls_are_not_counted_out(sharp: float) -> None:
    logits, labels = world(6, 200, bias=1.2)
    found, _ = balance(sharp * logits, np.bincount(labels))
    p = found(sharp * logits)
    assert p.sum(axis=0) == pytest.approx(np.bincount(labels), abs=1e-6)
    assert np.prod(p, axis=1).sum() >= 2
    assert (found.slope == 1) == (sharp == 1)


@pytest.mark.parametrize("counts", [[3, 0], [0, 3]])
def test_one_class_alone_cannot_be_balanced(counts: list[int]) -> None:
    found, p = balance([[1.0, 0.0], [0.0, 2.0], [0.0, 1.0]], counts)
    assert (found, p) == (identity(2), 1.0)


def test_balancing_says_what_it_needs() -> None:
    for logits, counts in (([[1.0, 0.0]], [1, 1]), ([[1.0, 0.0, 2.0]], [1, 0, 0])):
        with pytest.raises(ValueError, match="counts of two classes are wanted for 1 pictures"):
            balance(logits, counts)


def test_balancing_answers_that_are_all_the_same_or_perfectly_apart() -> None:
    for logits in ([[0.0, 0.0]] * 4, [[60.0, -60.0], [60.0, -60.0], [-60.0, 60.0], [-60.0, 60.0]]):
        found, p = balance(logits, [2, 2])
        assert found.biases_K == pytest.approx((0, 0), abs=1e-6)
        assert p == pytest.approx(1)


def test_a_fit_on_too_few_pictures_is_not_deployed() -> None:
    kept = deployable(fit(*world(6, FEWEST, temperature=1.8)))
    few = deployable(fit(*world(6, FEWEST - 1, temperature=1.8)))
    assert kept.n == FEWEST
    assert (few.slope, few.n, few.biases_K) == (1.0, 0, (0.0, 0.0))
    assert "39 labelled pictures are too few" in few.sentence(["a", "b"])


def test_a_perfect_separation_leaves_the_models_own_confidences() -> None:
    labels = np.arange(3 * FEWEST) % 3
    found = deployable(fit(2.0 * np.eye(3)[labels], labels))
    assert (found.slope, found.n) == (1.0, 0)
    assert "no temperature can be told" in found.sentence(["a", "b", "c"])


def test_confidences_that_say_nothing_stay_flattened() -> None:
    labels = np.arange(2 * FEWEST) % 2
    assert deployable(fit(2.0 * np.eye(2)[1 - labels], labels)).slope == SLOPES[0]
