"""The functions that AWS adds to JSONata.

https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import random
import uuid
from collections.abc import Callable
from typing import Any

from jsonata.utils import Utils

from scones.local.asl.digest import digest
from scones.local.asl.text import load

_MOST_ITEMS = 1000


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
    return None if _absent(text) else digest(str(text), algorithm)


def _random(seed: Any = None, *_: Any) -> float:
    return random.random() if _absent(seed) else random.Random(seed).random()


def _parse(text: Any = None, *_: Any) -> Any:
    if _absent(text):
        return None
    value = load(text)
    return Utils.NULL_VALUE if value is None else value


def _no_eval(*_: Any) -> Any:
    raise ValueError("$eval is not supported; use $parse for JSON text")


ADDED: dict[str, Callable[..., Any]] = {
    "eval": _no_eval,
    "hash": _hash,
    "parse": _parse,
    "partition": _partition,
    "random": _random,
    "range": _range,
    "uuid": lambda *_: str(uuid.uuid4()),
}
"""https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html"""
"""By name; they get their arguments as the expression has them, unchecked."""
