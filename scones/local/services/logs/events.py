"""Log events: put in batches, got from one stream or filtered from several, in order of time."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from scones.local.filter_pattern import matcher
from scones.local.services.logs.ledger import Operations, group_name, invalid, page_size

MAX_PAGE_EVENTS = 10_000
MAX_PAGE_BYTES = 2**20
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html"""
MAX_BATCH_BYTES = 2**20
EVENT_OVERHEAD_BYTES = 26
"""https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"""
OLDEST_MS = 14 * 24 * 3600 * 1000
NEWEST_MS = 2 * 3600 * 1000
"""Events that are older or further in the future are rejected: the same page."""
END_OF_TIME_MS = 2**62


class _Place(NamedTuple):
    """Where an event stands in its stream."""

    timestamp_ms: int
    number: int
    """The how-manieth event of its stream it was when it came."""


class Events(Operations):
    """Operations on log events."""

    def put_log_events(
        self,
        logGroupName: str,
        logStreamName: str,
        logEvents: list[dict[str, Any]],
        sequenceToken: str | None = None,
    ) -> dict[str, Any]:
        """One transaction. Events too old or too new are left out, and told by their index.

        `sequenceToken` is accepted whatever it is, as on AWS since 2023.
        """
        _check_batch(logEvents)
        now_ms = self._ledger.now_ms()
        times = [event["timestamp"] for event in logEvents]
        first = sum(each < now_ms - OLDEST_MS for each in times)
        end = sum(each <= now_ms + NEWEST_MS for each in times)
        with self._ledger.store.transaction() as connection:
            stream = self._ledger.stream(logGroupName, logStreamName)
            number = stream["num_events"]
            taken = logEvents[first:end]
            connection.executemany(
                "insert into log_events values (?, ?, ?, ?, ?)",
                [
                    (stream["id"], event["timestamp"], number + i, now_ms, event["message"])
                    for i, event in enumerate(taken)
                ],
            )
            if taken:
                connection.execute(
                    "update log_streams set num_events = ?, last_ingested_ms = ?, "
                    "first_event_ms = min(coalesce(first_event_ms, ?), ?), "
                    "last_event_ms = max(coalesce(last_event_ms, 0), ?) where id = ?",
                    (number + len(taken), now_ms, times[first], times[first], times[end - 1],
                     stream["id"]),
                )  # fmt: skip
        rejected = {}
        if first:
            rejected["tooOldLogEventEndIndex"] = first
        if end < len(logEvents):
            rejected["tooNewLogEventStartIndex"] = end
        answer: dict[str, Any] = {"nextSequenceToken": f"{number + len(taken):056}"}
        return answer | ({"rejectedLogEventsInfo": rejected} if rejected else {})

    def get_log_events(
        self,
        logStreamName: str,
        endTime: int | None = None,
        limit: int | None = None,
        logGroupIdentifier: str | None = None,
        logGroupName: str | None = None,
        nextToken: str | None = None,
        startFromHead: bool | None = None,
        startTime: int | None = None,
        unmask: bool | None = None,
    ) -> dict[str, Any]:
        """Events from `startTime` up to but without `endTime`; nothing here is ever masked.

        Tokens are "f/" or "b/" and the place they go on from. At an end the same token comes back.
        """
        stream = self._ledger.stream(group_name(logGroupName, logGroupIdentifier), logStreamName)
        forward = bool(startFromHead) if nextToken is None else nextToken.startswith("f/")
        head, tail = _Place(-1, -1), _Place(END_OF_TIME_MS, 0)
        place = (
            (head if forward else tail)
            if nextToken is None
            else _Place(*_read_token(nextToken, "fb", 2))
        )
        order, sign = ("asc", ">") if forward else ("desc", "<")
        rows = self._ledger.store.read(
            "select timestamp_ms, number, ingested_ms, message from log_events where stream = ? "
            f"and (timestamp_ms, number) {sign} (?, ?) and timestamp_ms >= ? and timestamp_ms < ? "
            f"order by timestamp_ms {order}, number {order} limit ?",
            stream["id"], *place, startTime or 0, _end(endTime), page_size(limit, MAX_PAGE_EVENTS),
        )  # fmt: skip
        page = _fitting(rows)
        if not forward:
            page.reverse()
        if page:
            first, last = _place(page[0]), _place(page[-1])
        elif place is tail:
            first = last = head
        else:  # an end: onward stays here, back is what came before
            first = _Place(place.timestamp_ms, place.number + forward)
            last = _Place(place.timestamp_ms, place.number - (not forward))
        return {
            "events": [
                {
                    "timestamp": row["timestamp_ms"],
                    "message": row["message"],
                    "ingestionTime": row["ingested_ms"],
                }
                for row in page
            ],
            "nextForwardToken": f"f/{last.timestamp_ms}/{last.number}",
            "nextBackwardToken": f"b/{first.timestamp_ms}/{first.number}",
        }

    def filter_log_events(
        self,
        endTime: int | None = None,
        filterPattern: str | None = None,
        interleaved: bool | None = None,
        limit: int | None = None,
        logGroupIdentifier: str | None = None,
        logGroupName: str | None = None,
        logStreamNamePrefix: str | None = None,
        logStreamNames: list[str] | None = None,
        nextToken: str | None = None,
        startTime: int | None = None,
        unmask: bool | None = None,
    ) -> dict[str, Any]:
        """Events of several streams by time, whatever `interleaved` says, as on AWS since 2019."""
        match = matcher(filterPattern or "")
        group = group_name(logGroupName, logGroupIdentifier)
        self._ledger.group(group)
        if logStreamNames and logStreamNamePrefix is not None:
            raise invalid("Cannot specify both logStreamNames and logStreamNamePrefix.")
        if logStreamNames:
            streams = [self._ledger.stream(group, name) for name in logStreamNames]
        else:
            streams = self._ledger.streams(group, logStreamNamePrefix or "")
        place = [-1, -1, -1] if nextToken is None else _read_token(nextToken, "n", 3)
        size = page_size(limit, MAX_PAGE_EVENTS)
        found: list[sqlite3.Row] = []
        size_bytes = 0
        for row in self._walk(streams, startTime or 0, _end(endTime), place):
            if match(row["message"]):
                size_bytes += event_bytes(row["message"])
                if len(found) == size or size_bytes > MAX_PAGE_BYTES:
                    break
                found.append(row)
        else:
            return {"events": _filtered(found, streams), "searchedLogStreams": []}
        last = found[-1]
        return {
            "events": _filtered(found, streams),
            "searchedLogStreams": [],
            "nextToken": f"n/{last['timestamp_ms']}/{last['stream']}/{last['number']}",
        }

    def _walk(
        self, streams: Sequence[sqlite3.Row], start_ms: int, end_ms: int, place: Sequence[int]
    ) -> Iterator[sqlite3.Row]:
        """Events of all these streams after a place, by time."""
        marks = ", ".join("?" * len(streams))
        ids = [row["id"] for row in streams]
        while True:
            rows = self._ledger.store.read(
                f"select * from log_events where stream in ({marks}) "
                "and timestamp_ms >= ? and timestamp_ms < ? "
                "and (timestamp_ms, stream, number) > (?, ?, ?) "
                "order by timestamp_ms, stream, number limit ?",
                *ids, max(start_ms, place[0]), end_ms, *place, MAX_PAGE_EVENTS,
            )  # fmt: skip
            yield from rows
            if len(rows) < MAX_PAGE_EVENTS:
                return
            place = [rows[-1][name] for name in ("timestamp_ms", "stream", "number")]


