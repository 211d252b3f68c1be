"""SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat."""

from typing import Any

from scones.local.asl.errors import PAYLOAD_LIMIT_BYTES, StatesError
from scones.local.asl.tasks import execution_of
from scones.local.asl.text import load
from scones.local.errors import ServiceError
from scones.local.services.stepfunctions.ledger import Operations


class TokenOperations(Operations):
    """What is sent back with a task token; acknowledged once it is recorded."""

    async def send_task_success(self, taskToken: str, output: str) -> dict[str, Any]:
        self._check(taskToken)
        try:
            answer = load(output)
        except ValueError:
            message = f"Invalid Output: '{output[:100]}'"
            raise ServiceError("InvalidOutput", message) from None
        if len(output.encode()) > PAYLOAD_LIMIT_BYTES:
            raise ServiceError("InvalidOutput", "Invalid Output: it is longer than 262144 bytes")
        return await self._send(taskToken, answer)

    async def send_task_failure(
        self, taskToken: str, error: str | None = None, cause: str | None = None
    ) -> dict[str, Any]:
        self._check(taskToken)
        return await self._send(taskToken, StatesError(error, cause, from_task=True))

    async def send_task_heartbeat(self, taskToken: str) -> dict[str, Any]:
        self._check(taskToken)
        if not self._ledger.tokens.beat(taskToken):
            raise _timed_out(taskToken)
        return {}

    def _check(self, token: str) -> None:
        if execution_of(token) is None:
            raise ServiceError("InvalidToken", "Invalid Token: 'Invalid token'")

    async def _send(self, token: str, answer: Any) -> dict[str, Any]:
        if not await self._ledger.tokens.send(token, answer):
            raise _timed_out(token)
        await self._ledger.journal.settled()
        return {}


def _timed_out(token: str) -> ServiceError:
    return ServiceError(
        "TaskTimedOut",
        "Task Timed Out: 'Provided task does not exist anymore'",
    )
