"""What functions print, on its way to CloudWatch Logs: in batches, soon after it was said."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from scones.local.errors import ServiceError

TAIL_BYTES = 4096  # of LogResult: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
PAUSE_S = 0.01  # lets the lines of one invocation travel together
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
BATCH_EVENTS, BATCH_BYTES, EVENT_BYTES, EVENT_OVERHEAD = 10_000, 1_048_576, 262_118, 26

Event = dict[str, Any]

logger = logging.getLogger(__name__)


class Logs(Protocol):
    """What is asked of the CloudWatch Logs service."""

    def create_log_group(self, *, logGroupName: str) -> Any: ...  # noqa: N803
    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> Any: ...  # noqa: N803
    def put_log_events(
        self, *, logGroupName: str, logStreamName: str, logEvents: list[Event]  # noqa: N803
    ) -> Any: ...  # fmt: skip


class Journal:
    """Takes lines at once and hands them to the Logs service from a task of its own."""

    def __init__(self, logs: Logs, clock: Callable[[], float]) -> None:
        self._logs = logs
        self._clock = clock
        self._waiting: dict[tuple[str, str], list[Event]] = {}
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._write_on())

    async def close(self) -> None:
        """Write what is left and stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._write()

    def stream(self, group: str, version: str) -> "Stream":
        """A new log stream, named as Lambda names them: YYYY/MM/DD/[$LATEST]hex."""
        day = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y/%m/%d")
        return Stream(self, group, f"{day}/[{version}]{uuid.uuid4().hex}")

    def add(self, group: str, stream: str, message: str) -> None:
        """One event, of now."""
        event = {"timestamp": int(self._clock() * 1000), "message": message}
        self._waiting.setdefault((group, stream), []).append(event)
        self._something.set()

    async def _write_on(self) -> None:
        while True:
            await self._something.wait()
            await asyncio.sleep(PAUSE_S)
            await asyncio.shield(self._write())

    async def _write(self) -> None:
        waiting, self._waiting = self._waiting, {}
        self._something.clear()
        if waiting:
            await asyncio.to_thread(self._put_all, waiting)

    def _put_all(self, waiting: dict[tuple[str, str], list[Event]]) -> None:
        for (group, stream), events in waiting.items():
            try:
                for batch in _batches(events):
                    self._put(group, stream, batch)
            except Exception:  # an edge: what one function says must not silence the others
                logger.exception("lost %d log events of %s", len(events), group)

    def _put(self, group: str, stream: str, events: list[Event]) -> None:
        try:
            self._logs.put_log_events(
                logGroupName=group, logStreamName=stream, logEvents=events
            )  # fmt: skip
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            self._create(group, stream)
            self._logs.put_log_events(
                logGroupName=group, logStreamName=stream, logEvents=events
            )  # fmt: skip

    def _create(self, group: str, stream: str) -> None:
        with _if_new():
            self._logs.create_log_group(logGroupName=group)
        with _if_new():
            self._logs.create_log_stream(logGroupName=group, logStreamName=stream)


class Stream:
    """One worker's log stream, and the tail of the invocation it is at."""

    def __init__(self, journal: Journal, group: str, name: str) -> None:
        self.group = group
        self.name = name
        self._journal = journal
        self._tail: list[str] = []
        self._partial = b""

    def line(self, text: str) -> None:
        """One event, its line end included: CloudWatch shows a carriage return as one within."""
        self._tail.append(text)
        self._journal.add(self.group, self.name, text)

    def feed(self, output: bytes, *, ended: bool = False) -> None:
        """What the worker wrote: an event a line; the last, unfinished one waits unless `ended`."""
        *lines, self._partial = (self._partial + output).split(b"\n")
        for each in lines:
            self.line(_text(each) + "\n")
        if self._partial and (ended or len(self._partial) > EVENT_BYTES):
            self.line(_text(self._partial))
            self._partial = b""

    def take_tail(self) -> bytes:
        """The last 4 KB since last asked."""
        tail = "".join(self._tail).encode()[-TAIL_BYTES:]
        self._tail.clear()
        return tail


def _text(line: bytes) -> str:
    return line.decode(errors="replace").replace("\r", "\n")


def _batches(events: list[Event]) -> list[list[Event]]:
    batches: list[list[Event]] = [[]]
    size = 0
    for event in events:
        message = event["message"].encode()[:EVENT_BYTES].decode(errors="ignore")
        cost = len(message.encode()) + EVENT_OVERHEAD
        if len(batches[-1]) == BATCH_EVENTS or size + cost > BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append({**event, "message": message})
        size += cost
    return batches


class _if_new(contextlib.suppress):  # noqa: N801 - reads as a word
    """Something that is there already is as good as created."""

    def __init__(self) -> None:
        super().__init__(ServiceError)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        return isinstance(error, ServiceError) and error.code == "ResourceAlreadyExistsException"
