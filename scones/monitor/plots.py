"""Charts as PNG and SVG: confidence over time, and a training job's curve.

Colours are Okabe and Ito's, told apart with every common colour blindness
[https://jfly.uni-koeln.de/color/]; each class has a marker of its own beside its colour.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from scones.monitor.curve import Epoch

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "^", "s", "D", "v", "P")
INK, FAINT, GATE = "#1c2430", "#8a94a0", "#B3261E"
PAPER = 'style="background:#fff"'
"""Of a chart that stands alone; within a page it lies on the page's own paper."""
DASHES = (0, (5, 3))
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched, and recoloured
    "svg.hashsalt": "scones",  # the same chart gives the same bytes
    "text.parse_math": False,  # a class may be called $x
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
MANY = 1500
"""Above so many points the marks become small and faint, and one picture within the SVG."""
PANELS = 4
"""At most so many stretches of time stand side by side."""
SILENCE_S = 30.0
"""A silence may part two stretches if it is longer than this, and ten times what is usual."""
NARROW = 0.25
"""A stretch with less than this share of the width says its time once."""
ROUND_S = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * each for each in (1, 2, 5, 10, 15, 30)),
    *(3600 * each for each in (1, 2, 3, 6, 12)),
    *(86400 * each for each in (1, 2, 7, 14, 30, 90, 365)),
)  # fmt: skip
"""Steps between the times written under a chart."""


@dataclass(frozen=True)
class Chart:
    """One chart in both forms."""

    png: bytes
    svg: str


@dataclass(frozen=True)
class Point:
    """One judged picture."""

    at: datetime
    confidence: float
    label: int
    """The decided class."""


