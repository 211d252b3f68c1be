"""What all of S3's operations stand on: rows about buckets and objects, and where bytes are.

An object is the old one or the new one, whenever the process is killed: its bytes are written
first, to a blob that nothing names yet or together with its row, then its row in one transaction,
and only then is the old blob removed. What a kill leaves in between is swept at the next start.
"""

import hashlib
import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scones.local.blobs import Blobs, pieces
from scones.local.checksums import Checks
from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.services.s3.conditions import check_write
from scones.local.services.s3.entry import COLUMNS, Entry
from scones.local.services.s3.names import check_key
from scones.local.services.s3.recent import Recent
from scones.local.services.s3.refusals import no_such_bucket, no_such_key, no_such_upload
from scones.local.services.s3.upload import Part, Upload
from scones.local.store import Store

SCHEMA = """
create table if not exists buckets (
    name text primary key,
    created_at integer not null,
    location text,
    tags text not null default '{}'
) without rowid;
create table if not exists objects (
    id integer primary key,
    bucket text not null,
    key text not null,
    size integer not null,
    etag text not null,
    modified_at integer not null,
    attributes text not null,
    blob text,
    data blob
);
create unique index if not exists objects_by_key on objects (bucket, key);
create index if not exists objects_by_blob on objects (blob, size) where blob is not null;
create table if not exists uploads (
    id text primary key,
    bucket text not null,
    key text not null,
    initiated_at integer not null,
    attributes text not null
) without rowid;
create index if not exists uploads_by_key on uploads (bucket, key);
create table if not exists parts (
    upload text not null references uploads (id) on delete cascade,
    number integer not null,
    size integer not null,
    etag text not null,
    modified_at integer not null,
    checksums text not null,
    blob text not null,
    primary key (upload, number)
) without rowid;
"""

INLINE_BYTES = 32 * 1024
"""Objects up to this size lie in their row, larger ones in a blob.

Measured, 8 threads on 2 shared cores, n = 800, put/s in a row and in a blob: 8 KB 3100 and 630,
30 KB 2200 and 880, 60 KB 1400 and 1800, 250 KB 510 and 620. Gets hardly differ up to 120 KB.
"""


class Taken(NamedTuple):
    """A body that was read, checked and kept, but that nothing names yet."""

    size: int
    md5: bytes
    checksums: dict[str, str]
    """Base64 text by algorithm."""
    data: bytes | None
    blob: str | None


