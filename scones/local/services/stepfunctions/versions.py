"""Operations on versions and aliases of state machines."""

from typing import Any

from scones.local.errors import ServiceError
from scones.local.executions.machines import Alias, MachineRow
from scones.local.services.stepfunctions import refusals
from scones.local.services.stepfunctions.ledger import Operations, moment
from scones.local.services.stepfunctions.pages import page


class VersionOperations(Operations):
    """Versions, which never change, and aliases, which share executions out among them."""

    async def publish_state_machine_version(
        self, stateMachineArn: str, revisionId: str | None = None, description: str | None = None
    ) -> dict[str, Any]:
        row = self._machine(stateMachineArn)
        revision = self._ledger.machines.revision(row.revision)
        current = "INITIAL" if revision.updated == row.created else revision.revision_id
        if revisionId is not None and revisionId not in (current, revision.revision_id):
            message = (
                f"Failed to publish the State Machine version for revision {revisionId}."
                f" The current State Machine revision is {current}."
            )
            raise ServiceError("ConflictException", message)
        version = self._ledger.machines.publish(row, description, self._ledger.now())
        return {
            "creationDate": moment(version.created),
            "stateMachineVersionArn": version.arn,
        }

    async def delete_state_machine_version(self, stateMachineVersionArn: str) -> dict[str, Any]:
        refusals.arn(stateMachineVersionArn, "stateMachine")
        users = [
            alias.name
            for alias in self._ledger.machines.aliases(stateMachineVersionArn.rpartition(":")[0])
            if stateMachineVersionArn in alias.routing
        ]
        if users:
            message = (
                "Version to be deleted must not be referenced by an alias. Current list of"
                f" aliases referencing this version: [{', '.join(users)}]"
            )
            raise ServiceError("ConflictException", message)
        self._ledger.machines.delete_version(stateMachineVersionArn)
        return {}

    async def list_state_machine_versions(
        self, stateMachineArn: str, nextToken: str | None = None, maxResults: int | None = None
    ) -> dict[str, Any]:
        refusals.arn(stateMachineArn, "stateMachine")
        versions = self._ledger.machines.versions(stateMachineArn)
        shown, rest = page(versions, maxResults, nextToken)
        listed = [
            {"stateMachineVersionArn": each.arn, "creationDate": moment(each.created)}
            for each in shown
        ]
        return {"stateMachineVersions": listed, **rest}

    async def create_state_machine_alias(
        self,
        name: str,
        routingConfiguration: list[dict[str, Any]],
        description: str | None = None,
    ) -> dict[str, Any]:
        routing = self._routing(routingConfiguration)
        machine = next(iter(routing)).rpartition(":")[0]
        before = self._ledger.machines.alias(f"{machine}:{name}")
        if before is not None:
            if before.routing == routing and before.description == description:
                return _made(before)
            message = (
                f"Failed to create alias because an alias with the same name and a different"
                f" routing configuration already exists: '{before.arn}'"
            )
            raise ServiceError("ConflictException", message)
        now = self._ledger.now()
        alias = Alias(f"{machine}:{name}", machine, name, description, routing, now, now)
        self._ledger.machines.keep_alias(alias)
        return _made(alias)

    async def update_state_machine_alias(
        self,
        stateMachineAliasArn: str,
        description: str | None = None,
        routingConfiguration: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        before = self._alias(stateMachineAliasArn)
        if description is None and routingConfiguration is None:
            message = "Either the description or the routing configuration must be specified"
            raise ServiceError("ValidationException", message)
        routing = self._routing(routingConfiguration) if routingConfiguration else before.routing
        now = self._ledger.now()
        alias = before._replace(
            description=description if description is not None else before.description,
            routing=routing,
            updated=now,
        )
        self._ledger.machines.keep_alias(alias)
        return {"updateDate": moment(now)}

    async def describe_state_machine_alias(self, stateMachineAliasArn: str) -> dict[str, Any]:
        alias = self._alias(stateMachineAliasArn)
        described = {"description": alias.description} if alias.description is not None else {}
        return {
            "stateMachineAliasArn": alias.arn,
            "name": alias.name,
            **described,
            "routingConfiguration": [
                {"stateMachineVersionArn": arn, "weight": weight}
                for arn, weight in alias.routing.items()
            ],
            "creationDate": moment(alias.created),
            "updateDate": moment(alias.updated),
        }

    async def list_state_machine_aliases(
        self, stateMachineArn: str, nextToken: str | None = None, maxResults: int | None = None
    ) -> dict[str, Any]:
        refusals.arn(stateMachineArn, "stateMachine")
        machine, _, version = _version_of(stateMachineArn)
        self._machine(machine)
        found = [
            each
            for each in self._ledger.machines.aliases(machine)
            if version is None or stateMachineArn in each.routing
        ]
        shown, rest = page(found, maxResults, nextToken)
        listed = [
            {"stateMachineAliasArn": each.arn, "creationDate": moment(each.created)}
            for each in shown
        ]
        return {"stateMachineAliases": listed, **rest}

    async def delete_state_machine_alias(self, stateMachineAliasArn: str) -> dict[str, Any]:
        self._alias(stateMachineAliasArn)
        self._ledger.machines.delete_alias(stateMachineAliasArn)
        return {}

    def _machine(self, arn: str) -> MachineRow:
        refusals.arn(arn, "stateMachine")
        row = self._ledger.machines.find(arn)
        if row is None:
            raise refusals.no_machine(arn)
        return row

    def _alias(self, arn: str) -> Alias:
        refusals.arn(arn, "stateMachine")
        alias = self._ledger.machines.alias(arn)
        if alias is None:
            raise refusals.no_resource(arn)
        return alias

    def _routing(self, given: list[dict[str, Any]]) -> dict[str, int]:
        """Weights by version; ServiceError where they do not make sense."""
        routing = {each["stateMachineVersionArn"]: each["weight"] for each in given}
        if not 1 <= len(given) <= 2 or len(routing) != len(given):
            message = "Routing configuration must contain one or two different versions"
            raise ServiceError("ValidationException", message)
        if sum(routing.values()) != 100:
            message = "Sum of routing configuration weights must equal 100."
            raise ServiceError("ValidationException", f"1 validation error detected: {message}")
        machines = {arn.rpartition(":")[0] for arn in routing}
        if len(machines) != 1:
            message = "Routing configuration must contain versions of one state machine"
            raise ServiceError("ValidationException", message)
        for arn in routing:
            refusals.arn(arn, "stateMachine")
            if self._ledger.machines.version(arn) is None:
                raise refusals.no_resource(arn)
        return routing


def _made(alias: Alias) -> dict[str, Any]:
    return {"stateMachineAliasArn": alias.arn, "creationDate": moment(alias.created)}


def _version_of(arn: str) -> tuple[str, str, str | None]:
    machine, _, last = arn.rpartition(":")
    return (machine, last, last) if last.isdigit() else (arn, "", None)
