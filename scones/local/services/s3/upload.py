"""An upload in progress and its parts, as rows; what they come to when it is completed."""

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5
from itertools import pairwise
from typing import Any

from scones.local.blobs import Blobs, pieces
from scones.local.checksums import ALGORITHMS, Checks, checksum, encode
from scones.local.errors import ServiceError
from scones.local.services.s3.refusals import no_such_upload

MIN_PART_BYTES = 5 * 2**20
"""Of every part but the last: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html"""


@dataclass(frozen=True)
class Upload:
    """An upload in progress."""

    id: str
    """Ids are given in the order of time."""
    bucket: str
    key: str
    initiated_at: int
    headers: dict[str, Any]
    metadata: dict[str, str]
    tags: dict[str, str]
    algorithm: str | None
    """The checksum its parts must have."""
    checksum_type: str | None
    """COMPOSITE: of the parts' checksums; FULL_OBJECT: of all bytes in a row."""

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "Upload":
        return cls(
            row["id"], row["bucket"], row["key"], row["initiated_at"],
            **json.loads(row["attributes"]),
        )  # fmt: skip

    def to_row(self) -> tuple[Any, ...]:
        attributes = {
            "headers": self.headers,
            "metadata": self.metadata,
            "tags": self.tags,
            "algorithm": self.algorithm,
            "checksum_type": self.checksum_type,
        }
        return self.id, self.bucket, self.key, self.initiated_at, json.dumps(attributes)

    @property
    def initiated(self) -> datetime:
        return datetime.fromtimestamp(self.initiated_at, UTC)

    @property
    def checksum_members(self) -> dict[str, str]:
        if self.algorithm is None or self.checksum_type is None:
            return {}
        return {"ChecksumAlgorithm": self.algorithm, "ChecksumType": self.checksum_type}


@dataclass(frozen=True)
class Part:
    """One part that arrived."""

    number: int
    size: int
    etag: str
    """MD5 in hexadecimal."""
    modified_at: int
    checksums: dict[str, str]
    """ChecksumCRC32 and its like."""
    blob: str

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> "Part":
        return cls(
            row["number"], row["size"], row["etag"], row["modified_at"],
            json.loads(row["checksums"]), row["blob"],
        )  # fmt: skip

    def to_row(self) -> tuple[Any, ...]:
        return (
            self.number, self.size, self.etag, self.modified_at,
            json.dumps(self.checksums), self.blob,
        )  # fmt: skip

    @property
    def members(self) -> dict[str, Any]:
        """As ListParts tells it."""
        return {
            "PartNumber": self.number,
            "Size": self.size,
            "ETag": f'"{self.etag}"',
            "LastModified": datetime.fromtimestamp(self.modified_at, UTC),
        } | self.checksums


def checksum_type(algorithm: str | None, asked: str | None) -> str | None:
    """COMPOSITE or FULL_OBJECT; ServiceError if the algorithm cannot give what was asked for.

    Which can: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    if algorithm is None:
        if asked is not None:
            raise ServiceError(
                "InvalidRequest",
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm "
                "header.",
            )
        return None
    possible = {
        "CRC32": ("COMPOSITE", "FULL_OBJECT"),
        "CRC32C": ("COMPOSITE", "FULL_OBJECT"),
        "CRC64NVME": ("FULL_OBJECT",),
    }.get(algorithm, ("COMPOSITE",))
    if asked is not None and asked not in possible:
        raise ServiceError(
            "InvalidRequest",
            f"The {asked} checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm.",
        )
    return asked or possible[0]


def part_checks(upload: Upload, expected: Mapping[str, str | None], md5: str | None) -> Checks:
    """What a part must add up to; ServiceError if its checksum is not of the upload's kind."""
    if upload.algorithm is None:
        return Checks(expected, md5)
    given = [name for name, text in expected.items() if text is not None]
    if given and given != [upload.algorithm]:
        raise ServiceError(
            "InvalidRequest",
            "Checksum Type mismatch occurred, expected checksum Type: "
            f"{upload.algorithm.lower()}, actual checksum Type: {given[0].lower()}",
        )
    return Checks(expected, md5, [upload.algorithm])


def chosen_parts(
    upload: Upload, present: Mapping[int, Part], named: Sequence[Mapping[str, Any]]
) -> list[Part]:
    """The parts a completion names; ServiceError unless they are there, in order, and large."""
    numbers = [each.get("PartNumber", 0) for each in named]
    if not numbers:
        raise ServiceError("InvalidRequest", "You must specify at least one part")
    if any(later <= number for number, later in pairwise(numbers)):
        raise ServiceError(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. The parts list must be specified in "
            "order by part number.",
            UploadId=upload.id,
        )
    for each in named:
        _check_named(upload, present.get(each.get("PartNumber", 0)), each)
    parts = [present[number] for number in numbers]
    for part in parts[:-1]:
        if part.size < MIN_PART_BYTES:
            raise ServiceError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ETag=part.etag,
                MinSizeAllowed=MIN_PART_BYTES,
                PartNumber=part.number,
                ProposedSize=part.size,
            )
    return parts


def _check_named(upload: Upload, part: Part | None, named: Mapping[str, Any]) -> None:
    sums = {n: text for n, text in named.items() if n.startswith("Checksum") and text is not None}
    if (
        part is None
        or named.get("ETag", "").strip('"') != part.etag
        or any(part.checksums.get(name, text) != text for name, text in sums.items())
    ):
        raise ServiceError(
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been "
            "uploaded, or the specified entity tag may not match the part's entity tag.",
            UploadId=upload.id,
            PartNumber=named.get("PartNumber"),
            ETag=named.get("ETag"),
        )
    if upload.checksum_type == "COMPOSITE" and f"Checksum{upload.algorithm}" not in sums:
        raise ServiceError(
            "InvalidRequest",
            f"The upload was created using a {str(upload.algorithm).lower()} checksum. The "
            "complete request must include the checksum for each part. It was missing for part "
            f"{part.number} in the request.",
        )


def etag_of(parts: Sequence[Part]) -> str:
    """MD5 of the parts' MD5s, and how many they are."""
    sums = b"".join(bytes.fromhex(part.etag) for part in parts)
    return f"{md5(sums, usedforsecurity=False).hexdigest()}-{len(parts)}"


def joined(blobs: Blobs, upload: Upload, parts: Sequence[Part]) -> tuple[str, dict[str, str]]:
    """A blob of all parts' bytes, and the object's checksum by algorithm."""
    algorithm = upload.algorithm
    whole = (
        ALGORITHMS[algorithm][1]() if algorithm and upload.checksum_type == "FULL_OBJECT" else None
    )
    try:
        blob, _ = blobs.write(_bytes(blobs, parts), whole.update if whole else lambda _: None)
    except FileNotFoundError:  # the upload ended meanwhile
        raise no_such_upload(upload.id) from None
    if algorithm is None:
        return blob, {}
    if whole is not None:
        return blob, {algorithm: encode(whole.digest())}
    sums = b"".join(base64.b64decode(part.checksums[f"Checksum{algorithm}"]) for part in parts)
    return blob, {algorithm: f"{checksum(algorithm, sums)}-{len(parts)}"}


def _bytes(blobs: Blobs, parts: Sequence[Part]) -> Iterator[bytes]:
    for part in parts:
        with blobs.open(part.blob) as file:
            yield from pieces(file)
