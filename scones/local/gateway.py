"""One port for every service: a request in, the right method called, its result out.

A raw ASGI application: Starlette's routing and request objects would cost more than the rest of
the way from socket to service, and nothing here needs them.
"""

import asyncio
import io
import itertools
import json
import logging
import os
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs

from scones.local.callers import Admission
from scones.local.carried import Brief, Carried, Operation
from scones.local.checksums import check_document
from scones.local.errors import ServiceError
from scones.local.protocol.faults import fault
from scones.local.protocol.messages import (
    MalformedError,
    OutsideBodyError,
    Request,
    Response,
    Value,
)
from scones.local.protocol.models import service_model
from scones.local.request_body import DisconnectedError, Receive, read_body

Send = Callable[[dict[str, Any]], Awaitable[None]]
Page = Callable[[Request], Awaitable[Response]]
"""One of our own addresses under /_scones/."""

THREADS = 64
"""Of the pool for blocking methods; ours: more than a few tens of connections keep busy."""
_PIECE_BYTES = 2**18
_LENGTH = b"content-length"

_log = logging.getLogger(__name__)
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+?)(?:\.s3(?:[.-][a-z0-9-]+)?)?\.localhost(?::\d+)?", re.I)


class Gateway:
    """The ASGI application over a set of services."""

    def __init__(
        self,
        folder: Path,
        *,
        pages: Mapping[str, Page] | None = None,
        exposed_as: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`folder` takes large bodies while they are being read.

        `pages` are our own, by path; all but health need credentials, as everything does.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._pages = pages if pages is not None else {}
        self._admission = Admission(clock, exposed_as)
        self._run, self._numbers = str(uuid.uuid4())[:23], itertools.count(1)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="service")
        self.carried: dict[str, Carried] = {}
        self._by_target: dict[str, Carried] = {}
        self._by_scope: dict[str, Carried] = {}

    def carry(self, services: Mapping[str, Any], brief: Mapping[str, Brief] | None = None) -> None:
        """Take in services, by boto3's names; ValueError if one does not agree with its model.

        Apart from construction, because services are given `call`. `brief` are methods, by service,
        that may run on the event loop although they block.
        """
        for name, service in services.items():
            each = self.carried[name] = Carried(name, service, (brief or {}).get(name))
            if each.protocol == "json":
                self._by_target[each.model.metadata["targetPrefix"]] = each
            else:
                self._by_scope[each.model.signing_name] = each

    async def call(
        self, service: str, operation: str, arguments: dict[str, Value]
    ) -> dict[str, Value]:
        """Any carried operation, in process: boto3's names of service and method."""
        carried = self.carried.get(service)
        if carried is None or operation not in carried.by_method:
            message = f"The local cloud does not carry {service}:{operation}."
            raise ServiceError("NotImplemented", message, 501)
        found = carried.by_method[operation]
        found.refuse_types(arguments)
        result = await self._perform(found, arguments)
        result.pop("ResponseMetadata", None)
        return result

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1003})

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        request = Request(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            _headers(scope["headers"]),
        )
        try:
            response = await self._respond(request, receive)
            if "expect" in request.headers and not request.is_read:
                # The client will not send the body any more, but the parser still waits for it.
                response.headers["connection"] = "close"
            await _send(request, response, send)
        except DisconnectedError:
            _log.info("%s %s: the client went away", request.method, request.path)
        finally:
            if not isinstance(request.body, bytes):
                request.body.close()

    async def _respond(self, request: Request, receive: Receive) -> Response:
        request_id = self._request_id()
        carried: Carried | None = None
        try:
            self._admission.refuse_strangers(request.headers)
            if request.path.startswith("/_scones/"):
                return await self._page(request, receive)
            carried = self._service(request, self._admission.signed_for(request))
            operation = await self._operation(carried, request, receive)
            arguments = operation.wire.read(request)
            result = await self._perform(operation, arguments)
            return _write(operation, result, request_id)
        except ServiceError as error:
            return self._refusal(request, carried, error, request_id)
        except MalformedError as error:
            return self._refusal(request, carried, _malformed(carried, error), request_id)
        except DisconnectedError:
            raise
        except Exception:  # the edge: a bug of ours is the client's InternalFailure
            _log.exception("%s %s (%s)", request.method, request.path, request_id)
            return self._refusal(request, carried, _bug(carried), request_id)

    def _request_id(self) -> str:
        """Like a UUID: who serves, and the number of what it serves."""
        return f"{self._run}-{next(self._numbers):012x}"

    def _service(self, request: Request, scope: str) -> Carried:
        """The service that a request is for: by its target, else by what it was signed for."""
        target = request.headers.get("x-amz-target")
        if target is not None:
            name = target.rpartition(".")[0]
            carried = self._by_target.get(name)
        else:
            name = scope
            carried = self._by_scope.get(scope)
        if carried is None:
            known = ", ".join(sorted(self.carried))
            message = f"The local cloud does not carry {name}. It carries {known}."
            raise ServiceError("NotImplemented", message, 501)
        return carried

    async def _operation(self, carried: Carried, request: Request, receive: Receive) -> Operation:
        """Find the operation and read the body, in the order that the protocol allows."""
        if carried.protocol == "json":
            operation = carried.operation(_target(carried, request))
            await read_body(request, receive, self._folder, streams=False)
        elif carried.protocol == "query":
            await read_body(request, receive, self._folder, streams=False)
            operation = carried.operation(_action(carried, request))
        else:
            if carried.name == "s3":
                _to_path_style(request)
            operation = carried.operation(_routed(carried, request))
            await read_body(request, receive, self._folder, streams=operation.wire.streams)
            if carried.name == "s3" and request.body and _is_document(operation):
                check_document(request.headers, request.content())
        return operation

    async def _perform(self, operation: Operation, arguments: dict[str, Value]) -> dict[str, Value]:
        operation.refuse(arguments)
        if operation.is_async:
            result = await operation.method(**arguments)
        elif operation.is_brief(arguments):
            result = operation.method(**arguments)
        else:
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._pool, partial(operation.method, **arguments))
        return result or {}

    async def _page(self, request: Request, receive: Receive) -> Response:
        if request.path == "/_scones/health":
            body = json.dumps({"status": "ready", "pid": os.getpid()}).encode()
            return Response(200, {"content-type": "application/json"}, body)
        self._admission.signed_for(request)
        page = self._pages.get(request.path)
        if page is None:
            raise ServiceError("NotFound", f"There is no page {request.path}", 404)
        await read_body(request, receive, self._folder, streams=False)
        return await page(request)

    def _refusal(
        self, request: Request, carried: Carried | None, error: ServiceError, request_id: str
    ) -> Response:
        model = carried.model if carried is not None else service_model(_guess(request))
        return fault(model, error, request_id)


