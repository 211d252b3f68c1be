"""Parallel and inline Map: lines of control within a state."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from scones.local.asl import jsonata, jsonpath
from scones.local.asl.errors import RUNTIME, EvaluationError, StatesError
from scones.local.asl.history import Event, Scope
from scones.local.asl.ports import ABORT
from scones.local.asl.visit import Visit

INLINE_CONCURRENCY = 40
"""https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html"""

_ABORTABLE = ("Task", "Wait", "Parallel", "Map")


async def parallel(visit: Visit) -> list[Any]:
    """Run every branch on the same input; their outputs, in order."""
    value = await visit.calmly(lambda: _parallel_input(visit))
    ended = ends_with(visit.tail, "ParallelStateSucceeded")
    started = _started(visit, "ParallelStateStarted")
    visit.failed_kind = "ParallelStateFailed"
    walk = visit.interpreter.walk
    scopes = [
        visit.scope.inner(started.id, index, started.id)
        for index in range(len(visit.state.branches))
    ]
    pairs = zip(visit.state.branches, scopes, strict=True)
    try:
        outputs = await together(walk(branch, value, scope) for branch, scope in pairs)
    except StatesError:
        for scope in scopes:
            abort(scope)
        raise
    if not ended:
        visit.scope.add("ParallelStateSucceeded")
    return outputs


async def mapped(visit: Visit) -> list[Any]:
    """Run an inline Map; the outputs of its items, in order."""
    items, limit = await visit.calmly(lambda: _plan(visit))
    ended = ends_with(visit.tail, "MapStateSucceeded")
    started = _started(visit, "MapStateStarted", {"length": len(items)})
    visit.failed_kind = "MapStateFailed"
    iterations = _Iterations(visit, items, started.id)
    workers = min(limit, len(items))
    if workers == 1:
        await iterations.work()
    elif workers:
        await together(iterations.work() for _ in range(workers))
    visit.scope.previous = iterations.succeeded
    if not ended:
        visit.scope.add("MapStateSucceeded")
    visit.scope.previous = iterations.succeeded
    return iterations.outputs


def _plan(visit: Visit) -> tuple[list[Any], int]:
    """The items, and how many at the same time. What may fail of them is read for its faults only:
    an inline Map tolerates none."""
    items = items_of(visit)
    limit = max_concurrency(visit) or INLINE_CONCURRENCY
    visit.number("ToleratedFailureCount")
    visit.number("ToleratedFailurePercentage", "float")
    return items, limit


class _Iterations:
    """The items of an inline Map, taken one after the other by one or more workers."""

    def __init__(self, visit: Visit, items: list[Any], started: int) -> None:
        self._visit = visit
        self._items = items
        self._started = started
        self._next = 0
        self._chain = started
        self.succeeded = started
        """The last MapIterationSucceeded, which the Map's own end follows."""
        self.outputs: list[Any] = [None] * len(items)

    async def work(self) -> None:
        """Iterate until no item is left."""
        while self._next < len(self._items):
            index, self._next = self._next, self._next + 1
            self.outputs[index] = await self._iterate(index)

    async def _iterate(self, index: int) -> Any:
        item = {"Item": {"Index": index, "Value": self._items[index]}}
        scope = self._visit.scope.inner(self._started, index, self._chain, item)
        named = {"name": self._visit.state.name, "index": index}
        if any(event.kind == "MapIterationSucceeded" for event in scope.recorded):
            return self._done_before(scope)
        value = await self._visit.calmly(lambda: selected(self._visit, scope, self._items[index]))
        known = {event.kind for event in scope.recorded}
        if not known:
            scope.add("MapIterationStarted", named)
        try:
            output = await self._visit.interpreter.walk(self._visit.state.branches[0], value, scope)
        except StatesError:
            failing = scope.previous
            if "MapIterationFailed" not in known:
                scope.add("MapIterationFailed", named)
            self._visit.scope.previous = failing
            raise
        except asyncio.CancelledError as cancelled:
            if ABORT in cancelled.args and "MapIterationAborted" not in known:
                scope.add("MapIterationAborted", named)
            raise
        self._chain = scope.previous
        self.succeeded = scope.add("MapIterationSucceeded", named).id
        return output

    def _done_before(self, scope: Scope) -> Any:
        events = scope.recorded
        self.succeeded = max(self.succeeded, events[-1].id)
        self._chain = events[-1].previous
        standing = scope.take_up()
        return jsonpath.load(standing.output or "null") if standing else None


