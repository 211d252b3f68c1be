"""Operations on state machines: create, change, describe, list, delete, validate."""

import json
from typing import Any

from scones.local.asl import validate
from scones.local.errors import ServiceError
from scones.local.executions.machines import MachineRow, Revision
from scones.local.services.stepfunctions import refusals
from scones.local.services.stepfunctions.ledger import Operations, moment
from scones.local.services.stepfunctions.pages import page

_NO_LOGS = {"level": "OFF", "includeExecutionData": False}
_NO_TRACES = {"enabled": False}
_OWN_KEY = {"type": "AWS_OWNED_KEY"}


class StateMachineOperations(Operations):
    """State machines."""

    async def create_state_machine(
        self,
        name: str,
        definition: str,
        roleArn: str,
        type: str | None = None,
        loggingConfiguration: dict[str, Any] | None = None,
        tags: list[dict[str, str]] | None = None,
        tracingConfiguration: dict[str, Any] | None = None,
        publish: bool | None = None,
        versionDescription: str | None = None,
        encryptionConfiguration: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        refusals.check_name(name)
        _check_role(roleArn)
        express = type == "EXPRESS"
        if versionDescription is not None and not publish:
            raise ServiceError(
                "ValidationException", "Version description can only be set when publish is true"
            )
        _check_definition(definition, express)
        settings = {
            "loggingConfiguration": loggingConfiguration or _NO_LOGS,
            "tracingConfiguration": tracingConfiguration or _NO_TRACES,
            "encryptionConfiguration": encryptionConfiguration or _OWN_KEY,
        }
        arn = self._ledger.identity.arn("states", f"stateMachine:{name}")
        row = self._ledger.machines.find(arn)
        if row is None:
            row = self._ledger.machines.create(
                arn,
                name,
                express=express,
                definition=definition,
                role_arn=roleArn,
                settings=settings,
                tags={each["key"]: each.get("value", "") for each in tags or []},
                now=self._ledger.now(),
            )
        elif not self._same(row, express, definition, roleArn, settings):
            message = f"State Machine Already Exists: '{arn}'"
            raise ServiceError("StateMachineAlreadyExists", message)
        answer = {"stateMachineArn": arn, "creationDate": moment(row.created)}
        if publish:
            version = self._ledger.machines.publish(row, versionDescription, self._ledger.now())
            answer["stateMachineVersionArn"] = version.arn
        return answer

    async def update_state_machine(
        self,
        stateMachineArn: str,
        definition: str | None = None,
        roleArn: str | None = None,
        loggingConfiguration: dict[str, Any] | None = None,
        tracingConfiguration: dict[str, Any] | None = None,
        publish: bool | None = None,
        versionDescription: str | None = None,
        encryptionConfiguration: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        row = self._row(stateMachineArn)
        changes = {
            "loggingConfiguration": loggingConfiguration,
            "tracingConfiguration": tracingConfiguration,
            "encryptionConfiguration": encryptionConfiguration,
        }
        changed = {key: value for key, value in changes.items() if value is not None}
        if definition is None and roleArn is None and not changed and not publish:
            raise ServiceError(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, the"
                " EncryptionConfiguration or the TracingConfiguration must be specified",
            )
        if definition is not None:
            _check_definition(definition, row.express)
        if roleArn is not None:
            _check_role(roleArn)
        before = self._ledger.machines.revision(row.revision)
        revision = self._ledger.machines.update(
            row.arn,
            definition=definition if definition is not None else before.definition,
            role_arn=roleArn or before.role_arn,
            settings={**row.settings, **changed},
            now=self._ledger.now(),
        )
        answer = {"updateDate": moment(revision.updated), "revisionId": revision.revision_id}
        if publish:
            changed_row = self._row(row.arn)
            version = self._ledger.machines.publish(
                changed_row, versionDescription, self._ledger.now()
            )
            answer["stateMachineVersionArn"] = version.arn
        return answer

    async def describe_state_machine(
        self, stateMachineArn: str, includedData: str | None = None
    ) -> dict[str, Any]:
        version = self._ledger.machines.version(stateMachineArn)
        row = self._row(version.machine_arn if version else stateMachineArn)
        revision = self._ledger.machines.revision(version.revision if version else row.revision)
        first = revision.updated == row.created
        described = {"description": version.description} if version and version.description else {}
        return {
            "stateMachineArn": stateMachineArn,
            **described,
            "name": row.name,
            "status": "ACTIVE",
            "type": "EXPRESS" if row.express else "STANDARD",
            "creationDate": moment(row.created),
            **_defined(revision, includedData),
            **row.settings,
            **({} if first else {"revisionId": revision.revision_id}),
        }

    async def describe_state_machine_for_execution(
        self, executionArn: str, includedData: str | None = None
    ) -> dict[str, Any]:
        refusals.arn(executionArn, "execution")
        found = self._ledger.journal.find("arn = ?", executionArn)
        if not found:
            raise refusals.no_execution(executionArn)
        record = found[0]
        revision = self._ledger.machines.revision(record.revision)
        row = self._ledger.machines.find(revision.machine_arn)
        answer = {
            "stateMachineArn": record.machine_arn,
            "name": record.machine_arn.rpartition(":stateMachine:")[2],
            "updateDate": moment(revision.updated),
            "revisionId": revision.revision_id,
            **_defined(revision, includedData),
            **(row.settings if row else {}),
        }
        if record.map_run_arn:
            answer |= {"mapRunArn": record.map_run_arn, "label": answer["name"].split("/")[-1]}
        return answer

    async def delete_state_machine(self, stateMachineArn: str) -> dict[str, Any]:
        refusals.arn(stateMachineArn, "stateMachine")
        self._ledger.machines.delete(stateMachineArn)
        return {}

    async def list_state_machines(
        self, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        rows, rest = page(self._ledger.machines.all(), maxResults, nextToken)
        return {"stateMachines": [_listed(row) for row in rows], **rest}

    async def validate_state_machine_definition(
        self,
        definition: str,
        type: str | None = None,
        severity: str | None = None,
        maxResults: int | None = None,
    ) -> dict[str, Any]:
        faults = validate.faults(definition, express=type == "EXPRESS")
        most = maxResults or 100
        return {
            "result": "FAIL" if faults else "OK",
            "diagnostics": [
                {
                    "severity": "ERROR",
                    "code": each.code,
                    "message": each.message,
                    "location": each.location,
                }
                for each in faults[:most]
            ],
            "truncated": len(faults) > most,
        }

    def _row(self, arn: str) -> MachineRow:
        refusals.arn(arn, "stateMachine")
        row = self._ledger.machines.find(arn)
        if row is None:
            raise refusals.no_machine(arn)
        return row

    def _same(
        self,
        row: MachineRow,
        express: bool,
        definition: str,
        role_arn: str,
        settings: dict[str, Any],
    ) -> bool:
        revision = self._ledger.machines.revision(row.revision)
        return (
            row.express == express
            and revision.definition == definition
            and revision.role_arn == role_arn
            and row.settings == settings
        )


def _listed(row: MachineRow) -> dict[str, Any]:
    return {
        "stateMachineArn": row.arn,
        "name": row.name,
        "type": "EXPRESS" if row.express else "STANDARD",
        "creationDate": moment(row.created),
    }


def _defined(revision: Revision, included: str | None) -> dict[str, Any]:
    if included == "METADATA_ONLY":
        return {"definition": "", "roleArn": revision.role_arn}
    variables = validate.variable_references(json.loads(revision.definition))
    found: dict[str, Any] = {"definition": revision.definition, "roleArn": revision.role_arn}
    return {**found, "variableReferences": variables} if variables else found


def _check_role(role_arn: str) -> None:
    if not role_arn.startswith("arn:") or ":iam::" not in role_arn:
        raise ServiceError("InvalidArn", f"Invalid Role Arn: '{role_arn}'")


def _check_definition(definition: str, express: bool) -> None:
    faults = validate.faults(definition, express=express)
    if faults:
        told = ", ".join(f"{each.code}: {each.message} at {each.location}" for each in faults)
        message = f"Invalid State Machine Definition: '{told}'"
        raise ServiceError("InvalidDefinition", message)
