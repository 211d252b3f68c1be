"""Biased, unbalanced, or too few to say: the brief's own question, and the error rates."""

from collections import Counter

import numpy as np
import pytest
from scipy import special

from scones.monitor.balance import Test, _needed, weigh
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
    assert found.needed == ((0.2, 186), (0.1, 659))
    assert found.needed_once == ((0.2, 86), (0.1, 285))
    assert found.sentence(NAMES) == (
        "Suggestive of a bias toward bicycle, but under-powered (n = 12 pictures, the true class "
        "of 0 known): 83 % were called bicycle (95 %: 55 to 95); what is called bicycle passes the "
        "gate 100 points more often than what is called motorcycle (95 %: 29 to 100), p = 0.009 "
        "by Boschloo's test. Labelled pictures of each class that would find a gap: 186 for 20 "
        "points, 659 for 10 points (86 and 285 where one test is all, at one look)."
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
        ("intercept", -0.5, NAMES, "the odds lean away from bicycle, by 0.50 in their logarithm"),
    ],
)  # fmt: skip
def test_a_gap_is_told_in_words_from_its_own_side(
    question: str, gap: float, names: tuple[str, ...], said: str
) -> None:
    test = Test(question, "bicycle", gap, gap - 0.1, gap + 0.2, 0.1, None, 0.1, (9, 9), None)
    scale = 1 if question == "intercept" else 100
    ends = (-gap - 0.2, -gap + 0.1) if gap < 0 else (gap - 0.1, gap + 0.2)
    decimals = 2 if question == "intercept" else 0
    low, high = (f"{scale * end:.{decimals}f}" for end in ends)
    assert test.sentence(names) == f"{said} (95 %: {low} to {high})"


def test_the_intercept_is_the_bias_that_was_planted() -> None:
    # In a calibrated stream p is Bayes' own: z = 2 * 4.5 / 3.4^2 * x, so a bias of 1 stays 0.78.
    found = weigh(window(1, 20_000, bias=1.0), 0.8)
    intercept = next(test for test in found.tests if test.question == "intercept")
    assert intercept.gap == pytest.approx(2 * 4.5 / 3.4**2, abs=0.12)
    assert intercept.low < intercept.gap < intercept.high


@pytest.mark.parametrize("seed", range(12))
def test_interval_and_p_tell_the_same_of_0(seed: int) -> None:
    found = weigh(window(seed, 300, bias=0.35 * (seed % 4)), 0.8)
    for test in found.tests:
        level = 0.05 / len(found.tests)
        assert test.certainty == 1 - level
        assert (test.p > level) == (test.low <= 0 <= test.high)
    first = min(found.tests, key=lambda test: test.adjusted_p)
    assert (first.adjusted_p <= 0.05) == (not first.low <= 0 <= first.high)
    assert f"({100 * first.certainty:.3g} %:" in found.sentence(NAMES)
    assert "all adjusted for 3 tests (Bonferroni, Holm)" in found.sentence(NAMES)


@pytest.mark.slow
def test_unbiased_data_are_seldom_called_biased() -> None:
    verdicts = Counter(weigh(window(seed, 1000), 0.8).verdict for seed in range(200))
    assert verdicts["biased"] <= 0.07 * 200
    assert verdicts["biased"] + verdicts["suggestive, under-powered"] <= 0.07 * 200
    assert verdicts["no bias found"] >= 0.93 * 200


@pytest.mark.slow
def test_over_39_looks_unbiased_data_are_seldom_called_biased() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        p = special.expit(rng.normal(0, 2.2, 2000))
        truth = (rng.random(2000) < p).astype(np.int64)
        life = Window(NAMES, np.arange(2000.0), np.stack([1 - p, p], axis=1), truth)
        looks = (weigh(life.take(slice(n)), 0.8) for n in range(100, 2001, 50))
        alarms += any(look.verdict == "biased" for look in looks)
    # With a level of 5 % at each look 23 of 100 such lives ended in an alarm, with this rule 1.
    assert alarms <= 0.05 * 40


def test_a_bias_of_one_look_is_suggestive_until_it_holds_over_all_looks() -> None:
    found = weigh(window(7, 300, bias=0.4), 0.8)
    first = min(found.tests, key=lambda test: test.adjusted_p)
    assert first.adjusted_p <= 0.05 < first.lasting_p
    assert (found.verdict, found.favoured) == ("suggestive, under-powered", "bicycle")
    assert f"at this look, {first.lasting_p:.2g} over all looks" in found.sentence(NAMES)


@pytest.mark.parametrize("rare", [5, 49])
def test_of_few_pictures_of_a_class_no_odds_are_tested(rare: int) -> None:
    whole = window(3, 1000)
    few = (whole.truth_N == 1) | (np.cumsum(whole.truth_N == 0) <= rare)
    questions = {test.question for test in weigh(whole.take(few), 0.8).tests}
    assert questions == {"recall", "coverage"}


@pytest.mark.slow
def test_an_unbiased_rare_class_is_seldom_called_disfavoured() -> None:
    called = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels = np.repeat(np.array([0, 1], np.int64), [5, 500])
        p = special.expit(2 * labels - 1 + rng.normal(0, 2**0.5, 505))
        few = Window(NAMES, np.arange(505.0), np.stack([1 - p, p], axis=1), labels)
        called += min(test.adjusted_p for test in weigh(few, 0.8).tests) <= 0.05
    # With the intercept's test 29 of these 200.
    assert called <= 0.07 * 200


@pytest.mark.slow
@pytest.mark.parametrize(("share", "gap"), [(0.9, 0.2), (0.8, 0.2), (0.9, 0.1)])
def test_so_many_labels_find_a_gap_four_times_in_five(share: float, gap: float) -> None:
    n = _needed(share, share - gap, 3)
    labels = np.repeat(np.array([0, 1], np.int64), n)
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        accepted = rng.random(2 * n) < np.where(labels == 0, share, share - gap)
        sure = np.where(accepted, rng.uniform(0.81, 0.99, 2 * n), rng.uniform(0.55, 0.79, 2 * n))
        called = np.where(rng.random(2 * n) < 0.93, labels, 1 - labels)
        p = np.where(called == 1, sure, 1 - sure)
        one = Window(NAMES, np.arange(2.0 * n), np.stack([1 - p, p], axis=1), labels)
        found += weigh(one, 0.8).verdict == "biased"
    assert found >= 0.74 * 200


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
