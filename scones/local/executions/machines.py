"""State machines as they were created and changed: revisions, versions, aliases, tags."""

import json
import uuid
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from scones.local.asl.machine import Machine, build
from scones.local.store import Store

_SCHEMA = """
create table if not exists machines (
    arn text primary key, name text not null, express integer not null, created real not null,
    revision integer not null, settings text not null, versions integer not null
);
create table if not exists revisions (
    id integer primary key, machine_arn text not null, revision_id text not null,
    definition text not null, role_arn text not null, updated real not null
);
create table if not exists versions (
    arn text primary key, machine_arn text not null, number integer not null,
    revision integer not null, description text, created real not null
);
create table if not exists aliases (
    arn text primary key, machine_arn text not null, name text not null, description text,
    routing text not null, created real not null, updated real not null
);
create table if not exists tags (
    arn text not null, key text not null, value text not null, primary key (arn, key)
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Revision:
    """One state of a machine; every execution keeps the one that it was started with."""

    id: int
    machine_arn: str
    revision_id: str
    definition: str
    role_arn: str
    updated: float


@dataclass(frozen=True, slots=True)
class MachineRow:
    """A state machine; `settings` are loggingConfiguration and its like."""

    arn: str
    name: str
    express: bool
    created: float
    revision: int
    settings: dict[str, Any]
    versions: int
    """How many versions were ever published."""


class Version(NamedTuple):
    """A revision that was published under a number."""

    arn: str
    machine_arn: str
    number: int
    revision: int
    description: str | None
    created: float


class Alias(NamedTuple):
    """A name that leads to one version or two, with weights in per cent."""

    arn: str
    machine_arn: str
    name: str
    description: str | None
    routing: dict[str, int]
    created: float
    updated: float


class Machines:
    """State machines in a store that others share."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.transaction() as connection:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
        self._rows: dict[str, MachineRow] = {}

    def find(self, arn: str) -> MachineRow | None:
        """A machine by its ARN."""
        if arn not in self._rows:
            rows = self._store.read("select * from machines where arn = ?", arn)
            if not rows:
                return None
            row = dict(rows[0])
            row |= {"express": bool(row["express"]), "settings": json.loads(row["settings"])}
            self._rows[arn] = MachineRow(**row)
        return self._rows[arn]

    def all(self) -> list[MachineRow]:
        """Every machine, the newest first."""
        rows = self._store.read("select arn from machines order by created desc, rowid desc")
        found = (self.find(row["arn"]) for row in rows)
        return [each for each in found if each is not None]

    @lru_cache(maxsize=1024)  # noqa: B019 - one Machines lives as long as the process
    def revision(self, number: int) -> Revision:
        """A revision by its number."""
        rows = self._store.read("select * from revisions where id = ?", number)
        return Revision(**dict(rows[0]))

    @lru_cache(maxsize=1024)  # noqa: B019
    def built(self, number: int) -> Machine:
        """The machine that a revision defines, read once."""
        return build(json.loads(self.revision(number).definition))

    def create(
        self,
        arn: str,
        name: str,
        *,
        express: bool,
        definition: str,
        role_arn: str,
        settings: dict[str, Any],
        tags: dict[str, str],
        now: float,
    ) -> MachineRow:
        """Keep a new machine."""
        with self._store.transaction() as connection:
            revision = self._revise(connection, arn, definition, role_arn, now)
            connection.execute(
                "insert into machines values (?, ?, ?, ?, ?, ?, 0)",
                (arn, name, express, now, revision, json.dumps(settings)),
            )
            connection.executemany(
                "insert into tags values (?, ?, ?)",
                [(arn, key, value) for key, value in tags.items()],
            )
        found = self.find(arn)
        assert found is not None, "a machine just created is there"
        return found

    def update(
        self, arn: str, *, definition: str, role_arn: str, settings: dict[str, Any], now: float
    ) -> Revision:
        """Give a machine another revision."""
        with self._store.transaction() as connection:
            revision = self._revise(connection, arn, definition, role_arn, now)
            connection.execute(
                "update machines set revision = ?, settings = ? where arn = ?",
                (revision, json.dumps(settings), arn),
            )
        self._rows.pop(arn, None)
        return self.revision(revision)

    def delete(self, arn: str) -> None:
        """Drop a machine with its versions, aliases and tags; executions keep their revision."""
        with self._store.transaction() as connection:
            connection.execute("delete from machines where arn = ?", (arn,))
            connection.execute("delete from versions where machine_arn = ?", (arn,))
            connection.execute("delete from aliases where machine_arn = ?", (arn,))
            connection.execute("delete from tags where arn = ?", (arn,))
        self._rows.pop(arn, None)

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a machine."""
        rows = self._store.read("select key, value from tags where arn = ? order by key", arn)
        return {row["key"]: row["value"] for row in rows}

    def tag(self, arn: str, tags: dict[str, str]) -> None:
        """Add tags, or change their values."""
        with self._store.transaction() as connection:
            connection.executemany(
                "insert or replace into tags values (?, ?, ?)",
                [(arn, key, value) for key, value in tags.items()],
            )

    def untag(self, arn: str, keys: list[str]) -> None:
        """Take tags away; one that is not there is none."""
        with self._store.transaction() as connection:
            connection.executemany(
                "delete from tags where arn = ? and key = ?", [(arn, key) for key in keys]
            )

    def publish(self, row: MachineRow, description: str | None, now: float) -> Version:
        """The version of a machine's present revision: a new one, or the last if it is the same."""
        last = self.versions(row.arn)[:1]
        if last and last[0].revision == row.revision:
            return last[0]
        number = row.versions + 1
        version = Version(f"{row.arn}:{number}", row.arn, number, row.revision, description, now)
        with self._store.transaction() as connection:
            connection.execute("insert into versions values (?, ?, ?, ?, ?, ?)", version)
            connection.execute("update machines set versions = ? where arn = ?", (number, row.arn))
        self._rows[row.arn] = replace(row, versions=number)
        return version

    def versions(self, machine_arn: str) -> list[Version]:
        """The versions of a machine, the newest first."""
        rows = self._store.read(
            "select * from versions where machine_arn = ? order by number desc", machine_arn
        )
        return [Version(*row) for row in rows]

    def version(self, arn: str) -> Version | None:
        """A version by its ARN."""
        rows = self._store.read("select * from versions where arn = ?", arn)
        return Version(*rows[0]) if rows else None

    def delete_version(self, arn: str) -> None:
        """Drop a version."""
        self._store.write("delete from versions where arn = ?", arn)

    def aliases(self, machine_arn: str) -> list[Alias]:
        """The aliases of a machine, by name."""
        rows = self._store.read(
            "select * from aliases where machine_arn = ? order by name", machine_arn
        )
        return [_alias(row) for row in rows]

    def alias(self, arn: str) -> Alias | None:
        """An alias by its ARN."""
        rows = self._store.read("select * from aliases where arn = ?", arn)
        return _alias(rows[0]) if rows else None

    def keep_alias(self, alias: Alias) -> None:
        """Keep a new alias, or what has changed about one."""
        row = alias._replace(routing=json.dumps(alias.routing))  # type: ignore[arg-type]
        self._store.write("insert or replace into aliases values (?, ?, ?, ?, ?, ?, ?)", *row)

    def delete_alias(self, arn: str) -> None:
        """Drop an alias."""
        self._store.write("delete from aliases where arn = ?", arn)

    @staticmethod
    def _revise(connection: Any, arn: str, definition: str, role_arn: str, now: float) -> int:
        cursor = connection.execute(
            "insert into revisions (machine_arn, revision_id, definition, role_arn, updated)"
            " values (?, ?, ?, ?, ?)",
            (arn, str(uuid.uuid4()), definition, role_arn, now),
        )
        number: int = cursor.lastrowid
        return number


def _alias(row: Any) -> Alias:
    return Alias(**{**dict(row), "routing": json.loads(row["routing"])})
