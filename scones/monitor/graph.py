"""A machine's graph: states and transitions from its ASL, what became of each from a history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any

START, END = "Start", "End"
"""The two ends of a drawing; a state of the same name is told apart by its kind."""


class Status(StrEnum):
    """What became of a state in one execution."""

    UNTOUCHED = "untouched"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CAUGHT = "caught"
    """It failed, and the machine went on by its Catch."""
    FAILED = "failed"


@dataclass(frozen=True)
class Node:
    """One state, or one of the two ends."""

    name: str
    kind: str
    """The state's Type, or START or END."""
    status: Status = Status.UNTOUCHED
    seconds: float | None = None
    """From entering it to leaving it, all visits together; None where it was not left."""


@dataclass(frozen=True)
class Edge:
    """A transition that the machine allows."""

    source: str
    target: str
    taken: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes in the definition's order, the start first and the end last, and edges between them."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    error: str | None = None
    """The error's name where the execution failed."""


@dataclass
class _Visit:
    """What a history tells about the states; visits of the same state are summed."""

    entered: dict[str, datetime] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    status: dict[str, Status] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    error: str | None = None


def read(definition: Mapping[str, Any], history: Sequence[Mapping[str, Any]] = ()) -> Graph:
    """The machine's top level; states inside Map and Parallel are theirs.

    `history` is GetExecutionHistory's events, the oldest first; without it nothing was touched.
    """
    states: Mapping[str, Mapping[str, Any]] = definition["States"]
    visit = _follow(history, states)
    taken = set(pairwise(visit.steps))
    edges = [(START, str(definition["StartAt"]))]
    for name, state in states.items():
        edges += [(name, target) for target in _targets(state)]
    ends = [
        _end(START, bool(visit.steps), visit),
        *(
            Node(
                name,
                str(state["Type"]),
                visit.status.get(name, Status.UNTOUCHED),
                visit.seconds.get(name),
            )
            for name, state in states.items()
        ),
        _end(END, END in visit.steps, visit),
    ]
    return Graph(
        tuple(ends),
        tuple(Edge(a, b, (a, b) in taken) for a, b in dict.fromkeys(edges)),
        visit.error,
    )


def _end(name: str, touched: bool, visit: _Visit) -> Node:
    return Node(name, name, Status.SUCCEEDED if touched else Status.UNTOUCHED)


def _targets(state: Mapping[str, Any]) -> list[str]:
    """Every state that may come next, END among them, in the order written."""
    found = [str(rule["Next"]) for rule in state.get("Choices", [])]
    found += [str(state[key]) for key in ("Default", "Next") if key in state]
    found += [str(rule["Next"]) for rule in state.get("Catch", [])]
    return [*found, END] if state.get("End") or state["Type"] in ("Succeed", "Fail") else found


def _follow(
    history: Sequence[Mapping[str, Any]], states: Mapping[str, Mapping[str, Any]]
) -> _Visit:
    visit = _Visit(steps=[START] if history else [])
    current, failed = "", False
    for event in history:
        kind = str(event["type"])
        if kind.endswith("StateEntered"):
            name = str(event["stateEnteredEventDetails"]["name"])
            if name not in states:
                continue
            current, failed = name, False
            visit.entered[name] = event["timestamp"]
            visit.status[name] = Status.RUNNING
            visit.steps.append(name)
        elif kind.endswith("StateExited"):
            name = str(event["stateExitedEventDetails"]["name"])
            if name in states:
                spent = (event["timestamp"] - visit.entered[name]).total_seconds()
                visit.seconds[name] = visit.seconds.get(name, 0.0) + spent
                visit.status[name] = Status.CAUGHT if failed else Status.SUCCEEDED
        elif kind == "ExecutionSucceeded":
            visit.steps.append(END)
        elif kind in ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"):
            details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails") or {}
            visit.error = str(details.get("error") or kind.removeprefix("Execution"))
            if visit.status.get(current) in (Status.RUNNING, Status.CAUGHT) or (
                current and states[current]["Type"] == "Fail"
            ):
                visit.status[current] = Status.FAILED
        elif kind.startswith(("Task", "LambdaFunction", "Activity", "Map", "Parallel")):
            failed = kind.endswith(("Failed", "TimedOut"))
    return visit
