"""The monitor's charts as PNG and SVG: readable at ten records and at a million.

Where there are many, records stand by their number, not by the clock: a busy minute is not squeezed
by a silent night, and the panels below one another show the same records. The times are written
beneath. _N records, _B bins of them, _K classes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray
from scipy import stats

from scones.gate.certificate import Certificate
from scones.gate.heldout import Baseline
from scones.gate.intervals import wilson
from scones.gate.score import reliability, risk_coverage
from scones.monitor.drift import Drift
from scones.monitor.plots import (
    COLOURS,
    DASHES,
    FAINT,
    GATE,
    INK,
    MANY,
    STYLE,
    Chart,
    Point,
    both,
    confidence_over_time,
    in_percent,
    plain,
)  # fmt: skip
from scones.monitor.windows import Window

Floats = NDArray[np.float64]

BINS = 120
"""At most so many bins across a chart: each 7 pixels of 150 a inch."""
FEWEST_A_BIN = 25
"""Records in a bin where there are several: the band of its share is then below +-20 points."""
LEVELS = 100
"""Rows of the picture of many confidences."""
NARROW, WIDE = (4.6, 4.2), (9.2, 2.8)
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Exponents as characters: STYLE reads no mathematics, lest it read a class's name."""


def confidence(window: Window, threshold: float) -> Chart:
    """Every record's confidence: as a point, or where there are many as the density of points."""
    if len(window) <= MANY:
        points = [
            Point(datetime.fromtimestamp(at, UTC), confidence, label)
            for at, confidence, label in zip(
                window.at_N.tolist(), window.confidence.tolist(), window.called.tolist(),
                strict=True,
            )
        ]  # fmt: skip
        return confidence_over_time(points, window.class_names, threshold)
    with rc_context(STYLE):
        num_classes = len(window.class_names)
        figure = Figure(figsize=(9.2, 1.3 + 1.7 * num_classes), dpi=150, layout="constrained")
        rows = figure.subplots(
            num_classes, 2, sharex="col", sharey=True, squeeze=False, width_ratios=[7, 1]
        )
        floor = min(1 / num_classes, threshold, float(window.confidence.min()))
        floor = max(0.0, math.floor(floor * 20) / 20)
        for k, (axes, side) in enumerate(rows):
            _density(axes, window, k, floor)
            side.hist(
                window.confidence[window.called == k], np.linspace(floor, 1.0, 41).tolist(),
                orientation="horizontal", color=_colour(k), alpha=0.85,
            )  # fmt: skip
            axes.set_ylim(floor, 1 + (1 - floor) * 0.03)
            axes.set_ylabel(window.class_names[k])
            in_percent(axes.yaxis)
            side.tick_params(labelleft=False)
            for each in (axes, side):
                each.axhline(threshold, color=GATE, linestyle=DASHES, linewidth=1.3, zorder=5)
                plain(each)
        _by_number(rows[-1][0], window.at_N)
        rows[-1][1].set_xticks([])
        rows[-1][1].set_xlabel("records", fontsize=9)
        _class_legend(figure, window.class_names, threshold, mean=True)
        return both(figure, "Confidence by record")


def balance(window: Window, expected_K: Floats | None = None) -> Chart:
    """Share of the calls of each class, with Wilson's 95 % band; of two classes the first's.

    `expected_K`: the shares of the baseline, as dotted lines.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=WIDE, dpi=150, layout="constrained")
        axes = figure.subplots()
        edges = bins(len(window))
        shown = range(1 if len(window.class_names) == 2 else len(window.class_names))
        n_B = np.diff(edges)
        for k in shown if len(window) else ():
            count_B = np.add.reduceat(window.called == k, edges[:-1], dtype=np.int64)
            low, high = wilson(count_B, n_B)
            _steps(axes, edges, low, high, _colour(k))
            axes.stairs(count_B / n_B, edges, baseline=None, color=_colour(k), lw=1.6)
            if expected_K is not None:
                axes.axhline(expected_K[k], color=_colour(k), linestyle=":", lw=1.3)
        name = f"called {window.class_names[0]}" if len(shown) == 1 else "share of calls"
        axes.set_ylim(0, 1)
        axes.set_ylabel(name)
        in_percent(axes.yaxis)
        _by_number(axes, window.at_N)
        plain(axes)
        if len(shown) > 1:
            _class_legend(figure, window.class_names, None)
        return both(figure, "Balance of the calls")


def martingale(at_N: Floats, confidences: Drift, pictures: Mapping[str, Drift]) -> Chart:
    """Each martingale's capital by record, on a logarithmic scale, and where it would alarm."""
    with rc_context(STYLE):
        figure = Figure(figsize=WIDE, dpi=150, layout="constrained")
        axes = figure.subplots()
        lives = {"confidence": confidences, **pictures}
        styles: list[Literal["-", "--", "-.", ":"]] = ["-", "--", "-.", ":"]
        top = 3.0
        for place, (name, drift) in enumerate(lives.items()):
            n, capital = len(drift.log10_capital_N), drift.log10_capital_N
            some = np.unique(np.linspace(0, max(n - 1, 0), min(n, 1500)).astype(np.int64))
            # Pictures may be fewer than records: each life fills the same width.
            x = (some + 0.5) * (len(at_N) / n if n else 1)
            colour = INK if place == 0 else _colour(place - 1)
            axes.plot(
                x, np.maximum(capital[some], -3), color=colour, lw=1.8 if place == 0 else 1.1,
                linestyle=styles[place % 4], label=name, marker="o" if n == 1 else "", ms=4,
            )  # fmt: skip
            if drift.alarm is not None:
                at = (drift.alarm + 0.5) * (len(at_N) / n)
                axes.plot([at], [-math.log10(drift.false_alarms)], "o", color=GATE, ms=6, zorder=6)
            top = max(top, min(drift.peak, 12.0))
        level = -math.log10(confidences.false_alarms)
        axes.axhline(level, color=GATE, linestyle=DASHES, lw=1.2)
        axes.set_ylim(-3, top + 0.5)
        axes.yaxis.set_major_formatter(FuncFormatter(_power))
        axes.set_ylabel("evidence of drift")
        _by_number(axes, at_N)
        plain(axes)
        alarm = Line2D([], [], color=GATE, linestyle=DASHES, label=f"alarm at {10**level:.0f}")
        handles = [*axes.get_legend_handles_labels()[0], alarm]
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles),
                      frameon=False, fontsize=8.5)  # fmt: skip
        return both(figure, "Evidence of drift")


