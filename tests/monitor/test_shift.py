"""Label shift: a known mix is recovered, and what cannot be estimated is refused."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from scones.gate.heldout import Baseline
from scones.monitor.shift import Mix, bbse, mlls, reweighted

Floats = NDArray[np.float64]


def stream(rng: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
    """Calibrated probabilities, two classes, accuracy about .81."""
    z = rng.normal(np.where(labels == 1, 1.0, -1.0), 1.15)
    p = special.expit(2 * z / 1.15**2)
    return np.stack([1 - p, p], axis=1)


def baseline(rng: np.random.Generator, n: int = 200) -> Baseline:
    labels = np.arange(n) % 2
    return Baseline(("bicycle", "motorcycle"), stream(rng, labels), labels)


@pytest.mark.slow
def test_a_known_mix_is_recovered_and_covered() -> None:
    found: dict[str, list[float]] = {"BBSE": [], "MLLS": []}
    covered = {"BBSE": 0, "MLLS": 0}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        p = stream(rng, (rng.random(1000) < 0.83).astype(np.int64))
        base = baseline(rng)
        for mix in (bbse(base, p), mlls(base, p)):
            found[mix.method].append(float(mix.share_K[1]))
            covered[mix.method] += bool(mix.low_K[1] <= 0.83 <= mix.high_K[1])
    assert np.mean(found["BBSE"]) == pytest.approx(0.83, abs=0.02)
    assert np.mean(found["MLLS"]) == pytest.approx(0.83, abs=0.01)
    assert np.std(found["MLLS"]) < np.std(found["BBSE"]) < 0.08
    assert covered["BBSE"] >= 0.88 * 60
    assert covered["MLLS"] >= 0.88 * 60


def test_bbse_of_two_classes_is_the_textbook_formula() -> None:
    rng = np.random.default_rng(1)
    base, p = baseline(rng), stream(rng, np.ones(500, np.int64))
    called, truth = base.probabilities_NK.argmax(axis=1), base.labels_N
    tpr, fpr = called[truth == 1].mean(), called[truth == 0].mean()
    mu = p.argmax(axis=1).mean()
    share = (mu - fpr) / (tpr - fpr)
    mix = bbse(base, p)
    assert mix.share_K[1] == pytest.approx(min(1, share), abs=1e-9)

    def variance(rate: float, n: int) -> float:
        smoothed = (rate * n + 0.5) / (n + 1)
        return smoothed * (1 - smoothed) / n

    spread = (
        variance(mu, 500) + share**2 * variance(tpr, 100) + (1 - share) ** 2 * variance(fpr, 100)
    ) / (tpr - fpr) ** 2
    low = mix.share_K[1] - 1.959963985 * np.sqrt(spread)
    assert mix.low_K[1] == pytest.approx(low, abs=1e-6)


def test_three_classes_are_unmixed() -> None:
    rng = np.random.default_rng(2)

    def draw(labels: NDArray[np.int64]) -> Floats:
        logits = rng.normal(0, 1, (len(labels), 3)) + 2.5 * np.eye(3)[labels]
        p: Floats = special.softmax(2.5 * logits, axis=1)
        return p

    labels = np.arange(3000) % 3
    base = Baseline(("a", "b", "c"), draw(labels), labels)
    p = draw(rng.choice(3, 4000, p=[0.7, 0.2, 0.1]))
    for mix in (bbse(base, p), mlls(base, p)):
        assert mix.share_K == pytest.approx([0.7, 0.2, 0.1], abs=0.04)
        assert mix.share_K.sum() == pytest.approx(1)


def test_calls_that_tell_nothing_apart_are_refused() -> None:
    flat = np.full((100, 2), 0.5)
    mix = bbse(Baseline(("a", "b"), flat, np.arange(100) % 2), flat)
    assert mix.refused is not None
    assert np.isnan(mix.share_K).all()
    assert (mix.low_K.tolist(), mix.high_K.tolist()) == ([0, 0], [1, 1])


@pytest.mark.parametrize("method", [bbse, mlls])
def test_nothing_and_one_class_are_refused(method: Callable[[Baseline, Floats], Mix]) -> None:
    rng = np.random.default_rng(3)
    base = baseline(rng)
    assert method(base, np.zeros((0, 2))).refused is not None
    one_class = Baseline(base.class_names, base.probabilities_NK, np.zeros(200, np.int64))
    assert method(one_class, base.probabilities_NK).refused is not None
    few = method(base, base.probabilities_NK[:1])
    assert few.high_K[0] - few.low_K[0] > 0.3


def test_probabilities_of_0_and_1_are_borne() -> None:
    sure = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    base = Baseline(("a", "b"), sure, np.array([1, 0, 1, 1]))
    assert mlls(base, sure).share_K == pytest.approx([0.25, 0.75])
    assert bbse(base, sure).share_K == pytest.approx([0.25, 0.75])
    assert np.isfinite(reweighted(base, sure, np.array([0.5, 0.5]))).all()


def test_a_prior_moves_probabilities_by_bayes() -> None:
    base = Baseline(("a", "b"), np.full((4, 2), 0.5), np.array([0, 1, 0, 1]))
    moved = reweighted(base, np.array([[0.5, 0.5], [0.8, 0.2]]), np.array([0.25, 0.75]))
    assert moved == pytest.approx(np.array([[0.25, 0.75], [4 / 7, 3 / 7]]))


def test_copies_of_the_same_pictures_make_no_interval_narrower() -> None:
    rng = np.random.default_rng(0)
    kept = baseline(rng, 2000)
    drawn = stream(rng, (rng.random(300) < 0.3).astype(np.int64))
    copies = np.repeat(drawn, 20, axis=0)
    for estimate in (bbse, mlls):
        once, told = estimate(kept, drawn), estimate(kept, copies, len(drawn))
        naive = estimate(kept, copies)
        assert told.share_K == pytest.approx(once.share_K, abs=0.01)
        width, narrow = told.high_K - told.low_K, naive.high_K - naive.low_K
        assert width == pytest.approx(once.high_K - once.low_K, rel=0.1)
        assert np.all(width > 1.5 * narrow)
