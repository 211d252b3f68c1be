"""The certificate: its counts, its sentences, and that the promise is kept."""

import json

import numpy as np
import pytest

from scones.gate.certificate import Certificate, certify, count, thresholds


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
        "certainty: it accepts 100 of 100 training pictures held out for this, 0 of them wrong."
    )
    by_class = certify(np.linspace(0.9, 0.99, 100), np.zeros(100), scope="bus")
    assert "of the pictures accepted as bus at most 5 %" in by_class.sentence()
    assert "of 100 training pictures held out for this called bus" in by_class.sentence()


def test_what_is_missing_in_a_sentence() -> None:
    assert certify([], []).sentence() == (
        "Not certifiable that of the accepted pictures at most 5 % are wrong, with 95 % certainty: "
        "0 training pictures held out for this are too few; it takes at least 59 more."
    )
    one = certify([0.9], [True])
    assert (one.more, one.chance) == (58, None)
    assert "1 training picture held out for this is too few; it takes at least 58" in one.sentence()
    hopeless = certify([0.9] * 200, [True, False] * 100)
    assert (hopeless.more, hopeless.chance) == (None, None)
    assert "more of them would hardly help" in hopeless.sentence()
    unlucky = certify(np.linspace(0.99, 0.6, 80), np.arange(80) == 5)
    assert unlucky.chance == 0.8
    assert f"about {unlucky.more} more would make it likely (80 %)" in unlucky.sentence()


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
    unlucky = certify(np.linspace(0.99, 0.6, 80), np.arange(80) == 5)
    certified = certify(np.ones(100), np.zeros(100), pictures_sha256="ab")
    for found in (certify([], []), unlucky, certified):
        assert Certificate.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_certificate_of_before_the_chance_was_told_is_read() -> None:
    told = certify([], []).to_json()
    del told["chance"]
    assert Certificate.from_json(told) == certify([], [])
