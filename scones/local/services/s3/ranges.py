"""Which bytes of an object are asked for, and a stream of just those."""

import io
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO, cast

from scones.local.errors import ServiceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_RANGE = re.compile(r"bytes=(\d{0,20})-(\d{0,20})")


def asked_range(header: str, size: int) -> range | None:
    """The bytes a Range header names, of an object of `size`; None if it is not understood.

    S3 sends the whole object for what it does not understand, several ranges among them. Raises
    ServiceError InvalidRange if there is no such byte.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        asked = range(max(0, size - int(last)), size)
    elif last and int(last) < int(first):
        return None
    else:
        asked = range(int(first), min(size, int(last) + 1) if last else size)
    if not asked:
        raise ServiceError(
            "InvalidRange",
            "The requested range is not satisfiable",
            416,
            RangeRequested=header,
            ActualObjectSize=size,
        )
    return asked


def part_range(number: int, size: int, part_sizes: Sequence[int]) -> range:
    """The bytes of part `number`, counted from 1; an object put whole has one part."""
    ends = [0, *accumulate(part_sizes or [size])]
    if not 1 <= number < len(ends):
        raise ServiceError(
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
            416,
            PartNumberRequested=number,
            ActualPartCount=len(ends) - 1,
        )
    return range(ends[number - 1], ends[number])


def sliced(body: BinaryIO, asked: range) -> BinaryIO:
    """A stream of just these bytes of a body, which it closes in the end."""
    if isinstance(body, io.BytesIO):
        return io.BytesIO(body.getvalue()[asked.start : asked.stop])
    return cast(BinaryIO, _Slice(body, asked))


class _Slice(io.RawIOBase):
    def __init__(self, file: BinaryIO, asked: range) -> None:
        file.seek(asked.start)
        self._file = file
        self._left = len(asked)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)[: self._left]
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        self._left -= len(piece)
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()
