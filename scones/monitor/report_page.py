"""The report as files: a page that opens offline, its figures as JSON, each picture by itself."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup

from scones.monitor import card_figures, drawing, graph, layout, plots
from scones.monitor.report import Judged, Report, Share, as_json, stands, verdict

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("scones.monitor"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
DARK_COLOURS = ("#5AB6F0", "#FF9248", "#33C79A", "#E9A3C9", "#FFC04D", "#9AD4F5")
"""The charts' colours, light enough for a dark page."""
DRAWN = ("confidence", "machine-succeeded", "machine-failed", "training", "risk-coverage")
"""Every picture that a report may have."""
STEPS = ("stage", "train", "deploy", "classify", "report", "total")


@dataclass(frozen=True)
class Picture:
    """A drawing in both forms."""

    png: bytes
    svg: str


def files(report: Report, pictures: Mapping[str, Picture]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file of the report, the page last."""
    for name, picture in pictures.items():
        yield f"{name}.png", picture.png
        yield f"{name}.svg", picture.svg.encode()
    yield "report.json", (json.dumps(as_json(report), indent=2) + "\n").encode()
    yield "report.html", page(report, pictures).encode()


def may_make() -> list[str]:
    """The names of all pictures' files: one that this report lacks is an earlier report's."""
    return [f"{name}.{ending}" for name in DRAWN for ending in ("png", "svg")]


def draw(report: Report) -> dict[str, Picture]:
    """Every picture by its file's name without the ending."""
    material = report.material
    points = [plots.Point(e.record.inferred_at, e.confidence, e.label) for e in report.history]
    chart = plots.confidence_over_time(
        points, material.classes, material.threshold, material.gates_before
    )
    pictures = {"confidence": Picture(chart.png, chart.svg)}
    for name, history, title in (
        ("machine-succeeded", material.succeeded_history, "An execution that succeeded"),
        ("machine-failed", material.failed_history, "An execution that failed"),
    ):
        if history:
            placed = layout.place(graph.read(material.definition, history))
            pictures[name] = Picture(drawing.png(placed, title), drawing.svg(placed, title))
    if material.epochs:
        curve = plots.training_curve(material.epochs)
        pictures["training"] = Picture(curve.png, curve.svg)
    model = card_figures.of(material.card)
    if model is not None:
        curve = plots.risk_by_coverage(model.curves())
        pictures["risk-coverage"] = Picture(curve.png, curve.svg)
    return pictures


def page(report: Report, pictures: Mapping[str, Picture]) -> str:
    """report.html: everything it shows lies within it."""
    material = report.material
    called = {"decision": "pictures decided", "truth": "pictures that are"}
    return TEMPLATES.get_template("report.html.j2").render(
        report=report,
        material=material,
        figures=as_json(report),
        pictures={name: Markup(inline(each.svg)) for name, each in pictures.items()},
        gates=[
            ("By decided class", report.by_decision,
             verdict(report.by_decision, material.classes, called["decision"])),
            ("By true class", report.by_truth,
             verdict(report.by_truth, material.classes, called["truth"])),
        ],
        gallery=[_card(each, report) for each in report.least_confident()],
        colours=plots.COLOURS,
        dark_colours=DARK_COLOURS,
        percent=percent,
        interval=interval,
        counted=counted,
        stands=stands(material),
        model=card_figures.of(material.card, material.promises),
        seconds=[(name, each) for name in STEPS if (each := material.seconds.get(name))],
        failed_error=_error_of(report),
        gated=_gated(report),
    )  # fmt: skip


def percent(value: float | None) -> str:
    """93.5 %; a dash for what cannot be known."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%" if value < 1 else "100\N{NO-BREAK SPACE}%"


def interval(share: Share) -> str:
    """95 % interval and n, as they stand under a figure."""
    if not share.n:
        return "no such pictures, n = 0"
    low, high = share.interval
    return f"{100 * low:.1f} to {100 * high:.1f} %, n = {share.n}"


def counted(count: int, thing: str) -> str:
    """1 line, 2 lines."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def inline(svg: str) -> str:
    """An SVG file as part of a page: no XML heading, and colours that follow light and dark."""
    drawn = svg[svg.index("<svg") :].replace(plots.PAPER, "", 1)
    for place, colour in enumerate(plots.COLOURS):
        drawn = drawn.replace(colour.lower(), f"var(--c{place})")
    return drawn.replace(plots.GATE.lower(), "var(--gate)").replace(plots.INK, "currentColor")


def _card(judged: Judged, report: Report) -> dict[str, Any]:
    classes = report.material.classes
    picture = judged.record.picture or b""
    kind = judged.record.content_type or "image/png"
    return {
        "source": f"data:{kind};base64,{base64.b64encode(picture).decode()}",
        "decided": classes[judged.label],
        "confidence": percent(judged.confidence),
        "truth": None if judged.truth is None else classes[judged.truth],
        "right": judged.truth is None or judged.truth == judged.label,
        "refused": judged.confidence < report.material.threshold,
    }


def _gated(report: Report) -> str:
    """What the dashed line means, and where it is another deployment's."""
    material = report.material
    before = len(report.history) - len(report.judged)
    if not before:
        return "What lies below the dashed line is refused."
    since = material.deployed_at.strftime("%d %B, %H:%M:%S UTC")
    stood = " or ".join(
        f"{each:.4g}" for each in sorted({each for _, each in material.gates_before})
    )
    at = f", gated at {stood}" if stood else ""
    return (
        "What lies below the dashed line of its deployment is refused. "
        f"{counted(before, 'request')} before {since} went to earlier deployments{at}."
    )


def _error_of(report: Report) -> str | None:
    material = report.material
    return (
        graph.read(material.definition, material.failed_history).error
        if (material.failed_history)
        else None
    )
