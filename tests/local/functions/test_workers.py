"""How many workers there are, and when they end; events that are retried."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from scones.local.errors import ServiceError
from scones.local.functions.workers import Options
from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.services.lambda_ import Lambda

ROLE = "arn:aws:iam::000000000000:role/x"
Zipped = Callable[[dict[str, str]], bytes]


class Logs:
    """Log events in a list."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def create_log_group(self, *, logGroupName: str) -> None: ...
    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None: ...
    def put_log_events(
        self, *, logGroupName: str, logStreamName: str, logEvents: list[dict[str, Any]]
    ) -> None:
        self.messages += [each["message"] for each in logEvents]


@asynccontextmanager
async def service(home: Path, **options: Any) -> AsyncIterator[Lambda]:
    """Lambda alone, with its own children."""
    processes = Processes(home / "processes")
    given = {"retry_delays_s": options.pop("retry_delays_s", ())}
    lambda_ = Lambda(
        home=home,
        identity=Identity("http://127.0.0.1:1"),
        processes=processes,
        s3=None,
        logs=options.pop("logs", Logs()),
        options=Options(**options),
        **given,
    )
    async with lambda_:
        yield lambda_
    assert list((home / "processes").iterdir()) == []


def create(lambda_: Lambda, zipped: Zipped, source: str, **settings: Any) -> None:
    lambda_.create_function(
        FunctionName="f",
        Role=ROLE,
        Runtime="python3.12",
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": source})},
        **{"Timeout": 30, **settings},
    )


