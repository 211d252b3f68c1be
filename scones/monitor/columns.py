"""Captured records as columns: what a million of them need to be counted again in a moment.

Files never change once they are written, so a file is read once: its records go into columns that
can be saved and loaded, and a later run reads new files only. Pictures stay where they are.

_N records in the order of time, _NK records by classes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scones.monitor.bulk import LONGEST_ID, TIME, Bulk, Line, lines, pack
from scones.monitor.capture import FIRST_YEAR, LAST_YEAR, SUM_SLACK, Fault, Record, read_records
from scones.monitor.windows import UNKNOWN, Labels, Window

Floats = NDArray[np.float64]
Keys = NDArray[np.uint64]

CHUNK = 20_000
"""Lines that are held until they are packed."""
LOWEST = np.uint64(0xFFFF)
"""The bits of a key that tell at once that it is none of a few."""
HELD_BYTES = 1 << 24
"""Of files, that are held until they are packed."""


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

    @property
    def num_classes(self) -> int:
        return int(self.probabilities_NK.shape[1])

    @property
    def record_keys(self) -> Keys:
        """_N, of each record another."""
        return _key(self.event_N, self.item_N)

    @property
    def answers(self) -> Keys:
        """Key of what each answer is of: of a batch its row, else the picture; 0 without one."""
        return np.where(self.picture_N == 0, self.picture_N, _key(self.picture_N, self.item_N))

    @property
    def batched(self) -> NDArray[np.bool_]:
        """Whether each record is one of several answers to one request."""
        return np.isin(self.event_N, self.event_N[self.item_N > 0])

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """The chosen records, of the same files."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in ARRAYS})

    def window(
        self,
        class_names: Sequence[str],
        truth: Mapping[str, int] | None = None,
        by_picture: Mapping[str, int] | None = None,
    ) -> Window:
        """The window of all records, with the labels that are known, as `labels.join` finds them.

        `truth` is by inference id or event id, `by_picture` by hex SHA-256: that one needs columns
        that were read with `pictures`. Of a batch no answer is labelled: the label is of one.
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
        truth_N[self.batched] = UNKNOWN
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
    `chunk` lines are packed at a time.
    """
    names: list[str] = []
    contents: dict[str, bytes] = {}

    def bulks() -> Iterator[Bulk]:
        held: list[tuple[int, list[Line] | None]] = []
        num_lines, size_bytes = 0, 0
        for number, (name, content) in enumerate(files):
            names.append(name)
            contents[name] = content
            held.append((number, None if pictures else lines(content)))
            num_lines, size_bytes = num_lines + len(held[-1][1] or ()), size_bytes + len(content)
            if num_lines >= chunk or size_bytes >= HELD_BYTES:
                yield pack(held, known.num_classes)
                held, num_lines, size_bytes = [], 0, 0
                contents.clear()
        yield pack(held, known.num_classes)

    return grow(known, names, bulks(), contents.__getitem__, pictures)


def grow(
    known: Columns,
    names: Sequence[str],
    bulks: Iterable[Bulk],
    content: Callable[[str], bytes],
    pictures: bool = False,
) -> Columns:
    """The columns with the records of new files that were read in bulk, in whatever order.

    `content` gives what an odd file holds, asked for before the next bulk is taken; `pictures`:
    whether the hashes of its pictures are taken.
    """
    parts, faults = [known], dict[int, list[Fault]]()
    for bulk in bulks:
        part, odd = _of_bulk(bulk, known)
        pieces = []
        for number in odd:
            name, faults[number] = names[number], []
            piece = _read(name, content(name), known.num_classes, faults[number], pictures)
            pieces.append((number + len(known.files), piece))
        parts += [part, _columns(pieces, known.num_classes)]
    if not names:
        return known
    found = tuple(fault for number in sorted(faults) for fault in faults[number])
    return _once(parts, known.files + tuple(names), known.faults + found)


def keys(ids: Sequence[str]) -> Keys:
    """A 64-bit hash of each id's first 64 bytes: the same in every run, unlike Python's own."""
    try:
        return _hashed(np.array(ids, f"S{LONGEST_ID}"))
    except UnicodeEncodeError:
        return _hashed(np.array([each.encode() for each in ids], f"S{LONGEST_ID}"))


