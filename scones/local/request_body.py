"""Request bodies as they arrive: small ones in memory, large ones in a nameless file."""

import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from scones.local.errors import ServiceError
from scones.local.protocol.aws_chunked import Decoder, is_aws_chunked, without_aws_chunked
from scones.local.protocol.messages import Request

Receive = Callable[[], Awaitable[dict[str, Any]]]

IN_MEMORY_BYTES = 2**20
"""Ours: half a dozen such uploads at once are still small beside the server itself."""
LARGEST_DOCUMENT_BYTES = 2**27
"""Of a body that must be parsed as one; a Lambda zip of 50 MB is 70 MB in base64."""

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class DisconnectedError(Exception):
    """The client went away before its request was complete."""


class _Collected:
    """Pieces of a body, moved into a file once they are many."""

    def __init__(self, folder: Path, streams: bool) -> None:
        self._folder = folder
        self._streams = streams
        self._pieces: list[bytes] = []
        self._file: BinaryIO | None = None
        self.size_bytes = 0

    def add(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self._file is not None:
            self._file.write(piece)
            return
        self._pieces.append(piece)
        if self._streams and self.size_bytes > IN_MEMORY_BYTES:
            self._file = cast(BinaryIO, tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
            self._file.writelines(self._pieces)
            self._pieces.clear()
        elif self.size_bytes > LARGEST_DOCUMENT_BYTES:
            limit = LARGEST_DOCUMENT_BYTES
            message = f"The request body is larger than {limit} bytes"
            raise ServiceError("RequestEntityTooLargeException", message, 413)

    def body(self) -> bytes | BinaryIO:
        if self._file is not None:
            self._file.seek(0)
            return self._file
        return b"".join(self._pieces)

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()


async def read_body(request: Request, receive: Receive, folder: Path, *, streams: bool) -> None:
    """Put the body into the request, decoded and checked.

    `streams`: the operation takes a file, so a large body is spooled under `folder`. Trailers of an
    aws-chunked body become headers.
    """
    headers = request.headers
    decoder = Decoder() if is_aws_chunked(headers) else None
    expected_sha256 = headers.get("x-amz-content-sha256", "")
    first = await _message(receive)
    if decoder is None and not first.get("more_body"):
        body = first.get("body", b"")
        if _SHA256.fullmatch(expected_sha256):
            _check_sha256(hashlib.sha256(body), expected_sha256)
        request.body, request.is_read = body, True
        return
    digest = hashlib.sha256() if _SHA256.fullmatch(expected_sha256) else None
    collected = _Collected(folder, streams)
    try:
        async for piece in _pieces(first, receive):
            if digest is not None:
                digest.update(piece)
            collected.add(decoder.feed(piece) if decoder else piece)
        if digest is not None:
            _check_sha256(digest, expected_sha256)
        if decoder is not None:
            _take_off_encoding(headers, decoder, collected.size_bytes)
    except BaseException:
        collected.discard()
        raise
    request.body = collected.body()
    request.is_read = True


async def _message(receive: Receive) -> dict[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise DisconnectedError
    return message


async def _pieces(message: dict[str, Any], receive: Receive) -> AsyncIterator[bytes]:
    while True:
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return
        message = await _message(receive)


def _check_sha256(digest: Any, expected: str) -> None:
    if digest.hexdigest() != expected.lower():
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise ServiceError("XAmzContentSHA256Mismatch", message)


def _take_off_encoding(headers: dict[str, str], decoder: Decoder, size_bytes: int) -> None:
    decoder.finish()
    expected = headers.get("x-amz-decoded-content-length")
    if expected is not None and expected != str(size_bytes):
        message = "The body is not as long as x-amz-decoded-content-length says"
        raise ServiceError("IncompleteBody", message)
    headers.update(_promised(headers, decoder.trailers))
    headers["content-length"] = str(size_bytes)
    left = without_aws_chunked(headers.pop("content-encoding", ""))
    if left:
        headers["content-encoding"] = left


def _promised(headers: dict[str, str], trailers: dict[str, str]) -> dict[str, str]:
    """The checksums among the trailers; ServiceError unless they are those that were promised.

    So none that a client set out to send goes unchecked, and no trailer becomes another header.
    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
    """
    promised = {name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")}
    sums = {name: text for name, text in trailers.items() if name != "x-amz-trailer-signature"}
    if promised - {""} != sums.keys() or not all(n.startswith("x-amz-checksum-") for n in sums):
        message = (
            "The request contained trailing data that was not well-formed or did not conform to "
            "our published schema."
        )
        raise ServiceError("MalformedTrailerError", message)
    return sums
