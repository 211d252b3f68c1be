"""S3's multipart uploads through genuine boto3."""

import base64
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

BUCKET = "uploads"
MIB = 2**20
LARGE = bytes(range(256)) * (5 * MIB // 256)


@pytest.fixture(scope="module")
def s3(client: Callable[..., Any]) -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


def _refusal(call: Callable[..., Any], **members: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        call(**members)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def _begin(s3: Any, key: str, **members: Any) -> dict[str, Any]:
    """The members that name a new upload."""
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key, **members)
    return {"Bucket": BUCKET, "Key": key, "UploadId": upload["UploadId"]}


def _complete(s3: Any, upload: dict[str, Any], parts: dict[int, Any], **members: Any) -> Any:
    """`parts`: what UploadPart answered, by number, in the order to name them."""
    named = [
        {"PartNumber": number}
        | {k: v for k, v in part.items() if k == "ETag" or k.startswith("Checksum")}
        for number, part in parts.items()
    ]
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": named}, **members)


def test_parts_that_arrive_in_any_order_are_joined_by_number(s3: Any) -> None:
    said = {"ContentType": "image/png", "Metadata": {"a": "b"}, "Tagging": "c=d"}
    upload = _begin(s3, "joined", **said)
    last = s3.upload_part(**upload, PartNumber=7, Body=b"end")
    s3.upload_part(**upload, PartNumber=2, Body=b"replaced below")
    first = s3.upload_part(**upload, PartNumber=2, Body=LARGE)
    s3.upload_part(**upload, PartNumber=5, Body=b"never named")
    assert _refusal(s3.get_object, Bucket=BUCKET, Key="joined") == ("NoSuchKey", 404)
    answer = _complete(s3, upload, {2: first, 7: last}, MpuObjectSize=len(LARGE) + 3)
    md5s = hashlib.md5(LARGE).digest() + hashlib.md5(b"end").digest()
    assert answer["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    got = s3.get_object(Bucket=BUCKET, Key="joined")
    assert got["Body"].read() == LARGE + b"end"
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (
        answer["ETag"], "image/png", {"a": "b"},
    )  # fmt: skip
    assert got["TagCount"] == 1
    part = s3.get_object(Bucket=BUCKET, Key="joined", PartNumber=2)
    assert (part["Body"].read(), part["PartsCount"]) == (b"end", 2)
    assert part["ContentRange"] == f"bytes {len(LARGE)}-{len(LARGE) + 2}/{len(LARGE) + 3}"
    assert _refusal(_complete, s3=s3, upload=upload, parts={2: first})[0] == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET, Prefix="joined")


def test_what_does_not_complete_an_upload(s3: Any) -> None:
    upload = _begin(s3, "incomplete")
    one = s3.upload_part(**upload, PartNumber=1, Body=b"too small to be followed")
    two = s3.upload_part(**upload, PartNumber=2, Body=b"fine as the last")
    for parts, code in (
        ({2: two, 1: one}, "InvalidPartOrder"),
        ({1: one, 2: two}, "EntityTooSmall"),
        ({1: one, 3: two}, "InvalidPart"),
        ({2: {"ETag": one["ETag"]}}, "InvalidPart"),
        ({2: two | {"ChecksumCRC32": "AAAAAA=="}}, "InvalidPart"),
    ):
        assert _refusal(_complete, s3=s3, upload=upload, parts=parts) == (code, 400)
    wrong = {"s3": s3, "upload": upload, "parts": {2: two}}
    assert _refusal(_complete, **wrong, MpuObjectSize=3) == ("InvalidRequest", 400)
    assert _refusal(s3.complete_multipart_upload, **upload)[1] == 400
    s3.put_object(Bucket=BUCKET, Key="incomplete", Body=b"there already")
    assert _refusal(_complete, **wrong, IfNoneMatch="*") == ("PreconditionFailed", 412)
    _complete(s3, upload, {2: two})
    assert s3.get_object(Bucket=BUCKET, Key="incomplete")["Body"].read() == b"fine as the last"


def test_part_numbers_and_uploads_must_be_real(s3: Any) -> None:
    upload = _begin(s3, "numbers")
    for number in (0, 10_001):
        refused = _refusal(s3.upload_part, **upload, PartNumber=number, Body=b"x")
        assert refused == ("InvalidArgument", 400)
    other = upload | {"UploadId": "no-such-upload"}
    for call in (s3.abort_multipart_upload, s3.list_parts):
        assert _refusal(call, **other) == ("NoSuchUpload", 404)
    other = upload | {"Key": "another key"}
    assert _refusal(s3.upload_part, **other, PartNumber=1) == ("NoSuchUpload", 404)


def test_an_aborted_upload_is_gone_with_its_parts(s3: Any, client: Callable[..., Any]) -> None:
    upload = _begin(s3, "aborted")
    s3.upload_part(**upload, PartNumber=1, Body=b"x")
    s3.abort_multipart_upload(**upload)
    assert _refusal(s3.upload_part, **upload, PartNumber=2, Body=b"y") == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET, Prefix="aborted")
    s3.create_bucket(Bucket="with-upload")
    s3.create_multipart_upload(Bucket="with-upload", Key="k")
    s3.delete_bucket(Bucket="with-upload")


