"""A child's output on its way into CloudWatch Logs."""

import asyncio
import codecs
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from scones.local.errors import ServiceError

PUT_EVERY_S = 0.5
MAX_BATCH = 250_000
"""Characters of one PutLogEvents, in UTF-8 under AWS's 1 MiB."""
EVENT_OVERHEAD = 26
"""Bytes that each event counts for beside its message (API reference, PutLogEvents)."""
MAX_LINE = 60_000
"""Characters of one event, in UTF-8 under AWS's 256 KiB; a longer line is cut into several."""
LAST_WORDS = 12
"""Lines kept to explain a death."""

_log = logging.getLogger(__name__)


class Logs(Protocol):
    """What is needed of CloudWatch Logs, as boto3 spells it."""

    def create_log_group(self, *, logGroupName: str) -> Any: ...  # noqa: N803

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> Any: ...  # noqa: N803

    def put_log_events(
        self,
        *,
        logGroupName: str,  # noqa: N803
        logStreamName: str,  # noqa: N803
        logEvents: list[dict[str, Any]],  # noqa: N803
    ) -> Any: ...


class LogStream:
    """One log stream and the lines that are not in it yet."""

    def __init__(self, logs: Logs, group: str, name: str, clock: Callable[[], float]) -> None:
        self._logs = logs
        self._names = {"logGroupName": group, "logStreamName": name}
        self._clock = clock
        self._pending: list[dict[str, Any]] = []
        self._last: deque[str] = deque(maxlen=LAST_WORDS)

    async def follow(
        self, output: asyncio.StreamReader, hear: Callable[[str], None] | None = None
    ) -> None:
        """Carry `output` into the log until it ends; `hear` gets each line too."""
        await asyncio.to_thread(self._create)
        putting = asyncio.create_task(self._put_often())
        try:
            async for line in lines(output):
                self.write(line)
                if hear is not None:
                    hear(line)
        finally:
            putting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await putting
            await asyncio.to_thread(self._put)

    def write(self, line: str) -> None:
        """Add one line, now."""
        if line:
            self._pending.append({"timestamp": int(self._clock() * 1000), "message": line})
            self._last.append(line)

    @property
    def last_words(self) -> str:
        """The last lines that were written, oldest first."""
        return "\n".join(self._last)

    async def _put_often(self) -> None:
        while True:
            await asyncio.sleep(PUT_EVERY_S)
            if self._pending:
                await asyncio.to_thread(self._put)

    def _create(self) -> None:
        group = self._names["logGroupName"]
        with contextlib.suppress(ServiceError):  # ResourceAlreadyExistsException
            self._logs.create_log_group(logGroupName=group)
        with contextlib.suppress(ServiceError):
            self._logs.create_log_stream(**self._names)

    def _put(self) -> None:
        while self._pending:
            batch = self._batch()
            try:
                self._logs.put_log_events(**self._names, logEvents=batch)
            except ServiceError as error:
                _log.warning("%d lines did not reach %s: %s", len(batch), self._names, error)

    def _batch(self) -> list[dict[str, Any]]:
        """Take the first pending events, as many as one request may carry."""
        size, count = 0, 0
        for event in self._pending:
            size += len(event["message"]) + EVENT_OVERHEAD
            if count and size > MAX_BATCH:
                break
            count += 1
        batch = self._pending[:count]
        del self._pending[:count]
        return batch


async def lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """Each line of `output` as text, without its end; one that is too long comes in pieces."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest, chunk = "", b" "
    while chunk:
        chunk = await output.read(2**16)
        *whole, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
        for line in whole:
            for piece in _pieces(line.removesuffix("\r")):
                yield piece
        while len(rest) > MAX_LINE:
            yield rest[:MAX_LINE]
            rest = rest[MAX_LINE:]
    for piece in _pieces(rest):
        yield piece


def _pieces(line: str) -> list[str]:
    return [line[start : start + MAX_LINE] for start in range(0, len(line), MAX_LINE)]
