"""Errors on the wire: one shape a protocol."""

from typing import Any

from botocore.model import ServiceModel

from scones.local.errors import ServiceError
from scones.local.protocol import json_body, xml_body
from scones.local.protocol.bindings import ResponseBindings, one_line, response_body_members
from scones.local.protocol.messages import JSON_TYPE, XML_TYPE, Response, Value


def fault(model: ServiceModel, error: ServiceError, request_id: str) -> Response:
    """The response that a client of this service reads as `error`.

    Where the model knows the error, its members go where the model puts them, and (but in JSON,
    where AWS answers 400) its status replaces a 400 that the service did not care to change.
    """
    shape = model.shape_for_error_code(error.code) if _known(model, error.code) else None
    status = error.status
    if shape is not None and status == 400 and model.metadata["protocol"] != "json":
        status = shape.metadata.get("error", {}).get("httpStatusCode", 400)
    return _FAULTS[model.metadata["protocol"]](model, shape, error, status, request_id)


def _known(model: ServiceModel, code: str) -> bool:
    return any(each.error_code == code or each.name == code for each in model.error_shapes)


def _json(
    model: ServiceModel, shape: Any, error: ServiceError, status: int, request_id: str
) -> Response:
    body = {"__type": error.code, **_members_in_json(shape, error)}
    content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.0')}"
    headers = {"x-amzn-requestid": request_id, "content-type": content_type}
    if model.is_query_compatible:
        fault_type = "Receiver" if status >= 500 else "Sender"
        headers["x-amzn-query-error"] = f"{error.code};{fault_type}"
        if shape is not None:
            body["__type"] = shape.name
    return Response(status, headers, json_body.encode(body))


def _rest_json(
    model: ServiceModel, shape: Any, error: ServiceError, status: int, request_id: str
) -> Response:
    headers = {"x-amzn-requestid": request_id, "x-amzn-errortype": one_line(error.code)}
    if shape is not None:
        headers.update(ResponseBindings(shape).write(error.members, status)[1])
    headers["content-type"] = JSON_TYPE
    return Response(status, headers, json_body.encode(_members_in_json(shape, error)))


def _query(
    model: ServiceModel, shape: Any, error: ServiceError, status: int, request_id: str
) -> Response:
    namespace = model.metadata.get("xmlNamespace", "")
    headers = {"x-amzn-requestid": request_id, "content-type": "text/xml"}
    return Response(status, headers, _wrapped(shape, error, status, request_id, namespace))


def _rest_xml(
    model: ServiceModel, shape: Any, error: ServiceError, status: int, request_id: str
) -> Response:
    headers = {"x-amz-request-id": request_id, "content-type": XML_TYPE}
    if shape is not None:
        headers.update(ResponseBindings(shape).write(error.members, status)[1])
    if model.service_name != "s3":
        return Response(status, headers, _wrapped(shape, error, status, request_id, ""))
    if status == 304:  # has no body, and must have the ETag: RFC 9110, section 15.4.5
        return Response(status, {"x-amz-request-id": request_id, "etag": error.members["ETag"]})
    details = "".join(_details(shape, error))
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{xml_body.escape(error.code)}</Code>"
        f"<Message>{xml_body.escape(error.message)}</Message>{details}"
        f"<RequestId>{request_id}</RequestId><HostId>{request_id}</HostId></Error>"
    )
    return Response(status, headers, body.encode())


_FAULTS = {"json": _json, "rest-json": _rest_json, "query": _query, "rest-xml": _rest_xml}


def _wrapped(
    shape: Any, error: ServiceError, status: int, request_id: str, namespace: str
) -> bytes:
    details = "".join(_details(shape, error))
    message = f"<Message>{xml_body.escape(error.message)}</Message>" if error.message else ""
    return (
        f'<ErrorResponse xmlns="{namespace}">'
        f"<Error><Type>{'Receiver' if status >= 500 else 'Sender'}</Type>"
        f"<Code>{xml_body.escape(error.code)}</Code>"
        f"{message}{details}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()


def _members_in_json(shape: Any, error: ServiceError) -> dict[str, Value]:
    members = response_body_members(shape) if shape is not None else {}
    message_name = next((name for name in members if name.lower() == "message"), "message")
    written = {message_name: error.message} if error.message or not members else {}
    for name, value in error.members.items():
        if name in members:
            key = members[name].serialization.get("name", name)
            written[key] = json_body.writer(members[name])(value)
        elif shape is None or name not in shape.members:
            written[name] = value
    return written


def _details(shape: Any, error: ServiceError) -> list[str]:
    out: list[str] = []
    members = response_body_members(shape) if shape is not None else {}
    for name, value in error.members.items():
        if name in members:
            element = members[name].serialization.get("name", name)
            xml_body.writer(members[name], element)(value, out)
        elif shape is None or name not in shape.members:
            out.append(f"<{name}>{xml_body.escape(str(value))}</{name}>")
    return out
