"""AWS's runtime and ours, held to one table of what handlers do and what comes of it."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scones.local.functions.function import Function, Outcome, Request
from scones.local.functions.log import Journal
from scones.local.functions.workers import Options, Workers
from scones.local.identity import Identity
from scones.local.processes import Processes

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("handlers.json").read_text(encoding="utf-8")
)["cases"]
CLIENTS = ["awslambdaric", "bootstrap"] if sys.platform == "linux" else ["bootstrap"]
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f"


class Unread:
    """A CloudWatch Logs that keeps nothing: the tail of each invocation tells what was said."""

    def create_log_group(self, *, logGroupName: str) -> None: ...
    def create_log_stream(self, *, logGroupName: str, logStreamName: str) -> None: ...
    def put_log_events(
        self, *, logGroupName: str, logStreamName: str, logEvents: list[dict[str, Any]]
    ) -> None: ...


@dataclass
class Ran:
    """Every case's outcome under one runtime, and what stood for {task}."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module", params=CLIENTS)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    yield asyncio.run(_run_all(request.param, tmp_path_factory.mktemp(request.param)))


async def _run_all(client: str, home: Path) -> Ran:
    journal = Journal(Unread(), time.time)
    workers = Workers(
        identity=Identity("http://127.0.0.1:1"),
        processes=Processes(home / "processes"),
        journal=journal,
        clock=time.time,
        options=Options(client=client, max_concurrent=len(CASES)),
    )
    journal.start()
    workers.open()
    ran = Ran()
    room = asyncio.Semaphore(4)

    async def run(case: dict[str, Any], folder: Path) -> None:
        function = _function(case, folder)
        context = json.dumps(case["client_context"]) if "client_context" in case else None
        payload = json.dumps(case["event"]).encode()
        async with room:
            ran.outcomes[case["name"]] = await workers.invoke(
                function, Request(_id(case), payload, ARN, context)
            )
        ran.tasks[case["name"]] = "/var/task" if await workers.private() else str(folder)

    folders = [home / str(number) for number in range(len(CASES))]
    await asyncio.gather(*map(run, CASES, folders))
    await workers.close()
    await journal.close()
    return ran


def _function(case: dict[str, Any], folder: Path) -> Function:
    for name, lines in case["files"].items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Function(
        name="f",
        version="$LATEST",
        arn=ARN,
        revision=case["name"],
        handler=case["handler"],
        runtime=case.get("runtime", "python3.12"),
        timeout_s=case.get("timeout", 10),
        memory_mb=128,
        tmp_mb=512,
        variables=case.get("variables", {}),
        task=folder,
        opt=None,
    )


def _id(case: dict[str, Any]) -> str:
    return f"00000000-0000-0000-0000-{CASES.index(case):012d}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_handler(case: dict[str, Any], ran: Ran) -> None:
    outcome = ran.outcomes[case["name"]]
    text = outcome.payload.decode()
    log = outcome.log_tail.decode()

    def told(value: Any) -> Any:
        marks = {"{task}": ran.tasks[case["name"]], "{id}": _id(case)}
        known = json.dumps(value)
        for mark, meant in marks.items():
            known = known.replace(mark, meant)
        return json.loads(known)

    if "text" in case:
        assert text == told(case["text"]), log
        assert not outcome.failed
    else:
        error = json.loads(text)
        assert {name: error.get(name) for name in case["error"]} == told(case["error"])
        assert outcome.failed
    if "last_frame" in case:
        assert json.loads(text)["stackTrace"][-1] == told(case["last_frame"])
    at = 0
    for each in told(case.get("log", [])):
        assert each in log[at:], log
        at = log.index(each, at)
    for each in case.get("unlogged", []):
        assert each not in log


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_handlers_log_has_a_frame(case: dict[str, Any], ran: Ran) -> None:
    log = ran.outcomes[case["name"]].log_tail.decode()
    frame = re.findall(rf"(START|END|REPORT) RequestId: {_id(case)}", log)
    assert frame == ["START", "END", "REPORT"]


def test_a_quiet_invocations_log_is_nothing_but_the_frame(ran: Ran) -> None:
    case = CASES[0]
    start, end, report = ran.outcomes[case["name"]].log_tail.decode().splitlines()
    assert start == f"START RequestId: {_id(case)} Version: $LATEST"
    assert end == f"END RequestId: {_id(case)}"
    names = [each.partition(":")[0] for each in report.split("\t") if each]
    used = ["Max Memory Used"] if sys.platform == "linux" else []
    assert names == [
        "REPORT RequestId", "Duration", "Billed Duration", "Memory Size", *used, "Init Duration",
    ]  # fmt: skip
