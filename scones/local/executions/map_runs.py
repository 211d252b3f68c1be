"""Map Runs: the child executions of a Distributed Map and what is kept of the run."""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any

from scones.local.asl.fanout import ABORT
from scones.local.asl.machine import Machine
from scones.local.asl.ports import MapRunPlan, Outcome
from scones.local.asl.timestamps import render
from scones.local.executions.engine import Engine, Running
from scones.local.executions.record import ENDED, RUNNING, SUCCEEDED, Record

_INSERT = "insert into map_runs values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


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
        self._prefix = parent.record.arn.split(":execution:")[0]
        self._stem = f"{machine}/{label}"
        self.arn = arn or f"{self._prefix}:mapRun:{self._stem}:{uuid.uuid4()}"
        self._before: dict[int, Record] = {}
        if arn:
            found = engine.journal.find("map_run_arn = ?", arn)
            self._before = {each.item: each for each in found if each.item is not None}
        else:
            self._keep()

    def begin(self, count: int) -> None:
        """So many items there are."""
        store = self._engine.journal.store
        store.write("update map_runs set total = ? where arn = ?", count, self.arn)

    async def child(self, index: int, input_text: str) -> tuple[Outcome, Mapping[str, Any]]:
        """Run an item, unless it had ended before; go on with it if it had begun."""
        record = self._before.pop(index, None)
        if record is None or record.status not in ENDED:
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
        if record is None:
            record = self._record(index, input_text)
        else:
            recorded = self._engine.journal.history(record.id)
        context = {
            "Id": f"{self._prefix}:stateMachine:{self._stem}",
            "Name": self._stem,
        }
        role = self._parent.interpreter.context["Execution"]["RoleArn"]
        machine: Machine = self._plan.processor
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
