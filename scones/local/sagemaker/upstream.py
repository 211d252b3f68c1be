"""A lean HTTP/1.1 client for one serving child: kept-alive connections, whole bodies.

Written for InvokeEndpoint, where the cloud must add little to what the child itself takes.
"""

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools


@dataclass(frozen=True)
class Answer:
    """What the child said."""

    status: int
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes


class Upstream:
    """Connections to one port on this computer, as many as there are requests at a time."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self._address = (host, port)
        self._host = f"{host}:{port}"
        self._idle: list[_Connection] = []

    async def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Ask once; ConnectionError if the child does not answer to the end.

        A request on a connection that the child closed meanwhile goes out again on a fresh one,
        since not one byte of an answer had come.
        """
        message = self._head(method, path, headers or {}, len(body)) + body
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                try:
                    return await self._ask(connection, message)
                except _UntouchedError:
                    continue
        try:
            return await self._ask(await self._connect(), message)
        except _UntouchedError as error:
            raise ConnectionError("the container closed the connection") from error

    def close(self) -> None:
        """Let go of every idle connection."""
        while self._idle:
            self._idle.pop().close()

    def _head(self, method: str, path: str, headers: dict[str, str], size: int) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if method != "GET":
            lines.append(f"Content-Length: {size}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    async def _connect(self) -> "_Connection":
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, *self._address)
        return connection

    async def _ask(self, connection: "_Connection", message: bytes) -> Answer:
        answer = await connection.ask(message)
        if connection.usable:
            self._idle.append(connection)
        return answer


class _UntouchedError(ConnectionError):
    """The connection ended before the first byte of an answer."""


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self.usable = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    async def ask(self, message: bytes) -> Answer:
        """One request; whoever gives up waiting closes the connection."""
        assert self._transport is not None, "the loop connects before it hands us out"
        self._begin()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        try:
            return await self._waiting
        except BaseException:
            self.close()
            raise
        finally:
            self._waiting = None

    def close(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._touched = False

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:  # nothing was asked
            self.close()
            return
        self._touched = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(ConnectionError(f"the container does not speak HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self.usable = False
        if self._waiting is not None and not self._waiting.done():
            if self._touched:
                self._end_of_body()
            else:
                self._fail(_UntouchedError("closed"))

    def _end_of_body(self) -> None:
        """A body without a length ends with the connection (RFC 9112, 6.3); any other is torn."""
        named = {"content-length", "transfer-encoding"} & self._headers.keys()
        if named or not self._headers:
            self._fail(ConnectionError("the container closed the connection within its answer"))
        else:
            self.on_message_complete()

    def _fail(self, error: ConnectionError) -> None:
        self.usable = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    # What httptools calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            return
        self.usable = self.usable and self._parser.should_keep_alive()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(Answer(status, self._headers, b"".join(self._body)))
