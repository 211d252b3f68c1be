"""The certificate: its counts, its sentences, and that the promise is kept."""

import json

import numpy as np
import pytest
from scipy import stats

from scones.gate.certificate import Certificate, certify, count, fewest, last_passing, thresholds


def test_the_fewest_accepted_pictures_that_certify() -> None:
    assert [fewest(k, 0.05, 0.05) for k in range(4)] == [59, 93, 124, 153]
    assert [fewest(k, 0.05, 0.1) for k in range(4)] == [45, 77, 105, 132]
    assert [fewest(k, 0.01, 0.05) for k in range(3)] == [299, 473, 628]
    assert [fewest(k, 0.1, 0.1) for k in range(3)] == [22, 38, 52]
    for k in (0, 7, 500):
        m = fewest(k, 0.05, 0.05)
        assert stats.binom.cdf(k, m, 0.05) <= 0.05 < stats.binom.cdf(k, m - 1, 0.05)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_grid_ends_where_everything_is_accepted(classes: int) -> None:
    grid = thresholds(classes)
    assert np.all(np.diff(grid) < 0)
    assert grid[-1] == 1 / classes
    assert 1 - grid[0] == pytest.approx(1.1e-7, rel=0.1)


def test_59_right_calls_certify_and_58_do_not() -> None:
    confidence = np.linspace(0.9, 0.99, 59)
    found = certify(confidence, np.zeros(59))
    assert found.threshold == 0.5
    assert (found.n, found.accepted, found.errors, found.coverage) == (59, 59, 0, 1.0)
    refused = certify(confidence[1:], np.zeros(58))
    assert (refused.threshold, refused.accepted, refused.coverage) == (None, 0, 0.0)
    assert refused.more is not None
    assert refused.more >= 1


def test_the_walk_ends_at_the_first_failure() -> None:
    accepted = np.array([10, 60, 80, 100, 300])
    errors = np.array([0, 0, 3, 3, 3])
    assert last_passing(accepted, errors, 0.05, 0.05) == 1
    assert last_passing(accepted, np.zeros(5, np.int64), 0.05, 0.05) == 4
    assert last_passing(accepted, accepted, 0.05, 0.05) is None
    assert last_passing(accepted[:1], errors[:1], 0.05, 0.05) is None


def test_equal_confidences_are_accepted_together() -> None:
    confidence, wrong = np.array([0.9, 0.8, 0.8]), np.array([False, True, False])
    accepted, errors = count(confidence, wrong, np.array([0.95, 0.9, 0.8, 0.5]))
    assert accepted.tolist() == [0, 1, 3, 3]
    assert errors.tolist() == [0, 0, 1, 1]
    assert certify([0.5] * 60, [False] * 60).threshold == 0.5
    assert certify([1.0] * 60, [False] * 60).accepted == 60


def test_the_promise_in_a_sentence() -> None:
    found = certify(np.linspace(0.9, 0.99, 100), np.zeros(100))
    assert found.sentence() == (
        "At a threshold of 0.5000, of the accepted pictures at most 5 % are wrong, with 95 % "
        "certainty: it accepts 100 of 100 held-out pictures, 0 of them wrong."
    )
    assert "pictures accepted as bus" in certify([], [], scope="bus").sentence()


def test_what_is_missing_in_a_sentence() -> None:
    assert certify([], []).sentence() == (
        "Not certifiable with 0 labels that of the accepted pictures at most 5 % are wrong, with "
        "95 % certainty: about 59 more are needed."
    )
    assert certify([0.9], [True]).more == 58
    hopeless = certify([0.9] * 200, [True, False] * 100)
    assert hopeless.more is None
    assert "no number of labels would do" in hopeless.sentence()


def test_the_labels_that_are_missing_are_about_right() -> None:
    rng = np.random.default_rng(0)
    missing = []
    for _ in range(50):
        confidence = rng.uniform(0.5, 1, 100)
        found = certify(confidence, rng.random(100) > confidence)
        if found.more is not None:
            missing.append(found.more)
    more = int(np.median(missing))
    passed = 0
    for _ in range(50):
        confidence = rng.uniform(0.5, 1, 100 + more)
        passed += certify(confidence, rng.random(100 + more) > confidence).threshold is not None
    assert 10 <= passed <= 50


def test_a_part_of_delta_asks_for_more_pictures() -> None:
    confidence = np.linspace(0.9, 0.99, 60)
    assert certify(confidence, np.zeros(60), spent=0.8).threshold is None
    assert certify(confidence, np.zeros(60), spent=1.0).threshold == 0.5


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"risk": 0.0}, "risk must lie between 0 and 1, got 0"),
        ({"risk": 5.0}, "risk must lie between 0 and 1, got 5"),
        ({"certainty": 1.0}, "certainty must lie between"),
        ({"spent": 0.0}, "spent must lie between"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        certify([0.9], [False], **settings)  # type: ignore[arg-type]


def test_nan_is_no_confidence() -> None:
    with pytest.raises(ValueError, match="none NaN"):
        certify([np.nan], [False])


def test_a_certificate_survives_json() -> None:
    for found in (certify([], []), certify(np.ones(100), np.zeros(100), pictures_sha256="ab")):
        assert Certificate.from_json(json.loads(json.dumps(found.to_json()))) == found
