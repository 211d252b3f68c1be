"""Files in Model Monitor's shape, against the developer guide's own example."""

import json
from typing import Any

import numpy as np
import pytest

from scones.monitor.drift import watch
from scones.monitor.statistics import data_quality, model_quality, violations
from scones.monitor.verdict import judge
from scones.monitor.windows import UNKNOWN, Window

NAMES = ("bicycle", "motorcycle")


def window(p1: Any, truth: Any, names: tuple[str, ...] = NAMES) -> Window:
    p = np.asarray(p1, np.float64)
    p_NK = np.stack([1 - p, p], axis=1) if p.ndim == 1 else p
    return Window(names, np.arange(float(len(p))), p_NK, np.asarray(truth, np.int64))


def feature(statistics: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in statistics["features"] if f["name"] == name)
    return found


def test_the_guides_example_of_model_quality() -> None:
    # Model Monitor developer guide, "Binary classification metrics": four records.
    found = model_quality(window([0.1, 0.9, 0.8, 0.7], [0, 0, 0, 1]))
    metrics = found["binary_classification_metrics"]
    assert metrics["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    assert metrics["recall"] == {"value": 1.0, "standard_deviation": "NaN"}
    assert metrics["precision"]["value"] == pytest.approx(1 / 3)
    assert metrics["accuracy"]["value"] == 0.5
    assert metrics["false_positive_rate"]["value"] == pytest.approx(2 / 3)
    assert metrics["auc"]["value"] == pytest.approx(1 / 3)
    assert metrics["f1"]["value"] == pytest.approx(0.5)
    assert metrics["f2"]["value"] == pytest.approx(5 * (1 / 3) / (4 / 3 + 1))


def test_from_200_records_on_there_are_standard_deviations() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(200)
    found = model_quality(window(p, rng.random(200) < p))["binary_classification_metrics"]
    assert 0 < found["accuracy"]["standard_deviation"] < 0.1
    assert 0.5 < found["auc"]["value"] <= 1


def test_many_classes_are_weighted_by_their_pictures() -> None:
    p = np.eye(3)[[0, 0, 1, 2, 2, 0]]
    found = model_quality(window(p, [0, 0, 1, 2, 1, UNKNOWN], ("a", "b", "c")))
    assert found["dataset"] == {"item_count": 5}
    metrics = found["multiclass_classification_metrics"]
    assert metrics["accuracy"]["value"] == metrics["weighted_recall"]["value"] == 0.8
    assert metrics["weighted_precision"]["value"] == pytest.approx((2 + 2 + 0.5) / 5)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_a_record_is_still_json(n: int) -> None:
    some = window([0.9] * n, [1] * n)
    for told in (model_quality(some), data_quality(some), violations(judge(some, 0.8))):
        json.dumps(told, allow_nan=False)


def test_statistics_of_data_quality() -> None:
    found = data_quality(window([0.9, 0.2, 0.7], [-1] * 3), {"brightness": [0.5, np.nan]})
    assert found["dataset"] == {"item_count": 3}
    confidence = feature(found, "confidence")["numerical_statistics"]
    assert confidence["mean"] == pytest.approx(0.8)
    assert (confidence["min"], confidence["max"]) == (0.7, 0.9)
    kll = confidence["distribution"]["kll"]
    assert sum(bucket["count"] for bucket in kll["buckets"]) == 3
    assert kll["sketch"]["data"] == [[0.7, 0.8, 0.9]]
    assert feature(found, "called")["string_statistics"]["distribution"]["categorical"] == {
        "buckets": [{"value": "bicycle", "count": 1}, {"value": "motorcycle", "count": 2}]
    }
    light = feature(found, "brightness")["numerical_statistics"]
    assert light["common"] == {"num_present": 1, "num_missing": 1}


def test_a_sketch_of_many_records_stays_small() -> None:
    found = data_quality(window(np.linspace(0, 1, 100_000), [-1] * 100_000))
    sketch = feature(found, "probability_bicycle")["numerical_statistics"]["distribution"]["kll"]
    assert 1000 < len(sketch["sketch"]["data"][0]) <= 2048


def test_an_alarm_is_a_violation_and_calm_is_none() -> None:
    some = window([0.9, 0.8], [1, 1])
    assert violations(judge(some, 0.8)) == {"violations": []}
    jump = watch(np.zeros(100), np.ones(200))
    moved = {"brightness": jump, "size": watch([], [0.5]), "format": jump}
    found = violations(judge(some, 0.8, pictures=moved))["violations"]
    assert [each["feature_name"] for each in found] == ["brightness", "format"]
    assert {each["constraint_check_type"] for each in found} == {"baseline_drift_check"}
    assert found[0]["description"].startswith("brightness has drifted, shown at")
    told = data_quality(some, {"brightness": [0.5], "size": [9.0]}, ["PNG"])
    assert {each["feature_name"] for each in found} <= {each["name"] for each in told["features"]}
    assert feature(told, "format")["string_statistics"]["distinct_count"] == 1
