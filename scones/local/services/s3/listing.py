"""Listings: keys in UTF-8 order, rolled up at a delimiter, a page at a time."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from scones.local.services.s3.entry import COLUMNS, Entry
from scones.local.services.s3.names import end_of
from scones.local.services.s3.operations import Operations
from scones.local.services.s3.refusals import check_carried, invalid_argument

MAX_KEYS = 1000
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html"""


@dataclass
class Page:
    """Part of a listing, in order."""

    entries: list[Entry] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    """Starts of keys, up to and with the delimiter, that stand for all keys they start."""
    last: str = ""
    """The key or prefix this page ends with."""
    is_truncated: bool = False


class Listings(Operations):
    """ListObjects in both versions."""

    def list_objects(
        self,
        Bucket: str,
        Delimiter: str | None = None,
        EncodingType: str | None = None,
        ExpectedBucketOwner: str | None = None,
        Marker: str | None = None,
        MaxKeys: int | None = None,
        Prefix: str | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        check_carried(EncodingType=EncodingType, RequestPayer=RequestPayer)
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        size = page_size("maxKeys", MaxKeys)
        page = self._page(Bucket, Prefix or "", Delimiter or "", Marker or "", size)
        answer = _answer(Bucket, Prefix, Delimiter, EncodingType, size, page)
        owner = {"ID": self._shelf.owner_id}
        answer["Contents"] = [each | {"Owner": owner} for each in answer["Contents"]]
        answer["Marker"] = encoded(Marker or "", EncodingType)
        if page.is_truncated and Delimiter:
            answer["NextMarker"] = encoded(page.last, EncodingType)
        return answer

    def list_objects_v2(
        self,
        Bucket: str,
        ContinuationToken: str | None = None,
        Delimiter: str | None = None,
        EncodingType: str | None = None,
        ExpectedBucketOwner: str | None = None,
        FetchOwner: bool | None = None,
        MaxKeys: int | None = None,
        Prefix: str | None = None,
        RequestPayer: str | None = None,
        StartAfter: str | None = None,
    ) -> dict[str, Any]:
        check_carried(EncodingType=EncodingType, RequestPayer=RequestPayer)
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        size = page_size("maxKeys", MaxKeys)
        after = StartAfter or "" if ContinuationToken is None else _read_token(ContinuationToken)
        page = self._page(Bucket, Prefix or "", Delimiter or "", after, size)
        answer = _answer(Bucket, Prefix, Delimiter, EncodingType, size, page)
        answer["KeyCount"] = len(page.entries) + len(page.prefixes)
        if FetchOwner:
            owner = {"ID": self._shelf.owner_id}
            answer["Contents"] = [each | {"Owner": owner} for each in answer["Contents"]]
        if StartAfter is not None:
            answer["StartAfter"] = encoded(StartAfter, EncodingType)
        if ContinuationToken is not None:
            answer["ContinuationToken"] = ContinuationToken
        if page.is_truncated:
            answer["NextContinuationToken"] = _token(page.last)
        return answer

    def _page(self, bucket: str, prefix: str, delimiter: str, after: str, size: int) -> Page:
        page = Page()
        if size == 0:
            return page
        for each in self._walk(bucket, prefix, delimiter, after):
            if len(page.entries) + len(page.prefixes) == size:
                page.is_truncated = True
                break
            if isinstance(each, Entry):
                page.entries.append(each)
                page.last = each.key
            else:
                page.prefixes.append(each)
                page.last = each
        return page

    def _walk(self, bucket: str, prefix: str, delimiter: str, after: str) -> Iterator[Entry | str]:
        """Entries and common prefixes after `after`.

        A common prefix is jumped over: its thousand keys cost one look-up.
        """
        start: str | None = max(prefix, after + "\0" if after else "")
        begun = common_prefix(after, prefix, delimiter)
        if begun is not None:
            start = end_of(begun)  # a marker within what is rolled up is past all of it
        end = end_of(prefix) or b""  # in SQLite's order any text comes before any blob
        batch = 64 if delimiter else MAX_KEYS + 1
        while start is not None:
            rows = self._shelf.store.read(
                f"select {COLUMNS} from objects "
                "where bucket = ? and key >= ? and key < ? order by key limit ?",
                bucket, start, end, batch,
            )  # fmt: skip
            start = rows[-1]["key"] + "\0" if len(rows) == batch else None
            for row in rows:
                common = common_prefix(row["key"], prefix, delimiter)
                if common is not None:
                    yield common
                    start = end_of(common)
                    break
                yield Entry.from_row(row)


def common_prefix(key: str, prefix: str, delimiter: str) -> str | None:
    """`key` up to and with the first delimiter after `prefix`; None if there is none."""
    if not delimiter or not key.startswith(prefix):
        return None
    found = key.find(delimiter, len(prefix))
    return None if found < 0 else key[: found + len(delimiter)]


def page_size(name: str, asked: int | None) -> int:
    """How many keys a page may have; ServiceError InvalidArgument if that is negative."""
    if asked is not None and asked < 0:
        raise invalid_argument(
            name, asked, f"Argument {name} must be an integer between 0 and 2147483647"
        )
    return MAX_KEYS if asked is None else min(asked, MAX_KEYS)


def encoded(name: str, encoding: str | None) -> str:
    """A key as a listing shows it. Clients decode "+" as a space, so a space must be %20."""
    return quote(name, safe="/~") if encoding == "url" else name


def _answer(
    bucket: str,
    prefix: str | None,
    delimiter: str | None,
    encoding: str | None,
    size: int,
    page: Page,
) -> dict[str, Any]:
    """What both versions answer."""
    answer: dict[str, Any] = {
        "Name": bucket,
        "Prefix": encoded(prefix or "", encoding),
        "MaxKeys": size,
        "IsTruncated": page.is_truncated,
        "Contents": [_content(entry, encoding) for entry in page.entries],
        "CommonPrefixes": [{"Prefix": encoded(each, encoding)} for each in page.prefixes],
    }
    if delimiter:
        answer["Delimiter"] = encoded(delimiter, encoding)
    return answer | ({"EncodingType": encoding} if encoding else {})


def _content(entry: Entry, encoding: str | None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "Key": encoded(entry.key, encoding),
        "LastModified": entry.last_modified,
        "ETag": entry.quoted_etag,
        "Size": entry.size,
        "StorageClass": "STANDARD",
    }
    if entry.checksums:
        names = [name.removeprefix("Checksum") for name in entry.checksums]
        content["ChecksumAlgorithm"] = [name for name in names if name != "Type"]
        content["ChecksumType"] = entry.checksums["ChecksumType"]
    return content


def _token(last: str) -> str:
    """Where the next page starts; clients may not look into it."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid_argument(
            "continuation-token", token, "The continuation token provided is incorrect"
        ) from None
