"""The floor: a server that reads a request and answers what it always answers.

On the same ground as the local cloud: uvicorn, httptools, uvloop. What a client does with the
headers that S3 sends along (a date to parse, a checksum to hold the body to) is not the server's
doing; a second floor, which sends them too, tells how much it is.
"""

import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

from bench.peers import free_port, serving

BODY = bytes(range(256)) * 8
ETAG = b'"1576a94d6cb334dd126cb1c27f19e0f2"'
S3_HEADERS = [
    (b"accept-ranges", b"bytes"),
    (b"last-modified", b"Fri, 20 Nov 2026 11:00:08 GMT"),
    (b"x-amz-checksum-crc32", b"n17dWA=="),
    (b"x-amz-checksum-type", b"FULL_OBJECT"),
    (b"content-type", b"binary/octet-stream"),
    (b"x-amz-request-id", b"87787152-1de0-4395-b1ac-8c062ec7e63e"),
]
"""What the local cloud answers GetObject of `BODY` with, besides; seen."""

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


@contextlib.contextmanager
def nothing(kind: str = "bare") -> Iterator[str]:
    """It on a free port; its endpoint URL."""
    port = free_port()
    command = [sys.executable, "-m", "bench.nothing", str(port), kind]
    with serving(command, port, {}) as url:
        yield url


@contextlib.contextmanager
def nothing_with_headers() -> Iterator[str]:
    """The same, with the headers of an answer of S3."""
    with nothing("s3") as url:
        yield url


class Nothing:
    """PUT is answered with an ETag, GET with 2 KB."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._headers = headers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        while (await receive()).get("more_body"):
            pass
        body = BODY if scope["method"] == "GET" else b""
        size = str(len(body)).encode()
        headers = [(b"etag", ETAG), (b"content-length", size), *self._headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        Nothing(S3_HEADERS if sys.argv[2] == "s3" else []),
        port=int(sys.argv[1]), http="httptools", loop="uvloop", ws="none",
        lifespan="off", access_log=False, log_level="warning", server_header=False,
    )  # fmt: skip
