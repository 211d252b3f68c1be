"""What a model says of itself, and whether its promises are kept."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scones.gate.calibration import identity
from scones.gate.heldout import Gate, HeldOut, weigh
from scones.model import card
from scones.model.card import Card
from scones.model.figures import figures

Floats = NDArray[np.float64]


NAMES = ("bicycle", "motorcycle")


def weighed(
    logits_NK: Floats, labels_N: NDArray[np.int64], risk: float = 0.05, certainty: float = 0.95
) -> Gate:
    share = HeldOut(NAMES, logits_NK, labels_N, tuple(map(str, range(len(labels_N)))))
    return weigh(share, risk=risk, certainty=certainty)


def world(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.int64]]:
    """Features of two overlapping classes, 88 % of which the best rule tells apart."""
    labels_N = rng.integers(0, 2, n)
    return rng.normal(0, 1, (n, 3)) + labels_N[:, None] * 1.35, labels_N


def fitted_scores(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A linear rule fitted on 60 examples, too sure of itself and leaning to one side."""
    x, y = world(rng, 60)
    design = np.hstack([x, np.ones((60, 1))])
    found = np.linalg.lstsq(design, 2.0 * y - 1)[0]
    return 5 * found[:3], np.array([5 * found[3] + 0.7])


def logits(rule: tuple[Floats, Floats], x: Floats) -> Floats:
    z = x @ rule[0] + rule[1]
    return np.stack([-z / 2, z / 2], axis=1)


@pytest.mark.slow
def test_over_500_draws_promises_are_broken_no_more_often_than_allowed() -> None:
    """Fit, calibrate, certify anew each time; true risk counted on 20,000 fresh examples."""
    draws, delta, risk = 500, 0.1, 0.1
    broken = made = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        rule = fitted_scores(rng)
        x, y = world(rng, 200)
        promised = weighed(logits(rule, x), y, risk, 1 - delta)
        threshold = promised.overall.threshold
        if threshold is None:
            continue
        made += 1
        x, y = world(rng, 20_000)
        probabilities_NK = promised.calibration(logits(rule, x))
        accepted = probabilities_NK.max(1) >= threshold
        broken += np.mean(probabilities_NK.argmax(1)[accepted] != y[accepted]) > risk
    assert made > draws / 2
    assert broken / draws <= delta + 3 * np.sqrt(delta * (1 - delta) / draws)


def example() -> Card:
    y = np.arange(200) % 2
    sure = np.stack([np.where(y == 0, 4.0, -4.0), np.zeros(200)], axis=1)
    sure[:4] *= -0.1
    gate = weighed(sure, y)
    measured = {"validation": figures(gate.calibration(sure), y, NAMES)}
    return Card(
        class_names=NAMES,
        image_shape=(3, 32, 32),
        data={"name": "sample", "damaged": []},
        recipe={"name": "quick", "seed": 0},
        versions={"python": "3.12"},
        figures=measured,
        calibration=gate.calibration,
        gate=gate,
        limits=card.limits(measured, gate, "sample"),
    )


def test_a_card_is_read_as_it_was_written() -> None:
    text = example().to_json()
    assert Card.from_json(text).to_json() == text


def test_a_card_of_format_1_is_read_without_a_baseline() -> None:
    value = json.loads(example().to_json())
    gate = value.pop("gate")
    value |= {"format": 1, "certificates": [gate["certificate"], *gate["certificates_per_class"]]}
    found = Card.from_json(json.dumps(value))
    assert found.threshold == example().threshold
    assert found.gate is not None
    assert len(found.gate.baseline.labels_N) == 0


def test_limits_say_what_a_promise_rests_on() -> None:
    gate = example().gate
    said = " ".join(card.limits({}, gate, "cifar100", pretrained=True))
    assert "drawn like the held-out ones" in said
    assert "temperature was set on the certifying pictures" in said
    assert "only if the earlier model had not seen" in said
    assert "promise" not in " ".join(card.limits({}, None, "cifar100"))


def test_limits_speak_of_a_promise_only_where_something_is_promised() -> None:
    y = np.arange(8) % 2
    gate = weighed(np.eye(2)[y] * 4, y)
    said = card.limits({}, gate, "cifar100", calibration=gate.calibration)
    assert "promise" not in " ".join(said).lower()
    assert "8 labelled pictures are too few to set a temperature" in said[0]
    assert "not calibrated" in said[0]


def test_a_card_says_its_promise_in_a_sentence() -> None:
    value = json.loads(example().to_json())
    assert value["threshold"] is not None
    assert "at most 5 % are wrong, with 95 % certainty" in value["sentences"][0]
    assert "drawn by code" in value["limits"][0]


def test_a_card_without_certificates_says_so() -> None:
    bare = replace(example(), gate=None, calibration=identity(2, "none held out"))
    assert bare.threshold is None
    assert "no threshold is certified" in bare.sentence()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 3}', '{"format": 2}'])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a model card"):
        Card.from_json(text)
