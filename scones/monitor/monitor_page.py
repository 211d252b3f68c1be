"""A monitor's findings as files: a page that opens offline, JSON, charts, Model Monitor's files."""

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from scones.gate.heldout import Baseline, Gate
from scones.monitor import monitor_plots, plots, statistics
from scones.monitor.accuracy import Share
from scones.monitor.balance import Balance
from scones.monitor.capture import Fault, Record
from scones.monitor.digits import alike
from scones.monitor.monitor_plots import Gated
from scones.monitor.plots import Chart
from scones.monitor.report_page import DARK_COLOURS, TEMPLATES, inline, percent
from scones.monitor.sentences import Verdict, glued
from scones.monitor.spans import spans
from scones.monitor.verdict import Findings
from scones.monitor.windows import UNKNOWN, Window

GALLERY = 12
"""Pictures in each gallery."""
FAULTS_SHOWN = 20
MOST_SPANS = 24 * 366
"""Hourly spans in monitor.json: a year; of more time the spans are days."""
HOUR_S, DAY_S = 3600.0, 86400.0


@dataclass(frozen=True)
class Shown:
    """A captured picture in a gallery."""

    record: Record
    truth: int | None


@dataclass(frozen=True)
class Sheet:
    """Everything a monitor's page shows."""

    place: str
    """Where the captures lie."""
    window: Window
    findings: Findings
    gate: Gate | None
    made_at: datetime
    """Aware, UTC."""
    model: str | None = None
    num_pictures: int | None = None
    """Different pictures among the records; None where pictures were not looked at."""
    first_N: NDArray[np.bool_] | None = None
    """Records whose picture had not come before."""
    faults: Sequence[Fault] = ()
    notes: Sequence[str] = ()
    least_confident: Sequence[Shown] = ()
    confidently_wrong: Sequence[Shown] = ()
    measures: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Of pictures, for statistics.json."""
    formats: Sequence[str] = ()
    """The same."""

    @property
    def once(self) -> Window:
        """The window with each picture once."""
        return self.window if self.first_N is None else self.window.take(self.first_N)


def least_confident(
    window: Window, chosen_N: NDArray[np.bool_] | None, count: int = GALLERY
) -> list[int]:
    """Indexes of the chosen records that the model doubts most; of all, if None."""
    order = np.argsort(window.confidence, kind="stable")
    if chosen_N is not None:
        order = order[chosen_N[order]]
    return [int(each) for each in order[:count]]


def confidently_wrong(
    window: Window,
    threshold: float,
    first_N: NDArray[np.bool_] | None,
    count: int = GALLERY,
) -> list[int]:
    """Indexes of accepted records whose label says otherwise, the most confident first."""
    wrong = (window.truth_N != UNKNOWN) & (window.truth_N != window.called)
    wrong &= window.confidence >= threshold
    if first_N is not None:
        wrong &= first_N
    found = np.flatnonzero(wrong)
    return [int(each) for each in found[np.argsort(-window.confidence[found])][:count]]


def draw(sheet: Sheet) -> dict[str, Chart]:
    """Every chart by its file's name without the ending."""
    window, findings = sheet.window, sheet.findings
    baseline = sheet.gate.baseline if sheet.gate else None
    known = sheet.once.labelled
    right = known.called == known.truth_N
    certificate = sheet.gate.overall if sheet.gate else None
    return {
        "confidence": monitor_plots.confidence(window, findings.threshold),
        "balance": monitor_plots.balance(window, _shares(baseline)),
        "martingale": monitor_plots.martingale(window.at_N, findings.confidence, findings.pictures),
        "reliability": monitor_plots.reliability_chart(known.confidence, right),
        "risk-coverage": monitor_plots.risk_coverage_chart(
            known.confidence, right, Gated(findings.threshold, certificate, baseline)
        ),
    }


