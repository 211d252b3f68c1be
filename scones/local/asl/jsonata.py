"""JSONata in states: `{% ... %}`, AWS's own functions beside the standard ones, bounded in time.

`jsonata-python` walks a tree and copies nothing; plain dotted paths, which are most expressions in
most machines, do not even start it.
"""

import hashlib
import random
import re
import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jsonata import jexception
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from scones.local.asl.errors import EvaluationError
from scones.local.asl.text import dump, load

UNDEFINED = object()
"""What an expression answers that leads nowhere; unlike null."""

TIMEOUT_MS = 2000
"""Ours; AWS bounds evaluation too but does not say where."""
LONGEST_RANGE = 10**6
"""Items of `[a..b]`: what JSONata's own message of the limit, D2014, tells."""
DEEPEST = 200
"""Nesting of evaluation; below Python's own limit, 1000 frames, at about four frames a level."""

_DOTTED = re.compile(r"\s*\$([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)\s*")
_KEYWORDS = {"and", "or", "in"}
_MOST_ITEMS = 1000


def is_expression(value: Any) -> bool:
    """Is this a string to evaluate? Only exactly `{%...%}`: a space before it makes it plain."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def source(text: str) -> str:
    """What stands between `{%` and `%}`."""
    return text[2:-2].strip()


@lru_cache(maxsize=2048)
def compile_expression(text: str) -> Callable[[Mapping[str, Any]], Any]:
    """A function from bindings, {"states": {...}, "name": value}, to the result or UNDEFINED.

    ValueError for what is not JSONata; the function raises JException.
    """
    dotted = _DOTTED.fullmatch(text)
    full = _Full(text)
    if not dotted:
        return full
    name = str(dotted.group(1))
    fields = str(dotted.group(2)).split(".")[1:]
    if _KEYWORDS.intersection(fields):
        return full

    def walk(bindings: Mapping[str, Any]) -> Any:
        value = bindings.get(name, UNDEFINED)
        for field in fields:
            if not isinstance(value, dict):
                return full(bindings)  # arrays are mapped over
            value = value.get(field, UNDEFINED)
        return full(bindings) if value is UNDEFINED else value

    return walk


class _Bounded(Jsonata):  # type: ignore[misc]
    """The library looks at the time between its steps only, and a long range is one step."""

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        if isinstance(lhs, int) and isinstance(rhs, int) and rhs - lhs >= LONGEST_RANGE:
            raise jexception.JException("D2014", -1, rhs - lhs + 1)
        return super().evaluate_range_expression(lhs, rhs)


class _Full:
    """An expression for the full evaluator, read once."""

    def __init__(self, text: str) -> None:
        try:
            self._expression = _Bounded(text)
        except jexception.JException as error:
            raise ValueError(describe(error)) from error
        if self._expression.errors:
            raise ValueError(describe(self._expression.errors[0]))
        self._expression.set_output_convert_nulls(False)
        self._expression.set_validate_input(False)
        for name, function in _FUNCTIONS.items():
            self._expression.register_lambda(name, function)

    def __call__(self, bindings: Mapping[str, Any]) -> Any:
        expression = self._expression
        expression.environment.set_runtime_bounds(TIMEOUT_MS, DEEPEST)
        bound = {name: Utils.NULL_VALUE if v is None else v for name, v in bindings.items()}
        Jsonata.CURRENT.jsonata = expression
        result = expression.evaluate(None, bound)
        return UNDEFINED if result is None else _plain(result)


class _UnsupportedError(Exception):
    """A function came out, which no JSON can hold."""


def _plain(value: Any) -> Any:
    """The library's own lists, ranges and nulls as plain JSON values."""
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | Utils.RangeList):
        return [_plain(each) for each in value]
    raise _UnsupportedError


def describe(error: Exception) -> str:
    """`T1006: Attempted to invoke a non-function`, as AWS words what the evaluator says."""
    if isinstance(error, jexception.JException):
        return f"{error.error}: {error}"
    return str(error)


