"""GetExecutionHistory."""

from typing import Any

from scones.local.asl.history import Event, detail_member
from scones.local.services.stepfunctions import refusals
from scones.local.services.stepfunctions.ledger import Operations, moment
from scones.local.services.stepfunctions.pages import page

_DATA = ("input", "output", "parameters", "assignedVariables")


class HistoryOperations(Operations):
    """What happened in an execution."""

    async def get_execution_history(
        self,
        executionArn: str,
        maxResults: int | None = None,
        reverseOrder: bool | None = None,
        nextToken: str | None = None,
        includeExecutionData: bool | None = None,
    ) -> dict[str, Any]:
        refusals.arn(executionArn, "execution")
        found = self._ledger.journal.find("arn = ?", executionArn)
        if not found:
            raise refusals.no_execution(executionArn)
        events = [each for each in self._ledger.journal.history(found[0].id) if each.id]
        if reverseOrder:
            events.reverse()
        shown, rest = page(events, maxResults, nextToken)
        included = includeExecutionData is not False
        return {"events": [_shown(event, included) for event in shown], **rest}


def _shown(event: Event, included: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "timestamp": moment(event.at),
        "type": event.kind,
        "id": event.id,
        "previousEventId": event.previous,
    }
    details = dict(event.details or {})
    if not details and event.kind not in _EMPTY_DETAILS:
        return found
    truncated = {"truncated": False}
    for name in ("input", "output"):
        if name in details:
            details[f"{name}Details"] = truncated
    if "assignedVariables" in details:
        details["assignedVariablesDetails"] = truncated
    if not included:
        for name in _DATA:
            details.pop(name, None)
    return {**found, detail_member(event.kind): details}


_EMPTY_DETAILS = ("ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")
