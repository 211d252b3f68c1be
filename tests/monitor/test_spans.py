"""Spans agree with counting each one by itself."""

import numpy as np
import pytest

from scones.gate.intervals import wilson
from scones.monitor.spans import PIECE, spans
from scones.monitor.windows import Window

NAMES = ("bicycle", "motorcycle", "bus")


def window(n: int, seed: int = 0) -> Window:
    rng = np.random.default_rng(seed)
    at_N = np.sort(rng.uniform(1e9, 1e9 + 9 * 3600, n))
    return Window(NAMES, at_N, rng.dirichlet([1, 1, 1], n), np.zeros(n, np.int64))


@pytest.mark.parametrize("n", [1, 2, 1000, 2 * PIECE + 1])
def test_spans_count_what_windows_hold(n: int) -> None:
    whole = window(n)
    found = spans(whole, 3600, 0.6)
    parts = list(whole.by_time(3600))
    assert found.start_S.tolist() == [start for start, _ in parts]
    for s, (_, part) in enumerate(parts):
        assert found.count_S[s] == len(part)
        assert found.called_SK[s].tolist() == np.bincount(part.called, minlength=3).tolist()
        assert found.accepted_S[s] == (part.confidence >= 0.6).sum()
        assert found.mean_S[s] == pytest.approx(part.confidence.mean(), abs=1e-12)
        assert found.low_S[s] == part.confidence.min()
        assert found.high_S[s] == part.confidence.max()


def test_a_span_may_be_longer_than_a_piece() -> None:
    hour = np.repeat([1.0, 3601.0, 7201.0], [PIECE // 2, 2 * PIECE, 7])
    whole = Window(NAMES, hour, np.full((len(hour), 3), 1 / 3), np.zeros(len(hour), np.int64))
    found = spans(whole, 3600, 0.6)
    assert found.start_S.tolist() == [0, 3600, 7200]
    assert found.count_S.tolist() == [PIECE // 2, 2 * PIECE, 7]
    assert found.called_SK[:, 0].tolist() == found.count_S.tolist()  # of equals the first


def test_the_band_of_a_share_holds_it() -> None:
    found = spans(window(500), 3600, 0.6)
    low, high = wilson(found.called_SK, found.count_S[:, None])
    share = found.called_SK / found.count_S[:, None]
    assert np.all((low <= share) & (share <= high))


def test_no_records_have_no_spans() -> None:
    found = spans(window(0), 3600, 0.6)
    assert len(found.start_S) == len(found.count_S) == len(found.mean_S) == 0
    assert found.called_SK.shape == (0, 3)


def test_a_length_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0, got -1"):
        spans(window(1), -1, 0.6)
