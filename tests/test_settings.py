"""What a run is told: read once, checked at once."""

from typing import Any

import pytest

from scones.model import recipe
from scones.settings import PROFILES, Bay, Settings

ROLE = "arn:aws:iam::123456789012:role/service-role/Scones"


def test_options_go_before_the_environment_and_that_before_defaults() -> None:
    environment = {"SCONES_THRESHOLD": "0.9", "SCONES_SEED": "7", "SCONES_CLASSES": "apple, pear"}
    settings = Settings.read(environment, threshold=0.7, seed=None)
    assert (settings.threshold, settings.seed, settings.invocations) == (0.7, 7, 200)
    assert settings.classes == ("apple", "pear")


def test_texts_become_values() -> None:
    settings = Settings.read(
        {"SCONES_BAYS": "bicycle=dock 7:1.5"},
        hyperparameters=["epochs=10", "optimizer=adam"],
        invocations="12",
    )
    assert settings.bays == {"bicycle": Bay("dock 7", 1.5)}
    assert settings.hyperparameters == {"epochs": "10", "optimizer": "adam"}
    assert settings.invocations == 12


def test_a_threshold_that_nobody_gave_is_none() -> None:
    assert Settings().threshold is None
    assert Settings.read({}, threshold=None).threshold is None
    assert Settings.read({"SCONES_THRESHOLD": "0.8"}).threshold == 0.8


def test_the_profiles_are_the_recipes() -> None:
    assert tuple(recipe.PROFILES) == PROFILES


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"profile": "slow"}, "profile is 'slow'; it should be quick or best"),
        ({"certify": "-1"}, "certify is -1; it should be 0 or more"),
        ({"certify": "some"}, "certify is 'some'; it should be a whole number"),
        ({"folds": "1"}, "folds is 1; it should be 0, or from 2 to 20"),
        ({"folds": 5, "hyperparameters": ["folds=5"]}, "said once"),
        ({"risk": "0"}, "risk is 0.0; it should be between 0 and 1"),
        ({"certainty": 1}, "certainty is 1.0; it should be between 0 and 1"),
        ({"certainty": "nan"}, "certainty is nan; it should be between 0 and 1"),
        ({"risk": 0.1, "hyperparameters": ["risk=0.1"]}, "said once"),
        ({"threshold": 0}, "threshold is 0"),
        ({"threshold": 1.01}, "above 0, at most 1"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": "high"}, "threshold is 'high'; it should be a number"),
        ({"classes": "bicycle"}, "two or more different class names"),
        ({"classes": "bicycle,bicycle"}, "two or more different class names"),
        ({"invocations": 0}, "1 or more"),
        ({"parallel": 0}, "1 to 64"),
        ({"seed": -1}, "0 to 2147483647"),
        ({"seed": "x"}, "whole number"),
        ({"target": "moon"}, "one of"),
        ({"target": "aws"}, "role"),
        ({"target": "aws", "role": "me"}, "arn:aws:iam"),
        ({"target": "aws", "role": ROLE, "endpoint_url": "http://127.0.0.1:4566"}, "endpoint_url"),
        ({"bucket": "No_Bucket"}, "lower-case"),
        ({"endpoint": "a--b"}, "hyphens"),
        ({"hyperparameters": ["epochs"]}, "name=value"),
        ({"bays": "bicycle=dock"}, "radius in km"),
        ({"bays": "bicycle=dock:far"}, "number"),
        ({"bays": "bicycle=dock:nan"}, "0 km or more"),
        ({"bays": "bicycle=dock:-1"}, "0 km or more"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        Settings.read({}, **options)
    assert "\n" not in str(told.value)


def test_bays_by_place_where_nothing_is_known() -> None:
    bays = Settings().bays_of(("apple", "bicycle", "pear"))
    assert [bay.name for bay in bays.values()] == ["bay 1", "near-orders bay", "bay 3"]
    assert bays["apple"].order_radius_km < bays["pear"].order_radius_km
