"""What a child prints, as events."""

import asyncio
from typing import Any

from scones.local.errors import ServiceError
from scones.local.sagemaker.logstream import MAX_LINE, LogStream

MAX_BYTES = 1_048_576
"""Of one PutLogEvents, 26 more for each event (CloudWatch Logs quotas)."""


class Logs:
    """CloudWatch Logs that keeps its requests."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []

    def create_log_group(self, *, logGroupName: str) -> None:
        raise ServiceError("ResourceAlreadyExistsException", "The log group already exists")

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None: ...

    def put_log_events(self, *, logGroupName: str, logStreamName: str, logEvents: Any) -> None:
        assert (logGroupName, logStreamName) == ("group", "stream")
        self.batches.append(logEvents)


def followed(output: bytes) -> tuple[Logs, LogStream, list[str]]:
    """What becomes of a child's whole output."""
    logs, heard = Logs(), list[str]()
    stream = LogStream(logs, "group", "stream", lambda: 1700000000.5)

    async def follow() -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(output)
        reader.feed_eof()
        await stream.follow(reader, heard.append)

    asyncio.run(follow())
    return logs, stream, heard


def test_each_line_is_an_event() -> None:
    logs, stream, heard = followed("one\n\ntwo\r\nthr\u00e9e \xff".encode() + b"\xff")
    assert logs.batches == [
        [
            {"timestamp": 1700000000500, "message": "one"},
            {"timestamp": 1700000000500, "message": "two"},
            {"timestamp": 1700000000500, "message": "thr\u00e9e \u00ff\ufffd"},
        ]
    ]
    assert heard == ["one", "two", "thr\u00e9e \u00ff\ufffd"]
    assert stream.last_words == "one\ntwo\nthr\u00e9e \u00ff\ufffd"


def test_a_long_line_is_cut_and_no_request_is_too_large() -> None:
    output = ("\u20ac" * (MAX_LINE + 5) + "\n").encode() + b"x" * 70_000 * 30 + b"\nend\n"
    logs, _, heard = followed(output)
    assert "".join(heard) == "\u20ac" * (MAX_LINE + 5) + "x" * 70_000 * 30 + "end"
    for batch in logs.batches:
        size = sum(len(each["message"].encode()) + 26 for each in batch)
        assert size <= MAX_BYTES
        assert all(len(each["message"].encode()) <= 262_144 - 26 for each in batch)
