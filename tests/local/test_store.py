"""The store: what threads see of each other's writes, and what is left after a failure."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from scones.local.store import Store

SCHEMA = "create table if not exists numbers (n integer primary key, thread text)"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "new" / "folder" / "test.sqlite", SCHEMA)
    yield store
    store.close()


def _numbers(store: Store) -> list[int]:
    return [row["n"] for row in store.read("select n from numbers order by n")]


def test_a_store_opened_again_has_what_was_written(tmp_path: Path) -> None:
    for expected in (1, 2):
        store = Store(tmp_path / "test.sqlite", SCHEMA)
        assert store.write("insert into numbers (thread) values (?)", "main") == 1
        assert len(_numbers(store)) == expected
        store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["test.sqlite"]


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction() as connection:
        connection.execute("insert into numbers (n) values (1)")
        raise RuntimeError
    assert _numbers(store) == []
    store.write("insert into numbers (n) values (2)")
    assert _numbers(store) == [2]


def test_a_transaction_reads_its_own_writes_and_others_do_not(store: Store) -> None:
    with ThreadPoolExecutor(1) as other, store.transaction() as connection:
        connection.execute("insert into numbers (n) values (1)")
        store.write("insert into numbers (n) values (2)")
        assert _numbers(store) == [1, 2]
        assert other.submit(_numbers, store).result(timeout=5) == []
    assert _numbers(store) == [1, 2]


def test_threads_write_and_read_at_once(store: Store) -> None:
    def work(thread: int) -> None:
        for _ in range(50):
            store.write("insert into numbers (thread) values (?)", str(thread))
            assert store.read("select count(*) as n from numbers where thread = ?", str(thread))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(_numbers(store)) == 8 * 50


def test_a_closed_store_refuses(tmp_path: Path) -> None:
    store = Store(tmp_path / "test.sqlite", SCHEMA)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.read("select 1")


@pytest.mark.parametrize("readers", [0, 2])
def test_the_log_starts_over_while_others_go_on(tmp_path: Path, readers: int) -> None:
    path = tmp_path / "test.sqlite"
    schema = "create table if not exists pages (n integer primary key, page blob)"
    store, done = Store(path, schema, log_pages=1000), Event()

    def write(thread: int) -> None:
        for number in range(8000):
            row = thread * 100 + number % 100
            store.write("insert or replace into pages values (?, ?)", row, bytes(4000))

    def read() -> None:
        while not done.is_set():
            store.read("select sum(length(page)) from pages")

    with ThreadPoolExecutor(4 + readers) as pool:
        reading = [pool.submit(read) for _ in range(readers)]
        writing = [pool.submit(write, thread) for thread in range(4)]
        for each in writing:
            each.result()
        done.set()
        for each in reading:
            each.result()
    log_bytes = path.with_name("test.sqlite-wal").stat().st_size
    assert 1000 * 4096 < log_bytes < 32_000 * 4096 / 2, "each write adds a page at least"
    store.close()
    assert [each.name for each in tmp_path.iterdir()] == ["test.sqlite"]


def test_a_transaction_that_fills_the_disk_says_so_and_the_next_one_works(store: Store) -> None:
    store.write("pragma max_page_count = 20")
    with pytest.raises(sqlite3.OperationalError, match="full"), store.transaction() as connection:
        while True:
            connection.execute("insert into numbers (thread) values (?)", ("x" * 4000,))
    store.write("pragma max_page_count = 1000")
    with store.transaction() as connection:
        connection.execute("insert into numbers (n) values (7)")
    assert _numbers(store) == [7]
