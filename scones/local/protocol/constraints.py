"""What a model demands of its input: required members, lengths, ranges, patterns, enums.

AWS's front ends check these before the service sees a request, and answer with one message for all
of them (wording: recorded answers of SageMaker, IAM and CloudWatch Logs).
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scones.local.errors import ServiceError
from scones.local.protocol.messages import Value

Check = Callable[[Value, str, list[str]], None]
"""Value, its place in the request ("tags.1.member.key"), and the problems found so far."""

_CODES = {
    "logs": "InvalidParameterException",
    "sts": "ValidationError",
    "iam": "ValidationError",
    "sagemaker-runtime": "ValidationError",
}


class Constraints:
    """One operation's input, checked."""

    def __init__(self, service: str, shape: StructureShape | None) -> None:
        self._code = _CODES.get(service, "ValidationException")
        self._required_only = service == "s3"
        self._required = frozenset(shape.required_members) if shape else frozenset()
        self._check = _structure(shape) if shape else None

    def refuse_violations(self, arguments: dict[str, Value]) -> None:
        """ServiceError listing whatever the model does not allow."""
        if self._required_only:
            self._refuse_missing(arguments)
            return
        problems: list[str] = []
        if self._check is not None:
            self._check(arguments, "", problems)
        if problems:
            count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
            raise ServiceError(self._code, f"{count}: {'; '.join(problems)}")

    def _refuse_missing(self, arguments: dict[str, Value]) -> None:
        # S3 has its own words for what its service finds wrong.
        missing = self._required - arguments.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise ServiceError("InvalidRequest", f"Missing in the request: {names}")


def _check_of(shape: Shape) -> Check | None:
    # A blob is for its service to measure: AWS has other words for a body that is too large.
    make = {"structure": _structure, "list": _list, "map": _map, "string": _string}
    number = shape.type_name in ("integer", "long", "float", "double")
    maker = _range if number else make.get(shape.type_name)
    return maker(shape) if maker else None


def _structure(shape: StructureShape) -> Check:
    members: dict[str, tuple[str, Check | None]] = {}
    required = [(name, _label(name)) for name in shape.required_members]

    def check(value: Value, place: str, problems: list[str]) -> None:
        if not members:
            for name, member in shape.members.items():
                members[name] = _label(name), _check_of(member)
        for name, label in required:
            if value.get(name) is None:
                problems.append(_null(place + label))
        for name, item in value.items():
            label, check_item = members[name]
            if check_item is not None and item is not None:
                check_item(item, place + label, problems)

    if shape.is_document_type:
        return _nothing
    return lambda value, place, problems: check(value, f"{place}." if place else "", problems)


def _list(shape: ListShape) -> Check:
    items: list[Check | None] = []
    check_length = _length(shape)

    def check(value: Value, place: str, problems: list[str]) -> None:
        if not items:
            items.append(_check_of(shape.member))
        if check_length is not None:
            check_length(value, place, problems)
        for number, item in enumerate(value, 1):
            if item is None:
                problems.append(_null(f"{place}.{number}.member"))
            elif items[0] is not None:
                items[0](item, f"{place}.{number}.member", problems)

    return check


def _map(shape: MapShape) -> Check:
    parts: list[Check | None] = []
    check_length = _length(shape)

    def check(value: Value, place: str, problems: list[str]) -> None:
        if not parts:
            parts.extend((_check_of(shape.key), _check_of(shape.value)))
        if check_length is not None:
            check_length(value, place, problems)
        for key, item in value.items():
            if parts[0] is not None:
                parts[0](key, place, problems)
            if item is None:
                problems.append(_null(f"{place}.{key}.member"))
            elif parts[1] is not None:
                parts[1](item, f"{place}.{key}.member", problems)

    return check


def _string(shape: Any) -> Check | None:
    check_length = _length(shape)
    enum = frozenset(shape.enum)
    pattern = _pattern(shape.metadata.get("pattern"))
    if check_length is None and not enum and pattern is None:
        return None

    def check(value: Value, place: str, problems: list[str]) -> None:
        if check_length is not None:
            check_length(value, place, problems)
        if enum and value not in enum:
            allowed = ", ".join(shape.enum)
            problems.append(
                _failed(f"'{value}'", place, f"Member must satisfy enum value set: [{allowed}]")
            )
        if pattern is not None and not pattern.fullmatch(value):
            rule = f"regular expression pattern: {shape.metadata['pattern']}"
            problems.append(_failed(f"'{value}'", place, f"Member must satisfy {rule}"))

    return check


def _length(shape: Shape) -> Check | None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is None and high is None:
        return None

    def check(value: Value, place: str, problems: list[str]) -> None:
        size = len(value) if hasattr(value, "__len__") else None
        if size is None:  # a stream: its service counts
            return
        shown = f"'{value}'" if size < 200 else "at"
        if low is not None and size < low:
            rule = f"Member must have length greater than or equal to {low}"
            problems.append(_failed(shown, place, rule))
        if high is not None and size > high:
            rule = f"Member must have length less than or equal to {high}"
            problems.append(_failed(shown, place, rule))

    return check


def _range(shape: Shape) -> Check | None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is None and high is None:
        return None

    def check(value: Value, place: str, problems: list[str]) -> None:
        if low is not None and value < low:
            rule = f"Member must have value greater than or equal to {low}"
            problems.append(_failed(f"'{value}'", place, rule))
        if high is not None and value > high:
            rule = f"Member must have value less than or equal to {high}"
            problems.append(_failed(f"'{value}'", place, rule))

    return check


def _nothing(value: Value, place: str, problems: list[str]) -> None:
    """A document: any JSON."""


def _null(place: str) -> str:
    return _failed("null", place, "Member must not be null")


def _failed(value: str, place: str, rule: str) -> str:
    at = "at" if value == "at" else f"{value} at"
    return f"Value {at} '{place}' failed to satisfy constraint: {rule}"


def _label(name: str) -> str:
    return name[:1].lower() + name[1:]


@cache
def _pattern(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:  # Java's \p{...} and the like: AWS checks it, we cannot
        return None
