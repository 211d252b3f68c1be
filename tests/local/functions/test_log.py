"""From what workers print to batches of log events."""

import asyncio
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions.log import EVENT_BYTES, Journal, Stream


class Logs:
    """CloudWatch Logs with groups and streams that must be made first."""

    def __init__(self) -> None:
        self.batches: dict[tuple[str, str], list[list[str]]] = {}
        self.groups: set[str] = set()

    def create_log_group(self, *, logGroupName: str) -> None:
        if logGroupName in self.groups:
            raise ServiceError("ResourceAlreadyExistsException", "there already")
        self.groups.add(logGroupName)

    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None:
        self.batches[logGroupName, logStreamName] = []

    def put_log_events(
        self, *, logGroupName: str, logStreamName: str, logEvents: list[dict[str, Any]]
    ) -> None:
        if logGroupName == "/aws/lambda/broken":
            raise RuntimeError("a bug")
        if (logGroupName, logStreamName) not in self.batches:
            raise ServiceError("ResourceNotFoundException", "not there")
        messages = [each["message"] for each in logEvents]
        self.batches[logGroupName, logStreamName].append(messages)


def written(*feeds: bytes) -> list[list[str]]:
    """The batches that come of what a worker printed."""
    logs = Logs()

    async def main() -> None:
        journal = Journal(logs, lambda: 1_700_000_000.0)
        stream = Stream(journal, "/aws/lambda/f", "s")
        for each in feeds:
            stream.feed(each)
        stream.feed(b"", ended=True)
        await journal.close()

    asyncio.run(main())
    return logs.batches.get(("/aws/lambda/f", "s"), [])


def test_a_line_is_an_event_however_it_arrives() -> None:
    assert written(b"on", b"e\ntw", b"o\n", b"three") == [["one\n", "two\n", "three"]]


def test_a_carriage_return_is_a_line_within_an_event() -> None:
    assert written(b"[ERROR] x\rTraceback\n") == [["[ERROR] x\nTraceback\n"]]


def test_what_is_no_utf8_is_shown_as_such() -> None:
    assert written(b"a\xffb\n") == [["a\ufffdb\n"]]


def test_much_is_written_in_batches_that_cloudwatch_takes() -> None:
    batches = written(b"x\n" * 25_000)
    assert [len(each) for each in batches] == [10_000, 10_000, 5_000]
    batches = written((b"y" * 200_000 + b"\n") * 12)
    assert [len(each) for each in batches] == [5, 5, 2]


def test_a_line_without_end_does_not_grow_without_end() -> None:
    (batch,) = written(b"z" * (EVENT_BYTES + 1), b"z" * 10)
    assert [len(each) for each in batch] == [EVENT_BYTES, 10]


def test_one_functions_trouble_does_not_silence_another() -> None:
    logs = Logs()

    async def main() -> None:
        journal = Journal(logs, lambda: 1_700_000_000.0)
        journal.start()
        Stream(journal, "/aws/lambda/broken", "s").line("lost\n")
        Stream(journal, "/aws/lambda/f", "s").line("kept\n")
        async with asyncio.timeout(10):
            while ("/aws/lambda/f", "s") not in logs.batches:
                await asyncio.sleep(0.01)
        await journal.close()

    asyncio.run(main())
    assert logs.batches["/aws/lambda/f", "s"] == [["kept\n"]]


def test_streams_are_named_as_lambda_names_them() -> None:
    journal = Journal(Logs(), lambda: 1_700_000_000.0)
    name = journal.stream("/aws/lambda/f", "$LATEST").name
    day, _, rest = name.partition("[")
    assert (day, rest[:8], len(rest)) == ("2023/11/14/", "$LATEST]", 40)
