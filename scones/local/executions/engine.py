"""Executions that run now: starting them, ending them, taking them up again."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from scones.local.asl.history import REDRIVEN, Event, History
from scones.local.asl.interpreter import Interpreter, World
from scones.local.asl.machine import Machine
from scones.local.asl.ports import ABORT, Clock, Outcome
from scones.local.asl.text import load
from scones.local.asl.timestamps import render
from scones.local.executions.journal import Journal
from scones.local.executions.record import ABORTED, FAILED, RUNNING, TIMED_OUT, Record

EXPRESS_LIMIT_S = 300.0
"""https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html"""

_log = logging.getLogger(__name__)


class Running:
    """An execution that has not ended."""

    def __init__(self, record: Record, interpreter: Interpreter) -> None:
        self.record = record
        self.interpreter = interpreter
        self.task: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self.aborted: tuple[str | None, str | None] | None = None
        """Error and cause of StopExecution."""


class Engine:
    """Runs executions as coroutines; one that has ended leaves memory at once.

    `world` is what every interpreter works with.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.journal = journal
        self.clock = clock
        self.world: World | None = None
        self._running: dict[str, Running] = {}

    def find(self, arn: str) -> Running | None:
        """An execution that runs now."""
        return self._running.get(arn)

    def start(
        self,
        record: Record,
        machine: Machine,
        context: Mapping[str, Any],
        role_arn: str,
        recorded: list[Event] | None = None,
    ) -> Running:
        """Begin, or with `recorded` go on; the record is kept unless it is of an EXPRESS one.

        `context` is its context object's StateMachine.
        """
        assert self.world is not None, "the engine was not given a world"
        keep = self._keeper(record)
        history = History(keep, self.clock.now, recorded or ())
        interpreter = Interpreter(machine, _context(record, context, role_arn), history, self.world)
        running = self._running[record.arn] = Running(record, interpreter)
        running.task = asyncio.get_running_loop().create_task(
            self._drive(running, {"roleArn": role_arn})
        )
        # After the task: what it does in its first turn is then in the same commit.
        if recorded is None and (not record.express or record.map_run_arn):
            self.journal.add(record)
        return running

    def redrive(
        self, record: Record, machine: Machine, context: Mapping[str, Any], role_arn: str
    ) -> Running:
        """Run an execution again from where it failed."""
        recorded = self.journal.history(record.id)
        record.redrives += 1
        record.redriven = self.clock.now()
        record.status, record.stopped = RUNNING, None
        record.output = record.error = record.cause = None
        last = max((event.id for event in recorded), default=0)
        details = {"redriveCount": record.redrives}
        redriven = Event(last + 1, 0, REDRIVEN, record.redriven, "", details)
        self.journal.append(record.id, redriven)
        self.journal.change(record)
        return self.start(record, machine, context, role_arn, [*recorded, redriven])

    async def stop(self, running: Running, error: str | None, cause: str | None) -> None:
        """End an execution as StopExecution does; return when that is recorded."""
        running.aborted = (error, cause)
        assert running.task is not None, "an execution has a task from its start"
        await asyncio.sleep(0)  # a task that is cancelled before its first turn never has one
        running.task.cancel(ABORT)
        await asyncio.wait({running.ended})
        await self.journal.settled()

    async def close(self) -> None:
        """Leave off; what has not ended is taken up again by the next engine."""
        tasks = [each.task for each in self._running.values() if each.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _keeper(self, record: Record) -> Callable[[Event], None]:
        if record.express:
            return lambda event: None
        append, number = self.journal.append, record.id
        return lambda event: append(number, event)

    async def _drive(self, running: Running, started: Mapping[str, Any]) -> None:
        record, interpreter = running.record, running.interpreter
        try:
            outcome = await self._within(interpreter, record, started)
        except asyncio.CancelledError:
            if running.aborted is None:
                raise
            interpreter.end("ExecutionAborted", *running.aborted)
            outcome = Outcome(ABORTED, None, *running.aborted)
        except Exception:  # a bug of ours must end this execution alone
            _log.exception("%s", record.arn)
            interpreter.end("ExecutionFailed", "States.Runtime", "Internal error")
            outcome = Outcome(FAILED, None, "States.Runtime", "Internal error")
        self._end(running, outcome)

    async def _within(
        self, interpreter: Interpreter, record: Record, started: Mapping[str, Any]
    ) -> Outcome:
        limit = interpreter.machine.timeout_s
        if record.express:
            limit = min(limit or EXPRESS_LIMIT_S, EXPRESS_LIMIT_S)
        work = interpreter.run(record.input, started)
        if limit is None:
            return await work
        running = asyncio.ensure_future(work)
        since = record.redriven or record.started
        timer = asyncio.ensure_future(self.clock.sleep_until(since + limit))
        try:
            await asyncio.wait({running, timer}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return running.result()
            running.cancel(ABORT)
            await asyncio.wait({running})
            interpreter.end("ExecutionTimedOut")
            return Outcome(TIMED_OUT)
        except asyncio.CancelledError as cancelled:
            running.cancel(*cancelled.args)
            await asyncio.wait({running})
            raise
        finally:
            timer.cancel()

    def _end(self, running: Running, outcome: Outcome) -> None:
        record = running.record
        record.status, record.output = outcome.status, outcome.output
        record.error, record.cause = outcome.error, outcome.cause
        record.stopped = self.clock.now()
        if not record.express or record.map_run_arn:
            self.journal.change(record)
        del self._running[record.arn]
        running.ended.set_result(record)


def _context(record: Record, machine: Mapping[str, Any], role_arn: str) -> dict[str, Any]:
    execution: dict[str, Any] = {
        "Id": record.arn,
        "Input": load(record.input),
        "StartTime": render(record.started),
        "Name": record.name,
        "RoleArn": role_arn,
    }
    if not record.express:
        execution["RedriveCount"] = record.redrives
    return {"Execution": execution, "StateMachine": machine}