def evaluate(
    text: str,
    bindings: Mapping[str, Any],
    location: str | None,
    expected: str | None = None,
    *,
    before_entry: bool = True,
) -> Any:
    """The value of `{% text %}`; EvaluationError names `location` and says what is wrong.

    `expected` is "array", "boolean", "string", "number" or "integer": what the field can take.
    """
    where = _where(text, location)
    try:
        value = compile_expression(text)(bindings)
    except _UnsupportedError:
        cause = f"{where} returned an unsupported result type."
        raise EvaluationError(cause, location, before_entry=before_entry) from None
    except Exception as error:  # the evaluator fails in many ways on a user's expression
        cause = f"{where} threw an error during evaluation. {describe(error)}"
        raise EvaluationError(cause, location, before_entry=before_entry) from error
    if value is UNDEFINED:
        cause = f"{where} returned nothing (undefined)."
        raise EvaluationError(cause, location, before_entry=before_entry)
    if expected:
        expect(value, expected, text, location, before_entry=before_entry)
    return value


def expect(
    value: Any, expected: str, text: str, location: str | None, *, before_entry: bool = True
) -> Any:
    """The value that `text` came to; EvaluationError if the field cannot take it."""
    if not _is_kind(value, expected):
        cause = (
            f"{_where(text, location)} returned an unexpected result type."
            f" Expected '{expected}', but was '{kind(value)}' for value: {dump(value)}"
        )
        raise EvaluationError(cause, location, before_entry=before_entry)
    return value


def _where(text: str, location: str | None) -> str:
    return f"The JSONata expression '{text}' specified for the field '{location}'"


def kind(value: Any) -> str:
    """The JSON type of a value, as error messages name it."""
    if value is None:
        return "null"
    kinds: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "boolean"),
        ((int, float), "number"),
        (str, "string"),
        (list, "array"),
    )
    return next((name for types, name in kinds if isinstance(value, types)), "object")


def _is_kind(value: Any, expected: str) -> bool:
    if expected == "integer":
        return kind(value) == "number" and float(value).is_integer()
    return kind(value) == expected


def fill(
    template: Any, bindings: Mapping[str, Any], location: str, *, before_entry: bool = True
) -> Any:
    """A copy of `template` with each `{% %}` evaluated; `location` is the template's field."""
    if isinstance(template, str):
        if not is_expression(template):
            return template
        return evaluate(source(template), bindings, location, before_entry=before_entry)
    if isinstance(template, dict):
        return {
            key: fill(value, bindings, f"{location}/{key}", before_entry=before_entry)
            for key, value in template.items()
        }
    if isinstance(template, list):
        return [
            fill(value, bindings, f"{location}[{index}]", before_entry=before_entry)
            for index, value in enumerate(template)
        ]
    return template


def _absent(value: Any) -> bool:
    return value is None or value is Utils.NULL_VALUE


def _partition(array: Any = None, size: Any = None, *_: Any) -> Any:
    if _absent(array):
        return None
    items = list(array) if isinstance(array, list | Utils.RangeList) else [array]
    step = int(size)
    if step < 1:
        raise ValueError("the chunk size of $partition must be positive")
    return [items[start : start + step] for start in range(0, len(items), step)]


def _range(first: Any = None, last: Any = None, step: Any = None, *_: Any) -> Any:
    if not step:
        raise ValueError("the step of $range must be a number other than 0")
    count = int((last - first) // step) + 1
    if count > _MOST_ITEMS:
        raise ValueError(f"$range makes at most {_MOST_ITEMS} items, not {count}")
    # A sequence, which JSONata makes a single value of if it holds only one.
    found = Utils.create_sequence()
    found.extend(first + position * step for position in range(max(count, 0)))
    return found[0] if len(found) == 1 else found


def _hash(text: Any = None, algorithm: Any = "SHA-256", *_: Any) -> Any:
    if _absent(text):
        return None
    names = {
        "MD5": "md5",
        "SHA-1": "sha1",
        "SHA-256": "sha256",
        "SHA-384": "sha384",
        "SHA-512": "sha512",
    }
    if algorithm not in names:
        raise ValueError(f"the algorithm of $hash is one of {', '.join(names)}")
    return hashlib.new(names[algorithm], str(text).encode(), usedforsecurity=False).hexdigest()


def _random(seed: Any = None, *_: Any) -> float:
    return random.random() if _absent(seed) else random.Random(seed).random()


def _parse(text: Any = None, *_: Any) -> Any:
    if _absent(text):
        return None
    value = load(text)
    return Utils.NULL_VALUE if value is None else value


def _no_eval(*_: Any) -> Any:
    raise ValueError("$eval is not supported; use $parse for JSON text")


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "eval": _no_eval,
    "hash": _hash,
    "parse": _parse,
    "partition": _partition,
    "random": _random,
    "range": _range,
    "uuid": lambda *_: str(uuid.uuid4()),
}
"""https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html"""
