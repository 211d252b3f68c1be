"""One state tried on its own, as TestState does it: what it does with its data, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scones.local.asl import batcher, distributed, fanout, retry
from scones.local.asl.errors import EXCEED_TOLERATED_FAILURE_THRESHOLD, StatesError
from scones.local.asl.history import Event, History, Scope
from scones.local.asl.interpreter import METHODS, Interpreter, World
from scones.local.asl.machine import Machine, State
from scones.local.asl.ports import Call
from scones.local.asl.reader import parse_items
from scones.local.asl.text import dump
from scones.local.asl.visit import Step, Visit


@dataclass(frozen=True, slots=True)
class Mock:
    """What a Task, Map or Parallel is said to have come to: a result, or a failure."""

    result: Any = None
    failure: StatesError | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """The circumstances of a trial; `stateConfiguration` in TestState."""

    mock: Mock | None = None
    retries: int = 0
    """How often the retrier that matches has been used."""
    failed_items: int | None = None
    """How many iterations of a Map have failed."""
    reader_data: str | None = None
    """What a Map's ItemReader is said to have read."""
    context: dict[str, Any] | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it. `seen` are AWS's inspectionData, as JSON values."""

    status: str
    seen: dict[str, Any]
    output: Any = None
    next: str | None = None
    failure: StatesError | None = None


async def attempt(
    state: State, value: Any, context: Mapping[str, Any], world: World, setting: Setting
) -> Verdict:
    """Try a state once. `context` is the context object's Execution and StateMachine."""
    if setting.mock is not None:
        pretended = _Pretended(setting.mock)
        world = replace(world, runner=pretended, tokens=pretended)
    world = replace(world, clock=_Impatient(world), settled=_at_once)
    visit = _visit(state, value, context, world, setting)
    try:
        step = await _perform(visit, setting)
        dump(step.output)
        return Verdict("SUCCEEDED", _seen(visit, setting), step.output, step.next)
    except StatesError as failure:
        reason = failure
        return await visit.calmly(lambda: _failed(visit, reason, setting))


def _visit(
    state: State, value: Any, context: Mapping[str, Any], world: World, setting: Setting
) -> Visit:
    history = History(lambda event: None, world.clock.now)
    interpreter = Interpreter(Machine(state.name, {state.name: state}), context, history, world)
    scope = Scope(history, variables=setting.variables)
    named = replace(state, name="StateName")
    entered = Event(1, 0, f"{state.kind}StateEntered", world.clock.now(), "", None)
    visit = Visit(interpreter, named, value, scope, entered, [])
    visit.seen = {"input": value}
    visit.given_context = setting.context
    return visit


async def _perform(visit: Visit, setting: Setting) -> Step:
    if visit.state.kind == "Map":
        items = await _items(visit, setting)
        return await visit.calmly(lambda: _pretend_map(visit, setting, items))
    if visit.state.kind == "Parallel":
        return await visit.finished(_outcome(setting), from_result=True)
    return await METHODS[visit.state.kind](visit.interpreter, visit)


def _pretend_map(visit: Visit, setting: Setting, items: list[Any]) -> Step:
    """A Map up to its iterations, whose result is given."""
    plan = distributed.plan(visit, 0)
    visit.note("maxConcurrency", plan.max_concurrency)
    if plan.tolerated_count is not None:
        visit.note("toleratedFailureCount", plan.tolerated_count)
    if plan.tolerated_percentage is not None:
        visit.note("toleratedFailurePercentage", plan.tolerated_percentage)
    limited = plan.tolerated_count is not None or plan.tolerated_percentage is not None
    failed = setting.failed_items or 0
    if limited and distributed.exceeds(plan, failed, len(items)):
        raise StatesError(
            EXCEED_TOLERATED_FAILURE_THRESHOLD,
            "The specified tolerated failure threshold was exceeded",
        )
    return visit.finish(_outcome(setting), from_result=True)


async def _items(visit: Visit, setting: Setting) -> list[Any]:
    fields = visit.state.fields
    if "ItemReader" in fields:
        config = fields["ItemReader"].get("ReaderConfig") or {}
        return list(parse_items((setting.reader_data or "[]").encode(), config))
    items = await visit.calmly(lambda: fanout.items_of(visit))
    if not visit.state.jsonata:
        visit.note("afterItemsPath", items)
    if "ItemSelector" in fields or "Parameters" in fields:
        items = visit.note("afterItemSelector", await distributed.selected_of(visit, items))
    if "ItemBatcher" in fields:
        chosen = items
        batches = await visit.calmly(lambda: batcher.batches(visit, chosen))
        items = visit.note("afterItemBatcher", batches)
    return items


def _outcome(setting: Setting) -> Any:
    mock = setting.mock
    assert mock is not None, "a Map or Parallel is tried with a mock only"
    if mock.failure is not None:
        raise mock.failure
    return mock.result


def _failed(visit: Visit, failure: StatesError, setting: Setting) -> Verdict:
    """RETRIABLE, CAUGHT_ERROR or FAILED, by the state's own rules."""
    details: dict[str, Any] = {}
    state = visit.state
    seen = _seen(visit, setting)
    index = retry.matching(failure, state.retriers)
    if index is not None:
        details["retryIndex"] = index
        rule = state.retriers[index]
        if setting.retries < rule.get("MaxAttempts", 3):
            details["retryBackoffIntervalSeconds"] = int(retry.interval_s(rule, setting.retries))
            return Verdict("RETRIABLE", {**seen, "errorDetails": details}, failure=failure)
    caught = retry.matching(failure, state.catchers)
    if caught is not None:
        details["catchIndex"] = caught
        step = visit.catch(state.catchers[caught], failure)
        seen = {**seen, "errorDetails": details}
        return Verdict("CAUGHT_ERROR", seen, step.output, step.next, failure)
    if details:
        seen = {**seen, "errorDetails": details}
    return Verdict("FAILED", seen, failure=failure)


def _seen(visit: Visit, setting: Setting) -> dict[str, Any]:
    seen = dict(visit.seen or {})
    if setting.variables:
        seen["variables"] = dict(visit.scope.variables)
    return seen


class _Pretended:
    """A runner whose every task comes to what was given, also by its token."""

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def run(self, call: Call) -> Any:
        """The result, or the failure."""
        if self._mock.failure is not None:
            raise self._mock.failure
        return self._mock.result

    async def finish(self, call: Call, begun: Any) -> Any:
        """The same again."""
        return begun

    async def stop(self, call: Call, begun: Any) -> None:
        """Nothing was begun."""

    def open(self, token: str) -> None:
        """Nothing else will come."""

    async def expect(self, token: str) -> Any:
        """The result: the runner has raised a failure already."""
        return self._mock.result

    def taken(self, token: str) -> None:
        """Nobody sent it."""

    def heartbeat(self, token: str) -> float:
        """There is none."""
        return 0.0


class _Impatient:
    """Time in which nobody waits: a Wait state is tried for its data."""

    def __init__(self, world: World) -> None:
        self.now = world.clock.now

    async def sleep_until(self, moment: float) -> None:
        """Return at once."""


async def _at_once() -> None:
    return
