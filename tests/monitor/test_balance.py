"""Biased, unbalanced, or too few to say: the brief's own question, and the error rates."""

from collections import Counter

import numpy as np
import pytest
from scipy import special

from scones.gate.exact import needed
from scones.monitor.balance import Test, weigh
from scones.monitor.windows import UNKNOWN, Window

NAMES = ("bicycle", "motorcycle")

BRIEF = Window(
    NAMES,
    np.arange(12.0),
    np.array([[0.95, 0.05]] * 10 + [[0.4, 0.6]] * 2),
    np.full(12, UNKNOWN),
)
"""The brief's 12 invocations: ten confident bicycles, two unconfident motorcycles; gate at 0.8."""


def window(seed: int, n: int, bias: float = 0.0, *, labelled: bool = True) -> Window:
    """A balanced stream, calibrated but for a bias toward the first class; accuracy .91."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 2).astype(np.int64)
    z = rng.normal(np.where(labels == 1, 4.5, -4.5), 3.4)
    p = special.expit(z - bias)
    truth = labels if labelled else np.full(n, UNKNOWN)
    return Window(NAMES, np.arange(float(n)), np.stack([1 - p, p], axis=1), truth)


def test_the_briefs_twelve_invocations_are_suggestive_and_underpowered() -> None:
    found = weigh(BRIEF, 0.8)
    assert (found.verdict, found.favoured) == ("suggestive, under-powered", "bicycle")
    (test,) = found.tests
    assert test.table == ((10, 0), (0, 2))
    assert test.fisher_p == pytest.approx(0.0152, abs=5e-5)
    assert test.p == pytest.approx(0.0090, abs=5e-5)
    share, low, high = found.shares[0]
    assert share == pytest.approx(10 / 12)
    assert (low, high) == pytest.approx((0.552, 0.953), abs=5e-4)
    assert found.needed == ((0.2, needed(10 / 12, 10 / 12 - 0.2)), (0.1, 285))
    assert found.sentence(NAMES) == (
        "Suggestive of a bias toward bicycle, but under-powered (n = 12 pictures, the true class "
        "of 0 known): 83 % were called bicycle (95 %: 55 to 95); what is called bicycle passes the "
        "gate 100 points more often than what is called motorcycle (95 %: 28.6 to 100), p = 0.009 "
        "by Boschloo's test. Labelled pictures of each class that would find a gap: 86 for 20 "
        "points, 285 for 10 points."
    )


def test_a_planted_bias_is_called_and_named() -> None:
    for seed in range(20):
        found = weigh(window(seed, 1000, bias=1.5), 0.8)
        assert (found.verdict, found.favoured) == ("biased", "bicycle")
        assert {test.question for test in found.tests} == {"recall", "coverage", "intercept"}
    mirrored = weigh(window(1, 1000, bias=-1.5), 0.8)
    assert (mirrored.verdict, mirrored.favoured) == ("biased", "motorcycle")
    assert "The model favours motorcycle (n = 1,000" in mirrored.sentence(NAMES)


@pytest.mark.parametrize(
    ("question", "gap", "names", "said"),
    [
        ("recall", -0.17, NAMES, "bicycle is recognised 17 points less often than motorcycle"),
        ("coverage", 0.05, ("bicycle", "b", "c"), "bicycle passes the gate 5 points more often than"
         " the others"),
        ("intercept", -0.5, NAMES, "the odds lean away from bicycle, by 0.5 in their logarithm"),
    ],
)  # fmt: skip
def test_a_gap_is_told_in_words_from_its_own_side(
    question: str, gap: float, names: tuple[str, ...], said: str
) -> None:
    test = Test(question, "bicycle", gap, gap - 0.1, gap + 0.2, 0.1, None, 0.1, (9, 9), None)
    scale = 1 if question == "intercept" else 100
    ends = (-gap - 0.2, -gap + 0.1) if gap < 0 else (gap - 0.1, gap + 0.2)
    low, high = (scale * end for end in ends)
    assert test.sentence(names) == f"{said} (95 %: {low:.3g} to {high:.3g})"


def test_the_intercept_is_the_bias_that_was_planted() -> None:
    # In a calibrated stream p is Bayes' own: z = 2 * 4.5 / 3.4^2 * x, so a bias of 1 stays 0.78.
    found = weigh(window(1, 20_000, bias=1.0), 0.8)
    intercept = next(test for test in found.tests if test.question == "intercept")
    assert intercept.gap == pytest.approx(2 * 4.5 / 3.4**2, abs=0.12)
    assert intercept.low < intercept.gap < intercept.high


@pytest.mark.slow
def test_unbiased_data_are_seldom_called_biased() -> None:
    verdicts = Counter(weigh(window(seed, 1000), 0.8).verdict for seed in range(200))
    assert verdicts["biased"] <= 0.07 * 200
    assert verdicts["biased"] + verdicts["no bias found"] == 200


def test_without_labels_a_bias_is_never_called() -> None:
    found = weigh(window(1, 1000, bias=3.0, labelled=False), 0.8)
    assert found.verdict == "suggestive, no labels"
    assert (found.n, found.num_labels) == (1000, 0)


def test_a_stream_that_is_merely_unbalanced_is_not_called_biased() -> None:
    whole = window(2, 4000)
    mostly = whole.take((whole.truth_N == 0) | (np.arange(4000) % 10 == 1))
    found = weigh(mostly, 0.8)
    assert found.verdict == "no bias found"
    assert found.shares[0][0] > 0.7


def test_many_records_without_a_label_are_not_called_few() -> None:
    found = weigh(window(6, 4000, labelled=False), 0.8)
    assert (found.verdict, found.favoured) == ("no sign, no labels", None)
    assert "only labels could show" in found.sentence(NAMES)


def test_small_samples_say_that_they_are_small() -> None:
    assert weigh(window(3, 60), 0.8).verdict == "too few to say"
    assert "Too few to say (n = 60" in weigh(window(3, 60), 0.8).sentence(NAMES)


@pytest.mark.parametrize("n", [0, 1, 2])
@pytest.mark.parametrize("labelled", [True, False])
def test_hardly_a_record_is_too_few(n: int, labelled: bool) -> None:
    found = weigh(window(4, n, labelled=labelled), 0.8)
    assert found.verdict == "too few to say"
    assert found.sentence(NAMES).startswith("Too few to say")


def test_four_of_a_class_are_too_few_for_a_verdict() -> None:
    p = np.array([[0.99, 0.01]] * 54)
    truth = np.array([0] * 50 + [1] * 4)
    found = weigh(Window(NAMES, np.arange(54.0), p, truth), 0.8)
    assert found.tests[0].p < 0.001
    assert found.verdict == "suggestive, under-powered"


def test_one_class_only_is_not_testable() -> None:
    some = window(5, 400)
    found = weigh(some.take(some.truth_N == 0), 0.8)
    assert (found.verdict, found.tests) == ("too few to say", ())


def test_equal_confidences_and_probabilities_of_0_and_1_are_borne() -> None:
    labels = (np.arange(40) % 2).astype(np.int64)
    for p in (np.full((40, 2), 0.5), np.eye(2)[labels], np.eye(2)[1 - labels]):
        found = weigh(Window(NAMES, np.arange(40.0), p, labels), 0.8)
        assert found.n == 40


def test_each_of_many_classes_is_compared_with_the_others() -> None:
    rng = np.random.default_rng(6)
    labels = (np.arange(1500) % 3).astype(np.int64)
    logits = rng.normal(0, 1, (1500, 3)) + 2 * np.eye(3)[labels] + [1.0, 0, 0]
    window3 = Window(("a", "b", "c"), np.arange(1500.0), special.softmax(logits, axis=1), labels)
    found = weigh(window3, 0.6)
    assert (found.verdict, found.favoured) == ("biased", "a")
    assert len(found.tests) == 9
    assert all(test.adjusted_p >= test.p for test in found.tests)
