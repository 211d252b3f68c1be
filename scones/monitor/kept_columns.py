"""Columns as a file: what they are as MessagePack, then their arrays."""

import math
from typing import Any, BinaryIO

import msgspec
import numpy as np

from scones.monitor.capture import Fault
from scones.monitor.columns import ARRAYS, Columns, empty

VERSION = 1
"""Of what is saved: another one where a later `load` would take it for something else. Files of
before versions begin with the number of classes and lack a member, so none of them loads."""


class Saved(msgspec.Struct, array_like=True):
    """What stands before the kept arrays."""

    version: int
    num_classes: int
    num_records: int
    constant: list[str]
    """Arrays of which one element is kept, for all are equal."""
    files: list[bytes]
    faults: list[tuple[bytes, int, str]]


def save(columns: Columns, stream: BinaryIO) -> None:
    """Write the columns to a binary stream: what they are as MessagePack, then the arrays."""
    arrays = {name: getattr(columns, name) for name in ARRAYS}
    constant = [name for name, each in arrays.items() if len(each) and (each == each[0]).all()]
    files = [_name_bytes(name) for name in columns.files]
    faults = [(_name_bytes(fault.source), fault.line, fault.reason) for fault in columns.faults]
    told = msgspec.msgpack.encode(
        Saved(VERSION, columns.num_classes, len(columns), constant, files, faults)
    )
    stream.write(len(told).to_bytes(8, "little") + told)
    for name, each in arrays.items():
        stream.write(np.ascontiguousarray(each[:1] if name in constant else each).data)


def load(stream: BinaryIO) -> Columns:
    """Read what `save` wrote; ValueError where it is something else, or of another version."""
    try:
        told = msgspec.msgpack.decode(
            stream.read(int.from_bytes(stream.read(8), "little")), type=Saved
        )
        if told.version != VERSION:
            raise ValueError(f"version {told.version}, not {VERSION}")
        arrays = {name: _array(name, told, stream) for name in ARRAYS}
        files = tuple(_name(each) for each in told.files)
        faults = tuple(Fault(_name(source), line, reason) for source, line, reason in told.faults)
    except (OSError, ValueError, MemoryError, OverflowError, msgspec.DecodeError) as error:
        raise ValueError(f"these are no saved columns: {error}") from error
    return Columns(**arrays, files=files, faults=faults)


def _name_bytes(name: str) -> bytes:
    """A file's name, also one that is no text: Python holds its bytes as lone surrogates."""
    return name.encode("utf-8", "surrogatepass")


def _name(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


def _array(name: str, told: Saved, stream: BinaryIO) -> Any:
    like = getattr(empty(told.num_classes), name)
    kept = 1 if name in told.constant else told.num_records
    size_bytes = kept * like.dtype.itemsize * math.prod(like.shape[1:])
    content = stream.read(size_bytes)
    if len(content) != size_bytes:
        raise ValueError(f"{name} is cut off")
    found = np.frombuffer(content, like.dtype).reshape(kept, *like.shape[1:])
    return np.repeat(found, told.num_records, axis=0) if name in told.constant else found
