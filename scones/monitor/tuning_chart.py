"""A search's chart: how its best figure grew, and what each hyperparameter had to do with it."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    Locator,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from scones.monitor.plots import COLOURS, DASHES, FAINT, GATE, STYLE, Chart, both, plain

ACROSS = 4
"""Slices side by side."""
WIDE = 50
"""From this ratio of the largest value to the smallest on, only powers of ten are written."""


@dataclass(frozen=True)
class Tried:
    """One trial."""

    number: int
    value: float | None
    """The objective; None where it failed."""
    complete: bool
    """False: it was broken off, and `value` is as far as it came."""
    values: Mapping[str, str] = field(default_factory=dict)


def tuning_chart(
    tried: Sequence[Tried],
    objective: str,
    *,
    maximizes: bool,
    logarithmic: Collection[str] = (),
    importance: Mapping[str, float] | None = None,
) -> Chart:
    """Every trial's objective with the best so far, and below it by each hyperparameter's value.

    The most important hyperparameter stands first. No trials give an empty chart.
    """
    shares = importance or {}
    found = {name for each in tried for name in each.values}
    names = sorted(found, key=lambda name: (-shares.get(name, 0.0), name))
    rows, across = math.ceil(len(names) / ACROSS), min(ACROSS, max(1, len(names)))
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 2.9 + 2.3 * rows), dpi=150, layout="constrained")
        grid = GridSpec(1 + rows, across, figure, height_ratios=[2.9, *([2.3] * rows)])
        first = figure.add_subplot(grid[0, :])
        _history(first, tried, objective, maximizes)
        for place, name in enumerate(names):
            axes = figure.add_subplot(grid[1 + place // ACROSS, place % ACROSS], sharey=first)
            _slice(axes, tried, name, name in logarithmic, maximizes)
            share = f" · importance {shares[name]:.2f}" if name in shares else ""
            axes.set_title(f"{name}{share}", fontsize=9)
            if place % ACROSS:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(objective)
        if tried:
            figure.legend(loc="outside upper left", ncols=5, frameon=False)
        return both(figure, "Tuning")


def _history(axes: Axes, tried: Sequence[Tried], objective: str, maximizes: bool) -> None:
    _marks(axes, [(each.number, each) for each in tried], maximizes, labelled=True)
    best, numbers, figures = None, [], []
    for each in tried:
        if each.complete and each.value is not None:
            better = max if maximizes else min
            best = each.value if best is None else better(best, each.value)
        if best is not None:
            numbers.append(each.number)
            figures.append(best)
    if numbers:
        axes.plot(
            numbers, figures, drawstyle="steps-post", color=COLOURS[0], ls=DASHES, lw=1.2,
            label="best so far", zorder=1,
        )  # fmt: skip
    failed = [each.number for each in tried if each.value is None]
    if failed:  # at the foot, whatever the figures are
        axes.plot(
            failed, [0.03] * len(failed), transform=axes.get_xaxis_transform(), color=GATE,
            ls="none", marker="v", ms=5, label="failed",
        )  # fmt: skip
    if tried:
        axes.set_xlim(0.5, max(each.number for each in tried) + 0.5)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.text(0.5, 0.5, "nothing tried yet", transform=axes.transAxes, ha="center")
    axes.set_xlabel("trial")
    axes.set_ylabel(objective)
    if tried:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes)


def _slice(
    axes: Axes, tried: Sequence[Tried], name: str, logarithmic: bool, maximizes: bool
) -> None:
    having = [each for each in tried if name in each.values]
    try:
        places: list[float] = [float(each.values[name]) for each in having]
    except ValueError:
        words = sorted({each.values[name] for each in having})
        places = [float(words.index(each.values[name])) for each in having]
        axes.set_xticks(range(len(words)), words)
        axes.set_xlim(-0.5, len(words) - 0.5)
    else:
        if logarithmic:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(
                _powers(min(places, default=1.0), max(places, default=1.0))
            )
            axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.tick_params(labelsize=8.5)
    _marks(axes, list(zip(places, having, strict=True)), maximizes, labelled=False)
    plain(axes)


def _powers(least: float, most: float) -> Locator:
    """Powers of ten; in a smaller range their doubles and fives too; in the smallest its ends.

    Where fewer than two such figures lie in a range, matplotlib's LogLocator writes as many others
    as it likes, which overlap; in a range of ten there are always three.
    """
    if most < 10 * least:
        return FixedLocator([least] if f"{least:.3g}" == f"{most:.3g}" else [least, most])
    return LogLocator(subs=(1.0,) if most > WIDE * least else (1.0, 2.0, 5.0))


def _marks(
    axes: Axes, at: Sequence[tuple[float, Tried]], maximizes: bool, *, labelled: bool
) -> None:
    """Complete trials, those broken off, and the best."""
    known = [(x, each, each.value) for x, each in at if each.value is not None]
    complete = [(x, y) for x, each, y in known if each.complete]
    kinds = [
        ("complete", "o", COLOURS[0], 26, complete),
        ("pruned", "x", FAINT, 24, [(x, y) for x, each, y in known if not each.complete]),
    ]
    if complete:
        best = max(complete, key=lambda point: point[1] if maximizes else -point[1])
        kinds.append(("best", "D", COLOURS[1], 44, [best]))
    for name, marker, colour, size, points in kinds:
        if points:
            axes.scatter(
                [x for x, _ in points], [y for _, y in points], s=size, marker=marker, color=colour,
                linewidths=1.1 if marker == "x" else 0.4, zorder=3 if name == "best" else 2,
                edgecolors=None if marker == "x" else "white", label=name if labelled else None,
            )  # fmt: skip
