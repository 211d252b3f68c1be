"""Listings of uploads in progress and of their parts."""

from typing import Any

from scones.local.services.s3.listing import common_prefix, encoded, page_size
from scones.local.services.s3.operations import Operations
from scones.local.services.s3.refusals import check_carried
from scones.local.services.s3.upload import Upload


class UploadListings(Operations):
    """ListMultipartUploads and ListParts."""

    def list_parts(
        self,
        Bucket: str,
        Key: str,
        UploadId: str,
        ExpectedBucketOwner: str | None = None,
        MaxParts: int | None = None,
        PartNumberMarker: int | None = None,
        RequestPayer: str | None = None,
    ) -> dict[str, Any]:
        check_carried(RequestPayer=RequestPayer)
        upload = self._shelf.upload(Bucket, Key, UploadId, ExpectedBucketOwner)
        size, after = page_size("max-parts", MaxParts), PartNumberMarker or 0
        parts = [part for part in self._shelf.parts(UploadId) if part.number > after]
        page = parts[:size]
        owner = {"ID": self._shelf.owner_id}
        return {
            "Bucket": Bucket,
            "Key": Key,
            "UploadId": UploadId,
            "PartNumberMarker": after,
            "NextPartNumberMarker": page[-1].number if page else 0,
            "MaxParts": size,
            "IsTruncated": len(parts) > len(page),
            "Parts": [part.members for part in page],
            "Initiator": owner,
            "Owner": owner,
            "StorageClass": "STANDARD",
        } | upload.checksum_members

    def list_multipart_uploads(
        self,
        Bucket: str,
        Delimiter: str | None = None,
        EncodingType: str | None = None,
        ExpectedBucketOwner: str | None = None,
        KeyMarker: str | None = None,
        MaxUploads: int | None = None,
        Prefix: str | None = None,
        RequestPayer: str | None = None,
        UploadIdMarker: str | None = None,
    ) -> dict[str, Any]:
        """By key, then by time. A marker within a common prefix is past all it starts."""
        check_carried(EncodingType=EncodingType, RequestPayer=RequestPayer)
        self._shelf.check_bucket(Bucket, ExpectedBucketOwner)
        size, prefix = page_size("max-uploads", MaxUploads), Prefix or ""
        listed: list[Upload | str] = []
        for upload in self._shelf.uploads(Bucket):
            after = (upload.key, upload.id) > (KeyMarker or "", UploadIdMarker or "~")
            if not upload.key.startswith(prefix) or not after:
                continue
            common = common_prefix(upload.key, prefix, Delimiter or "")
            if common is None:
                listed.append(upload)
            elif not (KeyMarker or "").startswith(common) and common not in listed[-1:]:
                listed.append(common)
        page = listed[:size]
        answer: dict[str, Any] = {
            "Bucket": Bucket,
            "KeyMarker": encoded(KeyMarker or "", EncodingType),
            "UploadIdMarker": UploadIdMarker or "",
            "Prefix": encoded(prefix, EncodingType),
            "MaxUploads": size,
            "IsTruncated": len(listed) > len(page),
            "Uploads": [self._told(e, EncodingType) for e in page if isinstance(e, Upload)],
            "CommonPrefixes": [
                {"Prefix": encoded(each, EncodingType)} for each in page if isinstance(each, str)
            ],
        }
        if len(listed) > len(page) and page:
            last = page[-1]
            key, upload_id = (last, "") if isinstance(last, str) else (last.key, last.id)
            answer["NextKeyMarker"] = encoded(key, EncodingType)
            answer["NextUploadIdMarker"] = upload_id
        if Delimiter:
            answer["Delimiter"] = encoded(Delimiter, EncodingType)
        return answer | ({"EncodingType": EncodingType} if EncodingType else {})

    def _told(self, upload: Upload, encoding: str | None) -> dict[str, Any]:
        owner = {"ID": self._shelf.owner_id}
        return {
            "Key": encoded(upload.key, encoding),
            "UploadId": upload.id,
            "Initiated": upload.initiated,
            "StorageClass": "STANDARD",
            "Initiator": owner,
            "Owner": owner,
        } | upload.checksum_members
