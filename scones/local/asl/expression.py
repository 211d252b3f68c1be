"""One JSONata expression: read once, evaluated often, within bounds.

`jsonata-python` walks a tree and copies nothing; plain dotted paths, which are most expressions in
most machines, do not even start it.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.regex_engine import RegexFlags
from jsonata.utils import Utils

from scones.local.asl import bounded_functions, jsonata_functions
from scones.local.asl.bounds import Bounds, check_text
from scones.local.asl.pattern import Pattern

UNDEFINED = object()
"""What an expression answers that leads nowhere; unlike null."""

Evaluation = Callable[[Mapping[str, Any], Bounds], Any]
"""From bindings, {"states": {...}, "name": value}, to the result or UNDEFINED."""

_DOTTED = re.compile(r"\s*\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)\s*")
_KEYWORDS = {"and", "or", "in"}


class UnsupportedError(Exception):
    """A function came out, which no JSON can hold."""


@lru_cache(maxsize=2048)
def compile_expression(text: str) -> Evaluation:
    """An evaluation, for one thread at a time: it raises JException, or whatever the library does.

    ValueError for what is not JSONata.
    """
    dotted = _DOTTED.fullmatch(text)
    full = Full(text)
    if not dotted:
        return full
    name = str(dotted.group(1))
    fields = str(dotted.group(2)).split(".")[1:]
    if _KEYWORDS.intersection(fields):
        return full

    def walk(bindings: Mapping[str, Any], bounds: Bounds) -> Any:
        value = bindings.get(name, UNDEFINED)
        for field in fields:
            if not isinstance(value, dict):
                return full(bindings, bounds)  # arrays are mapped over
            value = value.get(field, UNDEFINED)
        return full(bindings, bounds) if value is UNDEFINED else value

    return walk


class Full:
    """An expression for the full evaluator."""

    def __init__(self, text: str) -> None:
        self._bounds = Bounds(0)
        try:
            self._expression = _Bounded(text, self._pattern)
        except JException as error:
            raise ValueError(describe(error)) from error
        if self._expression.errors:
            raise ValueError(describe(self._expression.errors[0]))
        self._expression.set_output_convert_nulls(False)
        self._expression.set_validate_input(False)
        for name, function in jsonata_functions.ADDED.items():
            self._expression.register_lambda(name, function)
        for name, bounded in bounded_functions.NATIVE.items():
            self._expression.register_function(name, bounded)

    def _pattern(self, text: str, flags: RegexFlags) -> Pattern:
        return Pattern(text, flags, lambda: self._bounds)

    def __call__(self, bindings: Mapping[str, Any], bounds: Bounds) -> Any:
        expression = self._expression
        self._bounds = expression.bounds = bounds
        expression.environment.set_evaluate_entry_callback(bounds.enter)
        expression.environment.set_evaluate_exit_callback(bounds.leave)
        bound = {name: Utils.NULL_VALUE if v is None else v for name, v in bindings.items()}
        Jsonata.CURRENT.jsonata = expression
        result = expression.evaluate(None, bound)
        return UNDEFINED if result is None else _Plain().of(result)


class _Bounded(Jsonata):  # type: ignore[misc]
    """The library asks the bounds between its steps only, and a long range is one step."""

    bounds = Bounds(0)

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        if isinstance(lhs, int) and isinstance(rhs, int):
            self.bounds.range(rhs - lhs + 1)
        return super().evaluate_range_expression(lhs, rhs)


class _Plain:
    """Makes plain JSON values of the library's own lists, ranges and nulls; counts their text,
    which may be one long string many times."""

    def __init__(self) -> None:
        self._length = 0

    def of(self, value: Any) -> Any:
        if value is None or value is Utils.NULL_VALUE:
            return None
        if isinstance(value, str):
            self._length += len(value)
            check_text(self._length)
            return value
        if isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return int(value) if value.is_integer() and abs(value) < 2**53 else value
        if isinstance(value, Mapping):
            return {key: self.of(each) for key, each in value.items()}
        if isinstance(value, list | Utils.RangeList):
            return [self.of(each) for each in value]
        raise UnsupportedError


def describe(error: Exception) -> str:
    """`T1006: Attempted to invoke a non-function`, as AWS words what the evaluator says."""
    if isinstance(error, JException):
        return f"{error.error}: {error}"
    return str(error)