def files(sheet: Sheet) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file, the page last."""
    charts = draw(sheet)
    for name, chart in charts.items():
        yield f"{name}.png", chart.png
        yield f"{name}.svg", chart.svg.encode()
    window = sheet.window
    yield "statistics.json", _json(statistics.data_quality(window, sheet.measures, sheet.formats))
    yield "constraint_violations.json", _json(statistics.violations(sheet.findings))
    if len(sheet.once.labelled):
        yield "model_quality_statistics.json", _json(statistics.model_quality(sheet.once))
    yield "monitor.json", _json(as_json(sheet))
    yield "monitor.html", page(sheet, charts).encode()


def as_json(sheet: Sheet) -> dict[str, Any]:
    """monitor.json: verdicts, figures, and hourly (of more than a year, daily) aggregates."""
    window = sheet.window
    length = float(window.at_N[-1] - window.at_N[0]) if len(window) else 0.0
    per = spans(window, DAY_S if length / HOUR_S > MOST_SPANS else HOUR_S, sheet.findings.threshold)
    columns = zip(
        per.start_S.tolist(), per.count_S.tolist(), per.called_SK.tolist(),
        per.accepted_S.tolist(), per.mean_S.tolist(), per.low_S.tolist(), per.high_S.tolist(),
        strict=True,
    )  # fmt: skip
    return {
        "place": sheet.place,
        "model": sheet.model,
        "made_at": sheet.made_at.isoformat(timespec="seconds"),
        "classes": list(window.class_names),
        "records": len(window),
        "pictures": sheet.num_pictures,
        "labelled": len(window.labelled),
        "unreadable": len(sheet.faults),
        "notes": list(sheet.notes),
        "first_at": _when(window.at_N[:1]),
        "last_at": _when(window.at_N[-1:]),
        **sheet.findings.to_json(),
        "certificate": sheet.gate.overall.to_json() if sheet.gate else None,
        "span_seconds": per.seconds,
        "spans": [
            {
                "start": datetime.fromtimestamp(start, UTC).isoformat(),
                "count": count,
                "called": dict(zip(window.class_names, called, strict=True)),
                "accepted": accepted,
                "confidence": {"mean": mean, "low": low, "high": high},
            }
            for start, count, called, accepted, mean, low, high in columns
        ],
        "faults": [str(fault) for fault in sheet.faults[:FAULTS_SHOWN]],
    }


def page(sheet: Sheet, charts: Mapping[str, Chart]) -> str:
    """monitor.html: everything it shows lies within it."""
    findings = sheet.findings
    return TEMPLATES.get_template("monitor.html.j2").render(
        sheet=sheet,
        findings=findings,
        verdicts=[(each, tone(each), HEADINGS.get(each.about, each.about))
                  for each in findings.verdicts],
        charts={name: Markup(inline(each.svg)) for name, each in charts.items()},
        window=sheet.window,
        accepted=int((sheet.window.confidence >= findings.threshold).sum()),
        galleries=[
            ("The least confident pictures",
             "What the model doubts most. They teach most when labelled: scones review.",
             [_card(each, sheet) for each in sheet.least_confident]),
            ("Confidently wrong",
             "Accepted, and the label says otherwise. First ask whether the label is right.",
             [_card(each, sheet) for each in sheet.confidently_wrong]),
        ],
        tests=_tests(findings.balance),
        colours=plots.COLOURS,
        dark_colours=DARK_COLOURS,
        percent=percent,
        glued=glued,
        interval=_interval,
        faults_shown=FAULTS_SHOWN,
        span=_span(sheet.window),
    )  # fmt: skip


HEADINGS = {
    "gate": "Does the gate keep its promise?",
    "bias": "Is the model biased toward a class?",
    "mix by labels": "Is the stream unbalanced? (labels)",
    "mix by BBSE": "Is the stream unbalanced? (BBSE)",
    "mix by MLLS": "Is the stream unbalanced? (MLLS)",
    "confidence": "Have the confidences drifted?",
    "pictures": "Have the pictures drifted?",
    "accuracy": "How accurate is it now?",
}
GOOD = ("active", "no bias found", "no drift", "as the baseline", "as estimated")


def tone(verdict: Verdict) -> str:
    """ "bad" for alarms, "good" for what is well, "open" for what cannot be said."""
    if verdict.alarm:
        return "bad"
    return "good" if verdict.state in GOOD else "open"


def _tests(balance: Balance) -> list[dict[str, str]]:
    """The rows of the table of tests."""
    rows = []
    for test in balance.tests:
        scale, unit = (1.0, "") if test.question == "intercept" else (100.0, " points")
        gap, low, high = alike(*(scale * each for each in (test.gap, test.low, test.high)))
        rows.append(
            {
                "question": f"{test.question} of {test.class_name}",
                "gap": f"{gap}{unit}",
                "interval": f"{low} to {high}",
                "p": f"{test.p:.2g}",
                "fisher": "" if test.fisher_p is None else f"{test.fisher_p:.2g}",
                "adjusted": f"{test.adjusted_p:.2g}",
                "n": f"{test.n[0]:,} and {test.n[1]:,}",
            }
        )
    return rows


def _card(shown: Shown, sheet: Sheet) -> dict[str, Any]:
    record, names = shown.record, sheet.window.class_names
    confidence = max(record.probabilities)
    called = record.probabilities.index(confidence)
    kind = record.content_type or "image/png"
    if kind not in ("image/png", "image/jpeg"):
        kind = "image/jpeg" if (record.picture or b"").startswith(b"\xff\xd8") else "image/png"
    return {
        "source": f"data:{kind};base64,{base64.b64encode(record.picture or b'').decode()}",
        "called": names[called],
        "confidence": percent(confidence),
        "truth": None if shown.truth is None else names[shown.truth],
        "right": shown.truth in (None, called),
        "refused": confidence < sheet.findings.threshold,
    }


def _interval(share: Share) -> str:
    if share.n == 0:
        return "n = 0"
    return f"{100 * share.low:.1f} to {100 * share.high:.1f} %, n = {share.n:,}"


def _span(window: Window) -> str:
    """From when to when, in words."""
    if len(window) == 0:
        return "no records"
    first, last = (datetime.fromtimestamp(window.at_N[i], UTC) for i in (0, -1))
    if first.date() != last.date():
        return f"{first:%d %B %Y, %H:%M} to {last:%d %B %Y, %H:%M} UTC"
    times = dict.fromkeys(f"{each:%H:%M:%S}" for each in (first, last))
    return f"{first:%d %B %Y}, {' to '.join(times)} UTC"


def _when(at: NDArray[np.float64]) -> str | None:
    return datetime.fromtimestamp(at[0], UTC).isoformat() if len(at) else None


def _shares(baseline: Baseline | None) -> NDArray[np.float64] | None:
    if baseline is None or len(baseline.labels_N) == 0:
        return None
    counts = np.bincount(baseline.labels_N, minlength=len(baseline.class_names))
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _json(value: Any) -> bytes:
    return (json.dumps(_finite(value), indent=2, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    """NaN and infinity, which JSON has not, as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
