"""One object as the store keeps it: everything but its bytes."""

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scones.local.errors import ServiceError

COLUMNS = "bucket, key, size, etag, modified_at, attributes, blob"
MAX_METADATA_BYTES = 2048
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html"""


@dataclass(frozen=True)
class Entry:
    """An object of a bucket, or what one is to become."""

    bucket: str
    key: str
    size: int
    """Bytes."""
    etag: str
    """Without quotes: the MD5 in hexadecimal, or md5-of-md5s "-" number of parts."""
    modified_at: int
    """Seconds since 1970: S3 tells no finer."""
    headers: dict[str, Any] = field(default_factory=dict)
    """ContentType and its like, in AWS's spelling; Expires in ISO 8601."""
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    """ChecksumCRC32 and its like, and ChecksumType."""
    part_sizes: list[int] = field(default_factory=list)
    """Bytes of each part; empty if it was not uploaded in parts."""
    blob: str | None = None
    """The blob with its bytes; None: they are in its row."""

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "Entry":
        return cls(
            row["bucket"], row["key"], row["size"], row["etag"], row["modified_at"],
            blob=row["blob"], **json.loads(row["attributes"]),
        )  # fmt: skip

    def to_row(self) -> tuple[Any, ...]:
        """Values for COLUMNS."""
        return (
            self.bucket, self.key, self.size, self.etag, self.modified_at,
            self.attributes, self.blob,
        )  # fmt: skip

    @property
    def attributes(self) -> str:
        """All that is looked up by nobody, as JSON."""
        names = ("headers", "metadata", "tags", "checksums", "part_sizes")
        return json.dumps({name: value for name in names if (value := getattr(self, name))})

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'

    @property
    def last_modified(self) -> datetime:
        return datetime.fromtimestamp(self.modified_at, UTC)


def header_values(**members: Any) -> dict[str, Any]:
    """The content headers that were given, as an entry keeps them."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in members.items()
        if value is not None
    }


def header_members(headers: dict[str, Any]) -> dict[str, Any]:
    """The members that an entry's content headers come back as."""
    if "Expires" in headers:
        headers = headers | {"Expires": datetime.fromisoformat(headers["Expires"])}
    return {"ContentType": "binary/octet-stream"} | headers


def plain_metadata(metadata: dict[str, str] | None) -> dict[str, str]:
    """User metadata as it comes back: names in lower case, as HTTP headers carry them.

    ServiceError MetadataTooLarge if names and values are more than S3 keeps.
    """
    plain = {name.lower(): value for name, value in (metadata or {}).items()}
    size = sum(len(name.encode()) + len(value.encode()) for name, value in plain.items())
    if size > MAX_METADATA_BYTES:
        raise ServiceError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            Size=size,
            MaxSizeAllowed=MAX_METADATA_BYTES,
        )
    return plain


def checksum_members(sums: dict[str, str], kind: str) -> dict[str, str]:
    """Base64 text by algorithm, as members; `kind` is FULL_OBJECT or COMPOSITE (of parts)."""
    if not sums:
        return {}
    return {f"Checksum{name}": text for name, text in sums.items()} | {"ChecksumType": kind}