def test_parts_and_uploads_are_listed_in_pages(s3: Any) -> None:
    uploads = [_begin(s3, key) for key in ("list/b", "list/a", "list/a", "list/c/1", "list/c/2")]
    etags = [s3.upload_part(**uploads[0], PartNumber=n, Body=b"x" * n)["ETag"] for n in (1, 2, 3)]
    pages = s3.get_paginator("list_parts").paginate(**uploads[0], PaginationConfig={"PageSize": 2})
    parts = [[(p["PartNumber"], p["Size"], p["ETag"]) for p in page["Parts"]] for page in pages]
    assert parts == [[(1, 1, etags[0]), (2, 2, etags[1])], [(3, 3, etags[2])]]

    def listed(**members: Any) -> list[Any]:
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": 2}, **members
        )
        found: list[Any] = []
        for page in pages:
            found += [(e["Key"], e["UploadId"]) for e in page.get("Uploads", [])]
            found += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        return found

    ids = [(upload["Key"], upload["UploadId"]) for upload in uploads]
    assert listed() == [ids[1], ids[2], ids[0], ids[3], ids[4]]
    assert listed(Delimiter="/") == [ids[1], ids[2], ids[0], "list/c/"]


def test_a_part_can_be_copied_from_an_object(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=LARGE)
    source = {"Bucket": BUCKET, "Key": "source"}
    upload = _begin(s3, "copied")
    whole = s3.upload_part_copy(**upload, PartNumber=1, CopySource=source)
    piece = s3.upload_part_copy(
        **upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=10-19"
    )
    parts = {1: whole["CopyPartResult"], 2: piece["CopyPartResult"]}
    _complete(s3, upload, parts)
    assert s3.get_object(Bucket=BUCKET, Key="copied")["Body"].read() == LARGE + LARGE[10:20]
    upload = _begin(s3, "copied") | {"PartNumber": 1, "CopySource": source}
    beyond = {"CopySourceRange": f"bytes=0-{len(LARGE)}"}
    assert _refusal(s3.upload_part_copy, **upload, **beyond)[0] == "InvalidArgument"
    other = {"CopySourceIfMatch": '"other"'}
    assert _refusal(s3.upload_part_copy, **upload, **other)[0] == "PreconditionFailed"


def _crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_the_objects_checksum_is_of_its_parts_or_of_its_bytes(s3: Any, kind: str) -> None:
    members = {"ChecksumAlgorithm": "CRC32", "ChecksumType": kind}
    upload = _begin(s3, kind, **members)
    bodies = {1: LARGE, 2: b"end"}
    parts = {n: s3.upload_part(**upload, PartNumber=n, Body=body) for n, body in bodies.items()}
    composite = base64.b64encode(_crc32(_crc32(LARGE) + _crc32(b"end"))).decode() + "-2"
    full = base64.b64encode(_crc32(LARGE + b"end")).decode()
    expected = composite if kind == "COMPOSITE" else full
    wrong = {"s3": s3, "upload": upload, "parts": parts, "ChecksumCRC32": "AAAAAA=="}
    assert _refusal(_complete, **wrong) == ("BadDigest", 400)
    answer = _complete(s3, upload, parts, ChecksumCRC32=expected, ChecksumType=kind)
    assert (answer["ChecksumCRC32"], answer["ChecksumType"]) == (expected, kind)
    got = s3.get_object(Bucket=BUCKET, Key=kind)
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (LARGE + b"end", expected)


def test_parts_must_have_the_checksum_their_upload_was_begun_with(s3: Any) -> None:
    upload = _begin(s3, "sha", ChecksumAlgorithm="SHA256")
    sha1 = base64.b64encode(hashlib.sha1(b"x").digest()).decode()
    refused = _refusal(s3.upload_part, **upload, PartNumber=1, Body=b"x", ChecksumSHA1=sha1)
    assert refused == ("InvalidRequest", 400)
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    bare = {1: {"ETag": part["ETag"]}}
    assert _refusal(_complete, s3=s3, upload=upload, parts=bare) == ("InvalidRequest", 400)
    digest = hashlib.sha256(hashlib.sha256(b"x").digest()).digest()
    answer = _complete(s3, upload, {1: part})
    assert answer["ChecksumSHA256"] == base64.b64encode(digest).decode() + "-1"
    impossible = {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"}
    call = s3.create_multipart_upload
    assert _refusal(call, Bucket=BUCKET, Key="k", **impossible) == ("InvalidRequest", 400)


@pytest.mark.slow
def test_a_large_file_goes_up_and_down_in_pieces(s3: Any, tmp_path: Path) -> None:
    content = bytes(range(251)) * (21 * MIB // 251)
    (tmp_path / "up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), BUCKET, "large")
    head = s3.head_object(Bucket=BUCKET, Key="large")
    assert head["ETag"].endswith('-3"')
    s3.download_file(BUCKET, "large", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content
    copied = TransferConfig(multipart_threshold=8 * MIB)
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "large copy", Config=copied)
    s3.download_file(BUCKET, "large copy", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == content
    whole = s3.copy_object(
        Bucket=BUCKET, Key="whole", CopySource={"Bucket": BUCKET, "Key": "large"}
    )
    assert whole["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
