"""uvicorn's HTTP protocol, with head and body of an answer leaving in one piece.

uvicorn writes one after the other, and uvloop sends each at once: two system calls here, and a
client that wakes up twice.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The client waits for it, and nothing follows before its body."""


class OnePieceProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=...)`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _Joining(transport, self.loop)))


class _Joining:
    """A transport that keeps what is written back for the next piece, or the loop's next turn.

    Sending all at the turn's end instead makes the first of several answers wait for the last one:
    the clients idle meanwhile, and then the server does.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._first = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if data == _GO_ON and not self._first:
            self._transport.write(data)
        elif self._first:
            first, self._first = self._first, b""
            self._transport.write(first + data)
        elif data:
            self._first = data
            self._loop.call_soon(self._send)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._first:
            first, self._first = self._first, b""
            self._transport.write(first)