async def ask(lambda_: Lambda, event: Any = None) -> Any:
    answer = await lambda_.invoke(FunctionName="f", Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"])


async def until(done: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while True:
            answer = done()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)


SLEEPER = (
    "import os, time\n"
    "def handler(event, context):\n"
    "    time.sleep(event or 0)\n"
    "    return os.getpid()\n"
)


def test_a_worker_is_used_again_and_two_at_once_are_two(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path) as lambda_:
            create(lambda_, zipped, SLEEPER)
            first = await ask(lambda_)
            assert await ask(lambda_) == first
            both = await asyncio.gather(ask(lambda_, 0.5), ask(lambda_, 0.5))
            assert len(set(both)) == 2
            assert first in both

    asyncio.run(main())


def test_more_at_once_than_allowed_are_throttled(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path, max_concurrent=2) as lambda_:
            create(lambda_, zipped, SLEEPER)
            told = await asyncio.gather(
                *(ask(lambda_, 0.5) for _ in range(3)), return_exceptions=True
            )
            (refused,) = [each for each in told if isinstance(each, ServiceError)]
            assert (refused.code, refused.status) == ("TooManyRequestsException", 429)
            assert refused.members["Reason"] == "ConcurrentInvocationLimitExceeded"
            await ask(lambda_)

    asyncio.run(main())


def test_an_idle_worker_ends(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path, idle_s=0.2) as lambda_:
            create(lambda_, zipped, SLEEPER)
            first = await ask(lambda_)
            await until(lambda: list((tmp_path / "processes").iterdir()) == [])
            assert await ask(lambda_) != first

    asyncio.run(main())


def test_a_changed_function_gets_new_workers(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path) as lambda_:
            create(lambda_, zipped, SLEEPER)
            first = await ask(lambda_)
            running = asyncio.create_task(ask(lambda_, 0.5))
            await asyncio.sleep(0.1)
            lambda_.update_function_configuration("f", Timeout=10)
            assert await ask(lambda_) != first
            assert await running == first

    asyncio.run(main())


def test_where_tmp_is_shared_a_function_runs_once_at_a_time(tmp_path: Path, zipped: Zipped) -> None:
    source = (
        "import os, tempfile, time\n"
        f"FILE = {str(tmp_path / 'image.png')!r}\n"
        "def handler(event, context):\n"
        "    open(FILE, 'w').write(event)\n"
        "    time.sleep(0.05)\n"
        "    return open(FILE).read()\n"
    )

    async def main() -> None:
        async with service(tmp_path, private=False) as lambda_:
            create(lambda_, zipped, source)
            told = await asyncio.gather(*(ask(lambda_, str(number)) for number in range(8)))
            assert told == [str(number) for number in range(8)]
            assert len(list((tmp_path / "processes").iterdir())) == 1

    asyncio.run(main())


def test_a_caller_who_goes_away_stops_nothing(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        logs = Logs()
        async with service(tmp_path, logs=logs) as lambda_:
            source = "import time\ndef handler(e, c):\n    time.sleep(0.3)\n    print('done')\n"
            create(lambda_, zipped, source)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(lambda_), 0.2)
            await until(lambda: "done\n" in logs.messages)

    asyncio.run(main())


def test_the_whole_environment_can_be_offered(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path, whole_environment=True) as lambda_:
            source = "import numpy\ndef handler(e, c):\n    return numpy.arange(3).tolist()\n"
            create(lambda_, zipped, source)
            assert await ask(lambda_) == [0, 1, 2]

    asyncio.run(main())


def test_an_event_that_fails_is_tried_twice_more(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        logs = Logs()
        async with service(tmp_path, logs=logs, retry_delays_s=(0.05, 0.05)) as lambda_:
            create(lambda_, zipped, "def handler(e, c):\n    print('run')\n    raise ValueError\n")
            answer = await lambda_.invoke(FunctionName="f", InvocationType="Event")
            assert answer["StatusCode"] == 202
            await until(lambda: logs.messages.count("run\n") == 3)
            await asyncio.sleep(0.3)
            assert logs.messages.count("run\n") == 3

    asyncio.run(main())


def test_an_event_accepted_before_a_stop_is_run_after_it(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        logs = Logs()
        source = "import os\ndef handler(e, c):\n    if e: print('run', e)\n    else: 1 / 0\n"
        async with service(tmp_path, logs=logs, retry_delays_s=(3600,)) as lambda_:
            create(lambda_, zipped, source)
            await lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b"0")
            await until(lambda: any(each.startswith("REPORT") for each in logs.messages))
            await lambda_.invoke(FunctionName="f", InvocationType="Event", Payload=b"7")
        async with service(tmp_path, logs=logs, retry_delays_s=(3600,)) as lambda_:
            await until(lambda: "run 7\n" in logs.messages)

    asyncio.run(main())


def test_an_event_of_a_deleted_function_is_dropped(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path, retry_delays_s=(0.3,)) as lambda_:
            create(lambda_, zipped, "def handler(e, c):\n    1 / 0\n")
            await lambda_.invoke(FunctionName="f", InvocationType="Event")
            lambda_.delete_function("f")
            await until(lambda: not lambda_._events._tasks)
        async with service(tmp_path) as lambda_:
            assert not lambda_._events._tasks

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_page_in_a_browser_reaches_no_worker(tmp_path: Path, zipped: Zipped) -> None:
    source = (
        "import http.client, os\n"
        "def handler(event, context):\n"
        "    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
        "    connection.request('GET', '/2018-06-01/runtime/invocation/next', headers=event)\n"
        "    return connection.getresponse().status\n"
    )

    async def main() -> None:
        async with service(tmp_path) as lambda_:
            create(lambda_, zipped, source)
            assert await ask(lambda_, {"Host": "evil.example"}) == 403
            assert await ask(lambda_, {"Origin": "http://evil.example"}) == 403
            assert await ask(lambda_, {"Sec-Fetch-Site": "cross-site"}) == 403

    asyncio.run(main())


def test_a_cold_start_is_well_under_a_second(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path) as lambda_:
            create(lambda_, zipped, SLEEPER)
            began = time.monotonic()
            await ask(lambda_)
            assert time.monotonic() - began < 2  # measured 0.09 s; 2 s for a busy machine

    asyncio.run(main())


def test_an_idle_worker_makes_room_for_one_that_is_needed(tmp_path: Path, zipped: Zipped) -> None:
    async def main() -> None:
        async with service(tmp_path, max_concurrent=2) as lambda_:
            create(lambda_, zipped, SLEEPER)
            await asyncio.gather(ask(lambda_, 0.3), ask(lambda_, 0.3))
            new = zipped({"app.py": "def handler(event, context):\n    return 'other'\n"})
            lambda_.create_function(
                FunctionName="g",
                Role=ROLE,
                Runtime="python3.12",
                Handler="app.handler",
                Code={"ZipFile": new},
            )
            answer = await lambda_.invoke(FunctionName="g")
            assert answer["Payload"] == b'"other"'
            assert len(list((tmp_path / "processes").iterdir())) == 2

    asyncio.run(main())
