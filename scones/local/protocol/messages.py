"""A request and a response, as much of HTTP as the wire formats need."""

import io
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

JSON_TYPE = "application/json"
XML_TYPE = "application/xml"


class MalformedError(ValueError):
    """A request that is not what its model says; the message is meant for the client."""


class OutsideBodyError(MalformedError):
    """The same of its path, its query or its headers."""


@dataclass(slots=True)
class Request:
    """What a client asked, before anybody knows what it means."""

    method: str
    path: str
    """As sent, percent-encoded, without the query."""
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in lower case; repeated ones joined by ", "."""
    body: bytes | BinaryIO = b""
    """Bytes, or a seekable file at its start where it was large."""
    query: dict[str, list[str]] = field(default_factory=dict)
    """Decoded from `query_string`; a name without "=" has the value ""."""
    is_read: bool = False
    """Whether the body has been taken off the connection."""
    labels: tuple[str, ...] = ()
    """The path's labels, still percent-encoded, in the order of the route's template."""

    def __post_init__(self) -> None:
        if self.query_string:
            for name, value in parse_qsl(self.query_string, keep_blank_values=True):
                self.query.setdefault(name, []).append(value)

    def content(self) -> bytes:
        """The whole body in memory."""
        return self.body if isinstance(self.body, bytes) else self.body.read()

    def stream(self) -> BinaryIO:
        """The whole body as a seekable file."""
        return io.BytesIO(self.body) if isinstance(self.body, bytes) else self.body


@dataclass(slots=True)
class Response:
    """What goes back to the client."""

    status: int
    headers: dict[str, str]
    body: bytes | BinaryIO = b""
    """A file is sent from where it stands, and closed."""


Value = Any
"""What boto3 would take or give: str, int, float, bool, bytes, list, dict, aware datetime."""
