"""The many ways in which a function, or a layer, is named."""

import re
from typing import NamedTuple

LATEST = "$LATEST"
# arn:aws:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER, and each of its ends: API_Invoke.html,
# FunctionName. Region and account are not compared: a function resolves by its name.
_FUNCTION = re.compile(
    r"(?:(?:arn:[a-z-]+:lambda:)?[a-z0-9-]+:\d{12}:|\d{12}:)?(?:function:)?"
    r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>[$A-Za-z0-9_-]+))?"
)
_LAYER = re.compile(r"(?:arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:layer:)?(?P<name>[A-Za-z0-9_-]+)")
_LAYER_VERSION = re.compile(_LAYER.pattern + r":(?P<version>\d+)")


class Named(NamedTuple):
    """A function and, if one was given, which version of it."""

    name: str
    qualifier: str | None


def function(text: str, qualifier: str | None = None) -> Named:
    """Name, partial ARN or ARN, with its qualifier inside or beside it; ValueError for others."""
    match = _FUNCTION.fullmatch(text)
    if match is None:
        raise ValueError(f"function name {text!r} is neither a name nor an ARN of a function")
    inside = match["qualifier"]
    if inside and qualifier and inside != qualifier:
        raise ValueError(f"qualifier {qualifier!r} is not the one in {text!r}")
    return Named(match["name"], inside or qualifier)


def layer(text: str) -> str:
    """A layer's name, out of its name or ARN; ValueError for others."""
    match = _LAYER.fullmatch(text)
    if match is None:
        raise ValueError(f"layer name {text!r} is neither a name nor an ARN of a layer")
    return match["name"]


def layer_version(arn: str) -> tuple[str, int]:
    """Name and version in a layer version's ARN; ValueError for others."""
    match = _LAYER_VERSION.fullmatch(arn)
    if match is None:
        raise ValueError(f"{arn!r} is no ARN of a layer version")
    return match["name"], int(match["version"])
