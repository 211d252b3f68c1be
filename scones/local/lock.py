"""One local cloud a home."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK = "lock"
"""The file that is held; it stays when the cloud ends."""


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Make the folder and hold its lock; the system lets go of it however this process ends.

    ValueError if the folder cannot be written or another process holds the lock.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / LOCK).open("a+")
    except OSError as error:
        message = f"home {str(home)!r} cannot be written ({error.strerror}); choose another with "
        raise ValueError(message + "--home") from error
    with file:
        if not _take(file):
            raise ValueError(f"another local cloud runs on home {str(home)!r}; stop it first")
        yield


if os.name == "nt":
    import msvcrt

    def _take(file: IO[str]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
else:
    import fcntl

    def _take(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
