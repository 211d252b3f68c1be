"""How long, how deep and how large an expression may become while it is evaluated.

The library's own bounds read the clock twice a step and know no sizes. AWS bounds evaluation too,
but does not say where: the limits are ours.
"""

from time import monotonic
from typing import Any

from jsonata.jexception import JException

TIMEOUT_MS = 5000
"""Pure Python is slower than what AWS runs; a large sort must still come through."""
DEEPEST = 200
"""Nesting of evaluation; below Python's own limit, 1000 frames, at about four frames a level."""
LONGEST_TEXT = 2**20
"""Characters of a string on the way to a result, which itself may hold 256 KiB."""
LONGEST_LIST = 10**6
"""Items of a list or of `[a..b]`: what JSONata's own message of the limit, D2014, tells."""

_STEPS_A_LOOK = 16
"""Steps between two looks at the clock; a step takes microseconds."""


class Bounds:
    """Watches one evaluation; JException once it is too long, too deep or too large.

    `until` is a moment of `time.monotonic`; `spent` tells that it has passed.
    """

    def __init__(self, until: float) -> None:
        self.spent = False
        self._until = until
        self._depth = 0
        self._steps = 0
        self._ranged = 0

    def left_s(self) -> float:
        """Seconds until the end, at least a millisecond."""
        return max(self._until - monotonic(), 0.001)

    def stop(self) -> JException:
        """What to raise when time is up."""
        self.spent = True
        return JException("D1012", -1, TIMEOUT_MS)

    def enter(self, expression: Any, value: Any, environment: Any) -> None:
        """A step begins."""
        self._depth += 1
        self._steps += 1
        if self._depth > DEEPEST:
            raise JException("D1011", -1)
        if self._steps % _STEPS_A_LOOK == 0 and monotonic() > self._until:
            raise self.stop()

    def leave(self, expression: Any, value: Any, environment: Any, result: Any) -> None:
        """A step has come to its result."""
        self._depth -= 1
        if isinstance(result, str):
            check_text(len(result))
        elif isinstance(result, list) and list.__len__(result) > LONGEST_LIST:
            raise too_many(len(result))

    def range(self, count: int) -> None:
        """A range of so many items begins; those of one evaluation count together."""
        self._ranged += max(count, 0)
        if count > LONGEST_LIST or self._ranged > 4 * LONGEST_LIST:
            raise too_many(count)


def too_many(count: int) -> JException:
    """What to raise for a list of `count` items."""
    return JException("D2014", -1, count)


def check_text(length: int) -> None:
    """ValueError for a string of so many characters."""
    if length > LONGEST_TEXT:
        raise ValueError(f"a string may have at most {LONGEST_TEXT} characters, not {length}")
