"""A window cut into equal spans of time and counted: what a plot of a million records draws.

_S spans, _SK spans by classes.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scones.monitor.windows import Window

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

PIECE = 1 << 15
"""Records counted at a time, and whole spans: their columns stay in the cache. A million at once
took 60 ms, most of it for memory that is used once, and so they take 20."""


@dataclass(frozen=True)
class Spans:
    """Spans that hold records, in the order of time."""

    seconds: float
    """Length of each."""
    start_S: Floats
    """Seconds since 1970, UTC; multiples of the length."""
    count_S: Counts
    called_SK: Counts
    """How many records were called each class; `wilson(called, count)` is the band of its share."""
    accepted_S: Counts
    """How many stood at or above the threshold."""
    mean_S: Floats
    """Of the confidence, as the next two."""
    low_S: Floats
    high_S: Floats


def spans(window: Window, seconds: float, threshold: float) -> Spans:
    """Counts and confidences a span; no spans of no records."""
    if seconds <= 0:
        raise ValueError(f"a span's length in seconds must be above 0, got {seconds}")
    first_S, num_records = _firsts(window.at_N, seconds), len(window)
    size = len(first_S)
    found = Spans(
        seconds,
        np.floor(window.at_N[first_S] / seconds) * seconds,
        np.diff(first_S, append=num_records),
        np.zeros((size, len(window.class_names)), np.int64),
        np.zeros(size, np.int64),
        *np.zeros((3, size)),
    )
    begin_P = np.searchsorted(first_S, np.arange(0, num_records, PIECE), side="right") - 1
    begin_P = begin_P[np.diff(begin_P, prepend=-1) > 0]  # np.unique takes 15 ms the first time
    ends = np.append(first_S, num_records)
    for begin, end in pairwise([*begin_P.tolist(), size]):
        piece = window.take(slice(ends[begin], ends[end]))
        _count(found, slice(begin, end), piece, first_S[begin:end] - ends[begin], threshold)
    return found


def _firsts(at_N: Floats, seconds: float) -> Counts:
    """The first record of each span. Times never fall, so a span is a run of equal numbers."""
    found, before = [np.zeros(0, np.int64)], -np.inf
    for start in range(0, len(at_N), PIECE):
        number = np.floor(at_N[start : start + PIECE] / seconds)
        found.append(start + np.flatnonzero(np.diff(number, prepend=before)))
        before = number[-1]
    return np.concatenate(found)


def _count(found: Spans, which: slice, piece: Window, first_S: Counts, threshold: float) -> None:
    """Fill in the spans that a piece of the window holds, whose first records are given."""
    confidence, called = piece.confidence, piece.called
    for k in range(found.called_SK.shape[1]):
        found.called_SK[which, k] = np.add.reduceat(called == k, first_S, dtype=np.int64)
    found.accepted_S[which] = np.add.reduceat(confidence >= threshold, first_S, dtype=np.int64)
    found.mean_S[which] = np.add.reduceat(confidence, first_S) / found.count_S[which]
    found.low_S[which] = np.minimum.reduceat(confidence, first_S)
    found.high_S[which] = np.maximum.reduceat(confidence, first_S)
