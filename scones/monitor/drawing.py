"""A laid-out graph as a picture: SVG for pages, PNG for everything else.

Green, red and grey are never alone: a tick or a cross stands in the corner, and the lines that
were not taken are dashed.
"""

import io
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from scones.monitor.graph import END, START, Node, Status
from scones.monitor.layout import Box, Layout, Line, Point


@dataclass(frozen=True)
class Ink:
    """Colours of a box on a light page, and on a dark one."""

    fill: str
    stroke: str
    dark_fill: str
    dark_stroke: str
    mark: str


INKS = {
    Status.UNTOUCHED: Ink("#f3f4f6", "#9aa2ad", "#23272e", "#5c6570", ""),
    Status.RUNNING: Ink("#dbeafe", "#1d5fbf", "#14304f", "#6cb0ff", "…"),
    Status.SUCCEEDED: Ink("#d9f2e0", "#187a3a", "#123420", "#4cc273", "✓"),
    Status.CAUGHT: Ink("#ffe8c7", "#a35a00", "#3d2a08", "#f0a742", "!"),
    Status.FAILED: Ink("#ffdedb", "#c02330", "#451a1d", "#ff7b7b", "✗"),
}
STYLE = "".join(
    f".g-{status} .b{{fill:{ink.fill};stroke:{ink.stroke}}}.g-{status} .m{{fill:{ink.stroke}}}"
    for status, ink in INKS.items()
)
DARK = "".join(
    f".g-{status} .b{{fill:{ink.dark_fill};stroke:{ink.dark_stroke}}}"
    f".g-{status} .m{{fill:{ink.dark_stroke}}}"
    for status, ink in INKS.items()
)
PAGE = (
    ".graph text{font-family:system-ui,sans-serif;text-anchor:middle;fill:#1c2430}"
    ".graph .b{stroke-width:1.6}.graph .n{font-size:13px;font-weight:600}"
    ".graph .k{font-size:10.5px;fill:#566170}.graph .m{font-size:14px;font-weight:700}"
    ".graph .l{fill:none;stroke:#9aa2ad;stroke-width:1.3;stroke-dasharray:4 4}"
    ".graph .l.t{stroke:#3b4654;stroke-width:1.8;stroke-dasharray:none}"
    ".graph .h{fill:#9aa2ad}.graph .h.t{fill:#3b4654}"
    f"{STYLE}"
    "@media (prefers-color-scheme:dark){.graph text{fill:#e8ecf1}.graph .k{fill:#a2adba}"
    ".graph .l{stroke:#5c6570}.graph .l.t{stroke:#c3ccd6}.graph .h{fill:#5c6570}"
    f".graph .h.t{{fill:#c3ccd6}}{DARK}}}"
)


def svg(layout: Layout, title: str) -> str:
    """A drawing that stands alone and follows the reader's light or dark."""
    lines = "".join(_svg_line(line) for line in _in_order(layout))
    boxes = "".join(_svg_box(box) for box in layout.boxes)
    size = f"{layout.width:.0f} {layout.height:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="graph" viewBox="0 0 {size}" '
        f'width="{layout.width:.0f}" height="{layout.height:.0f}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title><style>{PAGE}</style>'
        f"{lines}{boxes}</svg>\n"
    )


def png(layout: Layout, title: str, scale: float = 2.0) -> bytes:
    """The same drawing on white, `scale` pixels for one."""
    figure = Figure(figsize=(layout.width / 100, layout.height / 100), dpi=100 * scale)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    for line in _in_order(layout):
        colour, style = ("#3b4654", "-") if line.edge.taken else ("#9aa2ad", (0, (3, 3)))
        arrow = FancyArrowPatch(
            path=_path(line.points), arrowstyle="-|>", mutation_scale=9, color=colour,
            linestyle=style, linewidth=1.1, shrinkA=0, shrinkB=0, capstyle="butt", zorder=1,
        )  # fmt: skip
        axes.add_patch(arrow)
    for box in layout.boxes:
        ink = INKS[box.node.status]
        axes.add_patch(_patch(box, ink))
        heading = 0 if box.node.kind in (START, END) else 6
        points = 72 / 100  # of type to a pixel of the layout
        axes.text(
            box.x, box.y + heading, box.node.name, ha="center", va="center",
            fontsize=(11 if not heading else 13) * points, weight="bold", color="#1c2430",
            parse_math=False,
        )  # fmt: skip
        if heading:
            axes.text(
                box.x, box.y - 12, caption(box.node), ha="center", va="center",
                fontsize=10.5 * points, color="#566170",
            )  # fmt: skip
            axes.text(
                box.x + box.width / 2 - 11, box.y - 11, ink.mark, ha="center", va="center",
                fontsize=13 * points, color=ink.stroke, weight="bold",
            )  # fmt: skip
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100 * scale, metadata={"Title": title})
    return buffer.getvalue()


