"""Expressions that take long are evaluated beside the event loop, not on it.

What a state does with its data is plain synchronous code. It is tried on the loop; the expression
at which patience ends goes to a thread, and the code is run again with the answers so far. Every
answer is kept, so each expression is evaluated to its end once, and `$uuid()` stays what it was.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from time import monotonic
from typing import Any, TypeVar

from scones.local.asl.bounds import TIMEOUT_MS, Bounds
from scones.local.asl.expression import Full, compile_expression

T = TypeVar("T")

ON_LOOP_S = 0.05
"""How long others on the loop may have to wait; an expression mostly takes below 0.1 ms."""
_NOTICEABLE_S = 0.005

_thread = ThreadPoolExecutor(1, "expressions")
"""One: expressions hold the interpreter's lock, and more of them would only wait for each other."""


class TooSlowError(Exception):
    """Patience ended in an expression."""

    def __init__(self, text: str, bindings: Mapping[str, Any]) -> None:
        super().__init__(text)
        self._text = text
        self._bindings = bindings

    def evaluate(self) -> Callable[[], Any]:
        """Evaluate to the end; answers what gives the value, or raises what went wrong."""
        try:
            value = Full(self._text)(self._bindings, _longest())
        except Exception as error:  # the evaluator fails in many ways on a user's expression
            return _raising(error)
        return lambda: value


class _Answers:
    """Of the expressions of one piece of code, in the order in which it asks."""

    def __init__(self) -> None:
        self.known: list[Callable[[], Any]] = []
        self._asked = 0
        self._until = 0.0

    def again(self) -> None:
        """The code is run from its beginning."""
        self._asked = 0
        self._until = monotonic() + ON_LOOP_S

    def next(self, text: str, bindings: Mapping[str, Any]) -> Any:
        """The answer to the next question."""
        self._asked += 1
        if self._asked <= len(self.known):
            return self.known[self._asked - 1]()
        bounds = Bounds(self._until)
        try:
            value = compile_expression(text)(bindings, bounds)
        except Exception as error:
            if bounds.spent:
                raise TooSlowError(text, bindings) from error
            raise
        self.known.append(lambda: value)
        return value


_answers: ContextVar[_Answers | None] = ContextVar("_answers", default=None)


def answer(text: str, bindings: Mapping[str, Any]) -> Any:
    """What an expression comes to; within `patiently`, TooSlowError where that takes long."""
    answers = _answers.get()
    if answers is None:
        return compile_expression(text)(bindings, _longest())
    return answers.next(text, bindings)


async def patiently(work: Callable[[], T]) -> T:
    """What `work` comes to. It is run again from its beginning after each long expression."""
    answers = _Answers()
    began = monotonic()
    while True:
        try:
            done = _with(answers, work)
            break
        except TooSlowError as slow:
            evaluation = asyncio.get_running_loop().run_in_executor(_thread, slow.evaluate)
        answers.known.append(await evaluation)
    if monotonic() - began > _NOTICEABLE_S:
        await asyncio.sleep(0)
    return done


def _with(answers: _Answers, work: Callable[[], T]) -> T:
    answers.again()
    before = _answers.set(answers)
    try:
        return work()
    finally:
        _answers.reset(before)


def _longest() -> Bounds:
    return Bounds(monotonic() + TIMEOUT_MS / 1000)


def _raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail
