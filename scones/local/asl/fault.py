"""One thing that is wrong with a definition, and the words that many of them share."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from scones.local.asl import jsonata
from scones.local.asl.machine import JSONATA

SCHEMA = "SCHEMA_VALIDATION_FAILED"
TARGET = "MISSING_TRANSITION_TARGET"
NOT_JSON = "INVALID_JSON_DESCRIPTION"


class Fault(NamedTuple):
    """One thing that is wrong."""

    code: str
    message: str
    location: str


Faults: TypeAlias = Iterator[Fault]


def required(at: str, *names: str) -> Fault:
    """Members that must be there and are not."""
    return Fault(SCHEMA, f"These fields are required: [{', '.join(names)}]", at)


def unknown(at: str, name: str) -> Fault:
    """A member that nobody reads."""
    return Fault(SCHEMA, f"Field '{name}' is not supported", f"{at}/{name}")


def not_a(kind: str, at: str) -> Fault:
    """A value of the wrong JSON type."""
    return Fault(SCHEMA, f"Expected value of type {kind}", at)


def no_target(field: str, name: Any, at: str) -> Fault:
    """A transition to a state that there is not."""
    return Fault(TARGET, f"Missing '{field}' target: {name}", f"{at}/{field}")


def one_of(field: str, values: tuple[str, ...]) -> str:
    """AWS's words for a value that is not among those allowed."""
    return f"The field '{field}' should have one of these values: [{', '.join(values)}]"


def is_number(value: Any) -> bool:
    """A JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(low: int, high: int) -> Callable[[Any], bool]:
    """A test for whole numbers between two limits."""
    return lambda value: is_number(value) and float(value).is_integer() and low <= value <= high


def is_kind(value: Any, kinds: tuple[str, ...], language: str) -> bool:
    """Is the value of one of these JSON types? "expression" is a JSONata string; none: anything."""
    if not kinds:
        return True
    if "expression" in kinds and language == JSONATA and jsonata.is_expression(value):
        return True
    if "string" in kinds and isinstance(value, str):
        return True
    return jsonata.kind(value) in kinds
