"""Who may invoke a function, and tags. Permissions are kept and told, not enforced."""

import json
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions.names import Named
from scones.local.services.lambda_.ledger import Operations, conflict


class Permissions(Operations):
    """Operations on a function's policy and tags."""

    def add_permission(
        self,
        FunctionName: str,
        StatementId: str,
        Action: str,
        Principal: str,
        SourceArn: str | None = None,
        SourceAccount: str | None = None,
        Qualifier: str | None = None,
    ) -> dict[str, Any]:
        named = self._ledger.named(FunctionName, Qualifier)
        self._ledger.configuration(named)
        statement: dict[str, Any] = {
            "Sid": StatementId,
            "Effect": "Allow",
            "Principal": _principal(Principal),
            "Action": Action,
            "Resource": self._ledger.arn(named),
        }
        if conditions := _conditions(SourceArn, SourceAccount):
            statement["Condition"] = conditions
        with self._ledger.store.transaction():
            policy = self._policy(named)
            if any(each["Sid"] == StatementId for each in policy):
                raise conflict(
                    f"The statement id ({StatementId}) provided already exists. Please provide a "
                    "new statement id, or remove the existing statement."
                )
            self._keep(named, [*policy, statement])
        return {"Statement": json.dumps(statement, separators=(",", ":"))}

    def remove_permission(
        self, FunctionName: str, StatementId: str, Qualifier: str | None = None
    ) -> None:
        named = self._ledger.named(FunctionName, Qualifier)
        with self._ledger.store.transaction():
            policy = self._policy(named)
            left = [each for each in policy if each["Sid"] != StatementId]
            if left == policy:
                raise _not_found(f"Statement {StatementId} is not found in resource policy.")
            self._keep(named, left)

    def get_policy(self, FunctionName: str, Qualifier: str | None = None) -> dict[str, Any]:
        named = self._ledger.named(FunctionName, Qualifier)
        revision = self._ledger.configuration(named)["RevisionId"]
        statements = self._policy(named)
        if not statements:
            raise _not_found("The resource you requested does not exist.")
        policy = {"Version": "2012-10-17", "Id": "default", "Statement": statements}
        return {"Policy": json.dumps(policy, separators=(",", ":")), "RevisionId": revision}

    def tag_resource(self, Resource: str, Tags: dict[str, str]) -> None:
        self._retag(Resource, lambda tags: {**tags, **Tags})

    def untag_resource(self, Resource: str, TagKeys: list[str]) -> None:
        self._retag(Resource, lambda tags: {k: v for k, v in tags.items() if k not in TagKeys})

    def list_tags(self, Resource: str) -> dict[str, Any]:
        row = self._ledger.row(self._ledger.named(Resource).name)
        return {"Tags": json.loads(row["tags"])}

    def _retag(self, resource: str, change: Any) -> None:
        name = self._ledger.named(resource).name
        with self._ledger.store.transaction() as connection:
            tags = change(json.loads(self._ledger.row(name)["tags"]))
            connection.execute(
                "update functions set tags = ? where name = ?", (json.dumps(tags), name)
            )

    def _policy(self, named: Named) -> list[dict[str, Any]]:
        """Statements on the function itself or on the version that is named."""
        policies = json.loads(self._ledger.row(named.name)["policy"])
        statements: list[dict[str, Any]] = policies.get(named.qualifier or "", [])
        return statements

    def _keep(self, named: Named, statements: list[dict[str, Any]]) -> None:
        policies = json.loads(self._ledger.row(named.name)["policy"])
        policies[named.qualifier or ""] = statements
        self._ledger.store.write(
            "update functions set policy = ? where name = ?", json.dumps(policies), named.name
        )


def _principal(text: str) -> Any:
    if text == "*":
        return "*"
    if text.isdigit():
        return {"AWS": f"arn:aws:iam::{text}:root"}
    return {"AWS" if text.startswith("arn:") else "Service": text}


def _conditions(source_arn: str | None, source_account: str | None) -> dict[str, Any]:
    conditions: dict[str, Any] = {}
    if source_account is not None:
        conditions["StringEquals"] = {"AWS:SourceAccount": source_account}
    if source_arn is not None:
        conditions["ArnLike"] = {"AWS:SourceArn": source_arn}
    return conditions


def _not_found(message: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", message, 404, Type="User")
