"""JSONata in states: `{% ... %}`, evaluated for a field, and what its failures are called."""

from collections.abc import Mapping
from typing import Any

from scones.local.asl import patience
from scones.local.asl.errors import EvaluationError
from scones.local.asl.expression import UNDEFINED, UnsupportedError, describe
from scones.local.asl.text import dump


def is_expression(value: Any) -> bool:
    """Is this a string to evaluate? Only exactly `{%...%}`: a space before it makes it plain."""
    return isinstance(value, str) and value.startswith("{%") and value.endswith("%}")


def source(text: str) -> str:
    """What stands between `{%` and `%}`."""
    return text[2:-2].strip()


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
        value = patience.answer(text, bindings)
    except patience.TooSlowError:
        raise
    except UnsupportedError:
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
