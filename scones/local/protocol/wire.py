"""How one operation reads its request and writes its response, for each protocol."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from botocore.model import OperationModel, StructureShape

from scones.local.protocol import form_body, json_body, s3_xml, xml_body
from scones.local.protocol.bindings import (
    RequestBindings,
    ResponseBindings,
    request_body_members,
    response_body_members,
)
from scones.local.protocol.messages import (
    JSON_TYPE,
    XML_TYPE,
    MalformedError,
    Request,
    Response,
    Value,
)

Read = Callable[[Request], dict[str, Value]]
Write = Callable[[dict[str, Value], str], Response]


@dataclass(frozen=True)
class Wire:
    """One operation, made once."""

    read: Read
    """A request -> the arguments that boto3 was given, or `MalformedError`."""
    write: Write
    """A result and a request id to the response."""
    streams: bool
    """The input's payload is a file: the body need not fit in memory."""


def wire(operation: OperationModel) -> Wire:
    """The wire format of an operation, from its service's protocol."""
    return _WIRES[operation.metadata["protocol"]](operation)


def _json(operation: OperationModel) -> Wire:
    read_body = json_body.reader(operation.input_shape) if operation.input_shape else None
    write_body = json_body.writer(operation.output_shape) if operation.output_shape else None
    content_type = f"application/x-amz-json-{operation.metadata.get('jsonVersion', '1.0')}"

    def read(request: Request) -> dict[str, Value]:
        body = request.content()
        if read_body is None or not body:
            return {}
        found: dict[str, Value] = read_body(json_body.decode(body))
        return found

    def write(result: dict[str, Value], request_id: str) -> Response:
        body = json_body.encode(write_body(result)) if write_body else b"{}"
        headers = {"x-amzn-requestid": request_id, "content-type": content_type}
        return Response(200, headers, body)

    return Wire(read, write, streams=False)


def _query(operation: OperationModel) -> Wire:
    read_form = form_body.reader(operation.input_shape) if operation.input_shape else None
    name = operation.name
    namespace = operation.metadata.get("xmlNamespace", "")
    opening = f'<{name}Response xmlns="{namespace}">'
    output = operation.output_shape
    wrapper = f"{name}Result"
    if output is not None:
        wrapper = output.serialization.get("resultWrapper", wrapper)
    write_result = xml_body.writer(output, wrapper) if output else None

    def read(request: Request) -> dict[str, Value]:
        found: dict[str, Value] = (
            read_form(form_body.decode(request.content())) if read_form else {}
        )
        return found

    def write(result: dict[str, Value], request_id: str) -> Response:
        out = [opening]
        if write_result:
            write_result(result, out)
        out.append(
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
            f"</{name}Response>"
        )
        headers = {"x-amzn-requestid": request_id, "content-type": "text/xml"}
        return Response(200, headers, "".join(out).encode())

    return Wire(read, write, streams=False)


def _rest(operation: OperationModel, body: "_Body", id_header: str) -> Wire:
    """`body` tells how structures stand in the body: JSON or XML."""
    read_request, streams = _rest_reader(operation, body)
    write_result = _rest_writer(operation, body)

    def write(result: dict[str, Value], request_id: str) -> Response:
        response = write_result(result)
        response.headers[id_header] = request_id
        return response

    return Wire(read_request, write, streams)


@dataclass(frozen=True)
class _Body:
    content_type: str
    reader: Callable[[Any, dict[str, Any]], Callable[[bytes], Value]]
    """A structure's shape and those of its members that are in the body."""
    writer: Callable[[Any, str], Callable[[Value], bytes]]
    empty: bytes
    """Of an output without any member in the body."""


def _rest_reader(operation: OperationModel, body: _Body) -> tuple[Read, bool]:
    shape = operation.input_shape
    if shape is None:
        return (lambda request: {}), False
    bindings = RequestBindings(shape, operation.http["requestUri"].partition("?")[0])
    payload = shape.serialization.get("payload")
    if payload is None:
        members = request_body_members(shape)
        read_members = body.reader(shape, members) if members else None

        def read(request: Request) -> dict[str, Value]:
            found = bindings.read(request)
            if read_members is not None and (content := request.content()):
                found.update(read_members(content))
            return found

        return read, False
    read_payload, streams = _payload_reader(shape, payload, body)

    def read_with_payload(request: Request) -> dict[str, Value]:
        found = bindings.read(request)
        value = read_payload(request)
        if value is not None:
            found[payload] = value
        return found

    return read_with_payload, streams


