"""Plain capture files in bulk: thousands of lines at once, packed for numpy, pictures skipped.

Nothing but msgspec is imported, so that a reader in a process of its own is there in 30 ms. A file
with a line that is not plain is named as odd and left to `capture`, which reads line by line: plain
is an answer in JSON text with as many numbers as there are classes, a time in whole seconds and
UTC as SageMaker writes it, ids in ASCII.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from types import GenericAlias
from typing import Any, Literal

import msgspec

OPENING, CLOSING = ord("{"), ord("}")
LONGEST_ID = 64
"""Characters of an id that count; AWS takes InferenceIds of up to 64."""
TIME = "2026-01-01T00:00:00Z"


class Output(msgspec.Struct, frozen=True, gc=False):
    """An answer that was captured as text."""

    data: str
    encoding: Literal["JSON"]


class CaptureData(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The answer alone: the decoder skips what is not named, pictures above all."""

    endpoint_output: Output


class EventMetadata(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Which request it was, and when."""

    event_id: str
    inference_time: str
    inference_id: str = ""


class Line(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What is kept of a captured line."""

    capture_data: CaptureData
    event_metadata: EventMetadata


class Bulk(msgspec.Struct, array_like=True, gc=False):
    """Plain lines of some files, packed; the files that hold others are odd."""

    files: list[int]
    """Numbers of the plain files."""
    counts: list[int]
    """Lines of each."""
    odd: list[int]
    """Numbers of files that have to be read line by line."""
    probabilities: bytes
    """float64, one row of classes a line."""
    times: bytes
    """20 characters a line."""
    events: bytes
    """Event ids, `event_width` characters a line, filled up with NUL; the next two alike."""
    event_width: int
    inferences: bytes
    """Empty where no line has an inference id."""
    inference_width: int


_decode_lines = msgspec.json.Decoder(Line).decode_lines
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_TIME = TIME.encode().translate(_DIGITS)


def lines(content: bytes | bytearray, size: int | None = None) -> list[Line] | None:
    """A file's lines, of the first `size` bytes; None where one is not plain at first sight."""
    size = len(content) if size is None else size
    try:
        found = _decode_lines(memoryview(content)[:size])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if _one_a_line(content, size, len(found)) else None


def pack(files: Sequence[tuple[int, list[Line] | None]], num_classes: int) -> Bulk:
    """The plain files among some: (number, lines)."""
    plain = [(number, some) for number, some in files if some is not None]
    odd = [number for number, some in files if some is None]
    try:
        return _packed(plain, odd, num_classes)
    except ValueError:
        kept = [each for each in plain if _is_plain(each, num_classes)]
    there = {number for number, _ in kept}
    odd += [number for number, _ in plain if number not in there]
    return _packed(kept, sorted(odd), num_classes)


def join(bulks: Iterable[Bulk]) -> Iterator[Bulk]:
    """All bulks with ids of the same widths as one."""

    def widths(bulk: Bulk) -> tuple[int, int]:
        return bulk.event_width, bulk.inference_width

    for (event_width, inference_width), same in groupby(sorted(bulks, key=widths), widths):
        some = list(same)
        yield Bulk(
            list(chain.from_iterable(each.files for each in some)),
            list(chain.from_iterable(each.counts for each in some)),
            sorted(chain.from_iterable(each.odd for each in some)),
            b"".join([each.probabilities for each in some]),
            b"".join([each.times for each in some]),
            b"".join([each.events for each in some]),
            event_width,
            b"".join([each.inferences for each in some]),
            inference_width,
        )


def _one_a_line(content: bytes | bytearray, size: int, count: int) -> bool:
    """Whether each of `count` values is a line; msgspec takes two in one, and one over several.

    Between a closing and an opening brace JSON has a comma, unless two values meet there: so where
    each line begins with one and ends with the other, and there are as many, none is in two.
    """
    start = 0
    for _ in range(count):
        if start >= size or content[start] != OPENING:
            return False
        begin, start = start, content.find(b"\n", start, size) + 1 or size + 1
        if content[start - 2] != CLOSING and not content[begin : start - 1].rstrip().endswith(b"}"):
            return False
    return start >= size


def _is_plain(file: tuple[int, list[Line]], num_classes: int) -> bool:
    try:
        _packed([file], [], num_classes)
    except ValueError:
        return False
    return True


def _packed(files: Sequence[tuple[int, list[Line]]], odd: list[int], num_classes: int) -> Bulk:
    """ValueError where a line is not plain."""
    every = list(chain.from_iterable([some for _, some in files]))
    metadata = [each.event_metadata for each in every]
    events, event_width = _texts([each.event_id for each in metadata])
    inferences, inference_width = _texts([each.inference_id for each in metadata])
    return Bulk(
        [number for number, _ in files],
        [len(some) for _, some in files],
        odd,
        _probabilities([each.capture_data.endpoint_output.data for each in every], num_classes),
        _times([each.inference_time for each in metadata]),
        events,
        event_width,
        inferences,
        inference_width,
    )


def _probabilities(answers: Sequence[str], num_classes: int) -> bytes:
    together = ",".join(answers)
    # Each begins with its only bracket; so what parses as rows of numbers parses one row an answer.
    opened = "".join([each[:1] for each in answers])
    if opened != "[" * len(answers) or together.count("[") != len(answers):
        raise ValueError("an answer is no row")
    try:
        rows = _decoder(num_classes).decode(f"[{together}]")
    except msgspec.DecodeError as error:
        raise ValueError(f"an answer is no row of {num_classes} numbers") from error
    return array("d", chain.from_iterable(rows)).tobytes()


_decoders: dict[int, Any] = {}


def _decoder(num_classes: int) -> Any:
    """Of rows with exactly so many numbers."""
    if num_classes not in _decoders:
        row = GenericAlias(tuple, (float,) * num_classes)
        _decoders[num_classes] = msgspec.json.Decoder(GenericAlias(list, row))
    return _decoders[num_classes]


def _times(times: Sequence[str]) -> bytes:
    together = "".join(times).encode()
    if set(map(len, times)) - {len(TIME)} or together.translate(_DIGITS) != _TIME * len(times):
        raise ValueError("a time is not in whole seconds and UTC")
    return together


def _texts(texts: list[str]) -> tuple[bytes, int]:
    """All texts in equal widths, and that width."""
    if not any(texts):
        return b"", 0
    widths = set(map(len, texts))
    width = min(max(widths, default=0), LONGEST_ID)
    if widths - {width}:
        texts = [each[:width].ljust(width, "\0") for each in texts]
    together = "".join(texts)
    if not together.isascii():
        raise ValueError("an id is not ASCII")
    return together.encode(), width
