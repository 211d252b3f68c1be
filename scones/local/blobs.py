"""Bytes in files that we name: nothing a client says becomes part of a path."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

CHUNK_BYTES = 1 << 20
"""How much of a body is in memory at a time."""


class Blobs:
    """A folder of files that are written once, then only read and removed.

    A blob counts once something else, a row in a database, names it. What a killed process wrote
    and nothing names is found by `sizes` and removed at the next start. Blobs are not flushed to
    the disk: a power cut may leave one shorter than its row says, which `sizes` shows too.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, pieces: Iterable[bytes], watch: Callable[[bytes], None]) -> tuple[str, int]:
        """A new blob of `pieces`, each shown to `watch` first; its name and its size in bytes.

        If either raises, nothing is left.
        """
        name, size = uuid.uuid4().hex, 0
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        try:
            with path.open("xb") as file:
                for piece in pieces:
                    watch(piece)
                    size += file.write(piece)
        except BaseException:
            self.remove(name)
            raise
        return name, size

    def open(self, name: str) -> BinaryIO:
        """The bytes, readable to their end even if the blob is removed meanwhile."""
        return self._path(name).open("rb")

    def remove(self, name: str) -> None:
        """Remove a blob; where an open file cannot be removed (Windows) it waits for a sweep."""
        with contextlib.suppress(FileNotFoundError, PermissionError):
            self._path(name).unlink()

    def sizes(self) -> dict[str, int]:
        """The size in bytes of every blob there is, by name."""
        return {
            entry.name: entry.stat().st_size
            for folder in os.scandir(self._folder)
            if folder.is_dir()
            for entry in os.scandir(folder)
        }

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name


def pieces(body: BinaryIO) -> Iterator[bytes]:
    """What is left of a body, a chunk at a time."""
    while piece := body.read(CHUNK_BYTES):
        yield piece
