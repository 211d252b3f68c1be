"""Task tokens: what is waited for, and what is sent back."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from scones.local.asl.errors import StatesError


class Tokens:
    """The tokens that running executions wait for.

    A token needs no table: it names its execution, which waits for it again after a restart.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._beats: dict[str, float] = {}
        self._taken: dict[str, asyncio.Event] = {}
        self._submitted: set[str] = set()

    def open(self, token: str) -> None:
        """Take what is sent with the token from now on."""
        if token not in self._waiting or self._waiting[token].cancelled():
            self._waiting[token] = asyncio.get_running_loop().create_future()

    def expect(self, token: str) -> Awaitable[Any]:
        """What is sent with the token; raises StatesError for a failure."""
        self.open(token)
        self._submitted.add(token)
        return self._waiting[token]

    def heartbeat(self, token: str) -> float:
        """When the last heartbeat came, seconds since 1970; 0.0 before the first."""
        return self._beats.get(token, 0.0)

    def taken(self, token: str) -> None:
        """The task of this token is over."""
        self._beats.pop(token, None)
        self._submitted.discard(token)
        future = self._waiting.pop(token, None)
        if future is not None and not future.cancel() and not future.cancelled():
            future.exception()  # seen, also where the task failed before it was asked for
        if token in self._taken:
            self._taken.pop(token).set()

    def beat(self, token: str) -> bool:
        """A heartbeat; False if nobody waits for this token."""
        if not self.awaited(token):
            return False
        self._beats[token] = self._now()
        return True

    def awaited(self, token: str) -> bool:
        """Does a running execution wait for this token?"""
        return token in self._waiting and not self._waiting[token].done()

    async def send(self, token: str, answer: Any) -> bool:
        """Give a result, or a StatesError; return when it is recorded. False: nobody waits.

        A task that answers before it has been submitted, as a function does that sends its own
        token back, is not kept waiting: it would wait for itself. Should the process die before
        that is recorded, the task runs again, and answers again.
        """
        if not self.awaited(token):
            return False
        future = self._waiting[token]
        if isinstance(answer, StatesError):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        if token in self._submitted:
            event = self._taken[token] = asyncio.Event()
            await event.wait()
        return True
