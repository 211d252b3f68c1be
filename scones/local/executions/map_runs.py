"""Map Runs: the child executions of a Distributed Map and what is kept of the run."""

import asyncio
import uuid
from collections import deque
from collections.abc import Mapping
from typing import Any

from scones.local.asl.distributed import WIDEST
from scones.local.asl.machine import Machine
from scones.local.asl.ports import ABORT, MapRunPlan, Outcome
from scones.local.asl.timestamps import render
from scones.local.executions.engine import Engine, Running
from scones.local.executions.record import ENDED, RUNNING, SUCCEEDED, Record

_INSERT = "insert into map_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"


class Slots:
    """Places for children that run at the same time, as many as `limit` says just now."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        while self._used >= self._limit:
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            await place
        self._used += 1

    async def __aexit__(self, *error: object) -> None:
        self._used -= 1
        self._wake()

    def resize(self, limit: int) -> None:
        """So many from now on; who runs may go on."""
        self._limit = limit
        for _ in range(limit):
            self._wake()

    def _wake(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return


class MapRun:
    """One run; begun anew, or, with `arn`, taken up again."""

    def __init__(self, engine: Engine, plan: MapRunPlan, arn: str | None) -> None:
        self._engine = engine
        self._plan = plan
        parent = engine.find(plan.execution_arn)
        assert parent is not None, "a Map Run belongs to a running execution"
        self._parent: Running = parent
        machine = parent.record.machine_arn.rpartition(":")[2].partition("/")[0]
        label = plan.label or str(uuid.uuid5(uuid.NAMESPACE_OID, plan.state))
        self._redriven = parent.interpreter.history.redriven
        self._prefix = parent.record.arn.split(":execution:")[0]
        self._stem = f"{machine}/{label}"
        self.arn = arn or f"{self._prefix}:mapRun:{self._stem}:{uuid.uuid4()}"
        self.slots = Slots(plan.max_concurrency or WIDEST)
        self.tolerated_count = plan.tolerated_count
        self.tolerated_percentage = plan.tolerated_percentage
        self._before: dict[int, Record] = {}
        self.redrives = 0
        if arn:
            found = engine.journal.find("map_run_arn = ?", arn)
            self._before = {each.item: each for each in found if each.item is not None}
            self._reopen(arn)
        else:
            self._keep()

    def change(self, given: Mapping[str, Any]) -> None:
        """What UpdateMapRun says, by the columns of `map_runs`."""
        if "max_concurrency" in given:
            self.slots.resize(given["max_concurrency"] or WIDEST)
        self.tolerated_count = given.get("tolerated_count", self.tolerated_count)
        percentage = given.get("tolerated_percentage", self.tolerated_percentage)
        self.tolerated_percentage = percentage

    def begin(self, count: int) -> None:
        """So many items there are."""
        store = self._engine.journal.store
        store.write("update map_runs set total = ? where arn = ?", count, self.arn)

    async def child(self, index: int, input_text: str) -> tuple[Outcome, Mapping[str, Any]]:
        """Run an item, unless it had ended before; go on with it if it had begun."""
        record = self._before.pop(index, None)
        again = self._redriven and record is not None and record.status != SUCCEEDED
        if record is None or record.status not in ENDED or again:
            running = self._start(index, input_text, record)
            try:
                record = await asyncio.shield(running.ended)
            except asyncio.CancelledError as cancelled:
                if ABORT in cancelled.args:
                    await self._engine.stop(running, None, None)
                raise
        outcome = Outcome(record.status, record.output, record.error, record.cause)
        return outcome, description(record)

    def close(self, status: str) -> None:
        """The run has ended."""
        self._engine.journal.store.write(
            "update map_runs set status = ?, stopped = ? where arn = ?",
            status,
            self._engine.clock.now(),
            self.arn,
        )

    def _start(self, index: int, input_text: str, record: Record | None) -> Running:
        recorded = None
        context = {
            "Id": f"{self._prefix}:stateMachine:{self._stem}",
            "Name": self._stem,
        }
        role = self._parent.interpreter.context["Execution"]["RoleArn"]
        machine: Machine = self._plan.processor
        if record is None:
            record = self._record(index, input_text)
        elif record.status in ENDED:
            return self._engine.redrive(record, machine, context, role)
        else:
            recorded = self._engine.journal.history(record.id)
        return self._engine.start(record, machine, context, role, recorded)

    def _record(self, index: int, input_text: str) -> Record:
        name = str(uuid.uuid4())
        parent = self._parent.record
        return Record(
            id=self._engine.journal.next_id(),
            arn=f"{self._prefix}:{'express' if self._plan.express else 'execution'}:"
            f"{self._stem}:{name}",
            machine_arn=f"{self._prefix}:stateMachine:{self._stem}",
            name=name,
            express=self._plan.express,
            revision=parent.revision,
            status=RUNNING,
            started=self._engine.clock.now(),
            input=input_text,
            map_run_arn=self.arn,
            item=index,
        )

    def _reopen(self, arn: str) -> None:
        store = self._engine.journal.store
        if self._redriven:
            store.write(
                "update map_runs set status = ?, stopped = null, redrives = redrives + 1"
                " where arn = ? and status <> ?",
                RUNNING,
                arn,
                SUCCEEDED,
            )
        rows = store.read("select redrives from map_runs where arn = ?", arn)
        self.redrives = rows[0]["redrives"] if rows else 0

    def _keep(self) -> None:
        plan = self._plan
        self._engine.journal.store.write(
            _INSERT,
            self.arn,
            plan.execution_arn,
            plan.state,
            RUNNING,
            self._engine.clock.now(),
            None,
            plan.max_concurrency,
            plan.tolerated_count or 0,
            plan.tolerated_percentage or 0.0,
            0,
            plan.express,
        )


def description(record: Record) -> dict[str, Any]:
    """A child as a result file describes it.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    found: dict[str, Any] = {
        "ExecutionArn": record.arn,
        "Input": record.input,
        "InputDetails": {"Included": True},
        "Name": record.name,
        "Output": record.output,
        "OutputDetails": {"Included": True},
        "RedriveCount": record.redrives,
        "RedriveStatus": "NOT_REDRIVABLE" if record.status == SUCCEEDED else "REDRIVABLE",
        "StartDate": render(record.started),
        "StateMachineArn": record.machine_arn,
        "Status": record.status,
        "StopDate": render(record.stopped or record.started),
    }
    if record.status != SUCCEEDED:
        del found["Output"], found["OutputDetails"]
        found |= {"Error": record.error, "Cause": record.cause}
    return found
