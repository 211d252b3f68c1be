"""Stamps of files: what changes when they do, kept beside what was read from them."""

from collections.abc import Sequence
from typing import BinaryIO

import msgspec

Stamp = tuple[int, int]
"""Bytes, and nanoseconds since 1970 at the last change; -1 and 0 where there is no file."""


def save(stamps: Sequence[Stamp], stream: BinaryIO) -> None:
    """Write them to a binary stream."""
    stream.write(msgspec.msgpack.encode(stamps))


def load(stream: BinaryIO) -> list[Stamp]:
    """What `save` wrote; ValueError where it is something else."""
    try:
        return msgspec.msgpack.decode(stream.read(), type=list[Stamp])
    except msgspec.DecodeError as error:
        raise ValueError(f"these are no stamps: {error}") from error