def event_bytes(message: str) -> int:
    """What AWS counts an event as."""
    return len(message.encode()) + EVENT_OVERHEAD_BYTES


def _check_batch(events: Sequence[dict[str, Any]]) -> None:
    """ServiceError InvalidParameterException unless AWS would take these together."""
    times = [event["timestamp"] for event in events]
    if times != sorted(times):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if times and times[-1] - times[0] > 24 * 3600 * 1000:
        raise invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 "
            "hours."
        )
    if not 1 <= len(events) <= MAX_PAGE_EVENTS:
        raise invalid(f"A batch has 1 to {MAX_PAGE_EVENTS} log events, not {len(events)}.")
    size_bytes = sum(event_bytes(event["message"]) for event in events)
    if size_bytes > MAX_BATCH_BYTES:
        raise invalid(f"Upload too large: {size_bytes} bytes exceeds limit of {MAX_BATCH_BYTES}")


def _fitting(rows: Sequence[sqlite3.Row]) -> list[sqlite3.Row]:
    """As many, from the first, as a page may have bytes; at least one if there is any."""
    page: list[sqlite3.Row] = []
    size_bytes = 0
    for row in rows:
        size_bytes += event_bytes(row["message"])
        if page and size_bytes > MAX_PAGE_BYTES:
            break
        page.append(row)
    return page


def _filtered(rows: Sequence[sqlite3.Row], streams: Sequence[sqlite3.Row]) -> list[dict[str, Any]]:
    names = {stream["id"]: stream["name"] for stream in streams}
    return [
        {
            "logStreamName": names[row["stream"]],
            "timestamp": row["timestamp_ms"],
            "message": row["message"],
            "ingestionTime": row["ingested_ms"],
            "eventId": f"{row['timestamp_ms']:020}{row['stream']:018}{row['number']:018}",
        }
        for row in rows
    ]


def _place(row: sqlite3.Row) -> _Place:
    return _Place(row["timestamp_ms"], row["number"])


def _end(end_ms: int | None) -> int:
    return END_OF_TIME_MS if end_ms is None else end_ms


def _read_token(token: str, kinds: str, count: int) -> list[int]:
    """The numbers in a token of one of these kinds, a letter each."""
    kind, *numbers = token.split("/")
    try:
        if kind not in kinds or len(numbers) != count:
            raise ValueError(token)
        return [int(each) for each in numbers]
    except ValueError:
        raise invalid("The specified nextToken is invalid.") from None
