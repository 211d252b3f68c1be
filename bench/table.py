"""How a bench speaks: rows of median and range, and ratios to a peer and a floor."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence


def alternate(
    contestants: Mapping[str, Callable[[], float]], rounds: int = 5
) -> dict[str, list[float]]:
    """Each contestant's figure, `rounds` times, taken in turn: A B C A B C ...

    Taking turns makes what the machine does meanwhile fall on all of them alike.
    """
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            figures[name].append(measure())
    return figures


def show(
    title: str, unit: str, figures: Mapping[str, Sequence[float]], beside: str, digits: int = 1
) -> None:
    """A table: median, range, and each median's ratio to that of `beside`."""
    floor = statistics.median(figures[beside])
    say(f"\n{title} [{unit}], n = {len(figures[beside])} each, in turn")
    say(f"  {'':28}{'median':>10}{'min':>10}{'max':>10}   x {beside}")
    for name, values in figures.items():
        median = statistics.median(values)
        told = "".join(f"{each:10.{digits}f}" for each in (median, min(values), max(values)))
        say(f"  {name:28}{told}{median / floor:8.2f}")


def say(line: str) -> None:
    """One line of a report."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
