"""What was staged: key, label, split and hash of every picture, and the lists made of it.

The hash is of the staged bytes, so that a captured request can be joined to its true label.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Entry:
    """One staged picture."""

    key: str
    """Where it lies in the bucket, such as `train/bike_s_000682.png`."""
    label: int
    """Position among the class names."""
    split: str
    """`train` or `test`."""
    sha256: str
    """Of the staged bytes, as hexadecimal text."""

    @property
    def filename(self) -> str:
        return self.key.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Row:
    """One line of a .lst file."""

    index: int
    label: int
    filename: str
    """Relative to the channel's folder."""


def write_lst(entries: Sequence[Entry]) -> str:
    """The built-in algorithm's list: index, label and file name, tab-separated, no header."""
    return "".join(f"{i}\t{entry.label}\t{entry.filename}\n" for i, entry in enumerate(entries))


def read_lst(text: str, name: str = "lst") -> list[Row]:
    """The rows in order, empty lines passed over; raises ValueError with file and line."""
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            rows.append(_row(line.split("\t"), f"{name} line {number}"))
    return rows


def _row(fields: list[str], place: str) -> Row:
    shown = "\t".join(fields)
    if len(fields) != 3:
        raise ValueError(f"{place}: {shown!r}; index, label and file name belong, tab-separated")
    index, label, filename = fields
    try:  # MXNet's own im2rec writes labels as 0.000000
        return Row(int(float(index)), _whole(label), filename.strip())
    except ValueError as error:
        raise ValueError(f"{place}: {shown!r}; index and label are whole numbers") from error


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value) or value < 0:
        raise ValueError(text)
    return int(value)


def write_jsonl(entries: Iterable[Entry]) -> str:
    """JSON Lines, one entry a line."""
    return "".join(json.dumps(asdict(entry)) + "\n" for entry in entries)


def read_jsonl(text: str) -> list[Entry]:
    """The entries in order; raises ValueError with the line that is none."""
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            fields = json.loads(line)
            entries.append(
                Entry(fields["key"], int(fields["label"]), fields["split"], fields["sha256"])
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"manifest line {number}: {line[:80]!r} is no entry") from error
    return entries
