"""Records over a time, as columns: counted once, in the order of time, cut by time or by count.

_N records, _NK records by classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scones.monitor.capture import Fault, Record

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

FEW = 8
"""Columns up to which one after the other is faster than row by row (2: 0.1 for 3 ms)."""
UNKNOWN = -1
"""The label of a record whose truth has not arrived."""


@dataclass(frozen=True)
class Window:
    """Records of one endpoint in the order of time."""

    class_names: tuple[str, ...]
    at_N: Floats
    """Seconds since 1970, UTC, never falling."""
    probabilities_NK: Floats
    truth_N: Labels
    """Index of the true class; UNKNOWN (-1) where no label has arrived."""

    def __len__(self) -> int:
        return len(self.at_N)

    @property
    def called(self) -> Labels:
        """_N: index of the class called; of equals, the first."""
        if self.probabilities_NK.shape[1] > FEW:
            found: Labels = self.probabilities_NK.argmax(axis=1)
            return found
        called, largest = np.zeros(len(self), np.int64), self.probabilities_NK[:, 0]
        for k in range(1, self.probabilities_NK.shape[1]):
            np.maximum(called, k * (self.probabilities_NK[:, k] > largest), out=called)
            largest = np.maximum(largest, self.probabilities_NK[:, k])
        return called

    @property
    def confidence(self) -> Floats:
        """_N: the largest probability."""
        if self.probabilities_NK.shape[1] > FEW:
            largest: Floats = self.probabilities_NK.max(axis=1)
            return largest
        return reduce(np.maximum, self.probabilities_NK.T, np.zeros(len(self)))

    @property
    def labelled(self) -> Self:
        """Only the records whose truth is known."""
        return self.take(self.truth_N != UNKNOWN)

    def take(self, chosen: NDArray[np.bool_] | slice) -> Self:
        """The chosen records."""
        return replace(
            self,
            at_N=self.at_N[chosen],
            probabilities_NK=self.probabilities_NK[chosen],
            truth_N=self.truth_N[chosen],
        )

    def by_time(self, seconds: float) -> Iterator[tuple[float, Self]]:
        """(start, window) for each span that holds records; spans begin at multiples from 1970."""
        if seconds <= 0:
            raise ValueError(f"a window's length in seconds must be above 0, got {seconds}")
        spans, starts = np.unique(np.floor(self.at_N / seconds), return_index=True)
        ends = np.append(starts, len(self))[1:]
        for span, start, end in zip(spans, starts, ends, strict=True):
            yield float(span * seconds), self.take(slice(int(start), int(end)))

    def by_count(self, count: int) -> Iterator[Self]:
        """Windows of `count` records each; the last may hold fewer."""
        if count < 1:
            raise ValueError(f"a window's count must be at least 1, got {count}")
        for start in range(0, len(self), count):
            yield self.take(slice(start, start + count))


def once(
    window: Window,
    answers_N: NDArray[np.uint64] | None = None,
    arrived_N: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """One record of each answer: the one whose label came first, else the first of them.

    `answers_N` is equal where the same is answered, 0 where that is not known: such a record stands
    for itself. `arrived_N`: in which order the labels came; None: as the records did.
    """
    if answers_N is None:
        return np.ones(len(window), bool)
    came_N = np.zeros(len(window), np.int64) if arrived_N is None else arrived_N
    rank_N = np.where(window.truth_N == UNKNOWN, np.iinfo(np.int64).max, came_N)
    order = np.lexsort((rank_N, answers_N))
    new = np.diff(answers_N[order], prepend=np.uint64(0)) != 0
    chosen = answers_N == 0
    chosen[order[new]] = True
    return np.asarray(chosen, bool)


def window(
    records: Sequence[Record],
    class_names: Sequence[str],
    truth: Mapping[tuple[str, int], int] | None = None,
) -> tuple[Window, list[Fault]]:
    """The window of these records, and as faults those that have another number of classes.

    A record that was delivered twice counts once. Times may come unsorted or go back: records are
    put in the order of time, and stay as they came where times are equal. `truth` gives labels by
    (event id, item), as `labels.join` does.
    """
    once: dict[tuple[str, int], Record] = {}
    faults = []
    for record in records:
        if len(record.probabilities) == len(class_names):
            once.setdefault((record.event_id, record.item), record)
        else:
            reason = f"{len(record.probabilities)} probabilities for {len(class_names)} classes"
            faults.append(Fault(record.source, record.line, f"{reason} (event {record.event_id})"))
    ordered = sorted(once.items(), key=lambda pair: pair[1].inferred_at)
    labels = [(truth or {}).get(key, UNKNOWN) for key, _ in ordered]
    found = Window(
        tuple(class_names),
        np.array([record.inferred_at.timestamp() for _, record in ordered], np.float64),
        np.array([record.probabilities for _, record in ordered], np.float64).reshape(
            -1, len(class_names)
        ),
        np.array(labels, np.int64),
    )
    return found, faults
