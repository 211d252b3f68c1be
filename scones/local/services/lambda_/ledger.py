"""What all of Lambda's operations stand on: the rows of functions, versions, layers and events."""

import asyncio
import json
import sqlite3
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions import names
from scones.local.functions.function import Function
from scones.local.functions.names import LATEST, Named
from scones.local.functions.packages import Package, Packages
from scones.local.identity import Identity
from scones.local.store import Store

SCHEMA = """
create table if not exists functions (
    name text primary key,
    tags text not null default '{}',
    policy text not null default '{}'
) without rowid;
create table if not exists versions (
    name text not null references functions (name) on delete cascade,
    version text not null,
    number integer not null,
    configuration text not null,
    primary key (name, version)
) without rowid;
create table if not exists layers (
    name text not null,
    version integer not null,
    described text not null,
    deleted integer not null default 0,
    primary key (name, version)
) without rowid;
create table if not exists events (
    id text primary key,
    named text not null,
    payload blob not null,
    client_context text,
    attempt integer not null default 1,
    due real not null
) without rowid;
"""
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ZIP_BYTES = 52_428_800
MAX_REQUEST_BYTES = 70_167_211
MAX_REMEMBERED = 1000
"""Revisions; ours: a megabyte or so."""


class Ledger:
    """Functions and layers, found by name; their packages."""

    def __init__(self, home: Path, identity: Identity, s3: Any, clock: Callable[[], float]) -> None:
        self.store = Store(home / "lambda.sqlite", SCHEMA)
        self.packages = Packages(home / "lambda")
        self.identity = identity
        self.clock = clock
        self._runnable: dict[str, Function] = {}
        self._s3 = s3
        self.packages.keep_only(self._referred())

    def arn(self, named: Named) -> str:
        """With the qualifier, where one was given."""
        arn = self.identity.arn("lambda", f"function:{named.name}")
        return f"{arn}:{named.qualifier}" if named.qualifier else arn

    def named(self, text: str, qualifier: str | None = None) -> Named:
        """A function named in any of the ways that AWS allows."""
        try:
            return names.function(text, qualifier)
        except ValueError as error:
            raise invalid(str(error)) from error

    def configuration(self, named: Named) -> dict[str, Any]:
        """As GetFunctionConfiguration tells it; ResourceNotFoundException if there is none."""
        rows = self.store.read(
            "select configuration from versions where name = ? and version = ?",
            named.name, named.qualifier or LATEST,
        )  # fmt: skip
        if not rows:
            raise ServiceError(
                "ResourceNotFoundException",
                f"Function not found: {self.arn(named)}",
                404,
                Type="User",
            )
        configuration: dict[str, Any] = json.loads(rows[0]["configuration"])
        if named.qualifier:
            configuration["FunctionArn"] = self.arn(named)
        return configuration

    def row(self, name: str) -> sqlite3.Row:
        """Tags and policy; ResourceNotFoundException if there is no such function."""
        rows = self.store.read("select * from functions where name = ?", name)
        if not rows:
            self.configuration(Named(name, None))
        return rows[0]

    def changed(self, configuration: dict[str, Any]) -> dict[str, Any]:
        """The same with a new revision, modified now."""
        now = datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds")
        return {
            **configuration,
            "LastModified": now.replace("+00:00", "+0000"),
            "RevisionId": str(uuid.uuid4()),
        }

    def package(self, code: dict[str, Any], operation: str) -> Package:
        """Keep what `Code` or `Content` gives: the bytes, or where in S3 they are."""
        content = code.get("ZipFile")
        if content is not None and len(content) > MAX_ZIP_BYTES:
            raise ServiceError(
                "RequestEntityTooLargeException",
                f"Request must be smaller than {MAX_REQUEST_BYTES} bytes for the {operation} "
                "operation",
                413,
            )
        if content is None:
            content = self._from_s3(code)
        elif code.get("S3Bucket") or code.get("S3Key"):
            raise invalid(
                "Please do not provide other FunctionCode parameters when providing a ZipFile."
            )
        return self.packages.add(content)

    def layers(self, arns: list[str]) -> list[dict[str, Any]]:
        """As a configuration lists them; InvalidParameterValueException for an unknown one."""
        return [
            {"Arn": arn, "CodeSize": self.layer(arn)["Content"]["CodeSize"]} for arn in arns
        ]  # fmt: skip

    def layer(self, arn: str) -> dict[str, Any]:
        """As GetLayerVersion tells it."""
        try:
            name, version = names.layer_version(arn)
        except ValueError as error:
            raise invalid(str(error)) from error
        rows = self.store.read(
            "select described from layers where name = ? and version = ?", name, version
        )
        if not rows:
            raise invalid(f"Layer version {arn} does not exist.")
        described: dict[str, Any] = json.loads(rows[0]["described"])
        return described

    async def runnable(self, configuration: dict[str, Any]) -> Function:
        """What a worker needs to know; files are looked for once a revision, in a thread."""
        revision = configuration["RevisionId"]
        if revision not in self._runnable:
            if len(self._runnable) >= MAX_REMEMBERED:
                self._runnable.clear()
            self._runnable[revision] = await asyncio.to_thread(self._look_up, configuration)
        return self._runnable[revision]

    def _look_up(self, configuration: dict[str, Any]) -> Function:
        layers = [self.layer(each["Arn"]) for each in configuration.get("Layers", [])]
        return Function(
            name=configuration["FunctionName"],
            version=configuration["Version"],
            arn=self.arn(Named(configuration["FunctionName"], None)),
            revision=configuration["RevisionId"],
            handler=configuration["Handler"],
            runtime=configuration["Runtime"],
            timeout_s=configuration["Timeout"],
            memory_mb=configuration["MemorySize"],
            tmp_mb=configuration["EphemeralStorage"]["Size"],
            variables=configuration.get("Environment", {}).get("Variables", {}),
            task=self.packages.task(configuration["CodeSha256"]),
            opt=self.packages.opt([each["Content"]["CodeSha256"] for each in layers]),
        )

    def _from_s3(self, code: dict[str, Any]) -> bytes:
        if not code.get("S3Bucket") or not code.get("S3Key"):
            raise invalid("Please provide a source for function code.")
        try:
            got = self._s3.get_object(Bucket=code["S3Bucket"], Key=code["S3Key"])
        except ServiceError as error:
            raise invalid(
                f"Error occurred while GetObject. S3 Error Code: {error.code}. "
                f"S3 Error Message: {error.message}"
            ) from error
        body = got["Body"]
        if isinstance(body, bytes):
            return body
        with body:
            content: bytes = body.read()
        return content

    def _referred(self) -> list[str]:
        versions = self.store.read("select configuration as text from versions")
        layers = self.store.read("select described as text from layers")
        return [
            *(json.loads(each["text"])["CodeSha256"] for each in versions),
            *(json.loads(each["text"])["Content"]["CodeSha256"] for each in layers),
        ]


class Operations:
    """A group of operations on one ledger."""

    _ledger: Ledger


def invalid(message: str) -> ServiceError:
    """AWS's word for most that is wrong with a request to Lambda."""
    return ServiceError("InvalidParameterValueException", message, Type="User")


def conflict(message: str) -> ServiceError:
    """Something of that name is there already."""
    return ServiceError("ResourceConflictException", message, 409, Type="User")


def page(
    items: list[dict[str, Any]], marker: str | None, size: int
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of a list, and where the next begins: markers are positions."""
    start = int(marker) if marker and marker.isdigit() else 0
    end = start + size
    return items[start:end], str(end) if end < len(items) else None