def caption(node: Node) -> str:
    """What kind of state it is, and how long it took."""
    return node.kind if node.seconds is None else f"{node.kind} · {node.seconds:.2f} s"


def _in_order(layout: Layout) -> list[Line]:
    """The lines taken last, so that they lie on top."""
    return sorted(layout.lines, key=lambda line: line.edge.taken)


def _svg_box(box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    name, status = escape(box.node.name), box.node.status
    if box.node.kind in (START, END):
        return (
            f'<g class="g-{status}"><circle class="b" cx="{box.x:.1f}" cy="{box.y:.1f}" '
            f'r="{box.width / 2:.1f}"/><text class="k" x="{box.x:.1f}" y="{box.y + 4:.1f}">'
            f"{name}</text></g>"
        )
    return (
        f'<g class="g-{status}"><title>{name}: {status}</title>'
        f'<rect class="b" x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="8"/>'
        f'<text class="k" x="{box.x:.1f}" y="{box.y - 8:.1f}">{escape(caption(box.node))}</text>'
        f'<text class="n" x="{box.x:.1f}" y="{box.y + 11:.1f}">{name}</text>'
        f'<text class="m" x="{left + box.width - 12:.1f}" y="{top + 16:.1f}">'
        f"{INKS[status].mark}</text></g>"
    )


def _svg_line(line: Line) -> str:
    taken = " t" if line.edge.taken else ""
    (x0, y0), (x, y) = line.points[-2], line.points[-1]
    points = [*line.points[:-1], _before(line.points[-2], line.points[-1])]
    head = _arrow_head((x0, y0), (x, y))
    return (
        f'<path class="l{taken}" d="{_svg_path(points)}"/>'
        f'<polygon class="h{taken}" points="{head}"/>'
    )


def _svg_path(points: list[Point]) -> str:
    """Smooth between layers: leaves and arrives straight down."""
    (x, y), *rest = points
    words = [f"M{x:.1f} {y:.1f}"]
    for to_x, to_y in rest:
        half = (y + to_y) / 2
        words.append(f"C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}")
        x, y = to_x, to_y
    return "".join(words)


def _path(points: tuple[Point, ...]) -> Path:
    vertices: list[Point] = [points[0]]
    codes = [Path.MOVETO]
    for (x, y), (to_x, to_y) in pairwise(points):
        half = (y + to_y) / 2
        vertices += [(x, half), (to_x, half), (to_x, to_y)]
        codes += [Path.CURVE4] * 3
    return Path(vertices, codes)


def _downward(before: Point, end: Point) -> tuple[float, float]:
    """The direction in which a smooth line arrives: straight down, unless it arrives sideways."""
    if end[1] > before[1]:
        return 0.0, 1.0
    return (1.0, 0.0) if end[0] > before[0] else (-1.0, 0.0)


def _before(before: Point, end: Point, length: float = 6.0) -> Point:
    dx, dy = _downward(before, end)
    return end[0] - dx * length, end[1] - dy * length


def _arrow_head(before: Point, end: Point) -> str:
    dx, dy = _downward(before, end)
    base = _before(before, end, 8.0)
    corners = [end, (base[0] - dy * 4, base[1] + dx * 4), (base[0] + dy * 4, base[1] - dx * 4)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _patch(box: Box, ink: Ink) -> Circle | FancyBboxPatch:
    if box.node.kind in (START, END):
        return Circle((box.x, box.y), box.width / 2, fc=ink.fill, ec=ink.stroke, lw=1.2, zorder=2)
    corner = (box.x - box.width / 2, box.y - box.height / 2)
    return FancyBboxPatch(
        corner, box.width, box.height, boxstyle="round,pad=0,rounding_size=8",
        fc=ink.fill, ec=ink.stroke, lw=1.2, zorder=2,
    )  # fmt: skip
