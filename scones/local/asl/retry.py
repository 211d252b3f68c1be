"""Which retrier or catcher takes a failure, and how long to wait before the next attempt."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from scones.local.asl.errors import (
    ALL,
    HEARTBEAT_TIMEOUT,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
    StatesError,
)

LONGEST_DELAY_S = 31622400
"""A year, AWS's largest IntervalSeconds."""


def matching(failure: StatesError, rules: Sequence[Mapping[str, Any]]) -> int | None:
    """The index of the first rule whose ErrorEquals takes the failure, or None."""
    for index, rule in enumerate(rules):
        if any(_takes(name, failure) for name in rule["ErrorEquals"]):
            return index
    return None


def _takes(name: str, failure: StatesError) -> bool:
    if failure.error == RUNTIME:
        return False
    if name in (failure.error, ALL):
        return True
    if name == TIMEOUT:
        return failure.error == HEARTBEAT_TIMEOUT
    # A "wildcard that matches any known error name except for States.Timeout", in any state:
    # https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    return name == TASK_FAILED and failure.error != TIMEOUT


class Retries:
    """How often each retrier of a state has been used since it was entered."""

    def __init__(self, rules: Sequence[Mapping[str, Any]]) -> None:
        self._rules = rules
        self._used = [0] * len(rules)
        self.count = 0

    def delay_s(self, failure: StatesError) -> float | None:
        """Seconds to wait before another attempt, counted as made; None if there is none left."""
        index = matching(failure, self._rules)
        if index is None:
            return None
        rule = self._rules[index]
        if self._used[index] >= rule.get("MaxAttempts", 3):
            return None
        delay = interval_s(rule, self._used[index])
        self._used[index] += 1
        self.count += 1
        return random.uniform(0, delay) if rule.get("JitterStrategy") == "FULL" else delay


def interval_s(rule: Mapping[str, Any], used: int) -> float:
    """The wait before attempt `used` + 1, without jitter."""
    longest: float = rule.get("MaxDelaySeconds", LONGEST_DELAY_S)
    try:
        growth: float = rule.get("BackoffRate", 2.0) ** used
        delay: float = rule.get("IntervalSeconds", 1) * growth
    except OverflowError:
        return longest
    return min(delay, longest)
