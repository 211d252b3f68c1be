"""Where the boxes and lines of a machine's graph go: layer by layer from the start downward.

Sugiyama's method in its short form: lines that go back are set aside, a state lies one layer below
the lowest of those before it, lines across several layers get a bend in each, and each layer is
ordered by the places of its neighbours until crossings stop falling away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scones.monitor.graph import END, START, Edge, Graph, Node

CHARACTER = 7.3
"""Width of a character of the boxes' 13 px type, a little generously: fonts differ."""
PADDING, BOX_HEIGHT, END_SIZE = 18.0, 46.0, 40.0
GAP_X, GAP_Y, MARGIN = 26.0, 38.0, 14.0
SWEEPS = 8

Point = tuple[float, float]
Slot = str | tuple[int, int]
"""A node's name, or a bend: which edge and in which layer."""


@dataclass(frozen=True)
class Box:
    """A node's place: its middle and its size, in pixels from the upper left."""

    node: Node
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Line:
    """An edge's way, from the foot of one box to the head of another."""

    edge: Edge
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """A whole drawing."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def place(graph: Graph) -> Layout:
    """Positions for every box and line; the drawing is as large as it needs to be."""
    names = [node.name for node in graph.nodes]
    sizes = {node.name: _size(node) for node in graph.nodes}
    back = _back_edges(names, graph.edges)
    depth = _depths(names, graph.edges, back)
    chains = _chains(graph.edges, back, depth)
    layers = _ordered(_layers(names, depth, chains), chains)
    across = _across(layers, chains, sizes)
    down = [MARGIN + END_SIZE / 2 + row * (BOX_HEIGHT + GAP_Y) for row in range(len(layers))]
    shift = MARGIN - min(x - _width(slot, sizes) / 2 for slot, x in across.items())
    at = {
        slot: (across[slot] + shift, down[row])
        for row, layer in enumerate(layers)
        for slot in layer
    }
    boxes = tuple(Box(node, *at[node.name], *sizes[node.name]) for node in graph.nodes)
    lines = tuple(
        Line(edge, _way(edge, chains[index], at, sizes, index in back))
        for index, edge in enumerate(graph.edges)
    )
    right = max(
        [box.x + box.width / 2 for box in boxes] + [x for line in lines for x, _ in line.points]
    )
    return Layout(right + MARGIN, down[-1] + BOX_HEIGHT / 2 + MARGIN, boxes, lines)


def _size(node: Node) -> Point:
    if node.kind in (START, END):
        return END_SIZE, END_SIZE
    return max(130.0, len(node.name) * CHARACTER + 2 * PADDING), BOX_HEIGHT


def _width(slot: Slot, sizes: Mapping[str, Point]) -> float:
    return sizes[slot][0] if isinstance(slot, str) else 0.0


def _back_edges(names: Sequence[str], edges: Sequence[Edge]) -> set[int]:
    """Edges that lead to a state that is still being walked from: the lines of loops."""
    back: set[int] = set()
    done: set[str] = set()
    walking: set[str] = set()

    def walk(name: str) -> None:
        walking.add(name)
        for index, edge in enumerate(edges):
            if edge.source == name and edge.target in walking:
                back.add(index)
            elif edge.source == name and edge.target not in done:
                walk(edge.target)
        walking.discard(name)
        done.add(name)

    for name in names:
        if name not in done:
            walk(name)
    return back


def _depths(names: Sequence[str], edges: Sequence[Edge], back: set[int]) -> dict[str, int]:
    """The longest way from a start; END lies below everything."""
    depth = dict.fromkeys(names, 0)
    for _ in names:
        for index, edge in enumerate(edges):
            if index not in back:
                depth[edge.target] = max(depth[edge.target], depth[edge.source] + 1)
    depth[END] = max(depth[END], 1 + max(deep for name, deep in depth.items() if name != END))
    return depth


def _chains(edges: Sequence[Edge], back: set[int], depth: Mapping[str, int]) -> list[list[Slot]]:
    """Every edge as the slots it passes, from above to below."""
    chains: list[list[Slot]] = []
    for index, edge in enumerate(edges):
        upper, lower = (edge.target, edge.source) if index in back else (edge.source, edge.target)
        bends: list[Slot] = [(index, row) for row in range(depth[upper] + 1, depth[lower])]
        chains.append([upper, *bends, lower])
    return chains


def _layers(
    names: Sequence[str], depth: Mapping[str, int], chains: Sequence[Sequence[Slot]]
) -> list[list[Slot]]:
    layers: list[list[Slot]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in names:
        layers[depth[name]].append(name)
    for chain in chains:
        for slot in chain[1:-1]:
            assert isinstance(slot, tuple), "between its ends a chain has only bends"
            layers[slot[1]].append(slot)
    return layers


def _neighbours(chains: Sequence[Sequence[Slot]]) -> dict[Slot, list[Slot]]:
    found: dict[Slot, list[Slot]] = {}
    for chain in chains:
        for upper, lower in pairwise(chain):
            found.setdefault(upper, []).append(lower)
            found.setdefault(lower, []).append(upper)
    return found


def _ordered(layers: list[list[Slot]], chains: Sequence[Sequence[Slot]]) -> list[list[Slot]]:
    """Each layer by the mean place of its neighbours in the layer before, down and up again."""
    near = _neighbours(chains)
    for sweep in range(SWEEPS):
        rows = range(1, len(layers)) if sweep % 2 == 0 else range(len(layers) - 2, -1, -1)
        for row in rows:
            before = layers[row - 1] if sweep % 2 == 0 else layers[row + 1]
            places = {slot: float(place) for place, slot in enumerate(before)}

            def mean(
                slot: Slot, places: dict[Slot, float] = places, own: list[Slot] = layers[row]
            ) -> float:
                found = [places[each] for each in near.get(slot, []) if each in places]
                return sum(found) / len(found) if found else float(own.index(slot))

            layers[row] = sorted(layers[row], key=mean)
    return layers


def _across(
    layers: list[list[Slot]], chains: Sequence[Sequence[Slot]], sizes: Mapping[str, Point]
) -> dict[Slot, float]:
    """The middle of every slot: side by side first, then toward its neighbours."""
    near = _neighbours(chains)
    across: dict[Slot, float] = {}
    for layer in layers:
        total = sum(_width(slot, sizes) for slot in layer) + GAP_X * (len(layer) - 1)
        left = -total / 2
        for slot in layer:
            width = _width(slot, sizes)
            across[slot] = left + width / 2
            left += width + GAP_X
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wished = [
                sum(across[each] for each in near[slot]) / len(near[slot])
                if near.get(slot)
                else across[slot]
                for slot in layer
            ]
            for slot, x in zip(layer, _apart(layer, wished, sizes), strict=True):
                across[slot] = x
    return across


def _apart(
    layer: Sequence[Slot], wished: Sequence[float], sizes: Mapping[str, Point]
) -> list[float]:
    """The wishes, pushed apart where boxes would overlap, about the wished middle."""
    placed: list[float] = []
    for place, slot in enumerate(layer):
        x = wished[place]
        if placed:
            room = (_width(layer[place - 1], sizes) + _width(slot, sizes)) / 2 + GAP_X
            x = max(x, placed[-1] + room)
        placed.append(x)
    drift = (sum(placed) - sum(wished)) / len(layer)
    return [x - drift for x in placed]


def _way(
    edge: Edge,
    chain: Sequence[Slot],
    at: Mapping[Slot, Point],
    sizes: Mapping[str, Point],
    is_back: bool,
) -> tuple[Point, ...]:
    """Down from foot to head through the bends; a line back leaves and enters at the side."""
    if edge.source == edge.target:
        (x, y), (width, height) = at[edge.source], sizes[edge.source]
        side = x + width / 2
        return ((side, y - height / 4), (side + GAP_X / 2, y), (side, y + height / 4))
    (x1, y1), (x2, y2) = at[edge.source], at[edge.target]
    bends = [at[slot] for slot in chain[1:-1]]
    if is_back:
        right1, right2 = x1 + sizes[edge.source][0] / 2, x2 + sizes[edge.target][0] / 2
        outer = max([right1, right2, *(x for x, _ in bends)]) + GAP_X / 2
        return ((right1, y1), (outer, y1), (outer, y2), (right2, y2))
    return (
        (x1, y1 + sizes[edge.source][1] / 2),
        *bends,
        (x2, y2 - sizes[edge.target][1] / 2),
    )
