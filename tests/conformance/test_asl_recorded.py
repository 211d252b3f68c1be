"""Step Functions against what AWS was recorded to answer: ../shared/conformance/asl.

The service runs in process, with time that jumps over waits and functions that are data. What does
not agree is listed in `asl_disagreements.json`, each case with its reason.
"""

import asyncio
import importlib.util
import json
import queue
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scones.local.errors import ServiceError
from scones.local.services.stepfunctions import StepFunctions

_HERE = Path(__file__).parent
_WORKERS = 4

Case = dict[str, Any]


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


world = _module("asl_world", _HERE.parent / "local" / "asl" / "asl_world.py")


class Client:
    """boto3's calls of Step Functions, carried to a service on another thread's event loop."""

    def __init__(self, service: StepFunctions, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._service, operation)

        def call(**arguments: Any) -> Any:
            work: Coroutine[Any, Any, Any] = method(**arguments)
            try:
                return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
            except ServiceError as error:
                told = {"Error": {"Code": error.code, "Message": error.message}}
                raise ClientError(told, operation) from error

        return call


@pytest.fixture(scope="module")
def results(
    shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str | None]]:
    """What is wrong with each case, by its id; None where nothing is."""
    folder = shared / "conformance" / "asl"
    runner_module = _module("asl_run_cases", folder / "run_cases.py")
    text = (folder / "cases.jsonl").read_text(encoding="utf-8")
    cases = [json.loads(line) for line in text.splitlines()]
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        runners: queue.SimpleQueue[Any] = queue.SimpleQueue()
        opened = []
        for number in range(_WORKERS):
            # Each worker has a cloud and a clock of its own: one case's jumps are not another's.
            clock = world.JumpingClock()
            services = world.Services(clock)
            home = tmp_path_factory.mktemp(f"asl{number}")
            service = world.stepfunctions(home, services, clock)
            asyncio.run_coroutine_threadsafe(service.__aenter__(), loop).result(20)
            opened.append(service)
            runners.put(_runner(runner_module, Client(service, loop), services))

        def check(case: Case) -> tuple[str, str | None]:
            runner = runners.get()
            try:
                return case["id"], _fault(runner, case)
            finally:
                runners.put(runner)

        with ThreadPoolExecutor(_WORKERS) as pool:
            found = dict(pool.map(check, cases))
        for service in opened:
            close = service.__aexit__(None, None, None)
            asyncio.run_coroutine_threadsafe(close, loop).result(20)
        yield found
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _runner(module: Any, client: Client, services: Any) -> Any:
    """The cases' own runner, its clients replaced by ours."""
    runner = object.__new__(module.Runner)
    runner.sfn, runner.account, runner.timeout, runner.run = client, "0" * 12, 60.0, "run"
    runner.role = "arn:aws:iam::000000000000:role/asl-cases"

    def function(alias: str, spec: dict[str, Any]) -> str:
        name = f"{alias}-{abs(hash(json.dumps(spec, sort_keys=True)))}"
        services.functions[name] = spec
        return name

    class Objects:
        """boto3's S3 client, as far as the runner goes."""

        def create_bucket(self, Bucket: str) -> None:
            services.objects[Bucket] = {}

        def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
            services.objects[Bucket][Key] = Body

    runner.function, runner.s3 = function, Objects()
    return runner


def _fault(runner: Any, case: Case) -> str | None:
    try:
        outcome, history = runner.one(case)
    except Exception as error:  # whatever the service may do wrong is this case's fault alone
        return f"{type(error).__name__}: {error}"
    told: str | None = outcome or history
    return told


@pytest.mark.slow
def test_recorded_cases_agree_or_are_listed(results: dict[str, str | None]) -> None:
    listed = json.loads((_HERE / "asl_disagreements.json").read_text(encoding="utf-8"))
    disagreeing = {name: fault for name, fault in results.items() if fault is not None}
    known = {name for group in listed for name in group["cases"]}
    assert {name: disagreeing[name] for name in disagreeing.keys() - known} == {}
    assert known - disagreeing.keys() == set(), "these agree now: take them off the list"
