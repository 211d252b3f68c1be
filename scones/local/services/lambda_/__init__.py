"""Lambda: functions, layers, and their invocation in real child processes."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from scones.local.functions.events import RETRY_DELAYS_S, Events
from scones.local.functions.log import Journal
from scones.local.functions.log import Logs as LogsService
from scones.local.functions.workers import Options, Workers
from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.services.lambda_.functions import Functions
from scones.local.services.lambda_.invoke import Invocations, run_event
from scones.local.services.lambda_.layers import Layers
from scones.local.services.lambda_.ledger import Ledger
from scones.local.services.lambda_.permissions import Permissions


class Lambda(Functions, Layers, Permissions, Invocations):
    """AWS Lambda for Python functions in zip files. Memory sizes are told, not enforced."""

    def __init__(
        self,
        *,
        home: Path,
        identity: Identity,
        processes: Processes,
        s3: Any,
        logs: LogsService,
        clock: Callable[[], float] = time.time,
        options: Options | None = None,
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        """`retry_delays_s`: between the attempts at an event whose handler fails."""
        options = options or Options()
        self._ledger = Ledger(home, identity, s3, clock)
        self._journal = Journal(logs, clock)
        self._workers = Workers(
            identity=identity,
            processes=processes,
            journal=self._journal,
            clock=clock,
            options=options,
        )
        self._events = Events(
            self._ledger.store,
            partial(run_event, self._ledger, self._workers),
            at_once=max(1, options.max_concurrent // 2),
            clock=clock,
            retry_delays_s=retry_delays_s,
        )

    async def __aenter__(self) -> "Lambda":
        loop = asyncio.get_running_loop()
        retire = self._workers.retire
        self._retire = lambda name: loop.call_soon_threadsafe(retire, name)
        self._journal.start()
        self._workers.open()
        self._events.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._events.close()
        await self._workers.close()
        await self._journal.close()
        self._ledger.store.close()
