"""What Step Functions tests run in: time that jumps, functions and objects that are data."""

import asyncio
import heapq
import itertools
import json
import time
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.services.stepfunctions import StepFunctions


class JumpingClock:
    """Waits are over as soon as nothing else is going on; the order of their ends is kept."""

    _QUIET_S = 0.003

    def __init__(self) -> None:
        self._ahead = 0.0
        self._sleeping: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = itertools.count()
        self._jump: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Seconds since 1970, ahead of the wall clock by what was jumped over."""
        return time.time() + self._ahead

    async def sleep_until(self, moment: float) -> None:
        """Return when all earlier waits are over."""
        if moment <= self.now():
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._sleeping, (moment, next(self._number), future))
        self._schedule(loop)
        await future

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._jump is None and self._sleeping:
            self._jump = loop.call_later(self._QUIET_S, self._advance, loop)

    def _advance(self, loop: asyncio.AbstractEventLoop) -> None:
        self._jump = None
        while self._sleeping and self._sleeping[0][2].done():
            heapq.heappop(self._sleeping)
        if self._sleeping:
            moment, _, future = heapq.heappop(self._sleeping)
            self._ahead += max(0.0, moment - self.now())
            future.set_result(None)
        self._schedule(loop)


class Services:
    """Lambda functions and S3 objects as data; `call` stands for the gateway's.

    A function is {"kind": ...}: echo, fixed (`value`), raw (`body`), raw_repeat (`char`, `count`),
    prefixed_python_str (`prefix`), sleep_then_echo (`seconds`), error (`errorType`,
    `errorMessage`).
    """

    def __init__(self, clock: JumpingClock) -> None:
        self._clock = clock
        self.functions: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, dict[str, bytes]] = {}
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.more: dict[tuple[str, str], Any] = {}
        """Further operations: coroutine functions of the arguments."""

    async def call(self, service: str, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Perform an operation."""
        self.calls.append((service, operation, arguments))
        if (service, operation) in self.more:
            found: dict[str, Any] = await self.more[service, operation](arguments)
            return found
        if (service, operation) == ("lambda", "invoke"):
            return await self._invoke(arguments)
        if (service, operation) == ("s3", "get_object"):
            return {"Body": self._object(arguments["Bucket"], arguments["Key"])}
        if (service, operation) == ("s3", "put_object"):
            bucket = self.objects.setdefault(arguments["Bucket"], {})
            bucket[arguments["Key"]] = arguments["Body"]
            return {}
        raise ServiceError("NotImplemented", f"{service}:{operation}", 501)

    def _object(self, bucket: str, key: str) -> bytes:
        try:
            return self.objects[bucket][key]
        except KeyError:
            raise ServiceError("NoSuchKey", "The specified key does not exist.", 404) from None

    async def _invoke(self, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments["FunctionName"].rpartition(":")[2]
        if name not in self.functions:
            arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
            raise ServiceError("ResourceNotFoundException", f"Function not found: {arn}", 404)
        payload = arguments.get("Payload", b"") or b"{}"
        try:
            event = json.loads(payload)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            raise ServiceError("InvalidRequestContentException", message, 400) from error
        function = self.functions[name]
        if function["kind"] == "error":
            told = {
                "errorMessage": function["errorMessage"],
                "errorType": function["errorType"],
                "requestId": "00000000-0000-0000-0000-000000000000",
                "stackTrace": [],
            }
            return {
                "StatusCode": 200,
                "FunctionError": "Unhandled",
                "ExecutedVersion": "$LATEST",
                "Payload": json.dumps(told).encode(),
            }
        if function["kind"] == "raw":
            answer = function["body"].encode()
        else:
            answer = json.dumps(await self._answer(function, event)).encode()
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": answer}

    async def _answer(self, function: dict[str, Any], event: Any) -> Any:
        kind = function["kind"]
        if kind == "fixed":
            return function["value"]
        if kind == "raw_repeat":
            return function["char"] * function["count"]
        if kind == "prefixed_python_str":
            return function["prefix"] + str(event)
        if kind == "sleep_then_echo":
            await self._clock.sleep_until(self._clock.now() + function["seconds"])
        return event


def stepfunctions(home: Path, services: Services, clock: JumpingClock) -> StepFunctions:
    """The service in process, over `services`."""
    return StepFunctions(
        home=home,
        identity=Identity("http://127.0.0.1:4566"),
        call=services.call,
        clock=clock.now,
        waits=clock,
    )
