"""The Gaussian process: it interpolates, its gain is the textbook's, and it beats chance."""

import math
import random

import numpy as np
import pytest

from scones.local.sagemaker.bayesian import Process, expected_improvement, matern, propose
from scones.local.sagemaker.ranges import Values, read, sample

RANGES = read(
    {
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "0.001", "MaxValue": "1", "ScalingType": "Logarithmic"},
            {"Name": "share", "MinValue": "0", "MaxValue": "1"},
        ],
        "CategoricalParameterRanges": [{"Name": "kind", "Values": ["a", "b"]}],
    }
)


def worth(values: Values) -> float:
    """Best, 0, at rate 0.03, share 0.7, kind b."""
    rate = (math.log10(float(values["rate"])) - math.log10(0.03)) ** 2
    share = 2 * (float(values["share"]) - 0.7) ** 2
    return -rate - share - (0.4 if values["kind"] == "a" else 0.0)


def test_a_process_foresees_what_it_was_shown_and_is_unsure_elsewhere() -> None:
    places = np.linspace(0, 1, 9)[:, None]
    values = np.sin(3 * places[:, 0])
    process = Process(places, values)
    mean, _ = process.foreseen(places)
    assert mean == pytest.approx(values, abs=0.02)
    near, far = process.foreseen(np.array([[0.5], [3.0]]))[1]
    assert near < 0.1 * far


def test_the_covariance_is_materns() -> None:
    same = matern(np.zeros((1, 2)), np.array([[0.0, 0.0], [0.3, 0.4]]), np.array([1.0, 1.0]))
    r = math.sqrt(5) * 0.5
    assert same == pytest.approx(np.array([[1.0, (1 + r + r * r / 3) * math.exp(-r)]]))


def test_expected_improvement_is_the_mean_of_what_exceeds_the_best() -> None:
    rng = np.random.default_rng(0)
    draws = 0.4 + 0.7 * rng.standard_normal(400_000)
    gain = expected_improvement(np.array([0.4]), np.array([0.7]), 1.0)
    assert gain[0] == pytest.approx(np.maximum(draws - 1.0, 0).mean(), rel=0.02)


def test_a_try_that_runs_already_is_not_made_again() -> None:
    rng = random.Random(1)
    seen = [(values, worth(values)) for values in (sample(RANGES, rng) for _ in range(6))]
    first = propose(RANGES, seen, [], random.Random(5))
    assert propose(RANGES, seen, [], random.Random(5)) == first
    assert propose(RANGES, seen, [first], random.Random(5)) != first


@pytest.mark.slow
def test_it_finds_better_values_than_chance_does() -> None:
    won = 0
    for seed in range(2):
        rng = random.Random(seed)
        seen = [(values, worth(values)) for values in (sample(RANGES, rng) for _ in range(5))]
        for _ in range(10):
            values = propose(RANGES, seen, [], rng)
            seen.append((values, worth(values)))
        chance = max(worth(sample(RANGES, rng)) for _ in range(15))
        found = max(value for _, value in seen)
        assert found > -0.1
        won += found > chance
    assert won == 2
