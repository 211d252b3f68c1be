"""The aws-chunked encoding of S3 uploads: chunks inside the body, checksums after it.

    <size in hex>[;chunk-signature=<hex>]CRLF <data> CRLF ... 0[;...]CRLF <trailers> CRLF

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from scones.local.errors import ServiceError

_LONGEST_LINE = 8192


def is_aws_chunked(headers: dict[str, str]) -> bool:
    """Whether a request's body is encoded so."""
    return headers.get("x-amz-content-sha256", "").startswith("STREAMING-") or (
        "aws-chunked" in headers.get("content-encoding", "")
    )


def without_aws_chunked(content_encoding: str) -> str:
    """What is left of a Content-Encoding once the body is decoded; S3 does not store the rest."""
    names = (name.strip() for name in content_encoding.split(","))
    return ",".join(name for name in names if name and name != "aws-chunked")


class Decoder:
    """Takes the body in pieces of any size and gives back the data in it."""

    def __init__(self) -> None:
        self.trailers: dict[str, str] = {}
        """Names in lower case; complete once `finish` has returned."""
        self._buffer = bytearray()
        self._left = 0
        self._state = "size"

    def feed(self, piece: bytes) -> bytes:
        """The data that `piece` completes."""
        self._buffer += piece
        out = bytearray()
        while self._step(out):
            pass
        return bytes(out)

    def finish(self) -> None:
        """Refuse a body that stopped in the middle."""
        if self._state not in ("trailer", "end"):
            raise _incomplete()
        if self._buffer:  # a last trailer without the closing empty line
            self._trailer(bytes(self._buffer))

    def _step(self, out: bytearray) -> bool:
        if self._state == "data":
            return self._take_data(out)
        if self._state == "end":
            self._buffer.clear()
            return False
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            if len(line) > _LONGEST_LINE:
                raise _incomplete()
            return False
        self._buffer = rest
        if self._state == "size":
            self._size(bytes(line))
        elif self._state == "after data":
            self._state = "size"
        elif line:
            self._trailer(bytes(line))
        else:
            self._state = "end"
        return True

    def _take_data(self, out: bytearray) -> bool:
        taken = self._buffer[: self._left]
        del self._buffer[: self._left]
        out += taken
        self._left -= len(taken)
        if self._left:
            return False
        self._state = "after data"
        return True

    def _size(self, line: bytes) -> None:
        try:
            self._left = int(line.partition(b";")[0], 16)
        except ValueError as error:
            raise _incomplete() from error
        if self._left < 0:
            raise _incomplete()
        self._state = "data" if self._left else "trailer"

    def _trailer(self, line: bytes) -> None:
        name, _, value = line.decode("latin-1").partition(":")
        self.trailers[name.strip().lower()] = value.strip()


def _incomplete() -> ServiceError:
    message = "The request body terminated unexpectedly"
    return ServiceError("IncompleteBody", message)
