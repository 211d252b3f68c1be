"""Charts: readable with none, ten and many thousands of points."""

import io
import random
import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from PIL import Image

from scones.monitor.curve import read_curve
from scones.monitor.plots import COLOURS, GATE, Chart, Point, confidence_over_time, training_curve

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


def words(chart: Chart) -> list[str]:
    """The texts of a chart, one by one."""
    found = ElementTree.fromstring(chart.svg).iter("{http://www.w3.org/2000/svg}text")
    return ["".join(each.itertext()) for each in found]


def test_years_of_few_records_stand_side_by_side_with_their_dates() -> None:
    starts = (datetime(2023, 3, 4, 18, tzinfo=UTC), datetime(2024, 8, 25, 7, tzinfo=UTC), NOON)
    drawn = [*points(7, 3000, starts[0]), *points(1, 1, starts[1]), *points(20, 86400, starts[2])]
    told = words(confidence_over_time(drawn, CLASSES, 0.8))
    for days in ("04 Mar 2023, UTC", "25 Aug 2024", "20 to 21 Nov 2026, UTC", "21 Nov"):
        assert days in told


def test_one_record_has_one_time() -> None:
    told = words(confidence_over_time(points(1), CLASSES, 0.8))
    assert [each for each in told if ":" in each] == ["12:00:00"]


def test_each_gate_has_its_line_over_its_own_time() -> None:
    hours = [NOON + timedelta(hours=hour) for hour in (1, 2)]
    drawn = points(300, 3 * 3600)
    before = [(hours[0], 0.9), (hours[1], 0.6)]
    stood = gate_line(confidence_over_time(drawn, CLASSES, 0.8, before).svg)
    # Level at 0.9, down to 0.6 after a third, up to 0.8 after another.
    (x0, y0), (x1, y1), (x2, y2), (x3, y3), (x4, y4), (x5, y5) = stood
    assert (y0, y2, y4) == pytest.approx((y1, y3, y5))
    assert y0 < y4 < y2  # in SVG the lowest is the highest number
    assert (x1, x3) == pytest.approx((x2, x4))
    assert (x1 - x0) / (x5 - x0) == pytest.approx(1 / 3, abs=0.03)
    assert (x3 - x0) / (x5 - x0) == pytest.approx(2 / 3, abs=0.03)


def test_a_gate_of_another_time_has_no_line_in_this_one() -> None:
    chart = confidence_over_time(points(30), CLASSES, 0.8, [(NOON - timedelta(days=1), 0.6)])
    assert len({y for _, y in gate_line(chart.svg)}) == 1
    assert "threshold 0.8 (before: 0.6)" in chart.svg
    same = confidence_over_time(points(30), CLASSES, 0.8, [(NOON, 0.8)])
    assert "before" not in same.svg


def gate_line(svg: str) -> list[tuple[float, float]]:
    """The corners of the first dashed line in the gate's colour; the last in the legend aside."""
    found = re.search(rf'd="([^"]*)"[^>]*stroke-dasharray[^>]*stroke: {GATE.lower()}', svg)
    assert found, "no gate"
    numbers = [float(each) for each in re.findall(r"-?[\d.]+", found[1])]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def test_shares_are_written_as_the_text_writes_them() -> None:
    words = "".join(ElementTree.fromstring(confidence_over_time([], CLASSES, 0.8).svg).itertext())
    assert "100\N{NO-BREAK SPACE}%" in words and not re.search(r"\d%", words)


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
