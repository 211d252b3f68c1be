"""The Lambda Runtime API of one worker: what its runtime asks for and answers, over HTTP.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. A listener for each worker, since
the address has no room for its name: awslambdaric takes AWS_LAMBDA_RUNTIME_API as host and port
only. Written on a bare asyncio protocol: warm invocations are a worker's whole life.
"""

import asyncio
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import unquote

import httptools

_PREFIX = "/2018-06-01/runtime/"
_ERROR_TYPE = "lambda-runtime-function-error-type"


@dataclass(frozen=True)
class Invocation:
    """One event on its way into a handler."""

    request_id: str
    payload: bytes
    deadline_ms: int
    """When the handler's time is over, in milliseconds since 1970."""
    function_arn: str
    trace_id: str
    client_context: str | None = None
    """JSON, as the caller sent it."""


@dataclass(frozen=True)
class Answer:
    """What came back from the runtime."""

    payload: bytes
    error_type: str | None = None
    """None: the handler returned."""
    starting: bool = False
    """It failed before it could take an event."""


class EndedError(Exception):
    """The worker ended without an answer; the words are AWS's."""


@dataclass
class _Turn:
    """One invocation at the worker."""

    invocation: Invocation
    answer: asyncio.Future[Answer]


class RuntimeApi:
    """Hands one invocation at a time to the worker that asks for it, and takes its answer."""

    def __init__(self) -> None:
        self.address = ""
        """Host and port, for AWS_LAMBDA_RUNTIME_API."""
        self.ready: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        """None once the handler is imported and waits; an Answer where that failed."""
        self._server: asyncio.Server | None = None
        self._parked: _Connection | None = None
        self._turn: _Turn | None = None

    async def open(self) -> None:
        """Listen on a free loopback port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening; the worker is gone or about to be."""
        if self._server is not None:
            self._server.close()

    def hand_over(self, invocation: Invocation) -> asyncio.Future[Answer]:
        """Give the worker its next event: at once if it waits for one, else when it asks."""
        self._turn = _Turn(invocation, asyncio.get_running_loop().create_future())
        if self._parked is not None:
            self._give(self._parked, invocation)
        return self._turn.answer

    def end(self, how: str) -> None:
        """The worker is dead: whoever waits for it gets an EndedError."""
        self.close()
        for waiting in (self.ready, self._turn.answer if self._turn else None):
            if waiting is not None and not waiting.done():
                waiting.set_exception(EndedError(how))
                waiting.exception()  # seen: nobody may be waiting any more

    def handle(self, asked: "_Asked", connection: "_Connection") -> None:
        """One request of the worker."""
        headers = asked.headers
        # A web page, not a runtime; browsers send no Origin with the GET of an image.
        if headers.get("host") != self.address or {"origin", "sec-fetch-site"} & headers.keys():
            connection.reply("403 Forbidden")
        elif asked.method == b"GET" and asked.path == "invocation/next":
            self._next(connection)
        elif asked.path == "init/error":
            connection.reply("202 Accepted")
            if not self.ready.done():
                error_type = headers.get(_ERROR_TYPE, "Runtime.Unknown")
                self.ready.set_result(Answer(asked.body, error_type, starting=True))
        else:
            self._answered(asked, connection)

    def _next(self, connection: "_Connection") -> None:
        if not self.ready.done():
            self.ready.set_result(None)
        self._parked = connection
        if self._turn is not None:
            self._give(connection, self._turn.invocation)

    def _give(self, connection: "_Connection", invocation: Invocation) -> None:
        headers = {
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
        }
        if invocation.client_context is not None:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        self._parked = None
        connection.reply("200 OK", invocation.payload, headers)

    def _answered(self, asked: "_Asked", connection: "_Connection") -> None:
        kind, _, rest = asked.path.partition("/")
        request_id, _, outcome = rest.partition("/")
        turn = self._turn
        known = kind == "invocation" and outcome in ("response", "error")
        if not known or turn is None or request_id != turn.invocation.request_id:
            connection.reply("400 Bad Request")
            return
        failed = outcome == "error"
        error_type = asked.headers.get(_ERROR_TYPE, "Unhandled") if failed else None
        connection.reply("202 Accepted")
        self._turn = None
        if not turn.answer.done():
            turn.answer.set_result(Answer(asked.body, error_type))


@dataclass
class _Asked:
    method: bytes = b""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, for one runtime."""

    def __init__(self, api: RuntimeApi) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._asked = _Asked()
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.reply("400 Bad Request")
            self._close()

    def on_message_begin(self) -> None:
        self._asked, self._body = _Asked(), []

    def on_url(self, url: bytes) -> None:
        self._asked.path += unquote(url.decode("latin-1"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._asked.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        asked = self._asked
        asked.method, asked.body = self._parser.get_method(), b"".join(self._body)
        if asked.path.startswith(_PREFIX):
            asked.path = asked.path.removeprefix(_PREFIX)
            self._api.handle(asked, self)
        else:
            self.reply("404 Not Found")

    def reply(
        self, status: str, body: bytes = b'{"status":"OK"}', headers: dict[str, str] | None = None
    ) -> None:
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        if self._transport is not None:
            self._transport.write("\r\n".join(lines).encode() + body)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
