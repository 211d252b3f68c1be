"""The second machine, and where its pictures are."""

import json

import pytest

from scones.local.asl import validate
from scones.settings import Settings
from scones.workflow.machine import definition as first_definition
from scones.workflow.many import Many, definition, place, tally

ARNS = {
    name: f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    for name in ("serializeImageData", "imageClassification", "filterLowInferenceConfidence")
}


def test_both_maps_do_what_the_first_machine_does() -> None:
    settings = Settings()
    first = first_definition(settings.bays_of(settings.classes), ARNS)
    text = definition(first, 7)
    assert validate.faults(text) == []
    states = json.loads(text)["States"]
    for name in ("Each key", "Each object"):
        assert states[name]["ItemProcessor"]["States"] == json.loads(first)["States"]
        assert states[name]["MaxConcurrency"] == 7
        assert states[name]["ToleratedFailurePercentage"] == 100


def test_a_place_is_a_bucket_and_a_prefix() -> None:
    assert place("s3://b/test/") == ("b", "test/")
    assert place("s3://b") == ("b", "")


@pytest.mark.parametrize("url", ["", "test/", "http://b/test", "s3:///test", "b/test"])
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="it should be a place such as s3://bucket/test/"):
        place(url)


def test_the_tally_is_one_line() -> None:
    many = Many("e", "m", {"near bay": 2, "ThresholdConfidenceNotMet": 1}, "s3://b/k")
    assert tally(many) == "3 pictures: 2 near bay, 1 ThresholdConfidenceNotMet; listed in s3://b/k"
