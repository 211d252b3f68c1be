"""Which pictures a simulated stream holds, at which pace, and what drift does to them."""

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

from scones.images import png
from scones.images.manifest import Entry
from scones.images.weather import CHANGES
from scones.monitor.pictures import measure
from scones.workflow.pace import per_second, seconds
from scones.workflow.simulate import Plan, draw

ENTRIES = [Entry(f"test/{place}.png", place % 2, "test", "") for place in range(20)]


def labels(plan: Plan, num_classes: int = 2) -> list[int]:
    entries = [Entry(f"test/{i}.png", i % num_classes, "test", "") for i in range(30)]
    return [entry.label for entry, _ in draw(entries, num_classes, plan, Random(0))]


def test_the_mix_is_the_balance() -> None:
    for balance in (0.0, 0.3, 1.0):
        drawn = labels(Plan(2000, balance))
        assert drawn.count(0) / 2000 == pytest.approx(balance, abs=0.04)


def test_other_classes_share_the_rest_evenly() -> None:
    counted = Counter(labels(Plan(3000, 0.5), 3))
    assert abs(counted[1] - counted[2]) < 150 < counted[0]


def test_label_shift_changes_the_mix_from_its_record_on() -> None:
    drawn = labels(Plan(2000, drift="label-shift", after=1000))
    assert drawn[:1000].count(0) / 1000 == pytest.approx(0.5, abs=0.06)
    assert drawn[1000:].count(0) / 1000 == pytest.approx(0.9, abs=0.04)
    of_others = labels(Plan(2000, 0.95, drift="label-shift", after=1000))
    assert of_others[1000:].count(0) / 1000 == pytest.approx(0.1, abs=0.04)


def test_pictures_repeat_only_when_used_up() -> None:
    drawn = [entry.key for entry, _ in draw(ENTRIES, 2, Plan(10, 1.0), Random(0))]
    assert len(set(drawn)) == 10


def test_drift_begins_after_the_requests_asked_for() -> None:
    drifted = [late for _, late in draw(ENTRIES, 2, Plan(8, drift="blur", after=5), Random(0))]
    assert drifted == [False] * 5 + [True] * 3


def test_a_class_without_pictures_is_said() -> None:
    with pytest.raises(ValueError, match="label 1"):
        list(draw(ENTRIES[:1], 2, Plan(9, 0.0), Random(0)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"count": 0}, "count is 0"),
        ({"balance": 1.5}, r"balance is 1\.5; it should be 0 to 1"),
        ({"rate": 0.0}, "rate is"),
        ({"drift": "rain"}, "drift is 'rain'; it should be one of blur, dark, jpeg, label-shift"),
        ({"after": -1}, "after is -1"),
        ({"after": 3}, "after is 3; it should be given with a drift, or not"),
        (
            {"count": 5, "after": 5, "drift": "blur"},
            "after is 5; it should be below the count, 5, or nothing comes under the drift",
        ),
        (
            {"balance": 0.3, "drift": "label-shift"},
            r"balance is 0\.3; it should be left out: without requests before it \(after\)",
        ),
    ],
)
def test_a_wrong_plan_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Plan(**given)


def test_each_weather_does_what_it_says() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    before = measure(png.encode(pixels))
    after = {name: measure(change(pixels)) for name, change in CHANGES.items()}
    assert before is not None
    blurred, dark, jpeg = after["blur"], after["dark"], after["jpeg"]
    assert blurred is not None and dark is not None and jpeg is not None
    assert blurred.sharpness < before.sharpness / 3
    assert dark.brightness == pytest.approx(0.35 * before.brightness, rel=0.02)
    assert (before.format, jpeg.format) == ("PNG", "JPEG")


def test_times_and_rates_are_read() -> None:
    assert [seconds(text, "for") for text in ("30s", "10m", "1.5h", "2d")] == [
        30, 600, 5400, 172800,
    ]  # fmt: skip
    assert [per_second(text) for text in ("5/s", "90/m", "1800/h")] == [5, 1.5, 0.5]


@pytest.mark.parametrize("text", ["", "5", "s", "0s", "-1m", "nans", "infs", "5w"])
def test_a_wrong_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"for is .*; it should be a time such as 30s"):
        seconds(text, "for")


@pytest.mark.parametrize("text", ["", "5", "/s", "0/s", "5/w", "five/s"])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate is .*; it should be a rate such as 5/s"):
        per_second(text)
