"""Invocations that nobody waits for: kept until they succeed, or have failed often enough.

As on AWS, a function that fails is run twice more, after one and after two minutes, and one that is
throttled is tried again for up to six hours; an event whose function is gone is dropped.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from scones.local.errors import ServiceError
from scones.local.functions.function import Outcome, Request
from scones.local.store import Store

RETRY_DELAYS_S = (60.0, 120.0)
THROTTLED_S = 6 * 3600.0
MAX_THROTTLE_DELAY_S = 300.0

logger = logging.getLogger(__name__)


class Events:
    """A queue in the table `events`; what was accepted outlives the process."""

    def __init__(
        self,
        store: Store,
        run: Callable[[Request], Awaitable[Outcome]],
        *,
        at_once: int,
        clock: Callable[[], float],
        retry_delays_s: Sequence[float] = RETRY_DELAYS_S,
    ) -> None:
        """At most `at_once` events are being run, so that those who wait find workers, too."""
        self._store = store
        self._run = run
        self._clock = clock
        self._delays_s = retry_delays_s
        self._room = asyncio.Semaphore(at_once)
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Go on where an earlier process stopped."""
        for row in self._store.read("select * from events order by due"):
            request = Request(row["id"], row["payload"], row["named"], row["client_context"])
            self._begin(request, row["attempt"], row["due"])

    async def close(self) -> None:
        """Stop; what is not done stays in the table."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, request: Request) -> None:
        """Accept an event: it is on disk when this returns."""
        now = self._clock()
        self._store.write(
            "insert into events (id, named, payload, client_context, due) values (?, ?, ?, ?, ?)",
            request.id, request.invoked_arn, request.payload, request.client_context, now,
        )  # fmt: skip
        self._begin(request, 1, now)

    def _begin(self, request: Request, attempt: int, due: float) -> None:
        task = asyncio.create_task(self._deliver(request, attempt, due))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, request: Request, attempt: int, due: float) -> None:
        while True:
            await asyncio.sleep(max(0.0, due - self._clock()))
            try:
                async with self._room:
                    failed = await self._succeeds_or_waits(request)
            except ServiceError as error:
                logger.warning(
                    "event %s for %s dropped: %s", request.id, request.invoked_arn, error
                )
                break
            if not failed or attempt > len(self._delays_s):
                break
            due = self._clock() + self._delays_s[attempt - 1]
            attempt += 1
            self._store.write(
                "update events set attempt = ?, due = ? where id = ?", attempt, due, request.id
            )
        self._store.write("delete from events where id = ?", request.id)

    async def _succeeds_or_waits(self, request: Request) -> bool:
        """Run once, however long that is throttled; whether the handler failed."""
        delay_s, until = 1.0, self._clock() + THROTTLED_S
        while True:
            try:
                return (await self._run(request)).failed
            except ServiceError as error:
                if error.code != "TooManyRequestsException" or self._clock() > until:
                    raise
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, MAX_THROTTLE_DELAY_S)
