"""SageMaker's named resources (jobs, models, configs, endpoints), their lists and their tags."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.store import Store

_SCHEMA = """
create table if not exists resource (
    kind text not null,                    -- the word in its ARN: training-job, model, ...
    name text not null collate nocase,
    arn text not null,
    status text not null,
    created_at real not null,              -- seconds since the epoch
    modified_at real not null,
    description text not null,             -- what Describe answers
    plan text not null,                    -- what is needed to start it again
    primary key (kind, name)
) without rowid;
create table if not exists tag (
    arn text not null,
    key text not null,
    value text not null,
    primary key (arn, key)
) without rowid;
"""
_COLUMNS = {"Name": "name", "CreationTime": "created_at", "Status": "status"}
_BOUNDS = {
    "CreationTimeAfter": "created_at > ?",
    "CreationTimeBefore": "created_at < ?",
    "LastModifiedTimeAfter": "modified_at > ?",
    "LastModifiedTimeBefore": "modified_at < ?",
}


class Resources:
    """What was created and not yet deleted. A name is known in upper and lower case alike."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._store = Store(path, _SCHEMA)
        self._clock = clock

    def now(self) -> datetime:
        """This moment, to the millisecond that AWS gives."""
        return datetime.fromtimestamp(round(self._clock(), 3), UTC)

    def create(
        self,
        kind: str,
        name: str,
        arn: str,
        description: dict[str, Any],
        *,
        status: str = "",
        plan: Any = None,
        tags: list[dict[str, str]] | None = None,
    ) -> bool:
        """Keep a new resource, created at its CreationTime; False if there is one of that name."""
        now = description["CreationTime"].timestamp()
        with self._store.transaction() as connection:
            touched = connection.execute(
                "insert or ignore into resource values (?, ?, ?, ?, ?, ?, ?, ?)",
                (kind, name, arn, status, now, now, _dumps(description), _dumps(plan)),
            ).rowcount
            if touched:
                connection.execute("delete from tag where arn = ?", (arn,))
                connection.executemany(
                    "insert or replace into tag values (?, ?, ?)",
                    [(arn, each["Key"], each["Value"]) for each in tags or []],
                )
        return bool(touched)

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """The description of a resource, None if there is none."""
        rows = self._store.read(
            "select description from resource where kind = ? and name = ?", kind, name
        )
        return _loads(rows[0]["description"]) if rows else None

    def plan(self, kind: str, name: str) -> Any:
        """What was kept to start it again."""
        rows = self._store.read("select plan from resource where kind = ? and name = ?", kind, name)
        return _loads(rows[0]["plan"])

    def update(
        self, kind: str, name: str, description: dict[str, Any], status: str, plan: Any = None
    ) -> None:
        """Replace description and status of a resource, and its plan if given."""
        self._store.write(
            "update resource set description = ?, status = ?, modified_at = ?,"
            " plan = coalesce(?, plan) where kind = ? and name = ?",
            _dumps(description),
            status,
            self.now().timestamp(),
            None if plan is None else _dumps(plan),
            kind,
            name,
        )

    def delete(self, kind: str, name: str) -> bool:
        """Forget a resource and its tags; False if there was none."""
        with self._store.transaction() as connection:
            connection.execute(
                "delete from tag where arn in"
                " (select arn from resource where kind = ? and name = ?)",
                (kind, name),
            )
            touched = connection.execute(
                "delete from resource where kind = ? and name = ?", (kind, name)
            ).rowcount
        return bool(touched)

    def with_status(self, kind: str, *statuses: str) -> list[str]:
        """Names of the resources of a kind that are in one of `statuses`."""
        marks = ", ".join("?" * len(statuses))
        rows = self._store.read(
            f"select name from resource where kind = ? and status in ({marks})", kind, *statuses
        )
        return [row["name"] for row in rows]

    def page(self, kind: str, ascending_by_default: bool = False, **asked: Any) -> dict[str, Any]:
        """One page of a List operation: {"descriptions": [...], "NextToken": ...}.

        `asked` holds the operation's members: SortBy, SortOrder, MaxResults, NextToken,
        NameContains, StatusEquals and the four time bounds; None is as good as absent.
        """
        where, values = ["kind = ?"], [kind]
        for member, condition in _BOUNDS.items():
            if asked.get(member) is not None:
                where.append(condition)
                values.append(asked[member].timestamp())
        if asked.get("NameContains"):
            where.append("instr(lower(name), lower(?))")
            values.append(asked["NameContains"])
        if asked.get("StatusEquals"):
            where.append("status = ?")
            values.append(asked["StatusEquals"])
        column = _COLUMNS[asked.get("SortBy") or "CreationTime"]
        default = "Ascending" if ascending_by_default else "Descending"
        way = "asc" if (asked.get("SortOrder") or default) == "Ascending" else "desc"
        size, start = asked.get("MaxResults") or 10, start_of(asked.get("NextToken"))
        rows = self._store.read(
            f"select description from resource where {' and '.join(where)}"
            f" order by {column} {way}, name {way} limit ? offset ?",
            *values,
            size + 1,
            start,
        )
        page = {"descriptions": [_loads(row["description"]) for row in rows[:size]]}
        return {**page, "NextToken": token(start + size)} if len(rows) > size else page

    def has_arn(self, arn: str) -> bool:
        """Is there a resource with this ARN?"""
        return bool(self._store.read("select 1 from resource where arn = ?", arn))

    def tags(self, arn: str) -> list[dict[str, str]]:
        """A resource's tags by key."""
        rows = self._store.read("select key, value from tag where arn = ? order by key", arn)
        return [{"Key": row["key"], "Value": row["value"]} for row in rows]

    def tag(self, arn: str, tags: list[dict[str, str]]) -> None:
        """Add tags, replacing those with the same key."""
        for each in tags:
            self._store.write(
                "insert or replace into tag values (?, ?, ?)", arn, each["Key"], each["Value"]
            )

    def untag(self, arn: str, keys: list[str]) -> None:
        """Take tags away; one that is not there is no matter."""
        for key in keys:
            self._store.write("delete from tag where arn = ? and key = ?", arn, key)

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()


def token(start: int) -> str:
    """The NextToken of the page that begins there."""
    return urlsafe_b64encode(str(start).encode()).decode()


def start_of(next_token: str | None) -> int:
    """Where the page of a NextToken begins; 0 without one."""
    try:
        return int(urlsafe_b64decode(next_token)) if next_token else 0
    except ValueError as error:
        raise ServiceError("ValidationException", "Invalid pagination token.") from error


def _dumps(value: Any) -> str:
    return json.dumps(value, default=lambda moment: {"$time": moment.timestamp()})


def _loads(text: str) -> Any:
    return json.loads(text, object_hook=_revive)


def _revive(found: dict[str, Any]) -> Any:
    if found.keys() == {"$time"}:
        return datetime.fromtimestamp(found["$time"], UTC)
    return found


def given_members(**members: Any) -> dict[str, Any]:
    """The members that a request gave."""
    return {member: value for member, value in members.items() if value is not None}


def listed(member: str, members: tuple[str, ...], page: dict[str, Any]) -> dict[str, Any]:
    """A page of descriptions as a List operation's result."""
    summaries = [
        {key: about[key] for key in members if key in about} for about in page.pop("descriptions")
    ]
    return {member: summaries, **page}
