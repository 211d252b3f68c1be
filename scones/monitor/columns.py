"""Captured records as columns: what a million of them need to be counted again in a moment.

Files never change once they are written, so a file is read once: its records go into columns that
can be saved and loaded, and a later run reads new files only. Pictures stay where they are.

_N records in the order of time, _NK records by classes.
"""

import contextlib
import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from scones.monitor.capture import SUM_SLACK, Fault, Record, read_records
from scones.monitor.windows import UNKNOWN, Labels, Window

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

CHUNK = 50_000
"""Records that are held as Python objects at a time, some 30 MB."""
LONGEST_ID = 64
"""Characters of an id that count; AWS takes InferenceIds of up to 64."""


class Output(msgspec.Struct, frozen=True, gc=False):
    """An answer that was captured as text; any other is read the long way."""

    data: str
    encoding: Literal["JSON"]


class CaptureData(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The answer alone: the decoder skips what is not named, pictures above all."""

    endpoint_output: Output


class EventMetadata(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Which request it was, and when."""

    event_id: str
    inference_time: Annotated[datetime, msgspec.Meta(tz=True)]
    inference_id: str = ""


class Line(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What the columns hold of a captured line."""

    capture_data: CaptureData
    event_metadata: EventMetadata


_decode_lines = msgspec.json.Decoder(Line).decode_lines
_decode_row = msgspec.json.Decoder(list[float]).decode


@dataclass(frozen=True)
class Columns:
    """Records of one endpoint, each once, in the order of time."""

    at_N: Floats
    """Seconds since 1970, UTC."""
    probabilities_NK: Floats
    event_N: Keys
    """`keys` of the event ids."""
    item_N: NDArray[np.int32]
    """Which answer of a batch response each is, from 0."""
    inference_N: Keys
    """`keys` of the inference ids; of "" where there was none."""
    picture_N: Keys
    """The first 8 bytes of the pictures' SHA-256; 0 where pictures were not asked for."""
    file_N: NDArray[np.int32]
    """Index into `files`."""
    files: tuple[str, ...] = ()
    """Every file that was read, also those without a record."""
    faults: tuple[Fault, ...] = field(default=(), repr=False)

    def __len__(self) -> int:
        return len(self.at_N)

    def window(
        self,
        class_names: Sequence[str],
        truth: Mapping[str, int] | None = None,
        by_picture: Mapping[str, int] | None = None,
    ) -> Window:
        """The window of all records, with the labels that are known, as `labels.join` finds them.

        `truth` is by inference id or event id, `by_picture` by hex SHA-256: that one needs columns
        that were read with `pictures`.
        """
        if self.probabilities_NK.shape[1] != len(class_names):
            raise ValueError(
                f"the captures hold {self.probabilities_NK.shape[1]} probabilities a record, "
                f"got the names of {len(class_names)} classes: {', '.join(class_names)}"
            )
        truth, by_picture = truth or {}, by_picture or {}
        truth_N = np.full(len(self), UNKNOWN, np.int64)
        digests = np.array([int(sha[:16], 16) for sha in by_picture], np.uint64)
        _label(truth_N, self.picture_N, digests, list(by_picture.values()))
        ids, labels = keys(list(truth)), list(truth.values())
        _label(truth_N, self.event_N, ids, labels)
        _label(truth_N, self.inference_N, ids, labels)
        return Window(tuple(class_names), self.at_N, self.probabilities_NK, truth_N)


def empty(num_classes: int) -> Columns:
    """Columns of no records."""
    nothing, zero = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    probabilities_NK = np.zeros((0, num_classes))
    return Columns(np.zeros(0), probabilities_NK, nothing, zero, nothing, nothing, zero)


def update(
    known: Columns,
    files: Iterable[tuple[str, bytes]],
    *,
    pictures: bool = False,
    chunk: int = CHUNK,
) -> Columns:
    """The columns with the records of new files: (name, content), none of them read before.

    A record that comes twice counts once. A line that cannot be read, or that has another number of
    classes, is a fault. `pictures` takes the pictures' hashes as well, for truth from a manifest.
    `chunk` records are turned into arrays at a time.
    """
    num_classes = known.probabilities_NK.shape[1]
    parts, pieces, size, index = [known], [], 0, len(known.files)
    names: list[str] = []
    faults: list[Fault] = []
    for name, content in files:
        piece = _read(name, content, num_classes, pictures, faults)
        names.append(name)
        pieces.append((index, piece))
        index, size = index + 1, size + len(piece.ids)
        if size >= chunk:
            parts.append(_columns(pieces, num_classes))
            pieces, size = [], 0
    if not names:
        return known
    parts.append(_columns(pieces, num_classes))
    return _once(parts, known.files + tuple(names), known.faults + tuple(faults))


def save(columns: Columns, stream: BinaryIO) -> None:
    """Write the columns to a binary stream, as numpy's .npz."""
    told = {
        "files": columns.files,
        "faults": [(fault.source, fault.line, fault.reason) for fault in columns.faults],
    }
    arrays: dict[str, Any] = {name: getattr(columns, name) for name in _ARRAYS}
    np.savez(stream, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)


def load(stream: BinaryIO) -> Columns:
    """Read what `save` wrote; ValueError where it is something else."""
    try:
        with np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ARRAYS}
            told = json.loads(archive["told"].tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"these are no saved columns: {error}") from error
    faults = tuple(Fault(*fault) for fault in told["faults"])
    return Columns(**arrays, files=tuple(told["files"]), faults=faults)


def keys(ids: Sequence[str]) -> Keys:
    """A 64-bit hash of each id's first 64 bytes: the same in every run, unlike Python's own."""
    try:
        text = np.array(ids, f"S{LONGEST_ID}")
    except UnicodeEncodeError:
        text = np.array([each.encode() for each in ids], f"S{LONGEST_ID}")
    words_NW = text.view("<u8").reshape(len(ids), LONGEST_ID // 8)
    mixed = np.zeros(len(ids), np.uint64)
    for word_N in words_NW.T:
        # splitmix64 (Steele, Lea & Flood 2014), chained.
        mixed = (mixed ^ word_N) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


_ARRAYS = (
    "at_N", "probabilities_NK", "event_N", "item_N", "inference_N", "picture_N", "file_N",
)  # fmt: skip


_NO_ID = keys([""])[0]


@dataclass(frozen=True)
class Piece:
    """One file's records, half way to columns."""

    at: list[float]
    probabilities_NK: Floats
    ids: list[str]
    inferences: list[str]
    items: list[int]
    digests: list[int]


def _read(
    name: str, content: bytes, num_classes: int, pictures: bool, faults: list[Fault]
) -> Piece:
    """A file's records, all at once where every line is plain, else one by one."""
    if not pictures:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            piece = _plain(_decode_lines(content), num_classes)
            if piece is not None:
                return piece
    records, bad = read_records(content, name)
    faults += bad
    faults += (
        Fault(name, 0, f"{len(record.probabilities)} probabilities for {num_classes} classes")
        for record in records
        if len(record.probabilities) != num_classes
    )
    return _piece([r for r in records if len(r.probabilities) == num_classes], num_classes)


def _plain(lines: Sequence[Line], num_classes: int) -> Piece | None:
    """The piece of plain lines; None where an answer is no row of probabilities."""
    rows = [_decode_row(line.capture_data.endpoint_output.data) for line in lines]
    if any(len(row) != num_classes for row in rows):
        return None
    p_NK = np.array(rows, np.float64).reshape(-1, num_classes)
    if not np.all((p_NK >= 0) & (p_NK <= 1 + SUM_SLACK)):
        return None
    events = [line.event_metadata for line in lines]
    return Piece(
        [event.inference_time.timestamp() for event in events],
        np.minimum(p_NK, 1.0),
        [event.event_id for event in events],
        [event.inference_id for event in events],
        [0] * len(events),
        [0] * len(events),
    )


def _piece(records: Sequence[Record], num_classes: int) -> Piece:
    rows = [record.probabilities for record in records]
    return Piece(
        [record.inferred_at.timestamp() for record in records],
        np.array(rows, np.float64).reshape(-1, num_classes),
        [record.event_id for record in records],
        [record.inference_id or "" for record in records],
        [record.item for record in records],
        [_digest(record.picture) for record in records],
    )


def _digest(picture: bytes | None) -> int:
    return 0 if picture is None else int.from_bytes(hashlib.sha256(picture).digest()[:8], "big")


def _columns(pieces: Sequence[tuple[int, Piece]], num_classes: int) -> Columns:
    def chained(name: str) -> list[Any]:
        return [each for _, piece in pieces for each in getattr(piece, name)]

    lengths = [len(piece.ids) for _, piece in pieces]
    return Columns(
        np.array(chained("at"), np.float64),
        np.concatenate([np.zeros((0, num_classes)), *(p.probabilities_NK for _, p in pieces)]),
        keys(chained("ids")),
        np.array(chained("items"), np.int32),
        keys(chained("inferences")),
        np.array(chained("digests"), np.uint64),
        np.repeat(np.array([index for index, _ in pieces], np.int32), lengths),
    )


def _once(parts: Sequence[Columns], files: tuple[str, ...], faults: tuple[Fault, ...]) -> Columns:
    """All parts' records, each once, in the order of time."""
    whole = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    # The item counts in the key of a record, so that a batch response keeps all of its rows.
    key_N = whole["event_N"] + whole["item_N"].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    first = np.sort(np.unique(key_N, return_index=True)[1])
    order = first[np.argsort(whole["at_N"][first], kind="stable")]
    return Columns(
        **{name: each[order] for name, each in whole.items()}, files=files, faults=faults
    )


def _label(truth_N: Labels, key_N: Keys, known: Keys, labels: Sequence[int]) -> None:
    """Write the labels of known keys where `key_N` has them."""
    if len(known) == 0:
        return
    order = np.argsort(known)
    place = np.searchsorted(known[order], key_N).clip(max=len(known) - 1)
    found = (known[order][place] == key_N) & (key_N != _NO_ID) & (key_N != 0)
    truth_N[found] = np.array(labels, np.int64)[order][place[found]]
