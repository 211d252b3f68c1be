"""The processes that run Lambda handlers: one request at a time each, as many as are asked at once.

A worker starts when no idle one of its function is there, and ends after a while without work, when
its function changes, or when a request went wrong in it. Its /tmp, /var/task and /opt are its own
where the system allows (runtime/sandbox.py); where it does not, a function has one worker only and
its callers wait their turn, so that no two requests write one /tmp/image.png.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions.function import Function, Outcome, Request
from scones.local.functions.log import Journal
from scones.local.functions.worker import Worker
from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.runtime import provided
from scones.local.runtime.api import RuntimeApi
from scones.local.runtime.environment import environment, search_path

_RUNTIME = Path(__file__).parents[1] / "runtime"
_PYTHON = [sys.executable, "-I", "-S", "-X", "utf8"]
REAP_EVERY_S = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How handlers are run."""

    max_concurrent: int = 32
    """Requests at once, over all functions; AWS's own limit is 1000, or 10 in a new account."""
    idle_s: float = 120.0
    """A worker without work ends after so long."""
    whole_environment: bool = False
    """Offer handlers every package installed here, not only what AWS's runtime has."""
    client: str = "awslambdaric" if find_spec("awslambdaric") else "bootstrap"
    """Which program speaks the Runtime API: AWS's own, or ours."""
    private: bool = sys.platform == "linux"
    """Give each worker its own /tmp, if the system allows it."""


