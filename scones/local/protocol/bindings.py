"""Members of REST requests and responses that travel outside the body: labels, query, headers."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from botocore.model import Shape, StructureShape

from scones.local.protocol.messages import MalformedError, OutsideBodyError, Request, Value
from scones.local.protocol.scalars import (
    read_json_header,
    text_reader,
    text_writer,
    write_json_header,
)

_REQUEST_PLACES = ("uri", "querystring", "header", "headers")
_RESPONSE_PLACES = ("header", "headers", "statusCode")
_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*))\s*(?:,|$)')
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def request_body_members(shape: StructureShape) -> dict[str, Shape]:
    """The members of an input that the body holds."""
    return _members_elsewhere(shape, _REQUEST_PLACES)


def response_body_members(shape: StructureShape) -> dict[str, Shape]:
    """The members of an output that the body holds."""
    return _members_elsewhere(shape, _RESPONSE_PLACES)


class RequestBindings:
    """Reads what an operation's input has in the path, the query and the headers."""

    def __init__(self, shape: StructureShape, uri_template: str) -> None:
        names = [label.rstrip("+") for label in re.findall(r"{(.*?)}", uri_template)]
        self._labels: list[tuple[str, Callable[[str], Value]] | None] = [None] * len(names)
        self._query: list[tuple[str, str, Callable[[list[str]], Value]]] = []
        self._query_maps: list[tuple[str, Any]] = []
        self._headers: dict[str, tuple[str, Callable[[str], Value]]] = {}
        self._prefixes: list[tuple[str, str]] = []
        for member, bound in shape.members.items():
            name = bound.serialization.get("name", member)
            match bound.serialization.get("location"):
                case "uri":
                    self._labels[names.index(name)] = member, text_reader(bound)
                case "querystring" if bound.type_name == "map":
                    self._query_maps.append((member, bound))
                case "querystring":
                    self._query.append((name, member, _query_reader(bound)))
                case "header":
                    self._headers[name.lower()] = member, header_reader(bound)
                case "headers":
                    self._prefixes.append((name.lower(), member))

    def read(self, request: Request) -> dict[str, Value]:
        """The members that the request has; OutsideBodyError for one that cannot be read."""
        try:
            return self._read(request)
        except MalformedError as error:
            raise OutsideBodyError(str(error)) from error

    def _read(self, request: Request) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for bound, text in zip(self._labels, request.labels, strict=True):
            if bound is not None:
                found[bound[0]] = bound[1](_unquote(text))
        if request.query:
            self._read_query(request.query, found)
        for name, text in request.headers.items():
            if name in self._headers:
                member, read = self._headers[name]
                found[member] = read(text)
        for prefix, member in self._prefixes:
            start = len(prefix)
            matching = {k[start:]: v for k, v in request.headers.items() if k.startswith(prefix)}
            if matching:
                found[member] = matching
        return found

    def _read_query(self, query: dict[str, list[str]], found: dict[str, Value]) -> None:
        for name, member, read in self._query:
            if name in query:
                found[member] = read(query[name])
        named = {name for name, _, _ in self._query}
        for member, shape in self._query_maps:
            lists = shape.value.type_name == "list"
            others = {k: v if lists else v[0] for k, v in query.items() if k not in named}
            if others:
                found[member] = others


class ResponseBindings:
    """Writes what an operation's output has in the status and the headers."""

    def __init__(self, shape: StructureShape) -> None:
        self._headers: dict[str, tuple[str, Callable[[Value], str]]] = {}
        self._prefixes: list[tuple[str, str]] = []
        self._status: str | None = None
        for member, bound in shape.members.items():
            name = bound.serialization.get("name", member)
            match bound.serialization.get("location"):
                case "header":
                    self._headers[member] = name, header_writer(bound)
                case "headers":
                    self._prefixes.append((name, member))
                case "statusCode":
                    self._status = member

    def write(self, result: dict[str, Value], status: int) -> tuple[int, dict[str, str]]:
        """The status, `status` if the output has no member for it, and the headers."""
        headers = {}
        for member, value in result.items():  # a few, of the sixty that GetObject may have
            if value is not None and member in self._headers:
                name, write = self._headers[member]
                headers[name] = one_line(write(value))
        for prefix, member in self._prefixes:
            for key, value in (result.get(member) or {}).items():
                headers[one_line(prefix + key)] = one_line(value)
        if self._status is not None and result.get(self._status) is not None:
            status = result[self._status]
        return status, headers


def _members_elsewhere(shape: StructureShape, places: tuple[str, ...]) -> dict[str, Shape]:
    members = shape.members.items()
    return {n: each for n, each in members if each.serialization.get("location") not in places}


def one_line(text: str) -> str:
    """A header's value must not be able to end the header."""
    return text if text.isprintable() else _CONTROL.sub(" ", text)


def header_reader(shape: Any) -> Callable[[str], Value]:
    """Text of a header -> a value."""
    if shape.type_name == "list":
        return _list_reader(shape.member)
    if shape.serialization.get("jsonvalue"):
        return read_json_header
    return text_reader(shape, "rfc822")


def header_writer(shape: Any) -> Callable[[Value], str]:
    """A value -> text of a header."""
    if shape.type_name == "list":
        write = header_writer(shape.member)
        quoted = shape.member.type_name == "string"
        return lambda items: ", ".join(_quote(write(i)) if quoted else write(i) for i in items)
    if shape.serialization.get("jsonvalue"):
        return write_json_header
    return text_writer(shape, "rfc822")


def _list_reader(member: Shape) -> Callable[[str], Value]:
    read = header_reader(member)
    form = member.serialization.get("timestampFormat", "rfc822").lower()
    if member.type_name == "timestamp" and form == "rfc822":  # has a comma of its own
        return lambda text: [read(each) for each in re.findall(r"[^,]+,[^,]+", text)]
    return lambda text: [read(each) for each in _split(text)]


def _split(text: str) -> list[str]:
    items = []
    position = 0
    while position < len(text):
        match = _LIST_ITEM.match(text, position)
        if match is None:
            raise MalformedError(f"{text!r} is not a list of header values")
        quoted, plain = match.groups()
        items.append(plain.strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return items


def _quote(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"' if '"' in text or "," in text else text


def _query_reader(shape: Any) -> Callable[[list[str]], Value]:
    if shape.type_name == "list":
        read_item = text_reader(shape.member)
        return lambda texts: [read_item(each) for each in texts]
    read = text_reader(shape)
    return lambda texts: read(texts[0])


def _unquote(text: str) -> str:
    try:
        return unquote(text, errors="strict") if "%" in text else text
    except UnicodeDecodeError as error:
        raise MalformedError(f"{text!r} is not percent-encoded UTF-8") from error
