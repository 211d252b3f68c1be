"""Operations on Map Runs."""

from typing import Any

from scones.local.services.stepfunctions import refusals
from scones.local.services.stepfunctions.ledger import Operations, moment
from scones.local.services.stepfunctions.pages import page

_COUNTED = {
    "RUNNING": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "timedOut",
    "ABORTED": "aborted",
}


class MapRunOperations(Operations):
    """Map Runs."""

    async def describe_map_run(self, mapRunArn: str) -> dict[str, Any]:
        row = self._map_run(mapRunArn)
        counts = self._counts(mapRunArn, row["total"])
        found = {
            "mapRunArn": mapRunArn,
            "executionArn": row["execution_arn"],
            "status": row["status"],
            "startDate": moment(row["started"]),
            "maxConcurrency": row["max_concurrency"],
            "toleratedFailurePercentage": row["tolerated_percentage"],
            "toleratedFailureCount": row["tolerated_count"],
            "itemCounts": counts,
            "executionCounts": counts,
            "redriveCount": row["redrives"],
        }
        return found | _stopped(row)

    async def list_map_runs(
        self, executionArn: str, maxResults: int | None = None, nextToken: str | None = None
    ) -> dict[str, Any]:
        refusals.arn(executionArn, "execution")
        parents = self._ledger.journal.find("arn = ?", executionArn)
        if not parents:
            raise refusals.no_execution(executionArn)
        rows = self._ledger.journal.read(
            "select * from map_runs where execution_arn = ? order by rowid desc", executionArn
        )
        shown, rest = page(rows, maxResults, nextToken)
        runs = [
            {
                "executionArn": executionArn,
                "mapRunArn": row["arn"],
                "stateMachineArn": parents[0].machine_arn,
                "startDate": moment(row["started"]),
                **_stopped(row),
            }
            for row in shown
        ]
        return {"mapRuns": runs, **rest}

    async def update_map_run(
        self,
        mapRunArn: str,
        maxConcurrency: int | None = None,
        toleratedFailurePercentage: float | None = None,
        toleratedFailureCount: int | None = None,
    ) -> dict[str, Any]:
        self._map_run(mapRunArn)
        changes = {
            "max_concurrency": maxConcurrency,
            "tolerated_percentage": toleratedFailurePercentage,
            "tolerated_count": toleratedFailureCount,
        }
        given = {column: value for column, value in changes.items() if value is not None}
        for column, value in given.items():
            self._ledger.journal.store.write(
                f"update map_runs set {column} = ? where arn = ?", value, mapRunArn
            )
        running = self._ledger.map_runs.get(mapRunArn)
        if running is not None:
            running.change(given)
        return {}

    def _map_run(self, arn: str) -> Any:
        refusals.arn(arn, "mapRun")
        rows = self._ledger.journal.read("select * from map_runs where arn = ?", arn)
        if not rows:
            raise refusals.no_resource(arn)
        return rows[0]

    def _counts(self, arn: str, total: int) -> dict[str, int]:
        counts = dict.fromkeys(("pending", *_COUNTED.values()), 0)
        rows = self._ledger.journal.read(
            "select status, count(*) as n from executions where map_run_arn = ? group by status",
            arn,
        )
        for row in rows:
            counts[_COUNTED[row["status"]]] = row["n"]
        counts["pending"] = max(total - sum(counts.values()), 0)
        return {**counts, "total": total, "resultsWritten": 0}


def _stopped(row: Any) -> dict[str, Any]:
    return {"stopDate": moment(row["stopped"])} if row["stopped"] is not None else {}