def _payload_reader(
    shape: StructureShape, payload: str, body: _Body
) -> tuple[Callable[[Request], Value], bool]:
    member = shape.members[payload]
    if member.type_name == "blob":
        if member.serialization.get("streaming"):
            return Request.stream, True
        return (lambda request: request.content() or None), False
    if member.type_name == "string":
        return _text, False
    read_body = body.reader(member, getattr(member, "members", {}))

    def read(request: Request) -> Value:
        content = request.content()
        return read_body(content) if content else None

    return read, False


def _text(request: Request) -> str | None:
    try:
        return request.content().decode() or None
    except UnicodeDecodeError as error:
        raise MalformedError("the request body is not UTF-8") from error


def _rest_writer(operation: OperationModel, body: _Body) -> Callable[[dict[str, Value]], Response]:
    shape = operation.output_shape
    status = operation.http.get("responseCode", 200)
    if shape is None:
        return lambda result: Response(status, {})
    bindings = ResponseBindings(shape)
    write_body = _response_body(operation, shape, body)
    known = frozenset(shape.members)

    def write(result: dict[str, Value]) -> Response:
        assert known.issuperset(result), f"{shape.name} has no {set(result) - known}"
        actual_status, headers = bindings.write(result, status)
        content_type, content = write_body(result)
        if content_type is not None and "Content-Type" not in headers:
            headers["Content-Type"] = content_type
        return Response(actual_status, headers, content)

    return write


def _response_body(
    operation: OperationModel, shape: StructureShape, body: _Body
) -> Callable[[dict[str, Value]], tuple[str | None, Any]]:
    payload = shape.serialization.get("payload")
    if payload is None:
        members = response_body_members(shape)
        write_members = body.writer(shape, _root_name(operation, shape))
        if not members:
            empty = (body.content_type if body.empty else None), body.empty
            return lambda result: empty
        return lambda result: (
            body.content_type,
            write_members({name: result[name] for name in members if name in result}),
        )
    member = shape.members[payload]
    if member.type_name == "blob":
        return lambda result: ("application/octet-stream", result.get(payload) or b"")
    if member.type_name == "string":
        return lambda result: ("text/plain", (result.get(payload) or "").encode())
    write_payload = body.writer(member, member.serialization.get("name", member.name))

    def write(result: dict[str, Value]) -> tuple[str | None, Any]:
        value = result.get(payload)
        return (None, b"") if value is None else (body.content_type, write_payload(value))

    return write


def _root_name(operation: OperationModel, shape: StructureShape) -> str:
    if operation.service_model.service_name == "s3":
        return s3_xml.root_name(operation.name)
    return str(shape.serialization.get("name", f"{operation.name}Result"))


def _json_reader(shape: Any, members: dict[str, Any]) -> Callable[[bytes], Value]:
    read = json_body.reader(shape)
    names = frozenset(members)
    whole = shape.type_name != "structure" or shape.is_document_type

    def read_bytes(content: bytes) -> Value:
        value = read(json_body.decode(content))
        return value if whole else {k: v for k, v in value.items() if k in names}

    return read_bytes


def _json_writer(shape: Any, name: str) -> Callable[[Value], bytes]:
    write = json_body.writer(shape)
    return lambda value: json_body.encode(write(value))


def _xml_reader(shape: Any, members: dict[str, Any]) -> Callable[[bytes], Value]:
    read = xml_body.reader(shape)

    def read_bytes(content: bytes) -> Value:
        value = read([xml_body.decode(content)])
        return {k: v for k, v in value.items() if k in members} if members else value

    return read_bytes


def _xml_writer(shape: Any, name: str) -> Callable[[Value], bytes]:
    write = xml_body.writer(shape, name)

    def write_bytes(value: Value) -> bytes:
        out = ['<?xml version="1.0" encoding="UTF-8"?>\n']
        write(value, out)
        return "".join(out).encode()

    return write_bytes


_JSON = _Body(JSON_TYPE, _json_reader, _json_writer, b"{}")
_XML = _Body(XML_TYPE, _xml_reader, _xml_writer, b"")


def _rest_json(operation: OperationModel) -> Wire:
    return _rest(operation, _JSON, "x-amzn-requestid")


def _rest_xml(operation: OperationModel) -> Wire:
    made = _rest(operation, _XML, "x-amz-request-id")
    if operation.name == "GetBucketLocation":
        return replace(made, write=s3_xml.write_bucket_location)
    return made


_WIRES: dict[str, Callable[[OperationModel], Wire]] = {
    "json": _json,
    "query": _query,
    "rest-json": _rest_json,
    "rest-xml": _rest_xml,
}