def _hashed(text_N: NDArray[np.bytes_]) -> Keys:
    """Of texts of 64 bytes."""
    words_NW = text_N.view("<u8").reshape(len(text_N), LONGEST_ID // 8)
    mixed = np.zeros(len(text_N), np.uint64)
    for word_N in words_NW.T:
        # splitmix64 (Steele, Lea & Flood 2014), chained.
        mixed = (mixed ^ word_N) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


ARRAYS = (
    "at_N", "probabilities_NK", "event_N", "item_N", "inference_N", "picture_N", "file_N",
)  # fmt: skip
"""The columns by their names."""


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


def _of_bulk(bulk: Bulk, known: Columns) -> tuple[Columns, list[int]]:
    """Columns of plain files, and the numbers of those that are odd, also by what numbers say."""
    p_NK = np.frombuffer(bulk.probabilities).reshape(-1, known.num_classes)
    at_N, is_time_N = _moments(bulk.times)
    least_N, most_N = (reduce(pick, p_NK.T) for pick in (np.minimum, np.maximum))
    good_N = is_time_N & (least_N >= 0) & (most_N > 0) & (most_N <= 1 + SUM_SLACK)
    file_N = np.repeat(np.array(bulk.files, np.int32), bulk.counts)
    whole = Columns(
        at_N,
        np.minimum(p_NK, 1.0),
        _keys_of(bulk.events, bulk.event_width, len(at_N)),
        np.broadcast_to(np.int32(0), len(at_N)),
        _keys_of(bulk.inferences, bulk.inference_width, len(at_N)),
        np.broadcast_to(np.uint64(0), len(at_N)),
        file_N + np.int32(len(known.files)),
    )
    if good_N.all():
        return whole, bulk.odd
    odd = np.unique(file_N[~good_N])
    return whole.take(~np.isin(file_N, odd)), sorted([*bulk.odd, *odd.tolist()])


def _moments(times: bytes) -> tuple[Floats, NDArray[np.bool_]]:
    """Seconds since 1970 of times such as 2026-01-01T00:00:00Z, and whether each is one."""
    text_NC = np.frombuffer(times, np.uint8).reshape(-1, len(TIME))
    digits_CN = np.ascontiguousarray(text_NC.T) - np.uint8(ord("0"))

    def number(start: int, end: int) -> NDArray[np.int64]:
        found: NDArray[np.int64] = digits_CN[start].astype(np.int64)
        for digits_N in digits_CN[start + 1 : end]:
            found = found * 10 + digits_N
        return found

    month = number(5, 7)
    months = ((number(0, 4) - 1970) * 12 + month - 1).astype("datetime64[M]")
    days, next_month = (each.astype("datetime64[D]") for each in (months, months + 1))
    day, hour, minute, second = number(8, 10), number(11, 13), number(14, 16), number(17, 19)
    good = (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    good &= day <= (next_month - days).astype(np.int64)
    good &= (number(0, 4) >= FIRST_YEAR) & (number(0, 4) <= LAST_YEAR)
    at = (days.astype(np.int64) + day - 1) * 86400 + hour * 3600 + minute * 60 + second
    return at.astype(np.float64), good


def _keys_of(texts: bytes, width: int, n: int) -> Keys:
    """`keys` of texts of one width."""
    if width == 0:
        return np.broadcast_to(_NO_ID, n)
    return _hashed(np.frombuffer(texts, f"S{width}").astype(f"S{LONGEST_ID}"))


def _read(
    name: str, content: bytes, num_classes: int, faults: list[Fault], pictures: bool
) -> Piece:
    """An odd file's records, line by line."""
    records, bad = read_records(content, name, pictures)
    odd = {
        r.line: Fault(
            name, r.line, f"{len(r.probabilities)} probabilities for {num_classes} classes"
        )
        for r in records
        if len(r.probabilities) != num_classes
    }
    faults += sorted([*bad, *odd.values()], key=lambda fault: fault.line)
    return _piece([r for r in records if len(r.probabilities) == num_classes], num_classes)


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
    import hashlib  # takes 3 ms, for which plain files need not wait

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
    """All parts' records, each once, in the order of time, of equal times in that of files."""

    def whole(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    file_N, at_N = whole("file_N"), whole("at_N")
    order = np.arange(len(file_N)) if _rises(file_N) else np.argsort(file_N, kind="stable")
    key_N = _key(whole("event_N"), whole("item_N"))
    order = order[_new(key_N[order])]
    if not _rises(at_N[order]):
        order = order[np.argsort(at_N[order], kind="stable")]
    # One array at a time, so that never two of all of them are in memory.
    arrays: dict[str, Any] = {name: whole(name)[order] for name in ARRAYS}
    return Columns(**arrays, files=files, faults=faults)


def _key(event_N: Keys, item_N: NDArray[np.int32]) -> Keys:
    """One key a record: the item counts in it, so that a batch response keeps all of its rows."""
    key_N: Keys = event_N + item_N.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return key_N


def _new(key_N: Keys) -> NDArray[np.bool_]:
    """Where a key comes for the first time; few come again, so only those are looked up."""
    ordered = np.sort(key_N)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    new_N = np.ones(len(key_N), bool)
    if len(again):
        marked = np.zeros(LOWEST + np.uint64(1), bool)
        marked[again & LOWEST] = True
        maybe = np.flatnonzero(marked[key_N & LOWEST])
        found = np.searchsorted(again, key_N[maybe]).clip(max=len(again) - 1)
        places = maybe[again[found] == key_N[maybe]]
        places = places[np.argsort(key_N[places], kind="stable")]
        new_N[places[1:][key_N[places[1:]] == key_N[places[:-1]]]] = False
    return new_N


def _rises(values_N: NDArray[Any]) -> bool:
    return bool((values_N[1:] >= values_N[:-1]).all())


def _label(truth_N: Labels, key_N: Keys, known: Keys, labels: Sequence[int]) -> None:
    """Write the labels of known keys where `key_N` has them."""
    if len(known) == 0:
        return
    order = np.argsort(known)
    place = np.searchsorted(known[order], key_N).clip(max=len(known) - 1)
    found = (known[order][place] == key_N) & (key_N != _NO_ID) & (key_N != 0)
    truth_N[found] = np.array(labels, np.int64)[order][place[found]]
