"""The interpreter's time: the computer's."""

import asyncio
import time
from collections.abc import Callable

_LONGEST_S = 3600.0
"""One sleep; a computer that slept itself is then at most this late. Ours."""


class WallClock:
    """Seconds since 1970, and waiting for them to pass."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now

    async def sleep_until(self, moment: float) -> None:
        """Return at `moment`, or at once if it has passed."""
        while (left := moment - self.now()) > 0:
            await asyncio.sleep(min(left, _LONGEST_S))