class Shelf:
    """Buckets and objects as rows, large bytes as blobs."""

    def __init__(self, home: Path, identity: Identity, clock: Callable[[], float]) -> None:
        self.identity = identity
        self.owner_id = hashlib.sha256(identity.account.encode()).hexdigest()
        self.clock = clock
        self.store = Store(home / "s3.sqlite", SCHEMA)
        self.blobs = Blobs(home / "blobs")
        self._recent = Recent(self.store)
        self._sweep()

    def now(self) -> int:
        return int(self.clock())

    def check_bucket(self, bucket: str, owner: str | None = None) -> sqlite3.Row:
        """The bucket's row; ServiceError if it is not there, or is not its expected owner's."""
        rows = self.store.read("select * from buckets where name = ?", bucket)
        if not rows:
            raise no_such_bucket(bucket)
        if owner is not None and owner != self.identity.account:
            raise ServiceError("AccessDenied", "Access Denied", 403)
        return rows[0]

    def find(self, bucket: str, key: str, owner: str | None = None) -> Entry:
        """An object without its bytes."""
        if owner is not None:
            self.check_bucket(bucket, owner)
        return Entry.from_row(self._row(bucket, key, COLUMNS))

    def open(self, bucket: str, key: str, owner: str | None = None) -> tuple[Entry, BinaryIO]:
        """An object and its bytes, which stay readable if it is deleted or written over."""
        if owner is not None:
            self.check_bucket(bucket, owner)
        if recent := self._recent.get(bucket, key):
            return recent[0], io.BytesIO(recent[1])
        version = self.store.version
        row = self._row(bucket, key, f"{COLUMNS}, data")
        while row["blob"] is not None:
            try:
                return Entry.from_row(row), self.blobs.open(row["blob"])
            except FileNotFoundError:
                blob, row = row["blob"], self._row(bucket, key, f"{COLUMNS}, data")
                if row["blob"] == blob:  # not written over meanwhile: the file is gone
                    raise
        entry, data = Entry.from_row(row), row["data"]
        self._recent.keep(version, entry, data)
        return entry, io.BytesIO(data)

    def take(self, body: bytes | BinaryIO, checks: Checks, inline_bytes: int) -> Taken:
        """Keep a body, in memory up to `inline_bytes`; ServiceError BadDigest leaves nothing."""
        stream = io.BytesIO(body) if isinstance(body, bytes) else body
        head = stream.read(inline_bytes + 1)
        if len(head) <= inline_bytes:
            checks.update(head)
            return Taken(len(head), *checks.finish(), head, None)
        blob, size = self.blobs.write(chain([head], pieces(stream)), checks.update)
        try:
            return Taken(size, *checks.finish(), None, blob)
        except ServiceError:
            self.blobs.remove(blob)
            raise

    def put(
        self,
        entry: Entry,
        data: bytes | None,
        match: str | None = None,
        none_match: str | None = None,
        upload_id: str | None = None,
    ) -> None:
        """Let `entry` be the object of its key; a refusal leaves what was there.

        `upload_id` is the upload it came from, which ends with it.
        """
        try:
            unnamed = self._put_row(entry, data, match, none_match, upload_id)
        except BaseException:
            self.discard(entry.blob)
            raise
        self.discard(*unnamed)

    def discard(self, *blobs: str | None) -> None:
        """Remove bytes that no row names any more."""
        for blob in blobs:
            if blob is not None:
                self.blobs.remove(blob)

    def remove(self, bucket: str, keys: list[str]) -> None:
        """Remove the objects of these keys, all at once; those absent are no error."""
        blobs = []
        with self.store.transaction() as connection:
            for key in keys:
                rows = connection.execute(
                    "delete from objects where bucket = ? and key = ? returning blob", (bucket, key)
                ).fetchall()
                blobs += [row["blob"] for row in rows]
        self.discard(*blobs)

    def upload(self, bucket: str, key: str, upload_id: str, owner: str | None = None) -> Upload:
        """An upload in progress; ServiceError NoSuchUpload if it is not (any more)."""
        self.check_bucket(bucket, owner)
        rows = self.store.read(
            "select * from uploads where id = ? and bucket = ? and key = ?", upload_id, bucket, key
        )
        if not rows:
            raise no_such_upload(upload_id)
        return Upload.from_row(rows[0])

    def uploads(self, bucket: str) -> list[Upload]:
        """By key, then by time."""
        rows = self.store.read("select * from uploads where bucket = ? order by key, id", bucket)
        return [Upload.from_row(row) for row in rows]

    def parts(self, upload_id: str) -> list[Part]:
        """By number."""
        rows = self.store.read("select * from parts where upload = ? order by number", upload_id)
        return [Part.from_row(row) for row in rows]

    def end_upload(self, connection: sqlite3.Connection, upload_id: str) -> list[str | None]:
        """Forget an upload and its parts; answers their blobs, to discard after the commit."""
        blobs = [part.blob for part in self.parts(upload_id)]
        if not connection.execute("delete from uploads where id = ?", (upload_id,)).rowcount:
            raise no_such_upload(upload_id)
        return [*blobs]

    def _put_row(
        self,
        entry: Entry,
        data: bytes | None,
        match: str | None,
        none_match: str | None,
        upload_id: str | None,
    ) -> list[str | None]:
        """The blobs that are not needed any more."""
        with self.store.transaction() as connection:
            old = connection.execute(
                "select etag, blob from buckets left join objects on bucket = name and key = ? "
                "where name = ?",
                (entry.key, entry.bucket),
            ).fetchone()
            if old is None:
                raise no_such_bucket(entry.bucket)
            check_write(entry.key, old["etag"], match, none_match)
            connection.execute(
                f"insert into objects ({COLUMNS}, data) values (?, ?, ?, ?, ?, ?, ?, ?) "
                "on conflict (bucket, key) do update set size = excluded.size, "
                "etag = excluded.etag, modified_at = excluded.modified_at, "
                "attributes = excluded.attributes, blob = excluded.blob, data = excluded.data",
                (*entry.to_row(), data),
            )
            unnamed = [] if upload_id is None else self.end_upload(connection, upload_id)
        return [*unnamed, old["blob"]]

    def _row(self, bucket: str, key: str, columns: str) -> sqlite3.Row:
        rows = self.store.read(
            f"select {columns} from objects where bucket = ? and key = ?", bucket, key
        )
        if not rows:
            check_key(key)
            self.check_bucket(bucket)
            raise no_such_key(key)
        return rows[0]

    def _sweep(self) -> None:
        """Remove blobs that no row names, and rows whose blob a power cut left too short."""
        with self.store.transaction() as connection:
            sizes = self.blobs.sizes()
            for table in ("objects", "parts"):
                with closing(
                    connection.execute(f"select blob, size from {table} where blob is not null")
                ) as rows:
                    lost = [blob for blob, size in rows if sizes.pop(blob, -1) != size]
                for blob in lost:
                    connection.execute(f"delete from {table} where blob = ?", (blob,))
                    self.blobs.remove(blob)
        for blob in sizes:
            self.blobs.remove(blob)
