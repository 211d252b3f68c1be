"""`aws-sdk:<service>:<action>` for whatever is carried: names and shapes from botocore's models.

In a state machine members wear the Java SDK's spelling, which begins with a capital; here they are
turned into the service's own and back.
"""

import base64
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from scones.local.asl.text import dump, whole
from scones.local.asl.timestamps import parse
from scones.local.protocol.models import operations, service_model

_OTHER_NAMES = {
    "sfn": "stepfunctions",
    "states": "stepfunctions",
    "cloudwatchlogs": "logs",
    "sagemakerruntime": "sagemaker-runtime",
    "eventbridge": "events",
    "ses": "ses",
    "elasticloadbalancingv2": "elbv2",
}
"""Where the Java SDK's name of a service is not boto3's."""

_TITLES = {
    "sfn": "Sfn",
    "s3": "S3",
    "lambda": "Lambda",
    "sagemaker": "SageMaker",
    "sagemakerruntime": "SageMakerRuntime",
    "dynamodb": "DynamoDb",
    "sts": "Sts",
    "iam": "Iam",
    "cloudwatchlogs": "CloudWatchLogs",
}


@cache
def names(service: str, action: str) -> tuple[str | None, str | None]:
    """boto3's names of a service and its method, or None for what there is not."""
    name = _OTHER_NAMES.get(service, service)
    try:
        methods = operations(name)
    except UnknownServiceError:
        return None, None
    operation = action[:1].upper() + action[1:]
    method = xform_name(operation)
    return name, method if methods.get(method) == operation else None


def title(service: str) -> str:
    """The first part of an error's name: "S3" of S3.NoSuchKeyException."""
    return _TITLES.get(service, service[:1].upper() + service[1:])


def exception_name(code: str) -> str:
    """The Java class of an error code."""
    short = code.rpartition(".")[2]
    return short if short.endswith("Exception") else f"{short}Exception"


def request(service: str, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as boto3 takes them, from the spelling of a state machine."""
    shape = service_model(service).operation_model(operations(service)[method]).input_shape
    taken: dict[str, Any] = _take(shape, arguments) if shape is not None else {}
    return taken


def faults(
    service: str, method: str, arguments: Mapping[str, Any], free: tuple[str, ...] = ()
) -> list[str]:
    """Why no request can be made of these arguments, in AWS's words; `free` members take any JSON
    value."""
    shape = service_model(service).operation_model(operations(service)[method]).input_shape
    if not isinstance(shape, StructureShape):
        return []
    given = {key[:1].lower() + key[1:]: value for key, value in arguments.items()}
    checked = {key: value for key, value in arguments.items() if key not in free}
    missing = (
        f"The field '{name[:1].upper()}{name[1:]}' is required but was missing"
        for name in shape.required_members
        if given.get(name[:1].lower() + name[1:]) is None
    )
    return [*missing, *_mistyped(shape, checked, "")]


def _mistyped(shape: Shape, value: Any, name: str) -> Iterator[str]:
    if value is None:
        return
    word, types = _JSON_TYPES.get(shape.type_name, ("", object))
    if not isinstance(value, types) or (isinstance(value, bool) and word == "NUMBER"):
        yield f"The value for the field '{name}' must be a {word}"
    elif isinstance(shape, StructureShape):
        members = {member.lower(): inner for member, inner in shape.members.items()}
        for key, each in value.items():
            if key.lower() in members:
                yield from _mistyped(members[key.lower()], each, key)
    elif isinstance(shape, ListShape):
        for each in value:
            yield from _mistyped(shape.member, each, name)
    elif isinstance(shape, MapShape):
        for key, each in value.items():
            yield from _mistyped(shape.value, each, key)


_JSON_TYPES: dict[str, tuple[str, Any]] = {
    "string": ("STRING", str),
    "character": ("STRING", str),
    "integer": ("NUMBER", (int, float)),
    "long": ("NUMBER", (int, float)),
    "float": ("NUMBER", (int, float)),
    "double": ("NUMBER", (int, float)),
    "boolean": ("BOOLEAN", bool),
    "list": ("LIST", list),
    "map": ("MAP", dict),
    "structure": ("MAP", dict),
}
"""Shapes that are not here, such as blobs and timestamps, take what JSON has."""


def response(service: str, method: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result in a state machine's spelling, as JSON values."""
    shape = service_model(service).operation_model(operations(service)[method]).output_shape
    shown = {key: value for key, value in result.items() if key != "ResponseMetadata"}
    given: dict[str, Any] = _give(shape, shown) if shape is not None else {}
    return given


def _take(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        members = {name.lower(): name for name in shape.members}
        return {
            members.get(key.lower(), key): _take_member(shape, members.get(key.lower()), each)
            for key, each in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_take(shape.member, each) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _take(shape.value, each) for key, each in value.items()}
    return _take_scalar(shape, value)


def _take_member(shape: StructureShape, name: str | None, value: Any) -> Any:
    return _take(shape.members[name], value) if name else value


def _take_scalar(shape: Shape, value: Any) -> Any:
    if shape.type_name == "blob":
        if isinstance(value, str):
            return whole(value).encode()
        if not isinstance(value, bytes):
            return dump(value).encode()
    if shape.type_name == "timestamp" and isinstance(value, str):
        moment = parse(value)
        return datetime.fromtimestamp(moment, UTC) if moment is not None else value
    return value


def _give(shape: Shape, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {
            key[:1].upper() + key[1:]: _give(shape.members[key], each) if key in shape.members
            else each
            for key, each in value.items()
            if each is not None
        }  # fmt: skip
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_give(shape.member, each) for each in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _give(shape.value, each) for key, each in value.items()}
    return _give_scalar(value)


def _give_scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    if isinstance(value, bytes) or hasattr(value, "read"):
        body = read_stream(value)
        try:
            return body.decode()
        except UnicodeDecodeError:
            return base64.b64encode(body).decode()
    return value


def read_stream(body: Any) -> bytes:
    """The bytes of a streaming member, which is then closed."""
    if isinstance(body, bytes):
        return body
    with body:
        found: bytes = body.read()
        return found
