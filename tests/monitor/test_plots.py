"""Charts: readable with none, ten and many thousands of points."""

import io
import random
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from PIL import Image

from scones.monitor.curve import read_curve
from scones.monitor.plots import COLOURS, GATE, Point, confidence_over_time, training_curve

CLASSES = ("bicycle", "motorcycle")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def points(count: int, seconds: float = 10.0, start: datetime = NOON) -> list[Point]:
    rng = random.Random(1)
    return [
        Point(
            start + timedelta(seconds=int(place * seconds / count)),
            1 - min(0.5, rng.expovariate(10)),
            rng.randrange(2),
        )
        for place in range(count)
    ]


@pytest.mark.parametrize(
    "drawn",
    [
        [],
        points(1),
        points(10, 60),
        points(200),
        points(5000, 86400 * 3),
        points(100) + points(100, 10, NOON + timedelta(hours=5)),
        [point for day in range(9) for point in points(20, 10, NOON + timedelta(days=day))],
        [Point(NOON, 0.5, 0)] * 50,
    ],
    ids=["none", "one", "ten", "200", "5000", "two runs", "nine runs", "all the same"],
)
def test_a_chart_is_drawn_in_both_forms(drawn: list[Point]) -> None:
    chart = confidence_over_time(drawn, CLASSES, 0.8)
    with Image.open(io.BytesIO(chart.png)) as picture:
        assert picture.size == (1380, 630)
    words = "".join(ElementTree.fromstring(chart.svg).itertext())
    assert "bicycle" in words and "motorcycle" in words and "threshold 0.8" in words
    assert GATE.lower() in chart.svg
    assert len(chart.svg) < 700_000


def test_a_class_with_dollars_is_no_formula() -> None:
    chart = confidence_over_time(points(20), ("$\\bad{$", "b"), 0.8)
    assert "$\\bad{$" in "".join(ElementTree.fromstring(chart.svg).itertext())


def test_a_class_has_its_colour_and_the_same_points_give_the_same_bytes() -> None:
    chart = confidence_over_time(points(30), CLASSES, 0.8)
    assert all(colour.lower() in chart.svg for colour in COLOURS[:2])
    assert chart == confidence_over_time(points(30), CLASSES, 0.8)


LOG = """
[11/20/2026 10:00:00 INFO 1] Epoch[0] Batch [20]#011Speed: 123.805 samples/sec
[11/20/2026 10:00:00 INFO 1] Epoch[0] Train-accuracy=0.608871
[11/20/2026 10:00:00 INFO 1] Epoch[0] Validation-accuracy=0.494792
[11/20/2026 10:00:01 INFO 1] Epoch[1] Train-accuracy=0.7
"""


def test_a_jobs_log_becomes_its_curve() -> None:
    first, second = read_curve(LOG.splitlines())
    assert (first.number, first.train, first.validation) == (1, 0.608871, 0.494792)
    assert second.train == 0.7 and second.validation != second.validation
    assert training_curve([first, second]).png.startswith(b"\x89PNG")
    assert read_curve([]) == []
