"""CopyObject: an object's bytes under another key."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from scones.local.checksums import Checks
from scones.local.errors import ServiceError
from scones.local.services.s3.conditions import check_copy
from scones.local.services.s3.entry import Entry, checksum_members, header_values, plain_metadata
from scones.local.services.s3.names import check_key
from scones.local.services.s3.operations import Operations
from scones.local.services.s3.refusals import check_carried, invalid_argument
from scones.local.services.s3.shelf import INLINE_BYTES
from scones.local.services.s3.tags import header_tags


class Copies(Operations):
    """Operations from object to object."""

    def copy_object(
        self,
        Bucket: str,
        Key: str,
        CopySource: str | Mapping[str, str],
        ACL: str | None = None,
        CacheControl: str | None = None,
        ChecksumAlgorithm: str | None = None,
        ContentDisposition: str | None = None,
        ContentEncoding: str | None = None,
        ContentLanguage: str | None = None,
        ContentType: str | None = None,
        CopySourceIfMatch: str | None = None,
        CopySourceIfModifiedSince: datetime | None = None,
        CopySourceIfNoneMatch: str | None = None,
        CopySourceIfUnmodifiedSince: datetime | None = None,
        ExpectedBucketOwner: str | None = None,
        ExpectedSourceBucketOwner: str | None = None,
        Expires: datetime | None = None,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
        Metadata: dict[str, str] | None = None,
        MetadataDirective: str | None = None,
        RequestPayer: str | None = None,
        ServerSideEncryption: str | None = None,
        StorageClass: str | None = None,
        Tagging: str | None = None,
        TaggingDirective: str | None = None,
    ) -> dict[str, Any]:
        """Headers and metadata count only with MetadataDirective REPLACE, as on AWS."""
        check_carried(
            ACL=ACL,
            ChecksumAlgorithm=ChecksumAlgorithm,
            MetadataDirective=MetadataDirective,
            RequestPayer=RequestPayer,
            ServerSideEncryption=ServerSideEncryption,
            StorageClass=StorageClass,
            TaggingDirective=TaggingDirective,
        )
        check_key(Key)
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        from_bucket, from_key = copy_source(CopySource)
        if (from_bucket, from_key) == (Bucket, Key) and MetadataDirective != "REPLACE":
            raise ServiceError(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself "
                "without changing the object's metadata, storage class, website redirect location "
                "or encryption attributes.",
            )
        source, body = self._shelf.open(from_bucket, from_key, ExpectedSourceBucketOwner)
        with body:
            check_copy(
                source,
                CopySourceIfMatch,
                CopySourceIfNoneMatch,
                CopySourceIfModifiedSince,
                CopySourceIfUnmodifiedSince,
            )
            checks = Checks({}, computed=_algorithms(source, ChecksumAlgorithm))
            taken = self._shelf.take(body, checks, INLINE_BYTES)
        copy = Entry(
            Bucket, Key, taken.size, taken.md5.hex(), self._shelf.now(),
            source.headers, source.metadata, source.tags,
            checksum_members(taken.checksums, "FULL_OBJECT"), blob=taken.blob,
        )  # fmt: skip
        if MetadataDirective == "REPLACE":
            copy = replace(
                copy,
                headers=header_values(
                    CacheControl=CacheControl,
                    ContentDisposition=ContentDisposition,
                    ContentEncoding=ContentEncoding,
                    ContentLanguage=ContentLanguage,
                    ContentType=ContentType,
                    Expires=Expires,
                ),
                metadata=plain_metadata(Metadata),
            )
        if TaggingDirective == "REPLACE":
            copy = replace(copy, tags=header_tags(Tagging))
        self._shelf.put(copy, taken.data, IfMatch, IfNoneMatch)
        result = {"ETag": copy.quoted_etag, "LastModified": copy.last_modified} | copy.checksums
        return {"CopyObjectResult": result}


def copy_source(source: str | Mapping[str, str]) -> tuple[str, str]:
    """Bucket and key of a CopySource, which is `bucket/key` with percent signs, or boto3's dict."""
    if isinstance(source, Mapping):
        check_carried(VersionId=source.get("VersionId"))
        return source["Bucket"], source["Key"]
    path, _, version = source.partition("?versionId=")
    check_carried(VersionId=version or None)
    bucket, _, key = unquote(path).removeprefix("/").partition("/")
    if not bucket or not key:
        raise invalid_argument(
            "x-amz-copy-source",
            source,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        )
    return bucket, key


def _algorithms(source: Entry, asked: str | None) -> list[str]:
    """The checksum a copy gets: the one asked for, or of the source's kind."""
    if asked is not None:
        return [asked]
    names = [name.removeprefix("Checksum") for name in source.checksums]
    return [name for name in names if name != "Type"]
