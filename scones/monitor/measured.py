"""Measures of captured pictures as columns, beside those of the records: read once, kept.

_N pictures in the order of time.
"""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from scones.monitor.capture import Record, read_records
from scones.monitor.pictures import Measures, measure

Floats = NDArray[np.float64]
VERSION = 1
"""Of what is saved: another one where a measure means something else than it did."""
_NUMBERS = ("brightness", "contrast", "sharpness", "size")


@dataclass(frozen=True)
class Measured:
    """One row a captured picture that could be read."""

    at_N: Floats
    """Seconds since 1970, UTC."""
    values_N4: Floats
    """Brightness, contrast, sharpness, size."""
    format_N: NDArray[np.int16]
    """Index into `formats`."""
    formats: tuple[str, ...] = ()
    num_files: int = 0
    """Files that were read for them."""

    def since(self, start_s: float, end_s: float = float("inf")) -> list[Measures]:
        """Measures of the pictures captured from `start_s` on and before `end_s`, by time."""
        chosen = np.flatnonzero((self.at_N >= start_s) & (self.at_N < end_s))
        order = chosen[np.argsort(self.at_N[chosen], kind="stable")]
        return [
            Measures(light, contrast, sharpness, int(size), self.formats[kind])
            for (light, contrast, sharpness, size), kind in zip(
                self.values_N4[order].tolist(), self.format_N[order].tolist(), strict=True
            )
        ]

    def times(self, start_s: float) -> Floats:
        """When the pictures of `since` were captured."""
        times: Floats = np.sort(self.at_N[self.at_N >= start_s])
        return times

    def grown(self, times: Sequence[float], measures: Sequence[Measures], num_files: int) -> Self:
        """These and more, out of `num_files` files more."""
        formats = tuple(dict.fromkeys((*self.formats, *(each.format for each in measures))))
        values = [[float(getattr(each, name)) for name in _NUMBERS] for each in measures]
        kinds = [formats.index(each.format) for each in measures]
        return type(self)(
            np.concatenate([self.at_N, np.array(times, np.float64)]),
            np.concatenate([self.values_N4, np.array(values, np.float64).reshape(-1, 4)]),
            np.concatenate([self.format_N, np.array(kinds, np.int16)]),
            formats,
            self.num_files + num_files,
        )


def nothing() -> Measured:
    """No pictures, of no files."""
    return Measured(np.zeros(0), np.zeros((0, 4)), np.zeros(0, np.int16))


def of_file(name: str, content: bytes) -> tuple[list[float], list[Measures]]:
    """Time and measures of each picture in a capture file; what cannot be read is passed over."""
    return of_records(read_records(content, name)[0])


def of_records(records: Sequence[Record]) -> tuple[list[float], list[Measures]]:
    """The same for records; the answers of one batch share a picture, which counts once."""
    times, measures = [], []
    for record in records:
        found = measure(record.picture) if record.picture is not None and not record.item else None
        if found is not None:
            times.append(record.inferred_at.timestamp())
            measures.append(found)
    return times, measures


def save(measured: Measured, stream: BinaryIO) -> None:
    """Write to a binary stream, as numpy's .npz."""
    told = json.dumps(
        {"version": VERSION, "formats": measured.formats, "num_files": measured.num_files}
    )
    np.savez(
        stream, told=np.frombuffer(told.encode(), np.uint8), at_N=measured.at_N,
        values_N4=measured.values_N4, format_N=measured.format_N,
    )  # fmt: skip


def load(stream: BinaryIO) -> Measured:
    """Read what `save` wrote; ValueError where it is something else, or of another version."""
    try:
        with np.load(stream, allow_pickle=False) as archive:
            told = json.loads(archive["told"].tobytes())
            if told["version"] != VERSION:
                raise ValueError(f"version {told['version']}, not {VERSION}")
            at_N, values_N4, format_N = (archive[n] for n in ("at_N", "values_N4", "format_N"))
            formats, num_files = tuple(told["formats"]), int(told["num_files"])
    except _BROKEN as error:
        raise ValueError(f"these are no saved measures: {error}") from error
    return Measured(at_N, values_N4, format_N, formats, num_files)


_BROKEN = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)
"""What numpy and JSON raise over a file that is something else."""
