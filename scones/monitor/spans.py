"""A window cut into equal spans of time and counted: what a plot of a million records draws.

_S spans, _SK spans by classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scones.monitor.windows import Window

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


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
    number_N = np.floor(window.at_N / seconds)
    confidence, num_classes = window.confidence, len(window.class_names)
    # Times never fall, so a span is a run of equal numbers.
    first_S = np.flatnonzero(np.diff(number_N, prepend=-np.inf) != 0)
    span_N = np.cumsum(np.diff(number_N, prepend=number_N[:1]) != 0)
    size = len(first_S)
    count_S = np.diff(np.append(first_S, len(window)))
    cells = np.bincount(span_N * num_classes + window.called, minlength=size * num_classes)
    if size == 0:
        nothing = np.zeros(0)
        return Spans(
            seconds, nothing, count_S, cells.reshape(0, num_classes), count_S, nothing, nothing,
            nothing,
        )  # fmt: skip
    return Spans(
        seconds,
        number_N[first_S] * seconds,
        count_S,
        cells.reshape(size, num_classes),
        np.add.reduceat(confidence >= threshold, first_S, dtype=np.int64),
        np.add.reduceat(confidence, first_S) / count_S,
        np.minimum.reduceat(confidence, first_S),
        np.maximum.reduceat(confidence, first_S),
    )