class Workers:
    """Every worker there is, by function."""

    def __init__(
        self,
        *,
        identity: Identity,
        processes: Processes,
        journal: Journal,
        clock: Callable[[], float],
        options: Options,
    ) -> None:
        self._identity = identity
        self._processes = processes
        self._journal = journal
        self._clock = clock
        self._options = options
        find = provided.whole_environment if options.whole_environment else provided.as_on_aws
        self._provided = find()
        self._idle: dict[tuple[str, str], list[Worker]] = {}
        self._all: set[Worker] = set()
        self._busy = 0
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._private: asyncio.Task[bool] | None = None

    def open(self) -> None:
        """Find out what the system allows, and begin to end idle workers."""
        self._private = self._task(self._can_be_private())
        self._task(self._reap())

    async def close(self) -> None:
        """End every worker and what waits for it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._discard(each) for each in list(self._all)))

    async def invoke(self, function: Function, request: Request) -> Outcome:
        """Run the handler once, to its end, even if the caller goes away.

        Raises TooManyRequestsException when as many requests as allowed are running.
        """
        if self._busy >= self._options.max_concurrent:
            reason = "ConcurrentInvocationLimitExceeded"
            raise ServiceError(
                "TooManyRequestsException", "Rate Exceeded.", 429, Reason=reason, Type="User"
            )
        self._busy += 1
        return await asyncio.shield(self._task(self._invoke(function, request)))

    async def private(self) -> bool:
        """Whether each worker has its own /tmp, /var/task and /opt."""
        assert self._private is not None, "open() comes first"
        return await asyncio.shield(self._private)

    def retire(self, name: str) -> None:
        """A function changed or is gone: end its idle workers; busy ones grow idle and old."""
        for key in [each for each in self._idle if each[0] == name]:
            for worker in self._idle.pop(key):
                self._task(self._discard(worker))

    async def _invoke(self, function: Function, request: Request) -> Outcome:
        try:
            if await self.private():
                return await self._serve(function, request)
            async with self._turns.setdefault(function.name, asyncio.Lock()):
                return await self._serve(function, request)
        finally:
            self._busy -= 1

    async def _serve(self, function: Function, request: Request) -> Outcome:
        key = (function.name, function.revision)
        worker = self._idle_one(key) or await self._start(function)
        outcome = await worker.serve(request)
        if worker.usable:
            worker.idle_since = time.monotonic()
            self._idle.setdefault(key, []).append(worker)
        else:
            await self._discard(worker)
        return outcome

    def _idle_one(self, key: tuple[str, str]) -> Worker | None:
        """The one used last: its memory is warm, and the others may grow old."""
        idle = self._idle.get(key, [])
        while idle:
            worker = idle.pop()
            if worker.usable:
                return worker
            self._task(self._discard(worker))
        return None

    async def _start(self, function: Function) -> Worker:
        await self._make_room()
        api = RuntimeApi()
        await api.open()
        stream = self._journal.stream(function.log_group, function.version)
        worker = Worker(function, api, stream, self._clock)
        self._all.add(worker)
        private = await self.private()
        task = "/var/task" if private else str(function.task)
        output, into = os.pipe()
        try:
            process = await self._processes.start(
                [*self._sandbox(function, private), *self._launch(function, private)],
                environment=environment(
                    function,
                    self._identity,
                    address=api.address,
                    group=stream.group,
                    stream=stream.name,
                    task=task,
                ),
                folder=function.task,
                output=into,
            )
        finally:
            os.close(into)
        worker.watch(process, output)
        return worker

    async def _make_room(self) -> None:
        """There are no more workers than requests at once: the one idle for longest goes."""
        idle = [(each.idle_since, key, each) for key, some in self._idle.items() for each in some]
        if idle and len(self._all) >= self._options.max_concurrent:
            _, key, oldest = min(idle, key=lambda each: each[0])
            self._idle[key].remove(oldest)
            await self._discard(oldest)

    def _sandbox(self, function: Function, private: bool) -> list[str]:
        if not private:
            return []
        plan = {
            "task": str(function.task),
            "opt": str(function.opt) if function.opt else None,
            "tmp_bytes": function.tmp_mb * 2**20,
            "keep": self._keep(),
        }
        return [sys.executable, "-I", "-S", str(_RUNTIME / "sandbox.py"), json.dumps(plan)]

    def _keep(self) -> list[str]:
        """Folders without which no handler runs, should they lie in /tmp; outer ones first."""
        folders = {sys.prefix, sys.base_prefix, str(_RUNTIME), *self._provided.folders}
        return sorted(each for each in folders if Path(each).is_dir())

    def _launch(self, function: Function, private: bool) -> list[str]:
        task = "/var/task" if private else str(function.task)
        opt = "/opt" if private else str(function.opt)
        client = self._options.client
        plan = {
            "path": search_path(task, opt if function.opt else None),
            "folders": self._provided.folders,
            "names": self._provided.names,
            "client": str(_RUNTIME / "bootstrap.py") if client == "bootstrap" else client,
        }
        return [*_PYTHON, str(_RUNTIME / "launch.py"), json.dumps(plan), function.handler]

    async def _can_be_private(self) -> bool:
        """Whether a sandbox works here, found out by entering one."""
        if not self._options.private:
            return False
        plan = {"task": str(_RUNTIME), "opt": str(_RUNTIME), "tmp_bytes": 2**20}
        process = await self._processes.start(
            [sys.executable, "-I", "-S", str(_RUNTIME / "sandbox.py"),
             json.dumps({**plan, "keep": self._keep()}), *_PYTHON, "-c", "pass"],
            environment={},
        )  # fmt: skip
        try:
            said, _ = await process.communicate()
        finally:
            await self._processes.stop(process)
        if process.returncode != 0:
            logger.warning(
                "Lambda functions share one /tmp, so each runs one request at a time: %s",
                said.decode(errors="replace").strip(),
            )
        return process.returncode == 0

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(min(REAP_EVERY_S, self._options.idle_s))
            before = time.monotonic() - self._options.idle_s
            for key, idle in list(self._idle.items()):
                old = [each for each in idle if each.idle_since < before or not each.usable]
                self._idle[key] = [each for each in idle if each not in old]
                if not self._idle[key]:
                    del self._idle[key]
                await asyncio.gather(*(self._discard(each) for each in old))

    async def _discard(self, worker: Worker) -> None:
        self._all.discard(worker)
        if worker.process is not None:
            await self._processes.stop(worker.process)

    def _task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
