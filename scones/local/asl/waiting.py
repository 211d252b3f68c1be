"""When a Wait state is over."""

from typing import Any

from scones.local.asl import jsonata, jsonpath, timestamps
from scones.local.asl.errors import RUNTIME, EvaluationError, PathError, StatesError
from scones.local.asl.paths import compile_path
from scones.local.asl.visit import Visit


def deadline(visit: Visit) -> float:
    """Seconds since 1970. Seconds count from the entry, so a wait that is taken up again after a
    restart waits its remainder only."""
    fields = visit.state.fields
    if "Seconds" in fields or "SecondsPath" in fields:
        return visit.entered.at + _seconds(visit)
    return _moment(visit)


def _seconds(visit: Visit) -> float:
    fields = visit.state.fields
    if "Seconds" in fields:
        return _plain_or_evaluated(visit, fields["Seconds"])
    path = fields["SecondsPath"]
    value = _referenced(visit, "SecondsPath")
    if isinstance(value, bool) or not isinstance(value, int):
        shown = value if isinstance(value, str) else jsonpath.dump(value)
        raise _wrong(
            f"The SecondsPath parameter cannot be parsed as a long value: {path} == {shown}"
        )
    if value < 0:
        raise _wrong(f"The SecondsPath parameter references a negative value: {path} == {value}")
    return value


def _plain_or_evaluated(visit: Visit, value: Any) -> float:
    if not jsonata.is_expression(value):
        return float(value)
    found = jsonata.evaluate(
        jsonata.source(value), visit.bindings(), "Seconds", "number", before_entry=False
    )
    if found < 0:
        raise EvaluationError(
            f"The Seconds field must not be negative: {found}", "Seconds", before_entry=False
        )
    return float(found)


def _moment(visit: Visit) -> float:
    fields = visit.state.fields
    if "Timestamp" in fields:
        text = fields["Timestamp"]
        if jsonata.is_expression(text) and visit.state.jsonata:
            text = jsonata.evaluate(
                jsonata.source(text), visit.bindings(), "Timestamp", "string", before_entry=False
            )
        moment = timestamps.parse(text)
        if moment is None:
            cause = (
                "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time"
                f" format string: {text}"
            )
            raise EvaluationError(cause, "Timestamp", before_entry=False)
        return moment
    path = fields["TimestampPath"]
    value = _referenced(visit, "TimestampPath")
    moment = timestamps.parse(value) if isinstance(value, str) else None
    if moment is None:
        shown = value if isinstance(value, str) else jsonpath.dump(value)
        raise _wrong(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset"
            f" date-time format string: {path} == {shown}"
        )
    return moment


def _referenced(visit: Visit, field: str) -> Any:
    path = visit.state.fields[field]
    try:
        return compile_path(path).read(visit.scene(visit.effective()))
    except PathError as error:
        cause = f"The {field} parameter does not reference an input value: {path}"
        raise _wrong(cause) from error


def _wrong(cause: str) -> StatesError:
    return StatesError(RUNTIME, cause, in_state=True)
