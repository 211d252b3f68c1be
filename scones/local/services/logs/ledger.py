"""What all of CloudWatch Logs' operations stand on: the rows of groups, streams and events."""

import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.store import Store

SCHEMA = """
create table if not exists log_groups (
    name text primary key,
    created_at_ms integer not null,
    retention_days integer,
    tags text not null default '{}'
) without rowid;
create table if not exists log_streams (
    id integer primary key,
    log_group text not null references log_groups (name) on delete cascade,
    name text not null,
    created_at_ms integer not null,
    num_events integer not null default 0,
    first_event_ms integer,
    last_event_ms integer,
    last_ingested_ms integer,
    unique (log_group, name)
);
create table if not exists log_events (
    stream integer not null references log_streams (id) on delete cascade,
    timestamp_ms integer not null,
    number integer not null,
    ingested_ms integer not null,
    message text not null,
    primary key (stream, timestamp_ms, number)
) without rowid;
"""


class Ledger:
    """Groups and streams, found by name."""

    def __init__(self, home: Path, identity: Identity, clock: Callable[[], float]) -> None:
        self.store = Store(home / "logs.sqlite", SCHEMA)
        self.identity = identity
        self._clock = clock

    def now_ms(self) -> int:
        return int(self._clock() * 1000)

    def group(self, name: str) -> sqlite3.Row:
        """ServiceError ResourceNotFoundException if there is none."""
        rows = self.store.read("select * from log_groups where name = ?", name)
        if not rows:
            raise absent("group")
        return rows[0]

    def stream(self, group: str, name: str) -> sqlite3.Row:
        """ServiceError ResourceNotFoundException if there is no such group or stream."""
        rows = self.store.read(
            "select * from log_streams where log_group = ? and name = ?", group, name
        )
        if not rows:
            self.group(group)
            raise absent("stream")
        return rows[0]

    def streams(self, group: str, prefix: str = "") -> list[sqlite3.Row]:
        """By name."""
        return self.store.read(
            "select * from log_streams where log_group = ? and substr(name, 1, ?) = ? "
            "order by name",
            group, len(prefix), prefix,
        )  # fmt: skip


class Operations:
    """A group of operations on one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger


def group_name(name: str | None, identifier: str | None) -> str:
    """The group that a request names, in one of two ways: by name, or by name or ARN."""
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")
    text = name or identifier or ""
    return text.partition(":log-group:")[2].removesuffix(":*") if text.startswith("arn:") else text


def check_name(member: str, name: str, form: re.Pattern[str]) -> None:
    """ServiceError InvalidParameterException unless a new group or stream may be called so."""
    if not form.fullmatch(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at '{member}' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {form.pattern}"
        )


def page_size(asked: int | None, most: int) -> int:
    """How many a page may have; ServiceError InvalidParameterException if that is not possible."""
    if asked is not None and not 1 <= asked <= most:
        raise invalid(
            f"1 validation error detected: Value '{asked}' at 'limit' failed to satisfy "
            f"constraint: Member must have value between 1 and {most}"
        )
    return most if asked is None else asked


def not_carried(member: str, value: Any) -> ServiceError:
    return ServiceError("NotImplemented", f"{member} {value!r} is not carried here", 501)


def invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def absent(what: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def exists(what: str) -> ServiceError:
    return ServiceError(
        "ResourceAlreadyExistsException", f"The specified log {what} already exists"
    )
