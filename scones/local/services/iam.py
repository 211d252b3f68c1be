"""Roles, kept and never enforced: IAM."""

import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.store import Store

_SCHEMA = """
create table if not exists role (
    name text primary key, id text not null, path text not null, arn text not null,
    trust text not null, description text, max_session_s integer not null,
    created real not null, tags text not null
);
create table if not exists inline_policy (
    role text not null references role, name text not null, document text not null,
    primary key (role, name)
);
create table if not exists attached_policy (
    role text not null references role, arn text not null, primary key (role, arn)
);
"""
_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {
                    "Service": [
                        "sagemaker.amazonaws.com",
                        "lambda.amazonaws.com",
                        "states.amazonaws.com",
                    ]
                },
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
_PAGE = 100


class Iam:
    """Roles and their policies. Policies are remembered, but everything is allowed."""

    def __init__(
        self, identity: Identity, home: Path, clock: Callable[[], float] = time.time
    ) -> None:
        """The identity's own role exists from the start."""
        self._identity = identity
        self._store = Store(home / "iam.sqlite", _SCHEMA)
        self._clock = clock
        if not self._store.read("select 1 from role where name = ?", identity.role_name):
            self.create_role(identity.role_name, _TRUST, "/service-role/")

    async def __aenter__(self) -> "Iam":
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._store.close()

    def create_role(
        self,
        RoleName: str,
        AssumeRolePolicyDocument: str,
        Path: str | None = None,
        Description: str | None = None,
        MaxSessionDuration: int | None = None,
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        """A new role; EntityAlreadyExists if the name is taken, whatever the path."""
        _refuse_no_policy(AssumeRolePolicyDocument)
        path = Path or "/"
        arn = f"arn:aws:iam::{self._identity.account}:role{path}{RoleName}"
        role_id = "AROA" + secrets.token_hex(9)[:17].upper()
        added = self._store.write(
            "insert or ignore into role values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            RoleName, role_id, path, arn, AssumeRolePolicyDocument, Description,
            MaxSessionDuration or 3600, int(self._clock()), json.dumps(Tags or []),
        )  # fmt: skip
        if not added:
            message = f"Role with name {RoleName} already exists."
            raise ServiceError("EntityAlreadyExists", message, 409)
        return self.get_role(RoleName)

    def get_role(self, RoleName: str) -> dict[str, Any]:
        """One role; its trust policy is percent-encoded JSON, as in IAM's own answer."""
        return {"Role": {**_summary(self._row(RoleName)), **_details(self._row(RoleName))}}

    def list_roles(
        self, PathPrefix: str | None = None, Marker: str | None = None, MaxItems: int | None = None
    ) -> dict[str, Any]:
        """Roles by name, a page at a time."""
        rows = self._store.read(
            "select * from role where substr(path, 1, length(?1)) = ?1", PathPrefix or "/"
        )
        page, more = _page({row["name"]: _summary(row) for row in rows}, Marker, MaxItems)
        return {"Roles": page, **more}

    def delete_role(self, RoleName: str) -> None:
        """DeleteConflict while policies are left on it."""
        self._row(RoleName)
        for table in ("attached_policy", "inline_policy"):
            if self._store.read(f"select 1 from {table} where role = ?", RoleName):
                kind = "detach" if table == "attached_policy" else "delete"
                message = f"Cannot delete entity, must {kind} all policies first."
                raise ServiceError("DeleteConflict", message, 409)
        self._store.write("delete from role where name = ?", RoleName)

    def put_role_policy(self, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:
        """Keep an inline policy; one of the same name is replaced."""
        self._row(RoleName)
        _refuse_no_policy(PolicyDocument)
        self._store.write(
            "insert or replace into inline_policy values (?, ?, ?)",
            RoleName, PolicyName, PolicyDocument,
        )  # fmt: skip

    def get_role_policy(self, RoleName: str, PolicyName: str) -> dict[str, Any]:
        """One inline policy, percent-encoded."""
        self._row(RoleName)
        rows = self._store.read(
            "select document from inline_policy where role = ? and name = ?", RoleName, PolicyName
        )
        if not rows:
            raise _missing(f"The role policy with name {PolicyName} cannot be found.")
        document = quote(rows[0]["document"])
        return {"RoleName": RoleName, "PolicyName": PolicyName, "PolicyDocument": document}

    def delete_role_policy(self, RoleName: str, PolicyName: str) -> None:
        """Forget an inline policy."""
        self.get_role_policy(RoleName, PolicyName)
        self._store.write(
            "delete from inline_policy where role = ? and name = ?", RoleName, PolicyName
        )

    def list_role_policies(
        self, RoleName: str, Marker: str | None = None, MaxItems: int | None = None
    ) -> dict[str, Any]:
        """Names of a role's inline policies."""
        self._row(RoleName)
        rows = self._store.read("select name from inline_policy where role = ?", RoleName)
        page, more = _page({row["name"]: row["name"] for row in rows}, Marker, MaxItems)
        return {"PolicyNames": page, **more}

    def attach_role_policy(self, RoleName: str, PolicyArn: str) -> None:
        """Keep the ARN of a managed policy, which need not exist here."""
        self._row(RoleName)
        self._store.write(
            "insert or ignore into attached_policy values (?, ?)", RoleName, PolicyArn
        )

    def detach_role_policy(self, RoleName: str, PolicyArn: str) -> None:
        """Forget the ARN; NoSuchEntity if it was not attached."""
        self._row(RoleName)
        if not self._store.write(
            "delete from attached_policy where role = ? and arn = ?", RoleName, PolicyArn
        ):
            raise _missing(f"Policy {PolicyArn} was not found.")

    def list_attached_role_policies(
        self, RoleName: str, Marker: str | None = None, MaxItems: int | None = None
    ) -> dict[str, Any]:
        """A role's managed policies."""
        self._row(RoleName)
        rows = self._store.read("select arn from attached_policy where role = ?", RoleName)
        page, more = _page({row["arn"]: _attached(row["arn"]) for row in rows}, Marker, MaxItems)
        return {"AttachedPolicies": page, **more}

    def _row(self, name: str) -> Any:
        rows = self._store.read("select * from role where name = ?", name)
        if not rows:
            raise _missing(f"The role with name {name} cannot be found.")
        return rows[0]


def _summary(row: Any) -> dict[str, Any]:
    return {
        "Path": row["path"],
        "RoleName": row["name"],
        "RoleId": row["id"],
        "Arn": row["arn"],
        "CreateDate": datetime.fromtimestamp(row["created"], UTC),
        "AssumeRolePolicyDocument": quote(row["trust"]),
        "Description": row["description"],
        "MaxSessionDuration": row["max_session_s"],
    }


def _details(row: Any) -> dict[str, Any]:
    tags = json.loads(row["tags"])
    return {"Tags": tags} if tags else {}


def _attached(arn: str) -> dict[str, str]:
    return {"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}


def _page(
    things: dict[str, Any], marker: str | None, size: int | None
) -> tuple[list[Any], dict[str, Any]]:
    """Those after `marker` in the order of their names, and what tells where to go on."""
    names = sorted(name for name in things if name > (marker or ""))
    kept = names[: size or _PAGE]
    page = [things[name] for name in kept]
    if len(kept) == len(names):
        return page, {"IsTruncated": False}
    return page, {"IsTruncated": True, "Marker": kept[-1]}


def _refuse_no_policy(document: str) -> None:
    try:
        is_policy = isinstance(json.loads(document), dict)
    except (ValueError, RecursionError):
        is_policy = False
    if not is_policy:
        message = "Syntax errors in policy."
        raise ServiceError("MalformedPolicyDocument", message)


def _missing(message: str) -> ServiceError:
    return ServiceError("NoSuchEntity", message, 404)
