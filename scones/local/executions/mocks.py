"""Whether a mocked result could have come from the service it stands for, by botocore's models."""

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scones.local.asl.resources import parse
from scones.local.executions import sdk
from scones.local.protocol.models import operations, service_model

_NUMBERS = ("integer", "long", "float", "double", "timestamp")
_JSON_BODIES = {("lambda", "invoke"): ("Payload",)}
"""Members that an optimized integration has read as JSON."""


def fault(resource: str, result: Any, *, strict: bool) -> str | None:
    """The first thing that cannot be, or None. `strict` asks for required members too."""
    shape, free = _shape(resource)
    if shape is None:
        return None
    return next(_faults(shape, result, "", strict, free), None)


def _shape(resource: str) -> tuple[Shape | None, tuple[str, ...]]:
    parsed = parse(resource)
    if parsed is None:
        return None, ()
    service, method = sdk.names(parsed.service.removeprefix("aws-sdk:"), parsed.action)
    if service is None or method is None:
        return None, ()
    optimized = not parsed.service.startswith("aws-sdk:")
    free = _JSON_BODIES.get((service, method), ()) if optimized else ()
    model = service_model(service).operation_model(operations(service)[method])
    return model.output_shape, free


def _faults(
    shape: Shape, value: Any, name: str, strict: bool, free: tuple[str, ...] = ()
) -> Iterator[str]:
    if value is None:
        return
    if isinstance(shape, StructureShape):
        yield from _structure(shape, value, name, strict, free)
    elif isinstance(shape, ListShape):
        if not isinstance(value, list):
            yield f"Field '{name}' must be an array"
            return
        for each in value:
            yield from _faults(shape.member, each, name, strict)
    elif isinstance(shape, MapShape):
        if not isinstance(value, Mapping):
            yield f"Field '{name}' must be an object"
            return
        for each in value.values():
            yield from _faults(shape.value, each, name, strict)
    else:
        yield from _scalar(shape, value, name)


def _structure(
    shape: StructureShape, value: Any, name: str, strict: bool, free: tuple[str, ...]
) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield (
            f"Field '{name}' must be an object" if name else "Mocked result must be a JSON object."
        )
        return
    members = {_spelt(each): shape.members[each] for each in shape.members}
    if strict:
        for each in shape.required_members:
            if _spelt(each) not in value:
                yield f"Required field '{_spelt(each)}' is missing"
    for key, each in value.items():
        if key in members and key not in free:
            yield from _faults(members[key], each, key, strict)


def _spelt(member: str) -> str:
    return member[:1].upper() + member[1:]


def _scalar(shape: Shape, value: Any, name: str) -> Iterator[str]:
    kind = shape.type_name
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "boolean":
        if not isinstance(value, bool):
            yield f"Field '{name}' must be a boolean"
    elif kind == "timestamp":
        if not number and not isinstance(value, str):
            yield f"Field '{name}' must be a string"
    elif kind in _NUMBERS:
        yield from _number(shape, value, name, number)
    elif not isinstance(value, str):
        yield f"Field '{name}' must be a string"
    else:
        yield from _string(shape, value, name)


def _number(shape: Shape, value: Any, name: str, number: bool) -> Iterator[str]:
    if not number:
        yield f"Field '{name}' must be a number"
        return
    if "min" in shape.metadata and value < shape.metadata["min"]:
        yield f"Field '{name}' is less than the minimum value"
    if "max" in shape.metadata and value > shape.metadata["max"]:
        yield f"Field '{name}' exceeds the maximum value"


def _string(shape: Shape, value: str, name: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield f"Field '{name}' is not an expected value"
    if len(value) < shape.metadata.get("min", 0):
        yield f"Field '{name}' is shorter than the minimum length"
    if len(value) > shape.metadata.get("max", len(value)):
        yield f"Field '{name}' exceeds the maximum length"
