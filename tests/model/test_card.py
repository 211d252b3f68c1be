"""What a model says of itself, and whether its promises are kept."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scones.gate.calibration import identity
from scones.images.images import Images
from scones.model import card
from scones.model.card import Card
from scones.model.figures import figures

Floats = NDArray[np.float64]


def labelled(labels_N: NDArray[np.int64]) -> Images:
    """Pictures that differ in nothing but their number and label."""
    pixels_NHWC = np.zeros((len(labels_N), 2, 2, 3), np.uint8)
    pixels_NHWC[:, 0, 0, 0], pixels_NHWC[:, 0, 0, 1] = np.divmod(np.arange(len(labels_N)), 256)
    names = tuple(f"{number}.png" for number in range(len(labels_N)))
    return Images(pixels_NHWC, labels_N, ("bicycle", "motorcycle"), names)


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
        promised = card.promise(logits(rule, x), labelled(y), risk, 1 - delta, seed)
        threshold = promised.certificates[0].threshold
        if threshold is None:
            continue
        made += 1
        x, y = world(rng, 20_000)
        probabilities_NK = promised.calibration(logits(rule, x))
        accepted = probabilities_NK.max(1) >= threshold
        broken += np.mean(probabilities_NK.argmax(1)[accepted] != y[accepted]) > risk
    assert made > draws / 2
    assert broken / draws <= delta + 3 * np.sqrt(delta * (1 - delta) / draws)


def test_a_known_temperature_and_class_bias_are_repaired() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(0, 3, 4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-z))).astype(np.int64)
    skewed = np.stack([np.zeros(4000), 2 * z + 1.5], axis=1)
    promised = card.promise(skewed, labelled(y), 0.05, 0.95, 0)
    assert promised.calibration.temperature == pytest.approx(2, rel=0.15)
    assert promised.calibration.favoured == 1


def test_calibrating_and_certifying_pictures_are_never_the_same() -> None:
    y = np.arange(200) % 2
    rng = np.random.default_rng(0)
    promised = card.promise(rng.normal(0, 1, (200, 2)), labelled(y), 0.05, 0.95, 0)
    assert promised.calibration.n == 50
    assert promised.certificates[0].n == len(promised.certifying) == 150
    assert [each.scope for each in promised.certificates] == ["all", "bicycle", "motorcycle"]


def test_no_held_out_pictures_mean_no_promise() -> None:
    nothing = labelled(np.zeros(0, np.int64))
    promised = card.promise(np.zeros((0, 2)), nothing, 0.05, 0.95, 0)
    assert promised.certificates == ()
    assert promised.calibration(np.array([[0.0, 1.0]]))[0, 1] == pytest.approx(0.7310585786)


def test_the_hash_of_pictures_does_not_depend_on_their_order() -> None:
    pictures = labelled(np.arange(6) % 2)
    assert card.pictures_sha256(pictures) == card.pictures_sha256(pictures.take([5, 3, 1, 0, 2, 4]))
    assert card.pictures_sha256(pictures) != card.pictures_sha256(pictures.take([0, 1, 2]))


def example() -> Card:
    y = np.arange(200) % 2
    sure = np.stack([np.where(y == 0, 4.0, -4.0), np.zeros(200)], axis=1)
    sure[:4] *= -0.1
    promised = card.promise(sure, labelled(y), 0.05, 0.95, 0)
    measured = {"validation": figures(promised.calibration(sure), y, ("bicycle", "motorcycle"))}
    return Card(
        class_names=("bicycle", "motorcycle"),
        image_shape=(3, 32, 32),
        data={"name": "sample", "damaged": []},
        recipe={"name": "quick", "seed": 0},
        versions={"python": "3.12"},
        figures=measured,
        calibration=promised.calibration,
        certificates=promised.certificates,
        limits=card.limits(measured, 200, "sample"),
    )


def test_a_card_is_read_as_it_was_written() -> None:
    assert Card.from_json(example().to_json()) == example()


def test_a_card_says_its_promise_in_a_sentence() -> None:
    value = json.loads(example().to_json())
    assert value["threshold"] is not None
    assert "at most 5 % are wrong, with 95 % certainty" in value["sentences"][0]
    assert "drawn by code" in value["limits"][0]


def test_a_card_without_certificates_says_so() -> None:
    bare = replace(example(), certificates=(), calibration=identity(2, "none held out"))
    assert bare.threshold is None
    assert "no threshold is certified" in bare.sentence()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}'])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a model card"):
        Card.from_json(text)
