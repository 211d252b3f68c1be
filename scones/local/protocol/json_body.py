"""JSON bodies. Readers and writers are made once from a shape; members on first use.

A model's shapes are recursive and, for SageMaker, thousands; a structure's table of members is
therefore built when the first value of it passes, and only as deep as values go.
"""

import json
from collections.abc import Callable
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from scones.local.protocol.messages import MalformedError, Value
from scones.local.protocol.scalars import (
    decode_base64,
    encode_base64,
    format_timestamp,
    parse_timestamp,
    special_float,
    unix_seconds,
)

Reader = Callable[[Any], Value]
Writer = Callable[[Value], Any]

_SPECIAL_FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def decode(body: bytes) -> Any:
    """A JSON text; `MalformedError` for anything else, also for text that is no Unicode."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        if b"\\ud" in body or b"\\uD" in body:  # perhaps half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise MalformedError("the request body is not valid JSON") from error
    return value


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def reader(shape: Shape) -> Reader:
    """What JSON gives -> what boto3 takes."""
    return _READERS[shape.type_name](shape)


def writer(shape: Shape) -> Writer:
    """What boto3 gives -> what JSON takes."""
    return _WRITERS.get(shape.type_name, _unchanged)(shape)


def _read_structure(shape: StructureShape) -> Reader:
    if shape.is_document_type:
        return _same
    members: dict[str, tuple[str, Reader]] = {}

    def read(value: Any) -> Value:
        if not isinstance(value, dict):
            raise _mismatch(value, "a structure")
        if not members:
            for name, member in shape.members.items():
                members[member.serialization.get("name", name)] = name, reader(member)
        found = {}
        for key, item in value.items():
            if item is not None and key in members:
                name, read_member = members[key]
                found[name] = read_member(item)
        return found

    return read


def _read_list(shape: ListShape) -> Reader:
    items: list[Reader] = []

    def read(value: Any) -> Value:
        if not isinstance(value, list):
            raise _mismatch(value, "a list")
        if not items:
            items.append(reader(shape.member))
        read_item = items[0]
        return [None if item is None else read_item(item) for item in value]

    return read


def _read_map(shape: MapShape) -> Reader:
    values: list[Reader] = []

    def read(value: Any) -> Value:
        if not isinstance(value, dict):
            raise _mismatch(value, "a map")
        if not values:
            values.append(reader(shape.value))
        read_value = values[0]
        return {key: None if item is None else read_value(item) for key, item in value.items()}

    return read


def _read_timestamp(shape: Shape) -> Reader:
    form = str(shape.serialization.get("timestampFormat", "unixtimestamp")).lower()
    expected = (int, float) if form == "unixtimestamp" else (str,)

    def read(value: Any) -> Value:
        if not isinstance(value, expected) or isinstance(value, bool):
            raise _mismatch(value, f"a timestamp of the form {form}")
        return parse_timestamp(str(value), form)

    return read


def _read_blob(shape: Shape) -> Reader:
    def read(value: Any) -> Value:
        if not isinstance(value, str):
            raise _mismatch(value, "a blob in base64")
        return decode_base64(value)

    return read


def _read_string(shape: Shape) -> Reader:
    def read(value: Any) -> Value:
        if not isinstance(value, str):
            raise _mismatch(value, "a string")
        return value

    return read


def _read_boolean(shape: Shape) -> Reader:
    def read(value: Any) -> Value:
        if not isinstance(value, bool):
            raise _mismatch(value, "a boolean")
        return value

    return read


def _read_integer(shape: Shape) -> Reader:
    limit = 2**31 if shape.type_name == "integer" else 2**63

    def read(value: Any) -> Value:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not -limit <= value < limit:
            raise _mismatch(value, f"an {shape.type_name} of {limit.bit_length()} bits")
        return value

    return read


def _read_float(shape: Shape) -> Reader:
    def read(value: Any) -> Value:
        if isinstance(value, str) and value in _SPECIAL_FLOATS:
            return _SPECIAL_FLOATS[value]
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _mismatch(value, "a number")
        return value

    return read


def _write_structure(shape: StructureShape) -> Writer:
    if shape.is_document_type:
        return _same
    members: dict[str, tuple[str, Writer]] = {}

    def write(value: Value) -> Any:
        if not members:
            for name, member in shape.members.items():
                members[name] = member.serialization.get("name", name), writer(member)
        written = {}
        for name, item in value.items():
            assert name in members, f"{shape.name} has no member {name}"
            if item is not None:
                key, write_member = members[name]
                written[key] = write_member(item)
        return written

    return write


def _write_list(shape: ListShape) -> Writer:
    items: list[Writer] = []

    def write(value: Value) -> Any:
        if not items:
            items.append(writer(shape.member))
        write_item = items[0]
        return [None if item is None else write_item(item) for item in value]

    return write


def _write_map(shape: MapShape) -> Writer:
    values: list[Writer] = []

    def write(value: Value) -> Any:
        if not values:
            values.append(writer(shape.value))
        write_value = values[0]
        return {key: None if item is None else write_value(item) for key, item in value.items()}

    return write


def _write_timestamp(shape: Shape) -> Writer:
    form = str(shape.serialization.get("timestampFormat", "unixtimestamp")).lower()
    if form == "unixtimestamp":
        return unix_seconds
    return lambda moment: format_timestamp(moment, form)


def _write_blob(shape: Shape) -> Writer:
    return encode_base64


def _write_float(shape: Shape) -> Writer:
    return special_float


def _unchanged(shape: Shape) -> Writer:
    return _same


def _same(value: Any) -> Any:
    return value


def _mismatch(value: Any, expected: str) -> MalformedError:
    kinds = {dict: "a structure", list: "a list", str: "a string", bool: "a boolean"}
    return MalformedError(f"{kinds.get(type(value), 'a number')} cannot be converted to {expected}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_READERS: dict[str, Callable[[Any], Reader]] = {
    "structure": _read_structure,
    "list": _read_list,
    "map": _read_map,
    "timestamp": _read_timestamp,
    "blob": _read_blob,
    "string": _read_string,
    "character": _read_string,
    "boolean": _read_boolean,
    "integer": _read_integer,
    "long": _read_integer,
    "float": _read_float,
    "double": _read_float,
}
_WRITERS: dict[str, Callable[[Any], Writer]] = {
    "structure": _write_structure,
    "list": _write_list,
    "map": _write_map,
    "timestamp": _write_timestamp,
    "blob": _write_blob,
    "float": _write_float,
    "double": _write_float,
}
