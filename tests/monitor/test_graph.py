"""A machine's graph, its layout and its drawings."""

from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest

from scones.monitor import drawing, graph, layout
from scones.monitor.graph import END, START, Status

MACHINE = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Task", "Next": "Which?", "Catch": [{"ErrorEquals": ["E"], "Next": "Oops"}]},
        "Which?": {
            "Type": "Choice",
            "Choices": [{"Next": "Left <&> \"it\""}, {"Next": "A"}],
            "Default": "Right",
        },
        "Left <&> \"it\"": {"Type": "Pass", "Next": "Done"},
        "Right": {"Type": "Pass", "End": True},
        "Done": {"Type": "Succeed"},
        "Oops": {"Type": "Fail"},
    },
}  # fmt: skip
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def events(*kinds: tuple[str, str]) -> list[dict[str, Any]]:
    """(type, state or error) a second apart."""
    made = []
    for place, (kind, name) in enumerate(kinds):
        event: dict[str, Any] = {"type": kind, "timestamp": NOON + timedelta(seconds=place)}
        if kind.endswith("StateEntered"):
            event["stateEnteredEventDetails"] = {"name": name}
        elif kind.endswith("StateExited"):
            event["stateExitedEventDetails"] = {"name": name}
        elif kind == "ExecutionFailed":
            event["executionFailedEventDetails"] = {"error": name}
        made.append(event)
    return made


SUCCEEDED = events(
    ("ExecutionStarted", ""),
    ("TaskStateEntered", "A"), ("TaskFailed", ""), ("TaskSucceeded", ""), ("TaskStateExited", "A"),
    ("ChoiceStateEntered", "Which?"), ("ChoiceStateExited", "Which?"),
    ("PassStateEntered", "Right"), ("PassStateExited", "Right"),
    ("ExecutionSucceeded", ""),
)  # fmt: skip
FAILED = events(
    ("ExecutionStarted", ""), ("TaskStateEntered", "A"), ("TaskFailed", ""),
    ("ExecutionFailed", "ThresholdConfidenceNotMet"),
)  # fmt: skip
CAUGHT = events(
    ("ExecutionStarted", ""), ("TaskStateEntered", "A"), ("TaskFailed", ""),
    ("TaskStateExited", "A"), ("FailStateEntered", "Oops"), ("ExecutionFailed", "E"),
)  # fmt: skip


def statuses(history: list[dict[str, Any]]) -> dict[str, Status]:
    return {node.name: node.status for node in graph.read(MACHINE, history).nodes}


def test_without_a_history_nothing_was_touched() -> None:
    assert set(statuses([]).values()) == {Status.UNTOUCHED}


def test_states_left_behind_succeeded_also_when_a_try_failed_first() -> None:
    found = statuses(SUCCEEDED)
    went = {START, "A", "Which?", "Right", END}
    assert {name for name, status in found.items() if status is Status.SUCCEEDED} == went
    read = graph.read(MACHINE, SUCCEEDED)
    taken = [(edge.source, edge.target) for edge in read.edges if edge.taken]
    assert taken == [(START, "A"), ("A", "Which?"), ("Which?", "Right"), ("Right", END)]
    assert {node.name: node.seconds for node in read.nodes}["A"] == 3.0


def test_the_state_that_failed_the_execution_is_failed() -> None:
    read = graph.read(MACHINE, FAILED)
    assert statuses(FAILED)["A"] is Status.FAILED
    assert statuses(FAILED)[END] is Status.UNTOUCHED
    assert read.error == "ThresholdConfidenceNotMet"


def test_a_caught_failure_is_told_from_the_failure_it_led_to() -> None:
    found = statuses(CAUGHT)
    assert (found["A"], found["Oops"]) == (Status.CAUGHT, Status.FAILED)


@pytest.mark.parametrize("history", [[], SUCCEEDED, FAILED, CAUGHT])
def test_no_boxes_overlap_and_forward_lines_lead_down(history: list[dict[str, Any]]) -> None:
    placed = layout.place(graph.read(MACHINE, history))
    for a, b in combinations(placed.boxes, 2):
        apart_x = abs(a.x - b.x) >= (a.width + b.width) / 2
        apart_y = abs(a.y - b.y) >= (a.height + b.height) / 2
        assert apart_x or apart_y, (a.node.name, b.node.name)
    for line in placed.lines:
        if (line.edge.source, line.edge.target) != ("Which?", "A"):
            heights = [y for _, y in line.points]
            assert heights == sorted(heights)
    for box in placed.boxes:
        assert box.width / 2 <= box.x <= placed.width - box.width / 2
        assert box.height / 2 <= box.y <= placed.height - box.height / 2


def test_a_state_that_follows_itself_and_one_nobody_leads_to_have_a_place() -> None:
    machine = {
        "StartAt": "Again",
        "States": {
            "Again": {"Type": "Choice", "Choices": [{"Next": "Again"}], "Default": "Over"},
            "Over": {"Type": "Succeed"},
            "Alone": {"Type": "Succeed"},
        },
    }
    assert len(layout.place(graph.read(machine)).boxes) == 5


@pytest.mark.parametrize("history", [[], SUCCEEDED, FAILED, CAUGHT])
def test_drawings_are_well_formed_and_say_every_state(history: list[dict[str, Any]]) -> None:
    placed = layout.place(graph.read(MACHINE, history))
    text = drawing.svg(placed, "a <machine>")
    words = "".join(ElementTree.fromstring(text).itertext())
    for name in MACHINE["States"]:
        assert name in words
    picture = drawing.png(placed, "a <machine>")
    assert picture.startswith(b"\x89PNG")
    assert drawing.png(placed, "a <machine>") == picture


def test_a_state_with_dollars_is_no_formula() -> None:
    machine = {"StartAt": "$\\bad{$", "States": {"$\\bad{$": {"Type": "Succeed"}}}
    placed = layout.place(graph.read(machine, []))
    assert drawing.png(placed, "A machine").startswith(b"\x89PNG")


def test_a_real_history_of_states_in_a_map_leaves_the_top_level_alone() -> None:
    history = events(("ExecutionStarted", ""), ("PassStateEntered", "inside a Map"))
    assert set(statuses(history).values()) == {Status.UNTOUCHED, Status.SUCCEEDED}
