"""One SQLite file per service: what a write acknowledged is there after kill -9."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Store:
    """A SQLite database in WAL mode, safe to use from several threads.

    `synchronous=NORMAL`: a commit survives the death of the process (the operating system holds
    it) and never corrupts; a power cut may lose the last commits. Source:
    https://www.sqlite.org/pragma.html#pragma_synchronous
    """

    def __init__(self, path: Path, schema: str) -> None:
        """Open `path`, creating it and its folder.

        `schema` is SQL that may run at every start: `create table if not exists ...`.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("pragma journal_mode=wal")
        self._connection.execute("pragma synchronous=normal")
        self._connection.execute("pragma foreign_keys=on")
        self._connection.executescript(schema)

    def read(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row of a query."""
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    def write(self, sql: str, *values: Any) -> int:
        """One statement, committed on return; answers how many rows it touched."""
        with self._lock:
            return self._connection.execute(sql, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several statements, all or none; other threads wait."""
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        with self._lock:
            self._connection.close()
