"""Executions and their histories in SQLite, written in groups.

Whatever happens in one turn of the event loop is committed together at its end; who must not go on
before something is kept awaits `settled`. Measured (2 cores, 2026-11): one commit of WAL without
fsync takes about 50 us, so groups of one are affordable and groups of many nearly free.

A history is kept as one row per execution and commit, a JSON array of events, because a short
execution then needs two rows instead of ten.
"""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scones.local.asl.history import Event
from scones.local.asl.text import whole
from scones.local.executions.record import COLUMNS, RUNNING, Record, values
from scones.local.store import Store

_SCHEMA = """
create table if not exists executions (
    id integer primary key, arn text not null unique, machine_arn text not null,
    name text not null, express integer not null, revision integer not null, status text not null,
    started real not null, input text not null, stopped real, output text, error text, cause text,
    version_arn text, alias_arn text, map_run_arn text, item integer,
    redrives integer not null, redriven real
);
create index if not exists executions_by_machine on executions (machine_arn, id)
    where map_run_arn is null;
create index if not exists executions_by_map_run on executions (map_run_arn, item)
    where map_run_arn is not null;
create index if not exists executions_running on executions (id) where status = 'RUNNING';
create table if not exists events (
    position integer primary key, execution integer not null, batch text not null
);
create index if not exists events_by_execution on events (execution, position);
create table if not exists map_runs (
    arn text primary key, execution_arn text not null, state text not null, status text not null,
    started real not null, stopped real, max_concurrency integer not null,
    tolerated_count integer not null, tolerated_percentage real not null,
    total integer not null, express integer not null, redrives integer not null
);
create index if not exists map_runs_by_execution on map_runs (execution_arn);
"""

_AGAIN_S = 1.0
"""Until a commit that failed is tried again; ours."""

_log = logging.getLogger(__name__)
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_INSERT = f"insert into executions values ({', '.join('?' * len(COLUMNS))})"
_UPDATE = (
    "update executions set status = ?, stopped = ?, output = ?, error = ?, cause = ?,"
    " redrives = ?, redriven = ? where id = ?"
)


class Journal:
    """Keeps records and events; reading sees all that was written before."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path, _SCHEMA)
        last = self.store.read("select max(id) as last from executions")[0]["last"]
        self._last_id: int = last or 0
        self._new: dict[str, Record] = {}
        self._changed: dict[int, Record] = {}
        self._events: dict[int, list[Event]] = {}
        self._scheduled = False
        self._waiting: list[asyncio.Future[None]] = []

    def next_id(self) -> int:
        """A number for a new execution."""
        self._last_id += 1
        return self._last_id

    def add(self, record: Record) -> None:
        """Keep a new execution."""
        self._new[record.arn] = record
        self._soon()

    def change(self, record: Record) -> None:
        """Keep what has changed about an execution."""
        self._changed[record.id] = record
        self._soon()

    def append(self, execution: int, event: Event) -> None:
        """Keep an event."""
        self._events.setdefault(execution, []).append(event)
        self._soon()

    async def settled(self) -> None:
        """Return once everything so far is committed."""
        if self._scheduled:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future

    def flush(self) -> None:
        """Commit now."""
        self._scheduled = False
        if self._new or self._changed or self._events:
            with self.store.transaction() as connection:
                self._write(connection)
            self._new, self._changed, self._events = {}, {}, {}
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def read(self, sql: str, *parameters: Any) -> list[sqlite3.Row]:
        """Rows, after what is still to be written has been."""
        if self._scheduled:
            self.flush()
        return self.store.read(sql, *parameters)

    def find(self, where: str, *parameters: Any) -> list[Record]:
        """Records; `where` is SQL from there on."""
        rows = self.read(f"select * from executions where {where}", *parameters)
        return [_record(row) for row in rows]

    def by_arn(self, arn: str) -> Record | None:
        """A record by its ARN, also one that is still to be written."""
        if arn in self._new:
            return self._new[arn]
        for record in self._changed.values():
            if record.arn == arn:
                return record
        rows = self.store.read("select * from executions where arn = ?", arn)
        return _record(rows[0]) if rows else None

    def running(self) -> list[Record]:
        """Executions that had not ended, in the order in which they were started."""
        return self.find("status = ? order by id", RUNNING)

    def history(self, execution: int) -> list[Event]:
        """Every event and note of an execution, in order."""
        rows = self.read(
            "select batch from events where execution = ? order by position", execution
        )
        return [Event(*each) for row in rows for each in json.loads(row["batch"])]

    def close(self) -> None:
        """Commit and let go."""
        self.flush()
        self.store.close()

    def _soon(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush_if_due)

    def _flush_if_due(self) -> None:
        if not self._scheduled:
            return
        try:
            self.flush()
        except sqlite3.Error:  # a full disk, say: nothing is lost, and nobody goes on
            _log.exception("a commit failed; it is tried again in %g s", _AGAIN_S)
            self._scheduled = True
            asyncio.get_running_loop().call_later(_AGAIN_S, self._flush_if_due)

    def _write(self, connection: sqlite3.Connection) -> None:
        fresh = {record.id for record in self._new.values()}
        changed = (each for each in self._changed.values() if each.id not in fresh)
        connection.executemany(_INSERT, (_kept(values(each)) for each in self._new.values()))
        connection.executemany(_UPDATE, (_kept(_changes(each)) for each in changed))
        connection.executemany(
            "insert into events (execution, batch) values (?, ?)", _batches(self._events.items())
        )


def _record(row: sqlite3.Row) -> Record:
    return Record(**{**dict(row), "express": bool(row["express"])})


def _kept(row: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(whole(each) if isinstance(each, str) else each for each in row)


def _changes(record: Record) -> tuple[object, ...]:
    return (
        record.status,
        record.stopped,
        record.output,
        record.error,
        record.cause,
        record.redrives,
        record.redriven,
        record.id,
    )


def _batches(events: Iterable[tuple[int, list[Event]]]) -> Iterable[tuple[int, str]]:
    return ((execution, whole(_encode(batch))) for execution, batch in events)