def _headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    if len(headers) < len(raw):
        together: dict[str, list[str]] = {}
        for name, value in raw:
            together.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        return {name: ", ".join(values) for name, values in together.items()}
    return headers


def _target(carried: Carried, request: Request) -> str:
    name = request.headers["x-amz-target"].rpartition(".")[2]
    if name not in carried.model.operation_names:
        raise ServiceError("UnknownOperationException", f"There is no operation {name!r}")
    return name


def _action(carried: Carried, request: Request) -> str:
    # POST only: a page from elsewhere can make a browser send GET without an Origin.
    form = parse_qs(request.content().decode("latin-1")) if request.method == "POST" else {}
    action = form.get("Action", [""])[0]
    if action not in carried.model.operation_names:
        version = carried.model.metadata["apiVersion"]
        message = f"Could not find operation {action} for version {version}"
        raise ServiceError("InvalidAction", message)
    return action


def _routed(carried: Carried, request: Request) -> str:
    name = carried.routes.find(request)
    if name is None:
        if carried.name == "s3":
            message = "The specified method is not allowed against this resource."
            raise ServiceError("MethodNotAllowed", message, 405)
        message = f"The local cloud does not carry {request.method} {request.path}."
        raise ServiceError("NotImplemented", message, 501)
    return name


def _is_document(operation: Operation) -> bool:
    """Whether a checksum in the headers is of the body as it was sent.

    A file's is its service's to check, and CompleteMultipartUpload's is the object's.
    """
    shape = operation.model.input_shape
    own = shape is not None and "ChecksumCRC32" in shape.members
    return not operation.wire.streams and not own


def _to_path_style(request: Request) -> None:
    match = _VIRTUAL_HOST.fullmatch(request.headers.get("host", ""))
    if match is not None:
        request.path = f"/{match['bucket']}{request.path}"


def _guess(request: Request) -> str:
    """The service whose errors a client that we do not serve would most likely understand."""
    if "x-amz-target" in request.headers:
        return "sagemaker"
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return "sts"
    if re.match(r"/20\d\d-\d\d-\d\d/|/_scones/", request.path):
        return "lambda"
    return "s3"


def _malformed(carried: Carried | None, error: MalformedError) -> ServiceError:
    in_xml = "InvalidArgument" if isinstance(error, OutsideBodyError) else "MalformedXML"
    codes = {"query": "MalformedInput", "rest-xml": in_xml}
    code = codes.get(carried.protocol if carried else "", "SerializationException")
    return ServiceError(code, str(error))


def _bug(carried: Carried | None) -> ServiceError:
    code = "InternalError" if carried is None or carried.name == "s3" else "InternalFailure"
    return ServiceError(code, "We encountered an internal error. Please try again.", 500)


def _write(operation: Operation, result: dict[str, Value], request_id: str) -> Response:
    metadata = result.pop("ResponseMetadata", None)
    response = operation.wire.write(result, request_id)
    if metadata is not None:
        response.status = metadata.get("HTTPStatusCode", response.status)
        response.headers.update(metadata.get("HTTPHeaders", {}))
    return response


async def _send(request: Request, response: Response, send: Send) -> None:
    body = response.body
    if isinstance(body, io.BytesIO):
        body = body.read()  # in memory already: needs no thread and no second message
    has_length = response.status not in (204, 304)  # RFC 9110, sections 15.3.5 and 15.4.5
    has_body = has_length and request.method != "HEAD"
    headers = {_name(name): _encode(value) for name, value in response.headers.items()}
    if has_length and _LENGTH not in headers:
        headers[_LENGTH] = b"%d" % (len(body) if isinstance(body, bytes) else _left(body))
    start = {
        "type": "http.response.start",
        "status": response.status,
        "headers": list(headers.items()),
    }
    await send(start)
    if isinstance(body, bytes):
        await send({"type": "http.response.body", "body": body if has_body else b""})
        return
    with body:
        if has_body:
            await _send_file(body, int(headers[_LENGTH]), send)
    await send({"type": "http.response.body", "body": b""})


async def _send_file(body: BinaryIO, size_bytes: int, send: Send) -> None:
    loop = asyncio.get_running_loop()
    while size_bytes > 0:
        piece = await loop.run_in_executor(None, body.read, min(_PIECE_BYTES, size_bytes))
        assert piece, "a file is shorter than its Content-Length"
        size_bytes -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})


def _left(body: BinaryIO) -> int:
    here = body.tell()
    end = body.seek(0, os.SEEK_END)
    body.seek(here)
    return end - here


@lru_cache(maxsize=1024)
def _name(text: str) -> bytes:
    """A header's name; those of models are few, those of users' metadata many."""
    return _encode(text.lower())


def _encode(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
