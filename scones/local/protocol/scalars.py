"""Scalars as text: in headers, paths, queries, forms and XML."""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache, partial
from typing import Any

from botocore.model import Shape

from scones.local.protocol.messages import MalformedError, Value

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_RANGES = {"integer": 2**31, "long": 2**63}


def text_reader(shape: Shape, timestamp_format: str = "iso8601") -> Callable[[str], Value]:
    """Text on the wire -> a value, for a scalar shape.

    `timestamp_format` is the place's own default: iso8601 in bodies and queries, rfc822 in headers.
    """
    kind = shape.type_name
    if kind == "timestamp":
        return partial(parse_timestamp, form=_timestamp_format(shape, timestamp_format))
    if kind in _RANGES:
        return partial(_read_integer, limit=_RANGES[kind])
    return _READERS[kind]


def text_writer(shape: Shape, timestamp_format: str = "iso8601") -> Callable[[Value], str]:
    """A value -> text on the wire, for a scalar shape."""
    if shape.type_name == "timestamp":
        return partial(format_timestamp, form=_timestamp_format(shape, timestamp_format))
    return _WRITERS.get(shape.type_name, str)


def parse_timestamp(text: str, form: str) -> datetime:
    """An aware moment from iso8601, rfc822 (as in HTTP dates) or unixtimestamp (seconds)."""
    try:
        if form == "unixtimestamp":
            return datetime.fromtimestamp(float(text), UTC)
        moment = parsedate_to_datetime(text) if form == "rfc822" else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedError(f"{text!r} is not a timestamp of the form {form}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_timestamp(moment: datetime, form: str) -> str:
    """The inverse; rfc822 has whole seconds only (RFC 9110, 5.6.7)."""
    if form == "unixtimestamp":
        return str(unix_seconds(moment))
    if form == "rfc822":
        return _http_date(moment)
    moment = moment.astimezone(UTC)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if moment.microsecond:
        text += f".{moment.microsecond:06}".removesuffix("000")
    return text + "Z"


@lru_cache(maxsize=4096)
def _http_date(moment: datetime) -> str:
    """Many objects are of the same second."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def unix_seconds(moment: datetime) -> int | float:
    """Seconds since 1970, an int where they are whole."""
    assert moment.tzinfo is not None, f"a timestamp without a time zone: {moment}"
    seconds = moment.timestamp()
    return seconds if moment.microsecond else int(seconds)


def decode_base64(text: str) -> bytes:
    """Bytes of a blob."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("a blob is not valid base64") from error


def encode_base64(value: bytes | str) -> str:
    """Base64 of a blob; text stands for its UTF-8."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def special_float(value: float) -> float | str:
    """NaN and the infinities as the words that the wire has for them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read_json_header(text: str) -> Any:
    """A header that holds JSON in base64."""
    try:
        return json.loads(decode_base64(text))
    except (ValueError, RecursionError) as error:
        raise MalformedError("a header is not JSON in base64") from error


def write_json_header(value: Any) -> str:
    """JSON in base64, for a header."""
    return encode_base64(json.dumps(value, separators=(",", ":")))


def _timestamp_format(shape: Shape, otherwise: str) -> str:
    return str(shape.serialization.get("timestampFormat", otherwise)).lower()


def _read_integer(text: str, limit: int) -> int:
    if not _INTEGER.fullmatch(text) or not -limit <= (value := int(text)) < limit:
        raise MalformedError(f"{text!r} is not an integer of {limit.bit_length()} bits")
    return value


def _read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise MalformedError(f"{text!r} is not a number") from error


def _read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered not in ("true", "false"):
        raise MalformedError(f"{text!r} is not true or false")
    return lowered == "true"


def _write_float(value: float) -> str:
    return str(special_float(value))


def _write_boolean(value: bool) -> str:
    return "true" if value else "false"


_READERS: dict[str, Callable[[str], Value]] = {
    "string": str,
    "character": str,
    "blob": decode_base64,
    "boolean": _read_boolean,
    "float": _read_float,
    "double": _read_float,
}
_WRITERS: dict[str, Callable[[Value], str]] = {
    "blob": encode_base64,
    "boolean": _write_boolean,
    "float": _write_float,
    "double": _write_float,
}
