"""Distributed Map: every item, or batch of items, is an execution of its own."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from scones.local.asl import batcher, fanout, reader, writer
from scones.local.asl.errors import (
    EXCEED_TOLERATED_FAILURE_THRESHOLD,
    RUNTIME,
    StatesError,
)
from scones.local.asl.history import Event
from scones.local.asl.ports import ABORT, MapRun, MapRunPlan, Outcome
from scones.local.asl.text import load
from scones.local.asl.visit import Visit

WIDEST = 1000
"""Children at the same time where MaxConcurrency says nothing; AWS allows 10,000."""

_ITEMS_PER_TURN = 64

Child = tuple[Outcome, Mapping[str, Any]]


async def run(visit: Visit) -> Any:
    """Run the Map; the children's outputs in order, or what its ResultWriter answers."""
    items = await visit.calmly(lambda: _own_items(visit))
    tail, visit.tail = visit.tail, []
    started = _recorded(tail, "MapStateStarted") or visit.scope.add(
        "MapStateStarted", {"length": len(items or ())}
    )
    plan_ = await visit.calmly(lambda: plan(visit, started.id))
    visit.failed_kind = "MapStateFailed"
    begun = _recorded(tail, "MapRunStarted")
    map_run = visit.interpreter.world.open_map_run(
        plan_, (begun.details or {})["mapRunArn"] if begun else None
    )
    if begun is not None and visit.interpreter.history.redriven and not _redriven(tail):
        details = {"mapRunArn": map_run.arn, "redriveCount": map_run.redrives}
        visit.scope.add("MapRunRedriven", details)
    if begun is None:
        begun = visit.scope.add("MapRunStarted", {"mapRunArn": map_run.arn})
    try:
        output = await _carry_out(visit, plan_, map_run, items)
    except StatesError as failure:
        map_run.close("FAILED")
        if not failure.in_state:
            details = {"error": failure.error, "cause": failure.cause}
            visit.scope.add("MapRunFailed", details)
        raise
    except asyncio.CancelledError as cancelled:
        if ABORT in cancelled.args:
            map_run.close("ABORTED")
        raise
    map_run.close("SUCCEEDED")
    if not fanout.ends_with(tail, "MapStateSucceeded"):
        ended = visit.scope.add("MapRunSucceeded")
        visit.scope.add("MapStateSucceeded")
        visit.scope.previous = ended.id
    return output


def plan(visit: Visit, started: int) -> MapRunPlan:
    """What the state's fields ask for; StatesError where they make no sense."""
    count = visit.number("ToleratedFailureCount")
    if count is not None and count < 0:
        raise StatesError(RUNTIME, "ToleratedFailureCount cannot be negative.", in_state=True)
    percentage = visit.number("ToleratedFailurePercentage", "float")
    if percentage is not None and not 0 <= percentage <= 100:
        cause = "ToleratedFailurePercentage must be between 0 and 100."
        raise StatesError(RUNTIME, cause, in_state=True)
    return MapRunPlan(
        execution_arn=visit.interpreter.context["Execution"]["Id"],
        state=visit.state.name,
        label=visit.state.fields.get("Label", ""),
        started=started,
        processor=visit.state.branches[0],
        express=visit.state.express,
        max_concurrency=fanout.max_concurrency(visit),
        tolerated_count=None if count is None else int(count),
        tolerated_percentage=percentage,
    )


async def _carry_out(
    visit: Visit, plan_: MapRunPlan, map_run: MapRun, items: list[Any] | None
) -> Any:
    if items is None:
        items = await reader.read_items(visit, visit.interpreter.world.storage)
    chosen = await selected_of(visit, items)
    inputs = await visit.calmly(lambda: batcher.batches(visit, chosen))
    map_run.begin(len(inputs))
    await visit.interpreter.world.settled()
    children = _Children(visit, map_run, inputs)
    if inputs:
        await fanout.together(children.work() for _ in range(min(WIDEST, len(inputs))))
    if "ResultWriter" in visit.state.fields:
        return await writer.write(visit, map_run.arn, children.results)
    succeeded = (outcome for outcome, _ in children.results if outcome.status == "SUCCEEDED")
    return [load(outcome.output or "null") for outcome in succeeded]


class _Children:
    """The children of a run, started one after the other by several workers."""

    def __init__(self, visit: Visit, map_run: MapRun, inputs: list[Any]) -> None:
        self._visit = visit
        self._map_run = map_run
        self._inputs = inputs
        self._next = 0
        self._failed = 0
        self.results: list[Child] = [(Outcome("PENDING"), {})] * len(inputs)

    async def work(self) -> None:
        """Run children until no item is left; StatesError once too many have failed."""
        while self._next < len(self._inputs):
            async with self._map_run.slots:
                await self._one()

    async def _one(self) -> None:
        if self._next >= len(self._inputs):
            return
        index, self._next = self._next, self._next + 1
        text = self._visit.interpreter.text(self._inputs[index], self._visit.state.name)
        self.results[index] = await self._map_run.child(index, text)
        if self.results[index][0].status != "SUCCEEDED":
            self._failed += 1
            self._check()

    def _check(self) -> None:
        if exceeds(self._map_run, self._failed, len(self._inputs)):
            raise StatesError(
                EXCEED_TOLERATED_FAILURE_THRESHOLD,
                "The specified tolerated failure threshold was exceeded",
            )


def exceeds(plan_: MapRunPlan | MapRun, failed: int, total: int) -> bool:
    """Have more items failed than may? Without a limit none may; of two, either counts."""
    limits = []
    if plan_.tolerated_count is not None:
        limits.append(float(plan_.tolerated_count))
    if plan_.tolerated_percentage is not None:
        limits.append(total * plan_.tolerated_percentage / 100)
    return failed > min(limits, default=0)


def _own_items(visit: Visit) -> list[Any] | None:
    """The items in the state's own data; None where an ItemReader has them."""
    return None if "ItemReader" in visit.state.fields else fanout.items_of(visit)


async def selected_of(visit: Visit, items: list[Any]) -> list[Any]:
    """The items as the children get them; others get a turn in between."""
    chosen = []
    for index, item in enumerate(items):
        chosen.append(await visit.calmly(partial(_selected, visit, index, item)))
        if index % _ITEMS_PER_TURN == _ITEMS_PER_TURN - 1:
            await asyncio.sleep(0)
    return chosen


def _selected(visit: Visit, index: int, item: Any) -> Any:
    scope = visit.scope
    fields = visit.state.fields
    if "ItemSelector" not in fields and "Parameters" not in fields:
        return item
    scope_item, scope.item = scope.item, {"Item": {"Index": index, "Value": item}}
    try:
        return fanout.selected(visit, scope, item)
    finally:
        scope.item = scope_item


def _redriven(tail: list[Event]) -> bool:
    return _recorded(tail, "MapRunRedriven") is not None


def _recorded(tail: list[Event], kind: str) -> Event | None:
    return next((event for event in reversed(tail) if event.kind == kind), None)