def reliability_chart(confidence_N: Floats, right_N: NDArray[np.bool_]) -> Chart:
    """Accuracy by confidence where labels arrived, in the band of a calibrated model."""
    with rc_context(STYLE):
        figure = Figure(figsize=NARROW, dpi=150, layout="constrained")
        axes = figure.subplots()
        found = reliability(confidence_N, right_N)
        low = max(0.0, float(confidence_N.min(initial=0.5)) - 0.03)
        axes.plot([low, 1], [low, 1], color=FAINT, lw=1, linestyle=":")
        if len(found.count_B):
            # Where 95 % of the shares lie if the confidences are true.
            c_B, n_B = found.confidence_B, found.count_B
            low_B, high_B = (stats.binom.ppf(q, n_B, c_B) / n_B for q in (0.025, 0.975))
            if len(c_B) == 1:
                axes.vlines(
                    c_B, low_B, high_B, color=FAINT, alpha=0.25, lw=9, label="if calibrated"
                )
            else:
                axes.fill_between(
                    c_B, low_B, high_B, color=FAINT, alpha=0.25, lw=0, label="if calibrated"
                )
            axes.plot(c_B, found.accuracy_B, "o-", color=_colour(0), ms=5, lw=1.3, label="counted",
                      clip_on=False)  # fmt: skip
            told = f"gap {100 * found.ece:.1f} points; calibrated: below {100 * found.ece_null:.1f}"
            axes.set_title(f"{told} (n = {len(confidence_N):,})", fontsize=9)
            axes.legend(loc="upper left", frameon=False, fontsize=9)
        else:
            _nothing(axes, "no labels yet")
        axes.set_xlim(low, 1.005)
        axes.set_ylim(min(low, float(found.accuracy_B.min(initial=1.0)) - 0.03), 1.02)
        axes.set_xlabel("confidence")
        axes.set_ylabel("accuracy")
        _both_percent(axes)
        plain(axes)
        return both(figure, "Reliability")


@dataclass(frozen=True)
class Gated:
    """The gate that a risk-coverage curve is shown with."""

    threshold: float
    certificate: Certificate | None
    baseline: Baseline | None


def risk_coverage_chart(confidence_N: Floats, right_N: NDArray[np.bool_], gate: Gated) -> Chart:
    """Share of wrong among accepted by how many are accepted, here and on certifying pictures."""
    with rc_context(STYLE):
        figure = Figure(figsize=NARROW, dpi=150, layout="constrained")
        axes = figure.subplots()
        highest = 0.02
        if gate.baseline is not None and len(gate.baseline.labels_N):
            p_NK = gate.baseline.probabilities_NK
            wrong = p_NK.argmax(axis=1) != gate.baseline.labels_N
            curve = risk_coverage(p_NK.max(axis=1), wrong)
            axes.plot(curve.coverage_M, curve.risk_M, color=FAINT, lw=1.4, label="certifying")
            highest = max(highest, float(curve.risk_M.max()))
        if len(confidence_N):
            curve = risk_coverage(confidence_N, ~right_N)
            axes.plot(curve.coverage_M, curve.risk_M, color=_colour(0), lw=1.7, label="labelled")
            highest = max(highest, float(np.quantile(curve.risk_M, 0.98)))
            accepted = confidence_N >= gate.threshold
            if accepted.any():
                here = float((~right_N[accepted]).mean())
                axes.plot([accepted.mean()], [here], "o", color=_colour(0), ms=7, clip_on=False)
                highest = max(highest, here)
        if not len(confidence_N):
            axes.text(0.5, 0.95, "no labels yet", transform=axes.transAxes, ha="center", va="top")
        certificate = gate.certificate
        if certificate is not None:
            axes.axhline(certificate.risk, color=GATE, linestyle=DASHES, lw=1.2)
            highest = max(highest, certificate.risk)
            if certificate.threshold is not None:
                axes.plot(
                    [certificate.coverage], [certificate.errors / certificate.accepted], "*",
                    color=GATE, ms=13, label="certified", clip_on=False,
                )  # fmt: skip
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.15 * highest)
        axes.set_xlabel("share accepted")
        axes.set_ylabel("wrong among accepted")
        _both_percent(axes)
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
        plain(axes)
        return both(figure, "Risk by coverage")


