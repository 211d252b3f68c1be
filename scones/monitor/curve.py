"""A training job's curve, read from the lines that SageMaker's built-in algorithm writes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LINE = re.compile(r"Epoch\[(\d+)\]\s+(Train|Validation)-accuracy=([\d.]+(?:[eE][-+]?\d+)?)")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training pictures."""

    number: int
    """From 1, as people count; the log's own numbers begin at 0."""
    train: float
    validation: float
    """Accuracies; NaN where the log names none."""


def read_curve(lines: Iterable[str]) -> list[Epoch]:
    """Every epoch that the log names, in order; lines of other kinds are passed over."""
    found: dict[int, dict[str, float]] = {}
    for line in lines:
        if match := LINE.search(line):
            found.setdefault(int(match[1]), {})[match[2]] = float(match[3])
    missing = float("nan")
    return [
        Epoch(number + 1, values.get("Train", missing), values.get("Validation", missing))
        for number, values in sorted(found.items())
    ]
