"""Runs one machine on one input: a coroutine from `ExecutionStarted` to the end.

Data goes in and comes out; time, tasks and the record of what happened are arguments. A state's
method answers a `Step`: what it put out, which variables it set, where to go. Nothing is awaited
between leaving a state and entering the next, so a history never ends between the two.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scones.local.asl import distributed, fanout, tasks, waiting
from scones.local.asl.errors import (
    DATA_LIMIT_EXCEEDED,
    NO_CHOICE_MATCHED,
    PAYLOAD_LIMIT_BYTES,
    RUNTIME,
    EvaluationError,
    StatesError,
)
from scones.local.asl.history import RETRY, Event, History, Scope
from scones.local.asl.machine import Machine, State
from scones.local.asl.ports import Clock, OpenMapRun, Outcome, Runner, Storage, Tokens
from scones.local.asl.retry import Retries, matching
from scones.local.asl.text import dump, load
from scones.local.asl.visit import Step, Visit

_STATES_PER_TURN = 64
"""After so many states others get a turn; a machine without tasks would keep it for itself."""

_FAILURES = ("Failed", "TimedOut")
_PASSED_ON = ("MapIterationFailed", "MapStateFailed", "ParallelStateFailed")
"""They tell of failures that other events hold."""


@dataclass(frozen=True, slots=True)
class World:
    """What an interpreter works with."""

    clock: Clock
    runner: Runner
    tokens: Tokens
    storage: Storage
    open_map_run: OpenMapRun
    settled: Any
    """Awaited before an effect: what was recorded before it is then kept."""
    region: str = "us-east-1"


class Interpreter:
    """One execution. `context` is the context object without State, Task and Map."""

    def __init__(
        self, machine: Machine, context: Mapping[str, Any], history: History, world: World
    ) -> None:
        self.machine = machine
        self.context = context
        self.history = history
        self.world = world
        self.scope: Scope | None = None
        """The execution's own line of control, while it runs."""
        self._turns = 0

    async def run(self, input_text: str, started: Mapping[str, Any]) -> Outcome:
        """From the start, or from where an earlier process left it, to the outcome.

        `started` are the details of ExecutionStarted beside the input.
        """
        scope = self.scope = Scope(self.history)
        if not scope.recorded:
            self.history.add("ExecutionStarted", "", 0, {"input": input_text, **started})
        try:
            output = await self.walk(self.machine, self.context["Execution"]["Input"], scope)
        except StatesError as failure:
            details = {"error": failure.error, "cause": failure.cause}
            kept = {key: value for key, value in details.items() if value is not None}
            scope.add("ExecutionFailed", kept)
            return Outcome("FAILED", None, failure.error, failure.cause)
        text = self.text(output, self.machine.start_at)
        scope.add("ExecutionSucceeded", {"output": text})
        return Outcome("SUCCEEDED", text)

    def end(self, kind: str, error: str | None = None, cause: str | None = None) -> None:
        """Record an end from outside: ExecutionAborted or ExecutionTimedOut."""
        facts = {"error": error, "cause": cause}
        kept = {key: value for key, value in facts.items() if value is not None}
        self.history.add(kind, "", self.scope.previous if self.scope else 0, kept)

    async def walk(self, machine: Machine, value: Any, scope: Scope) -> Any:
        """Run a machine's states from its first, or from where it stood; its output."""
        name: str | None = machine.start_at
        standing = scope.take_up()
        while name is not None:
            if standing:
                state = machine.states[standing.entered.details["name"]]  # type: ignore[index]
                if standing.exited:
                    return load(standing.output or "null")
                value = load(standing.entered.details["input"])  # type: ignore[index]
                visit = Visit(self, state, value, scope, standing.entered, standing.tail)
                standing = None
            else:
                state = machine.states[name]
                visit = self._enter(state, value, scope)
            scope.visit = visit
            self._turns += 1
            if self._turns % _STATES_PER_TURN == 0:
                await asyncio.sleep(0)
            value, name = await self._visit(visit)
        scope.visit = None
        return value

    def text(self, value: Any, whose: str) -> str:
        """A value as JSON; StatesError States.DataLimitExceeded if it is too long.

        `whose` is the state or task that the value is of.
        """
        try:
            text = dump(value)
        except (ValueError, RecursionError) as error:
            raise StatesError(RUNTIME, f"The data is not JSON: {error}", in_state=True) from error
        if len(text) > PAYLOAD_LIMIT_BYTES // 4 and len(text.encode()) > PAYLOAD_LIMIT_BYTES:
            raise StatesError(
                DATA_LIMIT_EXCEEDED,
                f"The state/task '{whose}' returned a result with a size exceeding the maximum"
                " number of bytes service limit.",
            )
        return text

    def _enter(self, state: State, value: Any, scope: Scope) -> Visit:
        details = {"input": self.text(value, state.name), "name": state.name}
        before = scope.previous
        entered = scope.add(f"{state.kind}StateEntered", details)
        visit = Visit(self, state, value, scope, entered, [])
        visit.before = before
        return visit

    async def _visit(self, visit: Visit) -> tuple[Any, str | None]:
        """Attempts at a state until it is through; its output and the next state's name."""
        state = visit.state
        retries = Retries(state.retriers)
        await self._take_up_retries(visit, retries)
        while True:
            try:
                self._raise_recorded(visit)
                return self._leave(visit, await self._attempt(visit))
            except StatesError as failure:
                self._report(visit, failure)
                step_or_none = await self._recover(visit, failure, retries)
                if step_or_none is not None:
                    return self._leave(visit, step_or_none)

    async def _attempt(self, visit: Visit) -> Step:
        try:
            return await METHODS[visit.state.kind](self, visit)
        except RecursionError as error:
            cause = "The data is nested too deeply."
            raise StatesError(RUNTIME, cause, in_state=True) from error

    def _leave(self, visit: Visit, step: Step) -> tuple[Any, str | None]:
        details: dict[str, Any] = {"name": visit.state.name}
        if step.assigned:
            details["assignedVariables"] = {k: dump(v) for k, v in step.assigned.items()}
        details["output"] = self.text(step.output, visit.state.name)
        visit.scope.add(f"{visit.state.kind}StateExited", details)
        if step.assigned:
            visit.scope.variables.update(step.assigned)
        return step.output, step.next

    # What went wrong, and what then.

    def _report(self, visit: Visit, failure: StatesError) -> None:
        """Complete a failure of this very state: its place in the cause, its event."""
        if failure.placed:
            return
        failure.placed = True
        if not failure.in_state:
            return
        failure.cause = (
            f"An error occurred while executing the state '{visit.state.name}'"
            f" (entered at the event id #{visit.entered.id}). {failure.cause}"
        )
        if isinstance(failure, EvaluationError):
            if failure.before_entry:
                visit.scope.previous = visit.before
            details = {"error": failure.error, "cause": failure.cause, "state": visit.state.name}
            if failure.location is not None:
                details["location"] = failure.location
            visit.scope.add("EvaluationFailed", details)

    async def _recover(self, visit: Visit, failure: StatesError, retries: Retries) -> Step | None:
        """Wait for another attempt (None), or catch; the failure goes on if neither is there."""
        delay = retries.delay_s(failure)
        if delay is not None:
            until = self.world.clock.now() + delay
            note = {"error": failure.error, "cause": failure.cause, "until": until}
            self.history.note(RETRY, visit.scope.name, {**note, "task": failure.from_task})
            await self.world.clock.sleep_until(until)
            visit.attempt = retries.count
            return None
        index = matching(failure, visit.state.catchers)
        try:
            if index is None:
                raise failure
            catcher = visit.state.catchers[index]
            step = await visit.calmly(lambda: visit.catch(catcher, failure))
        except StatesError as last:
            fanout.mark_failed(visit)
            self._report(visit, last)
            raise
        fanout.mark_failed(visit)
        return step

    async def _take_up_retries(self, visit: Visit, retries: Retries) -> None:
        """Count the attempts an earlier process made, and wait out the last one's delay."""
        notes = [event for event in visit.tail if event.kind == RETRY]
        for note in notes:
            facts = note.details or {}
            retries.delay_s(
                StatesError(facts["error"], facts["cause"], from_task=facts.get("task", False))
            )
        if notes:
            visit.attempt = retries.count
            visit.tail = visit.tail[visit.tail.index(notes[-1]) + 1 :]
            await self.world.clock.sleep_until((notes[-1].details or {})["until"])

    def _raise_recorded(self, visit: Visit) -> None:
        """A failure that an earlier process recorded, but did not live to act upon."""
        failures = (each for each in reversed(visit.tail) if each.kind.endswith(_FAILURES))
        last: Event | None = next((each for each in failures if each.kind not in _PASSED_ON), None)
        if last is not None:
            visit.tail = []
            facts = last.details or {}
            failure = StatesError(
                facts.get("error"), facts.get("cause"), from_task="Evaluation" not in last.kind
            )
            failure.placed = True
            raise failure

    # One method per state type.

    async def _pass(self, visit: Visit) -> Step:
        fields = visit.state.fields
        if visit.state.jsonata:
            return await visit.finished(visit.input, before_entry=True)
        result = (
            visit.note("result", fields["Result"]) if "Result" in fields else visit.parameters()
        )
        return visit.finish(result)

    async def _succeed(self, visit: Visit) -> Step:
        if visit.state.jsonata:
            return await visit.finished(visit.input, before_entry=True)
        return Step(visit.out(visit.effective()), visit.assign(visit.effective()), None)

    async def _fail(self, visit: Visit) -> Step:
        if not visit.state.jsonata:
            visit.effective()
        texts = ("Error", "Cause")
        error, cause = await visit.calmly(lambda: [visit.text_of(each) for each in texts])
        failure = StatesError(error, cause)
        failure.placed = True
        raise failure

    async def _choice(self, visit: Visit) -> Step:
        fields = visit.state.fields
        if visit.state.jsonata:
            return await visit.calmly(lambda: self._choose_by_condition(visit))
        document = visit.effective()
        scene = visit.scene(document)
        for rule, test in zip(fields["Choices"], visit.state.rules, strict=True):
            if test(scene):
                assigned = visit.assign(document, rule.get("Assign"))
                return Step(visit.out(document), assigned, rule["Next"])
        return Step(visit.out(document), visit.assign(document), _default(fields))

    def _choose_by_condition(self, visit: Visit) -> Step:
        fields = visit.state.fields
        for index, rule in enumerate(fields["Choices"]):
            if visit.condition(rule["Condition"], f"Choices[{index}]/Condition"):
                place = f"Choices[{index}]/"
                step = visit.finish_with({**fields, **rule}, rule, place)
                return Step(step.output, step.assigned, rule["Next"])
        step = visit.finish(visit.input, before_entry=True)
        return Step(step.output, step.assigned, _default(fields))

    async def _wait(self, visit: Visit) -> Step:
        until = await visit.calmly(lambda: waiting.deadline(visit))
        await self.world.clock.sleep_until(until)
        if visit.state.jsonata:
            return await visit.finished(visit.input)
        document = visit.effective()
        return Step(visit.out(document), visit.assign(document), visit.state.next)

    async def _task(self, visit: Visit) -> Step:
        return await visit.finished(await tasks.perform(visit), from_result=True)

    async def _parallel(self, visit: Visit) -> Step:
        return await visit.finished(await fanout.parallel(visit), from_result=True)

    async def _map(self, visit: Visit) -> Step:
        work = distributed.run(visit) if visit.state.distributed else fanout.mapped(visit)
        try:
            return await visit.finished(await work, from_result=True)
        except EvaluationError:
            visit.failed_kind = "MapStateFailed"
            raise


def _default(fields: Mapping[str, Any]) -> str:
    if "Default" not in fields:
        failure = StatesError(
            NO_CHOICE_MATCHED,
            "Failed to transition out of the state. The state does not point to a next state.",
            in_state=True,
        )
        raise failure
    default: str = fields["Default"]
    return default


METHODS = {
    "Pass": Interpreter._pass,
    "Task": Interpreter._task,
    "Choice": Interpreter._choice,
    "Wait": Interpreter._wait,
    "Succeed": Interpreter._succeed,
    "Fail": Interpreter._fail,
    "Parallel": Interpreter._parallel,
    "Map": Interpreter._map,
}