def confidence_over_time(
    points: Sequence[Point],
    classes: Sequence[str],
    threshold: float,
    before: Sequence[tuple[datetime, float]] = (),
) -> Chart:
    """Every record's confidence by its time, and how the confidences spread, on the right.

    `before`: until when, and at which threshold, earlier gates stood, the oldest first; each has
    its line over its own time.

    Points may come in any order. SageMaker cuts times to whole seconds, so those of one second are
    spread over it in the order given. Stretches with a long silence between them stand side by
    side. No points give an empty chart.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 4.2), dpi=150, layout="constrained")
        stretches = _stretches(_spread(points))
        widths = _widths(stretches)
        grid = GridSpec(1, len(stretches) + 1, figure, width_ratios=[*widths, 1 / 7])
        first: Axes | None = None
        thresholds = {threshold, *(each for _, each in before)}
        floor = _floor(points, len(classes), min(thresholds))
        for place, stretch in enumerate(stretches):
            axes = figure.add_subplot(grid[0, place], sharey=first)
            first = first or axes
            _scatter(axes, stretch, classes, len(points) > MANY)
            _time_axis(axes, stretch, widths[place])
            _gate_lines(axes, threshold, before if stretch else ())
            axes.tick_params(labelleft=axes is first)
            plain(axes)
        assert first is not None, "there is at least one stretch, be it empty"
        first.set_ylim(floor, 1 + (1 - floor) * 0.04)
        first.set_ylabel("confidence")
        in_percent(first.yaxis)
        beside = figure.add_subplot(grid[0, -1], sharey=first)
        _spread_beside(beside, points, classes)
        if len(thresholds) == 1:
            _gate_lines(beside, threshold, ())
        handles = _legend(classes, threshold, before)
        figure.legend(
            handles=handles, loc="outside upper left", ncols=len(handles), frameon=False,
            handletextpad=0.4, columnspacing=1.4,
        )  # fmt: skip
        return both(figure, "Confidence over time")


def training_curve(epochs: Sequence[Epoch]) -> Chart:
    """Training and validation accuracy by epoch."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 2.9), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        x = [each.number for each in epochs]
        for name, colour, marker, values in (
            ("training pictures, as augmented", COLOURS[4], "s", [each.train for each in epochs]),
            ("test pictures (logged, never used to choose)", COLOURS[0], "o",
             [each.validation for each in epochs]),
        ):  # fmt: skip
            axes.plot(x, values, color=colour, marker=marker, ms=3.2, lw=1.3, label=name)
        axes.set_xlabel("epoch")
        axes.set_ylabel("accuracy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        in_percent(axes.yaxis)
        plain(axes)
        figure.legend(loc="outside upper left", ncols=2, frameon=False)
        return both(figure, "Training curve")


def risk_by_coverage(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Chart:
    """Share of wrong among accepted by the share accepted, a line for each set of pictures.

    Each point has `coverage` and `risk`, as a model's card holds them.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(9.2, 2.9), dpi=150, layout="constrained")
        axes = figure.add_subplot()
        for (name, points), colour, dash in zip(
            curves.items(), COLOURS, ("-", "--", ":"), strict=False
        ):
            x = [each["coverage"] for each in points]
            y = [each["risk"] for each in points]
            axes.plot(x, y, color=colour, ls=dash, lw=1.5, label=name)
        axes.set_xlabel("share accepted")
        axes.set_ylabel("wrong among accepted")
        axes.set_ylim(bottom=0)
        in_percent(axes.xaxis)
        in_percent(axes.yaxis)
        plain(axes)
        figure.legend(loc="outside upper left", ncols=3, frameon=False)
        return both(figure, "Risk by coverage")


def _spread(points: Sequence[Point]) -> list[Point]:
    """By time; those of one whole second set evenly apart within it."""
    ordered = sorted(points, key=lambda point: point.at)
    placed: list[Point] = []
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or ordered[end].at != ordered[start].at:
            for place, point in enumerate(ordered[start:end]):
                at = point.at + timedelta(seconds=(place + 0.5) / (end - start))
                placed.append(Point(at, point.confidence, point.label))
            start = end
    return placed


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    """Split at the longest silences, at most `PANELS`, so that a run of seconds is not squeezed by
    the days between runs. No points, one empty list.
    """
    gaps_s = np.diff([point.at.timestamp() for point in points])
    if len(gaps_s) == 0:
        return [list(points)]
    # Of few points a few silences are many, and yet not usual: 33 real records in two and a half
    # years have four of weeks and more.
    usual_s = float(np.quantile(gaps_s, min(0.9, max(0.5, 1 - 2 * PANELS / len(gaps_s)))))
    least_s = max(SILENCE_S, 10 * usual_s, 0.01 * float(gaps_s.sum()))
    longest = np.argsort(gaps_s, kind="stable")[-(PANELS - 1) :]
    splits = sorted(int(place) + 1 for place in longest if gaps_s[place] > least_s)
    return [list(points[start:end]) for start, end in pairwise([0, *splits, len(points)])]


def _widths(stretches: Sequence[Sequence[Point]]) -> list[float]:
    """Shares of the chart's width: more points, more room, but room to read for every one."""
    roots = [math.sqrt(len(each)) for each in stretches]
    widths = [max(root, 0.35 * max(roots), 1.0) for root in roots]
    return [width / sum(widths) for width in widths]


def _floor(points: Sequence[Point], num_classes: int, threshold: float) -> float:
    """The chart's foot: chance level, or lower where something lies lower."""
    lowest = min([1 / num_classes, threshold, *(point.confidence for point in points)])
    return max(0.0, math.floor(lowest * 20 - 0.5) / 20)


def _scatter(axes: Axes, points: Sequence[Point], classes: Sequence[str], many: bool) -> None:
    for label in range(len(classes)):
        mine = [point for point in points if point.label == label]
        axes.scatter(
            [point.at.timestamp() for point in mine],
            _confidences(mine),
            s=7 if many else 26,
            marker=MARKERS[label % len(MARKERS)],
            color=COLOURS[label % len(COLOURS)],
            alpha=0.3 if many else 0.8,
            linewidths=0 if many else 0.4,
            edgecolors="none" if many else "white",
            rasterized=many,
        )


def _legend(
    classes: Sequence[str], threshold: float, before: Sequence[tuple[datetime, float]]
) -> list[Line2D]:
    """Marks of full size and strength, however small and faint those in the chart are."""
    marks = [
        Line2D(
            [], [], linestyle="none", marker=MARKERS[label % len(MARKERS)], markersize=6,
            color=COLOURS[label % len(COLOURS)], label=name,
        )
        for label, name in enumerate(classes)
    ]  # fmt: skip
    told, others = f"threshold {threshold:.4g}", list(dict.fromkeys(each for _, each in before))
    if set(others) - {threshold}:
        told += f" (before: {', '.join(f'{each:.4g}' for each in others)})"
    return [*marks, Line2D([], [], color=GATE, linestyle=DASHES, label=told)]


def _time_axis(axes: Axes, stretch: Sequence[Point], width: float) -> None:
    if not stretch:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "nothing captured yet", transform=axes.transAxes, ha="center")
        return
    first, last = stretch[0].at, stretch[-1].at
    margin = max((last - first) * 0.03, timedelta(seconds=0.5))
    axes.set_xlim((first - margin).timestamp(), (last + margin).timestamp())
    narrow, one_day = width < NARROW, first.date() == last.date()
    if narrow and not one_day:
        ticks, words = [], []
    elif narrow or last - first < timedelta(seconds=1):
        ticks, words = (
            [first + (last - first) / 2],
            [f"{first:{'%H:%M' if narrow else '%H:%M:%S'}}"],
        )
    else:
        ticks, words = _ticks(first - margin, last + margin, max(3, int(11 * width)))
    axes.set_xticks([each.timestamp() for each in ticks], words)
    axes.tick_params(axis="x", labelsize=8.5)
    if narrow:
        axes.set_xlabel(_days(first, last).replace(" to ", " to\n"), fontsize=8.5)
    else:
        axes.set_xlabel(f"{_days(first, last)}, UTC", fontsize=9)


def _days(first: datetime, last: datetime) -> str:
    """20 Nov 2026; 19 to 20 Nov 2026; 30 Oct to 20 Nov 2026; 31 Dec 2025 to 20 Nov 2026."""
    if first.date() == last.date():
        return f"{last:%d %b %Y}"
    same_year = first.year == last.year
    pattern = (
        "%d" if same_year and first.month == last.month else "%d %b" if same_year else "%d %b %Y"
    )
    return f"{first:{pattern}} to {last:%d %b %Y}"


def _ticks(first: datetime, last: datetime, count: int) -> tuple[list[datetime], list[str]]:
    """At most `count` round times within a stretch, and how each is written."""
    step_s = next((s for s in ROUND_S if s * count >= (last - first).total_seconds()), None)
    step = timedelta(seconds=step_s) if step_s else (last - first) / count
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight + step * math.ceil((first - midnight) / step)
    ticks = [start + step * place for place in range(count) if start + step * place <= last]
    clock = "%H:%M" if step.seconds % 60 == 0 else "%H:%M:%S"
    days = first.date() != last.date()

    def word(at: datetime) -> str:
        midnight = (at.hour, at.minute, at.second) == (0, 0, 0)
        return f"{at:{'%d %b' if days and midnight else clock}}"

    return ticks, [word(each) for each in ticks]


def _gate_lines(axes: Axes, threshold: float, before: Sequence[tuple[datetime, float]]) -> None:
    """Each gate over its own time, as far as the axes show it, with a step between two."""
    start, end = axes.get_xlim()
    edges = [start, *(min(max(until.timestamp(), start), end) for until, _ in before), end]
    gates = [*(each for _, each in before), threshold]
    corners = [
        (at, each)
        for (first, last), each in zip(pairwise(edges), gates, strict=True)
        if first < last
        for at in (first, last)
    ]
    axes.plot(*zip(*corners, strict=True), color=GATE, linestyle=DASHES, linewidth=1.3, zorder=3)
    axes.set_xlim(start, end)


def _spread_beside(axes: Axes, points: Sequence[Point], classes: Sequence[str]) -> None:
    low, high = axes.get_ylim()
    bins = np.linspace(low, 1.0, 26)
    axes.hist(
        [_confidences([p for p in points if p.label == label]) for label in range(len(classes))],
        bins=bins.tolist(),
        orientation="horizontal",
        stacked=True,
        color=[COLOURS[label % len(COLOURS)] for label in range(len(classes))],
        alpha=0.85,
    )
    axes.set_ylim(low, high)
    axes.tick_params(labelleft=False)
    axes.set_xlim(0, None if points else 1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=2, integer=True))
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_xlabel("pictures", fontsize=9)
    plain(axes)


def _confidences(points: Sequence[Point]) -> NDArray[np.float64]:
    return np.array([point.confidence for point in points], dtype=np.float64)


def in_percent(axis: Axis) -> None:
    """Shares as the text writes them, 93 %, with as many decimals as need be."""
    axis.set_major_formatter(
        FuncFormatter(lambda share, _: f"{100 * share:.4g}\N{NO-BREAK SPACE}%")
    )


def plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=FAINT, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def both(figure: Figure, title: str) -> Chart:
    raster, vector = io.BytesIO(), io.StringIO()
    figure.savefig(raster, format="png", metadata={"Title": title})
    figure.savefig(vector, format="svg", transparent=True, metadata={"Title": title, "Date": None})
    return Chart(raster.getvalue(), vector.getvalue().replace("<svg ", f"<svg {PAPER} ", 1))
