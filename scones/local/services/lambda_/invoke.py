"""Invocations: answered, queued or only checked."""

import asyncio
import base64
import binascii
import json
import uuid
from typing import Any, NoReturn

from scones.local.errors import ServiceError
from scones.local.functions.events import Events
from scones.local.functions.function import Outcome, Request
from scones.local.functions.workers import Workers
from scones.local.services.lambda_.ledger import Ledger, Operations, invalid

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_SYNCHRONOUS_BYTES = 6 * 2**20
MAX_ASYNCHRONOUS_BYTES = 2**20
LARGE_BYTES = 2**17
"""Ours: a payload that takes over a millisecond to parse is parsed in a thread."""


class Invocations(Operations):
    """The one operation that runs code."""

    _workers: Workers
    _events: Events

    async def invoke(
        self,
        FunctionName: str,
        InvocationType: str | None = None,
        LogType: str | None = None,
        ClientContext: str | None = None,
        Payload: bytes | None = None,
        Qualifier: str | None = None,
    ) -> dict[str, Any]:
        """RequestResponse waits for the handler, Event queues (functions/events.py), DryRun checks.

        What a handler raises is a result with a FunctionError, not an error.
        """
        named = self._ledger.named(FunctionName, Qualifier)
        configuration = self._ledger.configuration(named)
        queued = InvocationType == "Event"
        payload = await _checked(Payload or b"{}", queued)
        context = _client_context(ClientContext)
        request = Request(str(uuid.uuid4()), payload, self._ledger.arn(named), context)
        headers = {"x-amzn-RequestId": request.id, "Content-Type": "application/json"}
        metadata = {"HTTPHeaders": headers}
        if InvocationType == "DryRun":
            return _accepted(204, metadata)
        if queued:
            self._events.add(request)
            return _accepted(202, metadata)
        function = await self._ledger.runnable(configuration)
        outcome = await self._workers.invoke(function, request)
        result = {
            "StatusCode": 200,
            "ExecutedVersion": configuration["Version"],
            "Payload": outcome.payload,
            "ResponseMetadata": metadata,
        }
        if outcome.failed:
            result["FunctionError"] = "Unhandled"
        if LogType == "Tail":
            result["LogResult"] = base64.b64encode(outcome.log_tail).decode()
        return result


async def run_event(ledger: Ledger, workers: Workers, request: Request) -> Outcome:
    """What the queue does with an event: run the function that its ARN names."""
    configuration = ledger.configuration(ledger.named(request.invoked_arn))
    return await workers.invoke(await ledger.runnable(configuration), request)


def _accepted(status: int, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "StatusCode": status,
        "Payload": b"",
        "ResponseMetadata": {**metadata, "HTTPStatusCode": status},
    }


async def _checked(payload: bytes, queued: bool) -> bytes:
    limit = MAX_ASYNCHRONOUS_BYTES if queued else MAX_SYNCHRONOUS_BYTES
    if len(payload) > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise ServiceError("RequestTooLargeException", message, 413, Type="User")
    if len(payload) > LARGE_BYTES:
        await asyncio.to_thread(_parse, payload)
    else:
        _parse(payload)
    return payload


def _parse(payload: bytes) -> None:
    try:
        json.loads(payload, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ServiceError(
            "InvalidRequestContentException",
            f"Could not parse request body into json: Could not parse payload into json: {error}",
            Type="User",
        ) from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"Non-standard token '{name}'")


def _client_context(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return json.dumps(json.loads(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError) as error:
        raise invalid("Client context must be a valid Base64-encoded JSON object.") from error
