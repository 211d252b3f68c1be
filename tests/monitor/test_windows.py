"""Windows: counted once, in the order of time, cut by time or count, also when empty."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from scones.monitor.capture import Record
from scones.monitor.windows import FEW, UNKNOWN, Window, window

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NAMES = ("bicycle", "motorcycle")


def record(
    event_id: str, after_s: float = 0, first: float = 0.9, item: int = 0, classes: int = 2
) -> Record:
    rest = (1 - first) / (classes - 1) if classes > 1 else 0
    at = NOON + timedelta(seconds=after_s)
    p = (first, *[rest] * (classes - 1))
    return Record(event_id, at, None, "image/png", None, p, "a.jsonl", item)


def test_a_window_is_in_the_order_of_time_and_stays_where_times_are_equal() -> None:
    came = [record("b", 5, 0.6), record("a", 0, 0.7), record("c", 5, 0.8), record("d", -9, 0.9)]
    found, faults = window(came, NAMES)
    assert not faults
    assert (found.at_N - NOON.timestamp()).tolist() == [-9, 0, 5, 5]
    assert found.confidence.tolist() == [0.9, 0.7, 0.6, 0.8]


def test_a_record_that_was_delivered_twice_counts_once() -> None:
    came = [record("a"), record("a"), record("a", item=1), record("b")]
    assert len(window(came, NAMES)[0]) == 3


def test_a_record_of_another_model_is_a_fault() -> None:
    found, (fault,) = window([record("a"), record("x", classes=3)], NAMES)
    assert len(found) == 1
    assert "3 probabilities for 2 classes (event x)" in str(fault)


def test_truth_comes_in_by_event_and_item() -> None:
    found, _ = window([record("a"), record("b"), record("b", item=1)], NAMES, {("b", 1): 1})
    assert found.truth_N.tolist() == [UNKNOWN, UNKNOWN, 1]
    assert len(found.labelled) == 1


def test_an_empty_window_has_everything_and_nothing() -> None:
    found, faults = window([], NAMES)
    assert (len(found), faults) == (0, [])
    assert found.probabilities_NK.shape == (0, 2)
    assert found.called.tolist() == found.confidence.tolist() == []
    assert list(found.by_time(3600)) == []
    assert list(found.by_count(10)) == []


@pytest.mark.parametrize("classes", [1, 2, 3, FEW, FEW + 1])
def test_called_is_the_largest_and_of_equals_the_first(classes: int) -> None:
    p_NK = np.random.default_rng(0).integers(0, 4, (500, classes)) / 4
    found = Window(("x",) * classes, np.zeros(500), p_NK, np.full(500, UNKNOWN))
    assert found.called.tolist() == [row.index(max(row)) for row in p_NK.tolist()]
    assert found.confidence.tolist() == [max(row) for row in p_NK.tolist()]


def test_windows_by_time_begin_at_whole_hours_and_skip_empty_ones() -> None:
    found, _ = window([record("a", -1), record("b"), record("c", 3599), record("d", 7200)], NAMES)
    hours = [((start - NOON.timestamp()) / 3600, len(part)) for start, part in found.by_time(3600)]
    assert hours == [(-1, 1), (0, 2), (2, 1)]


def test_windows_by_count_leave_a_smaller_last_one() -> None:
    found, _ = window([record(str(i), i) for i in range(5)], NAMES)
    assert [len(part) for part in found.by_count(2)] == [2, 2, 1]


def test_a_length_that_cannot_be_is_refused() -> None:
    found = Window(NAMES, np.zeros(1), np.ones((1, 2)), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="above 0, got 0"):
        list(found.by_time(0))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        list(found.by_count(0))
