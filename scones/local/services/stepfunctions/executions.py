"""Operations on executions: start, stop, describe, list."""

import random
import uuid
from typing import Any, NamedTuple

from scones.local.asl import jackson
from scones.local.asl.text import load
from scones.local.errors import ServiceError
from scones.local.executions.engine import Running
from scones.local.executions.machines import MachineRow
from scones.local.executions.record import RUNNING, SUCCEEDED, Record
from scones.local.services.stepfunctions import refusals
from scones.local.services.stepfunctions.ledger import Operations, machine_context, moment
from scones.local.services.stepfunctions.pages import position, token_for


class ExecutionOperations(Operations):
    """Executions."""

    async def start_execution(
        self,
        stateMachineArn: str,
        name: str | None = None,
        input: str = "{}",
        traceHeader: str | None = None,
    ) -> dict[str, Any]:
        target = self._target(stateMachineArn)
        row = target.row
        _check_input(input)
        if name is not None:
            refusals.check_name(name)
        name = name or str(uuid.uuid4())
        arn = self._execution_arn(row, name)
        before = None if row.express else self._known(arn)
        if before is not None:
            if before.status != RUNNING or before.input != input:
                message = f"Execution Already Exists: '{arn}'"
                raise ServiceError("ExecutionAlreadyExists", message)
            await self._ledger.journal.settled()
            return _begun(before)
        running = self._start(target, arn, name, input)
        started = _begun(running.record)
        await self._ledger.journal.settled()
        return started

    async def start_sync_execution(
        self,
        stateMachineArn: str,
        name: str | None = None,
        input: str = "{}",
        traceHeader: str | None = None,
        includedData: str | None = None,
    ) -> dict[str, Any]:
        target = self._target(stateMachineArn)
        row = target.row
        if not row.express:
            message = f"This operation is not supported by this type of state machine: '{row.arn}'"
            raise ServiceError("StateMachineTypeNotSupported", message)
        _check_input(input)
        if name is not None:
            refusals.check_name(name)
        name = name or str(uuid.uuid4())
        running = self._start(target, self._execution_arn(row, name), name, input)
        record = await running.ended
        duration_ms = int(1000 * ((record.stopped or record.started) - record.started))
        billed = {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": duration_ms}
        answer = _described(record)
        for member in ("redriveCount", "redriveStatus", "redriveStatusReason"):
            answer.pop(member, None)
        return {**answer, "billingDetails": billed}

    async def describe_execution(
        self, executionArn: str, includedData: str | None = None
    ) -> dict[str, Any]:
        refusals.arn(executionArn, "execution")
        answer = _described(self._record(executionArn))
        if includedData == "METADATA_ONLY":
            for member in ("input", "output", "error", "cause"):
                answer.pop(member, None)
            for member in ("inputDetails", "outputDetails"):
                if member in answer:
                    answer[member] = {"included": False}
        return answer

    async def stop_execution(
        self, executionArn: str, error: str | None = None, cause: str | None = None
    ) -> dict[str, Any]:
        refusals.arn(executionArn, "execution")
        running = self._ledger.engine.find(executionArn)
        if running is not None:
            await self._ledger.engine.stop(running, error, cause)
        record = self._record(executionArn)
        return {"stopDate": moment(record.stopped or record.started)}

    async def redrive_execution(
        self, executionArn: str, clientToken: str | None = None
    ) -> dict[str, Any]:
        refusals.arn(executionArn, "execution")
        record = self._record(executionArn)
        status = _redrivable(record)
        if status["redriveStatus"] != "REDRIVABLE":
            raise ServiceError(
                "ExecutionNotRedrivable", status.get("redriveStatusReason", "Not redrivable")
            )
        machines = self._ledger.machines
        self._ledger.engine.redrive(
            record,
            machines.built(record.revision),
            machine_context(record.machine_arn),
            machines.revision(record.revision).role_arn,
        )
        await self._ledger.journal.settled()
        return {"redriveDate": moment(record.redriven or record.started)}

    async def list_executions(
        self,
        stateMachineArn: str | None = None,
        statusFilter: str | None = None,
        maxResults: int | None = None,
        nextToken: str | None = None,
        mapRunArn: str | None = None,
        redriveFilter: str | None = None,
    ) -> dict[str, Any]:
        where, parameters = self._listed(stateMachineArn, mapRunArn)
        if statusFilter:
            where, parameters = f"{where} and status = ?", [*parameters, statusFilter]
        if redriveFilter:
            where += " and redrives > 0" if redriveFilter == "REDRIVEN" else " and redrives = 0"
        most = maxResults or 100
        first = position(nextToken)
        if first:
            where, parameters = f"{where} and id <= ?", [*parameters, first]
        found = self._ledger.journal.find(f"{where} order by id desc limit {most + 1}", *parameters)
        rest = {"nextToken": token_for(found[most].id)} if len(found) > most else {}
        return {"executions": [_summary(each) for each in found[:most]], **rest}

    def _listed(self, machine: str | None, map_run: str | None) -> tuple[str, list[Any]]:
        if (machine is None) == (map_run is None):
            message = "Must specify exactly one of stateMachineArn or mapRunArn"
            raise ServiceError("ValidationException", message)
        if map_run is not None:
            refusals.arn(map_run, "mapRun")
            return "map_run_arn = ?", [map_run]
        assert machine is not None, "one of the two is given"
        row, _, version, alias = self._target(machine, choose=False)
        if row.express:
            message = f"This operation is not supported by this type of state machine: '{row.arn}'"
            raise ServiceError("StateMachineTypeNotSupported", message)
        where = "machine_arn = ? and map_run_arn is null"
        if alias:
            return f"{where} and alias_arn = ?", [row.arn, alias]
        return (
            (f"{where} and version_arn = ?", [row.arn, version]) if version else (where, [row.arn])
        )

    def _target(self, arn: str, *, choose: bool = True) -> "_Target":
        """What an ARN of a machine, a version or an alias leads to; an alias by lot."""
        refusals.arn(arn, "stateMachine")
        machines = self._ledger.machines
        row = machines.find(arn)
        if row is not None:
            return _Target(row, row.revision, None, None)
        alias = machines.alias(arn)
        version_arn = arn
        if alias is not None and choose:
            version_arn = random.choices([*alias.routing], [*alias.routing.values()])[0]
        version = machines.version(version_arn)
        row = machines.find(arn.rpartition(":")[0])
        if row is None or (version is None and alias is None):
            raise refusals.no_machine(arn)
        return _Target(
            row,
            version.revision if version else row.revision,
            version.arn if version else None,
            alias.arn if alias else None,
        )

    def _execution_arn(self, row: MachineRow, name: str) -> str:
        identity = self._ledger.identity
        if row.express:
            return identity.arn("states", f"express:{row.name}:{name}:{uuid.uuid4()}")
        return identity.arn("states", f"execution:{row.name}:{name}")

    def _start(self, target: "_Target", arn: str, name: str, input_text: str) -> Running:
        row = target.row
        record = Record(
            id=0 if row.express else self._ledger.journal.next_id(),
            arn=arn,
            machine_arn=row.arn,
            name=name,
            express=row.express,
            revision=target.revision,
            status=RUNNING,
            started=self._ledger.now(),
            input=input_text,
            version_arn=target.version_arn,
            alias_arn=target.alias_arn,
        )
        machines = self._ledger.machines
        return self._ledger.engine.start(
            record,
            machines.built(target.revision),
            machine_context(row.arn),
            machines.revision(target.revision).role_arn,
        )

    def _known(self, arn: str) -> Record | None:
        running = self._ledger.engine.find(arn)
        if running is not None:
            return running.record
        return self._ledger.journal.by_arn(arn)

    def _record(self, arn: str) -> Record:
        found = self._known(arn)
        if found is None:
            raise refusals.no_execution(arn)
        return found


class _Target(NamedTuple):
    """What is started, or listed."""

    row: MachineRow
    revision: int
    version_arn: str | None
    alias_arn: str | None


def _check_input(text: str) -> None:
    if not text.strip():
        raise _bad_input("Invalid execution input.")
    try:
        load(text)
    except ValueError:
        raise _bad_input(jackson.explain(text).message) from None


def _bad_input(what: str) -> ServiceError:
    message = f"Invalid State Machine Execution Input: '{what}'"
    return ServiceError("InvalidExecutionInput", message)


def _begun(record: Record) -> dict[str, Any]:
    return {"executionArn": record.arn, "startDate": moment(record.started)}


def _summary(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {
        "executionArn": record.arn,
        "stateMachineArn": record.machine_arn,
        "name": record.name,
        "status": record.status,
        "startDate": moment(record.started),
    }
    if record.stopped is not None:
        found["stopDate"] = moment(record.stopped)
    optional = {
        "mapRunArn": record.map_run_arn,
        "stateMachineVersionArn": record.version_arn,
        "stateMachineAliasArn": record.alias_arn,
        "itemCount": 1 if record.map_run_arn else None,
    }
    found |= {key: value for key, value in optional.items() if value is not None}
    if not record.express:
        found["redriveCount"] = record.redrives
    if record.redriven is not None:
        found["redriveDate"] = moment(record.redriven)
    return found


def _described(record: Record) -> dict[str, Any]:
    found = _summary(record)
    found.pop("itemCount", None)
    found |= {"input": record.input, "inputDetails": {"included": True}}
    if record.output is not None:
        found |= {"output": record.output, "outputDetails": {"included": True}}
    for member, value in (("error", record.error), ("cause", record.cause)):
        if value is not None:
            found[member] = value
    if not record.express:
        found |= _redrivable(record)
    return found


def _redrivable(record: Record) -> dict[str, str]:
    if record.status == RUNNING:
        reason = "Execution is RUNNING and cannot be redriven"
    elif record.status == SUCCEEDED:
        reason = "Execution is SUCCEEDED and cannot be redriven"
    elif record.map_run_arn:
        return {"redriveStatus": "REDRIVABLE_BY_MAP_RUN"}
    else:
        return {"redriveStatus": "REDRIVABLE"}
    return {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}