def selected(visit: Visit, scope: Scope, item: Any) -> Any:
    """An item as the iteration gets it: through ItemSelector, if there is one."""
    fields = visit.state.fields
    outer = visit.scope
    visit.scope = scope
    try:
        if visit.state.jsonata:
            if "ItemSelector" not in fields:
                return item
            return jsonata.fill(fields["ItemSelector"], visit.bindings(), "ItemSelector")
        template = fields.get("ItemSelector", fields.get("Parameters"))
        if template is None:
            return item
        return jsonpath.fill(template, visit.scene(visit.effective()))
    finally:
        visit.scope = outer


def items_of(visit: Visit) -> list[Any]:
    """What a Map without ItemReader iterates over."""
    fields = visit.state.fields
    if visit.state.jsonata:
        return _items_jsonata(visit, fields.get("Items"))
    document = visit.effective()
    path = fields.get("ItemsPath", "$")
    found = jsonpath.select(path, visit.scene(document))
    if isinstance(found, dict) and visit.state.distributed:
        return _pairs(found)
    if not isinstance(found, list):
        shown = path.removeprefix("$") if path.startswith("$$") else path
        cause = f'Reference path "{shown}" must point to array.'
        raise StatesError(RUNTIME, cause, in_state=True)
    return found


def _items_jsonata(visit: Visit, items: Any) -> list[Any]:
    if items is None:
        if not isinstance(visit.input, list):
            shown = jsonpath.dump(visit.input)
            raise EvaluationError(f"Map state input must be an array but was: {shown}")
        return visit.input
    if not jsonata.is_expression(items):
        filled = jsonata.fill(items, visit.bindings(), "Items")
        return _pairs(filled) if isinstance(filled, dict) else list(filled)
    text, bindings = jsonata.source(items), visit.bindings()
    if not visit.state.distributed:
        found: list[Any] = jsonata.evaluate(text, bindings, "Items", "array")
        return found
    value = jsonata.evaluate(text, bindings, "Items")
    if isinstance(value, dict):
        return _pairs(value)
    return list(jsonata.expect(value, "array", text, "Items"))


def _pairs(items: dict[str, Any]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in items.items()]


def max_concurrency(visit: Visit) -> int:
    """0 for no limit."""
    found = visit.number("MaxConcurrency")
    if found is not None and found < 0:
        raise StatesError(RUNTIME, "MaxConcurrency cannot be negative.", in_state=True)
    return int(found or 0)


def mark_failed(visit: Visit) -> None:
    """Record that a state failed for good, where its type has an event for that."""
    if visit.failed_kind:
        visit.scope.add(visit.failed_kind)


def abort(scope: Scope) -> None:
    """Record that the state a scope was in ended with its Parallel."""
    visit, scope.visit = scope.visit, None
    if visit is not None and visit.state.kind in _ABORTABLE:
        scope.add(f"{visit.state.kind}StateAborted")


async def together(work: Iterable[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run side by side; the first failure ends the others and is raised."""
    running = [asyncio.ensure_future(each) for each in work]
    try:
        done, left = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        failed = next((task for task in running if task in done and task.exception()), None)
        if failed is not None:
            await _cancel(left, ABORT)
            raise failed.exception()  # type: ignore[misc]
    except asyncio.CancelledError as cancelled:
        await _cancel(running, *cancelled.args)
        raise
    return [task.result() for task in running]


async def _cancel(tasks: Iterable["asyncio.Future[Any]"], *message: str) -> None:
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel(*message)
    await asyncio.gather(*left, return_exceptions=True)


def ends_with(tail: list[Event], kind: str) -> bool:
    """Had an earlier process recorded the end of the state's work, and nothing after it?"""
    return bool(tail) and tail[-1].kind == kind


def _started(visit: Visit, kind: str, details: dict[str, Any] | None = None) -> Event:
    """The event that began this attempt: a recorded one, or a new one."""
    tail, visit.tail = visit.tail, []
    recorded = (event for event in reversed(tail) if event.kind == kind)
    begun: Event = next(recorded, None) or visit.scope.add(kind, details)
    return begun


def _parallel_input(visit: Visit) -> Any:
    if not visit.state.jsonata:
        return visit.parameters()
    if "Arguments" not in visit.state.fields:
        return visit.input
    return jsonata.fill(visit.state.fields["Arguments"], visit.bindings(), "Arguments")
