"""Log groups: made, described, tagged, removed."""

import json
import re
import sqlite3
from typing import Any

from scones.local.services.logs.ledger import (
    Operations,
    absent,
    check_name,
    exists,
    invalid,
    not_carried,
    page_size,
)

MAX_DESCRIBED = 50
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html"""
RETENTION_DAYS = {
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
}  # fmt: skip
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html"""

_NAME = re.compile(r"[\.\-_/#A-Za-z0-9]{1,512}")


class Groups(Operations):
    """Operations on log groups."""

    def create_log_group(
        self,
        logGroupName: str,
        logGroupClass: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        check_name("logGroupName", logGroupName, _NAME)
        if logGroupClass not in (None, "STANDARD"):
            raise not_carried("logGroupClass", logGroupClass)
        made = self._ledger.store.write(
            "insert into log_groups (name, created_at_ms, tags) values (?, ?, ?) "
            "on conflict do nothing",
            logGroupName, self._ledger.now_ms(), json.dumps(tags or {}),
        )  # fmt: skip
        if not made:
            raise exists("group")
        return {}

    def delete_log_group(self, logGroupName: str) -> dict[str, Any]:
        if not self._ledger.store.write("delete from log_groups where name = ?", logGroupName):
            raise absent("group")
        return {}

    def describe_log_groups(
        self,
        limit: int | None = None,
        logGroupNamePattern: str | None = None,
        logGroupNamePrefix: str | None = None,
        nextToken: str | None = None,
    ) -> dict[str, Any]:
        """The token of a page is the last name on the page before it."""
        if logGroupNamePattern is not None and logGroupNamePrefix is not None:
            raise invalid("Cannot specify both logGroupNamePrefix and logGroupNamePattern.")
        prefix, size = logGroupNamePrefix or "", page_size(limit, MAX_DESCRIBED)
        rows = self._ledger.store.read(
            "select * from log_groups where name > ? and substr(name, 1, ?) = ? "
            "and instr(name, ?) order by name limit ?",
            nextToken or "", len(prefix), prefix, logGroupNamePattern or "", size + 1,
        )  # fmt: skip
        answer: dict[str, Any] = {"logGroups": [self._group_told(row) for row in rows[:size]]}
        return answer | ({"nextToken": rows[size - 1]["name"]} if len(rows) > size else {})

    def put_retention_policy(self, logGroupName: str, retentionInDays: int) -> dict[str, Any]:
        """Kept and told, not enforced."""
        if retentionInDays not in RETENTION_DAYS:
            days = ", ".join(map(str, sorted(RETENTION_DAYS)))
            raise invalid(f"1 validation error detected: retentionInDays must be one of {days}")
        return self._set_retention(logGroupName, retentionInDays)

    def delete_retention_policy(self, logGroupName: str) -> dict[str, Any]:
        return self._set_retention(logGroupName, None)

    def tag_resource(self, resourceArn: str, tags: dict[str, str]) -> dict[str, Any]:
        return self.tag_log_group(_group_of(resourceArn), tags)

    def untag_resource(self, resourceArn: str, tagKeys: list[str]) -> dict[str, Any]:
        return self.untag_log_group(_group_of(resourceArn), tagKeys)

    def list_tags_for_resource(self, resourceArn: str) -> dict[str, Any]:
        return self.list_tags_log_group(_group_of(resourceArn))

    def tag_log_group(self, logGroupName: str, tags: dict[str, str]) -> dict[str, Any]:
        with self._ledger.store.transaction():
            kept = self.list_tags_log_group(logGroupName)["tags"]
            self._set_tags(logGroupName, kept | tags)
        return {}

    def untag_log_group(self, logGroupName: str, tags: list[str]) -> dict[str, Any]:
        with self._ledger.store.transaction():
            kept = self.list_tags_log_group(logGroupName)["tags"]
            left = {key: value for key, value in kept.items() if key not in tags}
            self._set_tags(logGroupName, left)
        return {}

    def list_tags_log_group(self, logGroupName: str) -> dict[str, Any]:
        return {"tags": json.loads(self._ledger.group(logGroupName)["tags"])}

    def _set_tags(self, name: str, tags: dict[str, str]) -> None:
        self._ledger.store.write(
            "update log_groups set tags = ? where name = ?", json.dumps(tags), name
        )

    def _set_retention(self, name: str, days: int | None) -> dict[str, Any]:
        if not self._ledger.store.write(
            "update log_groups set retention_days = ? where name = ?", days, name
        ):
            raise absent("group")
        return {}

    def _group_told(self, row: sqlite3.Row) -> dict[str, Any]:
        arn = self._ledger.identity.arn("logs", f"log-group:{row['name']}")
        told = {
            "logGroupName": row["name"],
            "creationTime": row["created_at_ms"],
            "metricFilterCount": 0,
            "arn": f"{arn}:*",
            "logGroupArn": arn,
            "logGroupClass": "STANDARD",
            "storedBytes": 0,
        }
        days = row["retention_days"]
        return told if days is None else told | {"retentionInDays": days}


def _group_of(arn: str) -> str:
    """The group's name in its ARN, whatever account that names."""
    name = arn.partition(":log-group:")[2].removesuffix(":*")
    if not name:
        raise invalid(f"resourceArn {arn!r} is not that of a log group")
    return name
