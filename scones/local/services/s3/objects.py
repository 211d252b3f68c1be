"""Objects: put, got, headed, deleted, tagged."""

from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import Any, BinaryIO

from scones.local.checksums import Checks
from scones.local.errors import ServiceError
from scones.local.services.s3.conditions import check_read
from scones.local.services.s3.entry import (
    Entry,
    checksum_members,
    header_members,
    header_values,
    plain_metadata,
)
from scones.local.services.s3.names import check_key
from scones.local.services.s3.operations import Operations
from scones.local.services.s3.ranges import asked_range, part_range, sliced
from scones.local.services.s3.refusals import check_carried, headless, malformed_xml
from scones.local.services.s3.shelf import INLINE_BYTES
from scones.local.services.s3.tags import header_tags, kept, object_tags, tag_set


class Objects(Operations):
    """Operations on single objects, and on a list of them."""

    def put_object(
        self,
        Bucket: str,
        Key: str,
        Body: bytes | BinaryIO = b"",
        ACL: str | None = None,
        CacheControl: str | None = None,
        ChecksumAlgorithm: str | None = None,
        ChecksumCRC32: str | None = None,
        ChecksumCRC32C: str | None = None,
        ChecksumCRC64NVME: str | None = None,
        ChecksumMD5: str | None = None,
        ChecksumSHA1: str | None = None,
        ChecksumSHA256: str | None = None,
        ChecksumSHA512: str | None = None,
        ContentDisposition: str | None = None,
        ContentEncoding: str | None = None,
        ContentLanguage: str | None = None,
        ContentLength: int | None = None,
        ContentMD5: str | None = None,
        ContentType: str | None = None,
        ExpectedBucketOwner: str | None = None,
        Expires: datetime | None = None,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
        Metadata: dict[str, str] | None = None,
        RequestPayer: str | None = None,
        ServerSideEncryption: str | None = None,
        StorageClass: str | None = None,
        Tagging: str | None = None,
    ) -> dict[str, Any]:
        """`Body` is read to its end; ContentLength is HTTP's own to hold it to."""
        check_carried(
            ACL=ACL,
            ChecksumAlgorithm=ChecksumAlgorithm,
            RequestPayer=RequestPayer,
            ServerSideEncryption=ServerSideEncryption,
            StorageClass=StorageClass,
        )
        check_key(Key)
        metadata = plain_metadata(Metadata)
        tags = header_tags(Tagging)
        if ExpectedBucketOwner is not None or not isinstance(Body, bytes | BytesIO):
            self._shelf.check_bucket(Bucket, ExpectedBucketOwner)  # else when its row is written
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
            checks = Checks(expected, ContentMD5, [ChecksumAlgorithm] if ChecksumAlgorithm else [])
            taken = self._shelf.take(Body, checks, INLINE_BYTES)
        except ServiceError:
            self._shelf.check_bucket(Bucket)  # that it is not there counts before what was sent
            raise
        entry = Entry(
            Bucket,
            Key,
            taken.size,
            taken.md5.hex(),
            self._shelf.now(),
            header_values(
                CacheControl=CacheControl,
                ContentDisposition=ContentDisposition,
                ContentEncoding=ContentEncoding,
                ContentLanguage=ContentLanguage,
                ContentType=ContentType,
                Expires=Expires,
            ),
            metadata,
            tags,
            checksum_members(taken.checksums, "FULL_OBJECT"),
            blob=taken.blob,
        )
        self._shelf.put(entry, taken.data, IfMatch, IfNoneMatch)
        return {"ETag": entry.quoted_etag} | entry.checksums

    def get_object(
        self,
        Bucket: str,
        Key: str,
        ChecksumMode: str | None = None,
        ExpectedBucketOwner: str | None = None,
        IfMatch: str | None = None,
        IfModifiedSince: datetime | None = None,
        IfNoneMatch: str | None = None,
        IfUnmodifiedSince: datetime | None = None,
        PartNumber: int | None = None,
        Range: str | None = None,
        RequestPayer: str | None = None,
        ResponseCacheControl: str | None = None,
        ResponseContentDisposition: str | None = None,
        ResponseContentEncoding: str | None = None,
        ResponseContentLanguage: str | None = None,
        ResponseContentType: str | None = None,
        ResponseExpires: datetime | None = None,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        """`Body` is an open stream: who calls closes it."""
        check_carried(RequestPayer=RequestPayer, VersionId=VersionId)
        entry, body = self._shelf.open(Bucket, Key, ExpectedBucketOwner)
        try:
            check_read(entry, IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince)
            asked = _asked(entry, Range, PartNumber)
        except ServiceError:
            body.close()
            raise
        overridden = {
            "CacheControl": ResponseCacheControl,
            "ContentDisposition": ResponseContentDisposition,
            "ContentEncoding": ResponseContentEncoding,
            "ContentLanguage": ResponseContentLanguage,
            "ContentType": ResponseContentType,
            "Expires": ResponseExpires,
        }
        return (
            _described(entry, asked, PartNumber, ChecksumMode)
            | {name: value for name, value in overridden.items() if value is not None}
            | {"Body": body if asked is None else sliced(body, asked)}
        )

    def head_object(
        self,
        Bucket: str,
        Key: str,
        ChecksumMode: str | None = None,
        ExpectedBucketOwner: str | None = None,
        IfMatch: str | None = None,
        IfModifiedSince: datetime | None = None,
        IfNoneMatch: str | None = None,
        IfUnmodifiedSince: datetime | None = None,
        PartNumber: int | None = None,
        Range: str | None = None,
        RequestPayer: str | None = None,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        check_carried(RequestPayer=RequestPayer, VersionId=VersionId)
        try:
            entry = self._shelf.find(Bucket, Key, ExpectedBucketOwner)
            check_read(entry, IfMatch, IfNoneMatch, IfModifiedSince, IfUnmodifiedSince)
            return _described(entry, _asked(entry, Range, PartNumber), PartNumber, ChecksumMode)
        except ServiceError as error:
            raise headless(error) from None

    def delete_object(
        self,
        Bucket: str,
        Key: str,
        ExpectedBucketOwner: str | None = None,
        RequestPayer: str | None = None,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        """Deleting what is not there is no error."""
        check_carried(RequestPayer=RequestPayer, VersionId=VersionId)
        check_key(Key)
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        self._shelf.remove(Bucket, [Key])
        return {}

    def delete_objects(
        self,
        Bucket: str,
        Delete: dict[str, Any],
        ChecksumAlgorithm: str | None = None,
        ExpectedBucketOwner: str | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        """All are deleted at once. The request's checksum is the gateway's to check."""
        check_carried(RequestPayer=RequestPayer)
        objects = Delete["Objects"]
        if not 1 <= len(objects) <= 1000:
            raise malformed_xml()
        for each in objects:
            check_key(each["Key"])
            check_carried(VersionId=each.get("VersionId"))
            for member in each.keys() - {"Key", "VersionId"}:
                raise ServiceError("NotImplemented", f"{member} is not carried here", 501)
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        self._shelf.remove(Bucket, [each["Key"] for each in objects])
        return {} if Delete.get("Quiet") else {"Deleted": [{"Key": e["Key"]} for e in objects]}

    def put_object_tagging(
        self,
        Bucket: str,
        Key: str,
        Tagging: dict[str, Any],
        ChecksumAlgorithm: str | None = None,
        ContentMD5: str | None = None,
        ExpectedBucketOwner: str | None = None,
        RequestPayer: str | None = None,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        """Tags replace tags. The request's checksum is the gateway's to check."""
        check_carried(RequestPayer=RequestPayer, VersionId=VersionId)
        self._tag_object(Bucket, Key, object_tags(Tagging.get("TagSet", [])), ExpectedBucketOwner)
        return {}

    def get_object_tagging(
        self,
        Bucket: str,
        Key: str,
        ExpectedBucketOwner: str | None = None,
        RequestPayer: str | None = None,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        check_carried(RequestPayer=RequestPayer, VersionId=VersionId)
        return {"TagSet": tag_set(kept(self._shelf.find(Bucket, Key, ExpectedBucketOwner).tags))}

    def delete_object_tagging(
        self,
        Bucket: str,
        Key: str,
        ExpectedBucketOwner: str | None = None,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        check_carried(VersionId=VersionId)
        self._tag_object(Bucket, Key, {}, ExpectedBucketOwner)
        return {}

    def _tag_object(self, bucket: str, key: str, tags: dict[str, str], owner: str | None) -> None:
        with self._shelf.store.transaction() as connection:
            entry = replace(self._shelf.find(bucket, key, owner), tags=tags)
            connection.execute(
                "update objects set attributes = ? where bucket = ? and key = ?",
                (entry.attributes, bucket, key),
            )


def _asked(entry: Entry, header: str | None, part_number: int | None) -> range | None:
    """The bytes asked for; None: all."""
    if part_number is not None:
        if header is not None:
            raise ServiceError(
                "InvalidRequest",
                "Cannot specify both Range header and partNumber query parameter",
            )
        return part_range(part_number, entry.size, entry.part_sizes)
    return None if header is None else asked_range(header, entry.size)


def _described(
    entry: Entry, asked: range | None, part_number: int | None, checksum_mode: str | None
) -> dict[str, Any]:
    """What GET and HEAD say of an object, `asked` being the bytes asked for."""
    answer = header_members(entry.headers) | {
        "AcceptRanges": "bytes",
        "LastModified": entry.last_modified,
        "ContentLength": entry.size if asked is None else len(asked),
        "ETag": entry.quoted_etag,
        "Metadata": entry.metadata,
    }
    if entry.tags:
        answer["TagCount"] = len(entry.tags)
    if part_number is not None and entry.part_sizes:
        answer["PartsCount"] = len(entry.part_sizes)
    if asked is not None:
        answer["ResponseMetadata"] = {"HTTPStatusCode": 206}
        if asked:
            answer["ContentRange"] = f"bytes {asked.start}-{asked.stop - 1}/{entry.size}"
    elif checksum_mode == "ENABLED":  # the checksum is the whole object's, not the range's
        answer |= entry.checksums
    return answer
