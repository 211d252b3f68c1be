"""One SQLite file per service: what a write acknowledged is there after kill -9."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

FOLDED_COMMITS = 1000
"""After so many the log is folded into the file, by a thread of its own: it waits for the disk.

Left to SQLite, every thousandth page makes the write that adds it wait.
"""
LOG_PAGES = 12_000
"""A log of so many (48 MB) starts over: for that, writers wait for the last of it to be folded."""
_MOST_LOG_PAGES = 16_000
"""Where a few huge writes make such a log, SQLite folds it at once."""


class Store:
    """A SQLite database in WAL mode, safe to use from several threads.

    Writers take turns on one connection; readers neither wait for them nor for each other, and see
    what was last committed (inside `transaction`, what it has written so far).

    `synchronous=NORMAL`: a commit survives the death of the process (the operating system holds
    it) and never corrupts; a power cut may lose the last commits. Source:
    https://www.sqlite.org/pragma.html#pragma_synchronous
    """

    def __init__(self, path: Path, schema: str, log_pages: int = LOG_PAGES) -> None:
        """Open `path`, creating it and its folder.

        `schema` is SQL that may run at every start: `create table if not exists ...`.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.RLock()
        self._writing_thread: int | None = None
        self._readers: deque[sqlite3.Connection] = deque()
        self._closed = False
        self.version = 0
        """Counts writes: while it is the same, so is what is read. Raised once they are committed,
        before they are acknowledged."""
        self._commits, self._log_pages = 0, log_pages
        self._folding: threading.Thread | None = None
        self._writer = self._connect()
        self._writer.execute("pragma journal_mode=wal")
        self._writer.execute(f"pragma wal_autocheckpoint={_MOST_LOG_PAGES}")
        self._writer.executescript(schema)

    @property
    def is_free(self) -> bool:
        """Whether a write would begin at once."""
        free = self._lock.acquire(blocking=False)
        if free:
            self._lock.release()
        return free

    def read(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a query."""
        if self._writing_thread == threading.get_ident():
            return self._writer.execute(sql, values).fetchall()
        connection = self._reader()
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            self._readers.append(connection)
            if self._closed:
                self._close_readers()

    def write(self, sql: str, *values: Any) -> int:
        """One statement, committed on return; answers how many rows it touched."""
        with self._lock:
            touched = self._writer.execute(sql, values).rowcount
            self._count_commit()
            return touched

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several statements, all or none; other writers wait."""
        with self._lock:
            self._writer.execute("begin immediate")
            self._writing_thread = threading.get_ident()
            try:
                yield self._writer
                self._writer.execute("commit")
            except BaseException:
                if self._writer.in_transaction:  # a full disk makes SQLite itself roll back
                    self._writer.execute("rollback")
                raise
            finally:
                self._writing_thread = None
            self._count_commit()

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        with self._lock:
            self._closed = True
            folding = self._folding
        if folding is not None:
            folding.join()
        with self._lock:
            self._close_readers()
            self._writer.close()

    def _count_commit(self) -> None:
        self.version += 1
        self._commits += 1
        if self._commits < FOLDED_COMMITS or self._closed:
            return
        if self._folding is None or not self._folding.is_alive():
            self._commits = 0
            self._folding = threading.Thread(target=self._fold, name="fold", daemon=True)
            self._folding.start()

    def _fold(self) -> None:
        """Fold what is in the log while others go on writing, at its end if it is long.

        The log starts over only when all of it is in the file and nobody reads from it, which never
        happens while some write and others read: so writers wait, and with them the last readers.
        """
        with closing(self._connect()) as connection:
            _, pages, _ = connection.execute("pragma wal_checkpoint(passive)").fetchone()
            if pages >= self._log_pages:
                with self._lock:
                    connection.execute("pragma wal_checkpoint(restart)")

    def _reader(self) -> sqlite3.Connection:
        """A connection that is nobody else's until it is put back."""
        if self._closed:
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        try:
            return self._readers.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma synchronous=normal")
        connection.execute("pragma foreign_keys=on")
        return connection

    def _close_readers(self) -> None:
        while self._readers:
            self._readers.pop().close()
