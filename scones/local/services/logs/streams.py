"""Log streams: made, described, removed."""

import re
import sqlite3
from typing import Any

from scones.local.services.logs.ledger import (
    Operations,
    check_name,
    exists,
    group_name,
    invalid,
    page_size,
)

MAX_DESCRIBED = 50
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html"""

_NAME = re.compile(r"[^:*]{1,512}")


class Streams(Operations):
    """Operations on log streams."""

    def create_log_stream(self, logGroupName: str, logStreamName: str) -> dict[str, Any]:
        check_name("logStreamName", logStreamName, _NAME)
        with self._ledger.store.transaction() as connection:
            self._ledger.group(logGroupName)
            made = connection.execute(
                "insert into log_streams (log_group, name, created_at_ms) values (?, ?, ?) "
                "on conflict do nothing",
                (logGroupName, logStreamName, self._ledger.now_ms()),
            ).rowcount
        if not made:
            raise exists("stream")
        return {}

    def delete_log_stream(self, logGroupName: str, logStreamName: str) -> dict[str, Any]:
        with self._ledger.store.transaction() as connection:
            stream = self._ledger.stream(logGroupName, logStreamName)
            connection.execute("delete from log_streams where id = ?", (stream["id"],))
        return {}

    def describe_log_streams(
        self,
        descending: bool | None = None,
        limit: int | None = None,
        logGroupIdentifier: str | None = None,
        logGroupName: str | None = None,
        logStreamNamePrefix: str | None = None,
        nextToken: str | None = None,
        orderBy: str | None = None,
    ) -> dict[str, Any]:
        """The token of a page is the last name on the page before it; the last page has none."""
        group = group_name(logGroupName, logGroupIdentifier)
        self._ledger.group(group)
        by_time = orderBy == "LastEventTime"
        if by_time and logStreamNamePrefix is not None:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        rows = self._ledger.streams(group, logStreamNamePrefix or "")
        if by_time:
            rows.sort(key=lambda row: row["last_event_ms"] or 0)
        if descending:
            rows.reverse()
        start = _after(nextToken, [row["name"] for row in rows])
        end = start + page_size(limit, MAX_DESCRIBED)
        answer: dict[str, Any] = {"logStreams": [self._stream_told(row) for row in rows[start:end]]}
        return answer | ({"nextToken": rows[end - 1]["name"]} if end < len(rows) else {})

    def _stream_told(self, row: sqlite3.Row) -> dict[str, Any]:
        group, name = row["log_group"], row["name"]
        told = {
            "logStreamName": name,
            "creationTime": row["created_at_ms"],
            "firstEventTimestamp": row["first_event_ms"],
            "lastEventTimestamp": row["last_event_ms"],
            "lastIngestionTime": row["last_ingested_ms"],
            "arn": self._ledger.identity.arn("logs", f"log-group:{group}:log-stream:{name}"),
            "storedBytes": 0,
        }
        return {member: value for member, value in told.items() if value is not None}


def _after(token: str | None, names: list[str]) -> int:
    """The index after the name that a token is."""
    if token is None:
        return 0
    if token not in names:
        raise invalid("The specified nextToken is invalid.")
    return names.index(token) + 1