def bins(n: int) -> NDArray[np.int64]:
    """Edges, by record number, of bins of equally many records; just one bin of few records."""
    count = max(1, min(BINS, n // FEWEST_A_BIN))
    edges: NDArray[np.int64] = np.linspace(0, n, count + 1).astype(np.int64)
    return edges


def _density(axes: Axes, window: Window, k: int, floor: float) -> None:
    """How many calls of a class lie where, the fewest seen as well, and their mean."""
    of_class, n = window.called == k, len(window)
    counts, _, _ = np.histogram2d(
        window.confidence[of_class], np.flatnonzero(of_class) + 0.5,
        [np.linspace(floor, 1.0 + 1e-9, LEVELS + 1), np.linspace(0, n, 3 * BINS + 1)],
    )  # fmt: skip
    picture = np.ones((*counts.shape, 4))
    picture[..., :3] = to_rgb(_colour(k))
    picture[..., 3] = np.where(counts > 0, 0.12 + 0.88 * (counts / max(counts.max(), 1)) ** 0.4, 0)
    axes.imshow(
        picture, origin="lower", aspect="auto", extent=(0, n, floor, 1.0),
        interpolation="nearest", zorder=2,
    )  # fmt: skip
    edges = bins(n)
    count = np.add.reduceat(of_class, edges[:-1], dtype=np.int64)
    total = np.add.reduceat(np.where(of_class, window.confidence, 0.0), edges[:-1])
    places = ((edges[:-1] + edges[1:]) / 2)[count > 0]
    mean = total[count > 0] / count[count > 0]
    axes.plot(places, mean, color="white", lw=3, zorder=3)
    axes.plot(places, mean, color=INK, lw=1.2, zorder=4)


def _steps(axes: Axes, edges: NDArray[np.int64], low: Floats, high: Floats, colour: str) -> None:
    axes.fill_between(
        edges, np.append(low, low[-1:]), np.append(high, high[-1:]), step="post", color=colour,
        alpha=0.22, lw=0,
    )  # fmt: skip


def _by_number(axes: Axes, at_N: Floats) -> None:
    """Numbers of records, and beneath them their times."""
    n = len(at_N)
    axes.set_xlim(0, max(n, 1))
    if n == 0:
        _nothing(axes, "nothing captured yet")
        axes.set_xticks([])
        return
    numbers = np.unique(np.linspace(0, n - 1, min(5, n)).astype(np.int64))
    times = [datetime.fromtimestamp(at_N[number], UTC) for number in numbers.tolist()]
    one_day = times[0].date() == times[-1].date()
    one_year = times[0].year == times[-1].year
    pattern = "%H:%M:%S" if one_day else "%d %b %H:%M" if one_year else "%d %b %Y"
    axes.set_xticks(
        (numbers + 0.5).tolist(),
        [f"{number + 1:,}\n{at:{pattern}}" for number, at in zip(numbers, times, strict=True)],
    )
    axes.tick_params(axis="x", labelsize=8.5)
    for label, place in zip(axes.get_xticklabels(), numbers, strict=True):
        label.set_horizontalalignment("left" if place == 0 and n > MANY else "center")
    when = f"{times[0]:%d %b %Y} " if one_day else f"{times[0]:%Y} " if one_year else ""
    axes.set_xlabel(f"record, {when}UTC", fontsize=9)


def _class_legend(
    figure: Figure, class_names: Sequence[str], threshold: float | None, mean: bool = False
) -> None:
    marks = [
        Line2D([], [], linestyle="none", marker="s", color=_colour(k), label=name)
        for k, name in enumerate(class_names)
    ]
    if threshold is not None:
        marks.append(
            Line2D([], [], color=GATE, linestyle=DASHES, label=f"threshold {threshold:.4g}")
        )
    if mean:
        marks.append(Line2D([], [], color=INK, lw=1.2, label="mean"))
    figure.legend(handles=marks, loc="outside upper left", ncols=len(marks), frameon=False)


def _nothing(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center")


def _both_percent(axes: Axes) -> None:
    in_percent(axes.xaxis)
    in_percent(axes.yaxis)


def _power(value: float, _place: int) -> str:
    if 0 <= value <= 4:
        return f"{10**value:,.0f}"
    return f"1/{10**-value:,.0f}" if -4 <= value < 0 else f"10{f'{value:.0f}'.translate(RAISED)}"


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]
