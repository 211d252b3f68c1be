"""Multipart uploads: begun, filled part by part in any order, completed or given up."""

import time
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO

from scones.local.checksums import Checks, check_equal
from scones.local.errors import ServiceError
from scones.local.services.s3.conditions import check_copy
from scones.local.services.s3.copying import copy_source
from scones.local.services.s3.entry import (
    Entry,
    checksum_members,
    header_values,
    plain_metadata,
)
from scones.local.services.s3.names import check_key
from scones.local.services.s3.operations import Operations
from scones.local.services.s3.ranges import asked_range, sliced
from scones.local.services.s3.refusals import check_carried, invalid_argument
from scones.local.services.s3.tags import header_tags
from scones.local.services.s3.upload import (
    Part,
    Upload,
    checksum_type,
    chosen_parts,
    etag_of,
    joined,
    part_checks,
)

MAX_PARTS = 10_000
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""


class Uploads(Operations):
    """Operations on an upload in progress."""

    def create_multipart_upload(
        self,
        Bucket: str,
        Key: str,
        ACL: str | None = None,
        CacheControl: str | None = None,
        ChecksumAlgorithm: str | None = None,
        ChecksumType: str | None = None,
        ContentDisposition: str | None = None,
        ContentEncoding: str | None = None,
        ContentLanguage: str | None = None,
        ContentType: str | None = None,
        ExpectedBucketOwner: str | None = None,
        Expires: datetime | None = None,
        Metadata: dict[str, str] | None = None,
        RequestPayer: str | None = None,
        ServerSideEncryption: str | None = None,
        StorageClass: str | None = None,
        Tagging: str | None = None,
    ) -> dict[str, Any]:
        check_carried(
            ACL=ACL,
            ChecksumAlgorithm=ChecksumAlgorithm,
            RequestPayer=RequestPayer,
            ServerSideEncryption=ServerSideEncryption,
            StorageClass=StorageClass,
        )
        check_key(Key)
        headers = header_values(
            CacheControl=CacheControl,
            ContentDisposition=ContentDisposition,
            ContentEncoding=ContentEncoding,
            ContentLanguage=ContentLanguage,
            ContentType=ContentType,
            Expires=Expires,
        )
        upload = Upload(
            f"{time.time_ns():016x}{uuid.uuid4().hex}", Bucket, Key, self._shelf.now(),
            headers, plain_metadata(Metadata), header_tags(Tagging),
            ChecksumAlgorithm, checksum_type(ChecksumAlgorithm, ChecksumType),
        )  # fmt: skip
        with self._shelf.store.transaction() as connection:
            self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
            connection.execute("insert into uploads values (?, ?, ?, ?, ?)", upload.to_row())
        return {"Bucket": Bucket, "Key": Key, "UploadId": upload.id} | upload.checksum_members

    def upload_part(
        self,
        Bucket: str,
        Key: str,
        PartNumber: int,
        UploadId: str,
        Body: bytes | BinaryIO = b"",
        ChecksumAlgorithm: str | None = None,
        ChecksumCRC32: str | None = None,
        ChecksumCRC32C: str | None = None,
        ChecksumCRC64NVME: str | None = None,
        ChecksumMD5: str | None = None,
        ChecksumSHA1: str | None = None,
        ChecksumSHA256: str | None = None,
        ChecksumSHA512: str | None = None,
        ContentLength: int | None = None,
        ContentMD5: str | None = None,
        ExpectedBucketOwner: str | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        """`Body` is read to its end; ContentLength is HTTP's own to hold it to."""
        check_carried(ChecksumAlgorithm=ChecksumAlgorithm, RequestPayer=RequestPayer)
        expected = {
            "CRC32": ChecksumCRC32,
            "CRC32C": ChecksumCRC32C,
            "CRC64NVME": ChecksumCRC64NVME,
            "MD5": ChecksumMD5,
            "SHA1": ChecksumSHA1,
            "SHA256": ChecksumSHA256,
            "SHA512": ChecksumSHA512,
        }
        upload = self._shelf.upload(Bucket, Key, UploadId, ExpectedBucketOwner)
        part = self._keep(upload, PartNumber, Body, part_checks(upload, expected, ContentMD5))
        return {"ETag": part.members["ETag"]} | part.checksums

    def upload_part_copy(
        self,
        Bucket: str,
        Key: str,
        CopySource: str | Mapping[str, str],
        PartNumber: int,
        UploadId: str,
        CopySourceIfMatch: str | None = None,
        CopySourceIfModifiedSince: datetime | None = None,
        CopySourceIfNoneMatch: str | None = None,
        CopySourceIfUnmodifiedSince: datetime | None = None,
        CopySourceRange: str | None = None,
        ExpectedBucketOwner: str | None = None,
        ExpectedSourceBucketOwner: str | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        check_carried(RequestPayer=RequestPayer)
        upload = self._shelf.upload(Bucket, Key, UploadId, ExpectedBucketOwner)
        source, body = self._shelf.open(*copy_source(CopySource), ExpectedSourceBucketOwner)
        with body:
            check_copy(
                source,
                CopySourceIfMatch,
                CopySourceIfNoneMatch,
                CopySourceIfModifiedSince,
                CopySourceIfUnmodifiedSince,
            )
            copied = sliced(body, _source_range(CopySourceRange, source.size))
            checks = part_checks(upload, {}, None)
            part = self._keep(upload, PartNumber, copied, checks)
        result = {name: part.members[name] for name in ("ETag", "LastModified")}
        return {"CopyPartResult": result | part.checksums}

    def complete_multipart_upload(
        self,
        Bucket: str,
        Key: str,
        UploadId: str,
        ChecksumCRC32: str | None = None,
        ChecksumCRC32C: str | None = None,
        ChecksumCRC64NVME: str | None = None,
        ChecksumMD5: str | None = None,
        ChecksumSHA1: str | None = None,
        ChecksumSHA256: str | None = None,
        ChecksumSHA512: str | None = None,
        ChecksumType: str | None = None,
        ExpectedBucketOwner: str | None = None,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
        MpuObjectSize: int | None = None,
        MultipartUpload: dict[str, Any] | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        check_carried(RequestPayer=RequestPayer)
        upload = self._shelf.upload(Bucket, Key, UploadId, ExpectedBucketOwner)
        if ChecksumType not in (None, upload.checksum_type):
            raise ServiceError(
                "InvalidRequest",
                f"The upload was created using the {upload.checksum_type or 'null'} checksum "
                f"mode. The complete request must use the same checksum mode.",
            )
        present = {part.number: part for part in self._shelf.parts(UploadId)}
        parts = chosen_parts(upload, present, (MultipartUpload or {}).get("Parts", []))
        size = sum(part.size for part in parts)
        if MpuObjectSize not in (None, size):
            raise ServiceError(
                "InvalidRequest",
                f"The provided 'x-amz-mp-object-size' header value {MpuObjectSize} does not match "
                f"what was computed: {size}",
            )
        blob, sums = joined(self._shelf.blobs, upload, parts)
        entry = Entry(
            Bucket, Key, size, etag_of(parts), self._shelf.now(),
            upload.headers, upload.metadata, upload.tags,
            checksum_members(sums, upload.checksum_type or ""),
            [part.size for part in parts], blob,
        )  # fmt: skip
        expected = {
            "CRC32": ChecksumCRC32,
            "CRC32C": ChecksumCRC32C,
            "CRC64NVME": ChecksumCRC64NVME,
            "MD5": ChecksumMD5,
            "SHA1": ChecksumSHA1,
            "SHA256": ChecksumSHA256,
            "SHA512": ChecksumSHA512,
        }
        try:
            _check_sums(expected, sums)
        except ServiceError:
            self._shelf.discard(blob)
            raise
        self._shelf.put(entry, None, IfMatch, IfNoneMatch, upload_id=UploadId)
        location = f"{self._shelf.identity.endpoint_url}/{Bucket}/{Key}"
        answer = {"Location": location, "Bucket": Bucket, "Key": Key, "ETag": entry.quoted_etag}
        return answer | entry.checksums

    def abort_multipart_upload(
        self,
        Bucket: str,
        Key: str,
        UploadId: str,
        ExpectedBucketOwner: str | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        check_carried(RequestPayer=RequestPayer)
        with self._shelf.store.transaction() as connection:
            self._shelf.upload(Bucket, Key, UploadId, ExpectedBucketOwner)
            blobs = self._shelf.end_upload(connection, UploadId)
        self._shelf.discard(*blobs)
        return {}

    def _keep(self, upload: Upload, number: int, body: bytes | BinaryIO, checks: Checks) -> Part:
        """Take a part in, in place of one of the same number."""
        if not 1 <= number <= MAX_PARTS:
            raise invalid_argument(
                "partNumber",
                number,
                f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive",
            )
        taken = self._shelf.take(body, checks, inline_bytes=0)
        blob = taken.blob or self._shelf.blobs.write([], checks.update)[0]
        sums = {f"Checksum{name}": text for name, text in taken.checksums.items()}
        part = Part(number, taken.size, taken.md5.hex(), self._shelf.now(), sums, blob)
        try:
            with self._shelf.store.transaction() as connection:
                self._shelf.upload(upload.bucket, upload.key, upload.id)
                old = connection.execute(
                    "select blob from parts where upload = ? and number = ?", (upload.id, number)
                ).fetchone()
                connection.execute(
                    "insert or replace into parts values (?, ?, ?, ?, ?, ?, ?)",
                    (upload.id, *part.to_row()),
                )
        except BaseException:
            self._shelf.discard(blob)
            raise
        self._shelf.discard(old and old["blob"])
        return part


def _source_range(header: str | None, size: int) -> range:
    if header is None:
        return range(size)
    asked = asked_range(header, size)
    if asked is None or not header.endswith(f"-{asked.stop - 1}"):
        raise invalid_argument(
            "x-amz-copy-source-range",
            header,
            f"Range specified is not valid for source object of size: {size}",
        )
    return asked


def _check_sums(expected: Mapping[str, str | None], computed: Mapping[str, str]) -> None:
    """ServiceError BadDigest or InvalidRequest unless a client's checksum is the object's."""
    for name, text in expected.items():
        if text is not None:
            if name not in computed:
                raise ServiceError(
                    "InvalidRequest",
                    "The upload was not created with the checksum algorithm of the complete "
                    f"request: {name}",
                )
            check_equal(name, text, computed[name])
