"""One held-out share, weighed; and the promise, end to end, over many draws."""

import hashlib
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, special

from scones.gate.calibration import FEWEST
from scones.gate.certificate import certify
from scones.gate.heldout import Gate, HeldOut, calibrates, pictures_sha256, weigh
from scones.gate.score import risk_coverage
from scones.model.split import stratified

Floats = NDArray[np.float64]

NAMES = ("bicycle", "motorcycle", "bus", "tram")


def draw(seed: int, n: int, *, classes: int = 2, spread: float = 4.5, bias: float = 0.0) -> HeldOut:
    """Pictures of an overconfident model (temperature 1.8), of about .92 accuracy by default."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, spread, (n, classes))
    true -= true.mean(axis=1, keepdims=True)
    cumulated = special.softmax(true, axis=1).cumsum(axis=1)
    labels = (cumulated > rng.random((n, 1))).argmax(axis=1)
    logits = 1.8 * true + bias * np.eye(classes)[0]
    hashes = tuple(hashlib.sha256(f"{seed} {i}".encode()).hexdigest() for i in range(n))
    return HeldOut(NAMES[:classes], logits, labels.astype(np.int64), hashes)


def broken(gate: Gate, world: HeldOut) -> tuple[bool, bool]:
    """Whether, in a large world, more than 5 % are wrong of all accepted, or of some class."""
    p = gate.calibration(world.logits_NK)
    called, confidence = p.argmax(axis=1), p.max(axis=1)
    wrong = called != world.labels_N

    def over(threshold: float | None, calls: NDArray[np.bool_]) -> bool:
        accepts = calls & (confidence >= (2.0 if threshold is None else threshold))
        return bool(accepts.any() and wrong[accepts].mean() > 0.05)

    per_class = [over(each.threshold, called == k) for k, each in enumerate(gate.per_class)]
    return over(gate.overall.threshold, called >= 0), any(per_class)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "classes", "spread", "bias"),
    [
        (200, 2, 4.5, 0.0),
        (1000, 2, 2.0, 0.0),
        (200, 2, 4.5, 0.5),
        (300, 2, 4.5, 1.5),
        (400, 4, 5.0, 1.0),
    ],
)
def test_the_promise_is_kept_over_500_draws(
    n: int, classes: int, spread: float, bias: float
) -> None:
    kind = partial(draw, classes=classes, spread=spread, bias=bias)
    truth = kind(10**6, 40_000)
    both = np.array([broken(weigh(kind(seed, n)), truth) for seed in range(500)])
    limit = 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)
    assert both[:, 0].mean() <= limit
    assert both[:, 1].mean() <= limit


def refitted(rng: np.random.Generator) -> tuple[HeldOut, Floats]:
    """A model fitted anew, answering pictures held out of what was drawn; and its weights_PK.

    Classes are normal in ten features, of which the last two say nothing; 300 pictures fit, and
    the answers are sharpened as an overfitted network's are, and lean towards a class.
    """
    labels = rng.integers(0, 2, 500)
    features = np.column_stack([features_of(rng, labels), np.ones(500)])
    kept, taken = stratified(labels, 200, int(rng.integers(2**31)))

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = features[kept] @ weights
        gap = special.expit(margin) - labels[kept]
        value = np.logaddexp(0, margin).sum() - labels[kept] @ margin
        return float(value), features[kept].T @ gap

    weights = 2.5 * optimize.minimize(loss, np.zeros(11), jac=True, method="L-BFGS-B").x
    weights[-1] += 1.0
    return answers(features[taken], labels[taken], weights), weights


def features_of(rng: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
    apart = np.array([1.0, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0, 0.0])
    return rng.normal(0, 1, (len(labels), 10)) + np.outer(2 * labels - 1, apart)


def answers(features: Floats, labels: NDArray[np.int64], weights: Floats) -> HeldOut:
    margin = features @ weights
    logits = np.stack([-margin / 2, margin / 2], axis=1)
    return HeldOut(NAMES[:2], logits, labels, ("",) * len(labels))


@pytest.mark.slow
def test_the_promise_is_kept_over_500_fits_and_a_counted_share_keeps_none() -> None:
    """Everything is drawn and fitted anew each time; what is counted at a gate is no promise."""
    rng = np.random.default_rng(11)
    labels = np.arange(40_000) % 2
    features = np.column_stack([features_of(rng, labels), np.ones(len(labels))])
    kept_none, certified, counted = [], 0, []
    for _ in range(500):
        held_out, weights = refitted(rng)
        gate, world = weigh(held_out), answers(features, labels, weights)
        certified += gate.overall.threshold is not None
        kept_none.append(broken(gate, world)[0])
        counted.append(broken(naive(gate), world)[0])
    assert certified > 250
    assert np.mean(kept_none) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)
    assert np.mean(counted) > 0.3


def naive(gate: Gate) -> Gate:
    """The same with the lowest threshold at which at most 5 % were counted to be wrong."""
    p, labels = gate.baseline.probabilities_NK, gate.baseline.labels_N
    curve = risk_coverage(p.max(axis=1), p.argmax(axis=1) != labels)
    fine = curve.threshold_M[curve.risk_M <= 0.05]
    lowest = float(fine.min()) if len(fine) else None
    return replace(gate, overall=replace(gate.overall, threshold=lowest))


def always_sure(n: int, unsure: NDArray[np.bool_], place: NDArray[np.float64]) -> HeldOut:
    """Answers of a biased model with no doubts: half of the `unsure` ones near its cut are wrong.

    Labels go by turns, `place` from -1 to 1 says on which side of the cut an unsure one lies.
    """
    labels = np.arange(n) % 2
    margin = 60 * np.where(unsure, place, (2 * labels - 1) * (2 + place)) + 55
    logits = np.stack([-margin / 2, margin / 2], axis=1)
    return HeldOut(NAMES[:2], logits, labels, ("",) * n)


@pytest.mark.slow
def test_a_biased_model_without_doubts_keeps_the_promise_as_well() -> None:
    """Its calls could be made exactly as many as the labels, so that errors would come in pairs:
    a fifth was certified then, and of that a third wrongly."""
    rng, n, draws = np.random.default_rng(1), 184, 500
    rows = np.arange(40_000)
    world = always_sure(len(rows), rows < 0.101 * len(rows), np.sin(rows // 2))
    gates = [
        weigh(always_sure(n, rng.random(n) < 0.101, rng.uniform(-1, 1, n))) for _ in range(draws)
    ]
    assert all(gate.calibration.biased for gate in gates)
    assert np.mean([gate.overall.threshold is not None for gate in gates]) > 0.9
    share = np.mean([broken(gate, world)[0] for gate in gates])
    assert share <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_two_classes_calibrate_and_certify_on_the_whole_share() -> None:
    share = draw(1, 200)
    gate = weigh(share)
    assert not gate.calibration.biased
    assert gate.calibration.n == gate.overall.n == len(gate.baseline.labels_N) == 200
    assert gate.calibration.temperature == pytest.approx(1.8, rel=0.35)
    assert gate.overall.threshold is not None
    assert gate.threshold(0.8) == gate.overall.threshold
    confidence = gate.baseline.probabilities_NK.max(axis=1)
    assert (confidence >= gate.overall.threshold).sum() == gate.overall.accepted
    assert gate.overall.pictures_sha256 == pictures_sha256(reversed(share.sha256_N))


@pytest.mark.parametrize("bias", [-2.0, 1.5])
def test_a_bias_is_repaired_and_all_pictures_still_certify(bias: float) -> None:
    share = draw(2, 1000, bias=bias)
    gate = weigh(share)
    assert gate.calibration.favoured == (0 if bias > 0 else 1)
    assert gate.calibration.temperature == pytest.approx(1.8, rel=0.2)
    given_K = -bias / 1.8 * np.array([0.5, -0.5])
    assert gate.calibration.biases_K == pytest.approx(given_K, abs=0.25)
    assert (gate.calibration.n, gate.overall.n) == (1000, 1000)
    confidence = gate.baseline.probabilities_NK.max(axis=1)
    assert (confidence >= gate.threshold(0.8)).sum() == gate.overall.accepted
    wrong = gate.baseline.probabilities_NK.argmax(axis=1) != share.labels_N
    assert (wrong & (confidence >= gate.threshold(0.8))).sum() == gate.overall.errors
    assert gate.overall.pictures_sha256 == pictures_sha256(share.sha256_N)


def test_more_classes_are_certified_by_pictures_that_calibrate_nothing() -> None:
    share = draw(2, 1000, classes=3, bias=2.0)
    gate = weigh(share)
    assert (gate.calibration.n, gate.overall.n) == (248, 752)
    rest = share.take(~calibrates(share.labels_N))
    assert gate.overall.pictures_sha256 == pictures_sha256(rest.sha256_N)


@pytest.mark.parametrize("n", [60, 100, 180])
def test_the_missing_pictures_of_more_classes_count_those_that_calibrate(n: int) -> None:
    gate = weigh(draw(5, n, classes=3, spread=3.0))
    baseline = gate.baseline
    right = baseline.probabilities_NK.argmax(axis=1) == baseline.labels_N
    certifying = certify(baseline.probabilities_NK.max(axis=1), ~right, num_classes=3).more
    assert certifying is not None and gate.overall.more is not None
    grown = draw(5, n + gate.overall.more, classes=3, spread=3.0)
    assert abs(weigh(grown).overall.n - gate.overall.n - certifying) <= 4


def test_each_class_has_a_certificate_of_its_own() -> None:
    gate = weigh(draw(3, 2000, classes=4, spread=6.0))
    assert [each.scope for each in gate.per_class] == list(NAMES)
    assert sum(each.n for each in gate.per_class) == gate.overall.n
    assert all(each.threshold is not None for each in gate.per_class)


@pytest.mark.parametrize("classes", [2, 3])
def test_an_empty_share_says_what_it_takes(classes: int) -> None:
    gate = weigh(draw(4, 0, classes=classes))
    assert gate.calibration.n == 0
    assert gate.threshold(0.8) == 0.8
    assert gate.overall.more == (61 if classes == 2 else 59)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_pictures_gives_no_gate(n: int) -> None:
    for classes in (2, 3):
        assert weigh(draw(5, n, classes=classes)).overall.threshold is None


def test_one_class_only_is_certified_but_not_calibrated() -> None:
    share = draw(6, 400)
    gate = weigh(share.take(share.labels_N == 0))
    assert gate.calibration.slope == 1.0
    assert gate.calibration.warning == "all labels are of one class"
    assert gate.overall.threshold is not None


def test_the_hash_of_pictures_does_not_depend_on_their_order() -> None:
    assert pictures_sha256(["b", "a"]) == pictures_sha256(["a", "b"]) != pictures_sha256(["a"])
    assert pictures_sha256([]) == hashlib.sha256(b"").hexdigest()


def test_a_gate_survives_json() -> None:
    for gate in (weigh(draw(7, 200)), weigh(draw(8, 0)), weigh(draw(9, 90, classes=3))):
        again = Gate.from_json(json.loads(json.dumps(gate.to_json())))
        assert again.calibration == gate.calibration
        assert (again.overall, again.per_class) == (gate.overall, gate.per_class)
        assert again.baseline.class_names == gate.baseline.class_names
        assert np.array_equal(again.baseline.probabilities_NK, gate.baseline.probabilities_NK)
        assert np.array_equal(again.baseline.labels_N, gate.baseline.labels_N)


def test_too_few_of_more_classes_are_not_calibrated_and_all_certify() -> None:
    share = draw(10, 20, classes=3, spread=12.0)
    gate = weigh(share)
    assert np.array_equal(gate.calibration(share.logits_NK), special.softmax(share.logits_NK, 1))
    assert (gate.calibration.n, gate.overall.n, len(gate.baseline.labels_N)) == (0, 20, 20)


def test_the_usual_share_of_three_classes_is_enough_to_calibrate() -> None:
    share = draw(11, 200, classes=3)
    assert weigh(share).calibration.n == calibrates(share.labels_N).sum() >= FEWEST
