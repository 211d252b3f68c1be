"""S3's objects through genuine boto3 and the gateway."""

import base64
import hashlib
import io
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = "pictures"


@pytest.fixture(scope="module")
def s3(client: Callable[..., Any]) -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET)
    return s3


def _refusal(call: Callable[..., Any], **members: Any) -> tuple[str, int]:
    """Code and HTTP status of the error a call must end with."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def _get(s3: Any, key: str, **members: Any) -> bytes:
    body: bytes = s3.get_object(Bucket=BUCKET, Key=key, **members)["Body"].read()
    return body


@pytest.mark.parametrize("size", [0, 1, 2048, 32 * 1024, 32 * 1024 + 1, 3 * 2**20])
def test_what_is_put_is_got(s3: Any, size: int) -> None:
    body = bytes(i * 7 % 256 for i in range(1024)) * (size // 1024) + b"x" * (size % 1024)
    put = s3.put_object(Bucket=BUCKET, Key=f"size/{size}", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=BUCKET, Key=f"size/{size}")
    assert got["Body"].read() == body
    assert (got["ContentLength"], got["ETag"]) == (size, put["ETag"])
    assert got["ContentType"] == "binary/octet-stream"
    assert got["AcceptRanges"] == "bytes"
    crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    assert got["ChecksumCRC32"] == crc32  # boto3 sends one, and asks for it
    head = s3.head_object(Bucket=BUCKET, Key=f"size/{size}")
    assert (head["ContentLength"], head["ETag"]) == (size, put["ETag"])
    assert abs(datetime.now(UTC) - head["LastModified"]) < timedelta(seconds=30)


@pytest.mark.parametrize(
    "key",
    [
        "a b+c&d=e?f#g%h",
        "ünï/🚲/ключ",
        "../../etc/passwd",
        "/",
        "//a//",
        ".",
        "a/./b",
        "a\\b",
        "%2e",
    ],
)
def test_any_key_is_only_a_name(s3: Any, key: str) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    assert _get(s3, key) == key.encode()
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
    assert key in [each["Key"] for each in listed]
    s3.delete_object(Bucket=BUCKET, Key=key)
    assert _refusal(s3.head_object, Bucket=BUCKET, Key=key) == ("404", 404)


def test_headers_and_metadata_come_back(s3: Any) -> None:
    expires = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a.png"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "nl",
        "ContentType": "image/png",
        "Metadata": {"label": "bicycle", "split": "train"},
    }
    s3.put_object(Bucket=BUCKET, Key="headers", Expires=expires, Tagging="a=1&b=%26", **given)
    for answer in (
        s3.head_object(Bucket=BUCKET, Key="headers"),
        s3.get_object(Bucket=BUCKET, Key="headers"),
    ):
        assert {name: answer[name] for name in given} == given
        assert answer["ExpiresString"] == "Wed, 02 Jan 2030 03:04:05 GMT"
    tags = s3.get_object_tagging(Bucket=BUCKET, Key="headers")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "&"}]
    assert s3.get_object(Bucket=BUCKET, Key="headers")["TagCount"] == 2
    other = s3.get_object(Bucket=BUCKET, Key="headers", ResponseContentType="text/plain")
    assert other["ContentType"] == "text/plain"


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-0", 0, 1), ("2-4", 2, 5), ("5-", 5, None), ("-3", -3, None), ("4-999999", 4, None)],
)
def test_a_range_is_a_206(s3: Any, size: int, asked: str, start: int, stop: int | None) -> None:
    body = (b"0123456789" * (size // 10))[:size]
    s3.put_object(Bucket=BUCKET, Key="range", Body=body)
    got = s3.get_object(Bucket=BUCKET, Key="range", Range=f"bytes={asked}")
    expected = body[start:stop]
    assert got["Body"].read() == expected
    first = start % size
    assert got["ContentRange"] == f"bytes {first}-{first + len(expected) - 1}/{size}"
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert "ChecksumCRC32" not in got
    head = s3.head_object(Bucket=BUCKET, Key="range", Range=f"bytes={asked}")
    assert head["ContentLength"] == len(expected)


def test_a_range_without_bytes_is_invalid_and_one_not_understood_is_ignored(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="range", Body=b"0123456789")
    s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")
    for key, asked in (("range", "10-"), ("range", "-0"), ("empty", "0-"), ("empty", "-1")):
        members = {"Bucket": BUCKET, "Key": key, "Range": f"bytes={asked}"}
        assert _refusal(s3.get_object, **members) == ("InvalidRange", 416)
        assert _refusal(s3.head_object, **members) == ("416", 416)
    endless = "bytes=0-" + "9" * 5000  # more digits than Python reads
    for asked in ("bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=a-b", "bytes=-", endless):
        assert _get(s3, "range", Range=asked) == b"0123456789"
    assert _get(s3, "range", PartNumber=1) == b"0123456789"
    one = {"Bucket": BUCKET, "Key": "range", "PartNumber": 2}
    assert _refusal(s3.get_object, **one) == ("InvalidPartNumber", 416)
    both = {"Bucket": BUCKET, "Key": "range", "PartNumber": 1, "Range": "bytes=0-1"}
    assert _refusal(s3.get_object, **both) == ("InvalidRequest", 400)


def test_readers_conditions(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="conditions", Body=b"x")["ETag"]
    modified = s3.head_object(Bucket=BUCKET, Key="conditions")["LastModified"]
    before, after = modified - timedelta(seconds=1), modified + timedelta(seconds=1)
    failed, unmodified = ("PreconditionFailed", 412), ("304", 304)
    for conditions, expected in (
        ({"IfMatch": etag}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": f'"other", {etag}'}, None),
        ({"IfMatch": '"other"'}, failed),
        ({"IfNoneMatch": '"other"'}, None),
        ({"IfNoneMatch": etag}, unmodified),
        ({"IfNoneMatch": etag.strip('"')}, unmodified),
        ({"IfModifiedSince": before}, None),
        ({"IfModifiedSince": modified}, unmodified),
        ({"IfUnmodifiedSince": modified}, None),
        ({"IfUnmodifiedSince": before}, failed),
        ({"IfMatch": etag, "IfUnmodifiedSince": before}, None),
        ({"IfNoneMatch": etag, "IfModifiedSince": before}, unmodified),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": after}, None),
    ):
        members = {"Bucket": BUCKET, "Key": "conditions", **conditions}
        if expected is None:
            assert s3.get_object(**members)["Body"].read() == b"x"
            s3.head_object(**members)
        else:
            assert _refusal(s3.get_object, **members) == expected
            assert _refusal(s3.head_object, **members) == (str(expected[1]), expected[1])


def test_what_is_not_modified_comes_with_its_etag(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="unmodified", Body=b"x")["ETag"]
    for read in (s3.get_object, s3.head_object):
        with pytest.raises(ClientError) as refusal:
            read(Bucket=BUCKET, Key="unmodified", IfNoneMatch=etag)
        headers = refusal.value.response["ResponseMetadata"]["HTTPHeaders"]
        assert headers["etag"] == etag


def test_writers_conditions(s3: Any) -> None:
    members = {"Bucket": BUCKET, "Key": "guarded"}
    failed = ("PreconditionFailed", 412)
    assert _refusal(s3.put_object, **members, IfMatch='"x"') == ("NoSuchKey", 404)
    first = s3.put_object(**members, Body=b"first", IfNoneMatch="*")["ETag"]
    assert _refusal(s3.put_object, **members, Body=b"x" * 50_000, IfNoneMatch="*") == failed
    assert _refusal(s3.put_object, **members, IfMatch='"other"') == failed
    assert _get(s3, "guarded") == b"first"
    s3.put_object(**members, Body=b"second", IfMatch=first)
    assert _get(s3, "guarded") == b"second"
    assert _refusal(s3.put_object, **members, IfNoneMatch=first) == ("NotImplemented", 501)


def test_a_wrong_checksum_of_any_kind_leaves_the_old_object(s3: Any) -> None:
    members = {"Bucket": BUCKET, "Key": "checked"}
    s3.put_object(**members, Body=b"old")
    for body in (b"new", b"new" * 50_000):
        for name, size in (
            ("CRC32", 4), ("CRC32C", 4), ("CRC64NVME", 8), ("SHA1", 20), ("SHA256", 32),
            ("SHA512", 64), ("MD5", 16),
        ):  # fmt: skip
            wrong = base64.b64encode(bytes(size)).decode()
            given = {f"Checksum{name}": wrong}
            assert _refusal(s3.put_object, **members, Body=body, **given) == ("BadDigest", 400)
            given = {f"Checksum{name}": "AA=="}
            assert _refusal(s3.put_object, **members, Body=body, **given)[0] == "InvalidRequest"
        wrong = base64.b64encode(bytes(16)).decode()
        assert _refusal(s3.put_object, **members, Body=body, ContentMD5=wrong)[0] == "BadDigest"
        assert _refusal(s3.put_object, **members, Body=body, ContentMD5="x")[0] == "InvalidDigest"
    assert _get(s3, "checked") == b"old"


def test_that_a_bucket_is_not_there_counts_before_a_wrong_checksum(s3: Any) -> None:
    wrong = base64.b64encode(bytes(16)).decode()
    for body in (b"new", b"new" * 500_000):
        given = {"Bucket": "not-there", "Key": "key", "Body": body, "ContentMD5": wrong}
        assert _refusal(s3.put_object, **given) == ("NoSuchBucket", 404)


@pytest.mark.parametrize(
    ("name", "checksum"),
    [  # of the text "hello world", by `openssl dgst` or the catalogue's CRCs
        ("CRC32", "DUoRhQ=="),
        ("CRC32C", "yZRlqg=="),
        ("CRC64NVME", "jSnVw/bqjr4="),
        ("SHA1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
        ("SHA256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
        ("MD5", "XrY7u+Ae7tCTyyK7j1rNww=="),
    ],
)
def test_a_right_checksum_is_kept_and_told(s3: Any, name: str, checksum: str) -> None:
    member = f"Checksum{name}"
    given = {member: checksum}
    put = s3.put_object(Bucket=BUCKET, Key=name, Body=b"hello world", **given)
    assert (put[member], put["ChecksumType"]) == (checksum, "FULL_OBJECT")
    assert s3.head_object(Bucket=BUCKET, Key=name, ChecksumMode="ENABLED")[member] == checksum
    assert member not in s3.head_object(Bucket=BUCKET, Key=name)
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=name)["Contents"][0]
    assert listed["ChecksumAlgorithm"] == [name]


def test_a_document_that_is_not_what_its_checksum_says_is_refused(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="kept", Body=b"x")

    def spoil(request: Any, **_: Any) -> None:
        request.headers["x-amz-checksum-crc32"] = "AAAAAA=="

    s3.meta.events.register("before-sign.s3.DeleteObjects", spoil)
    delete = {"Objects": [{"Key": "kept"}]}
    try:
        assert _refusal(s3.delete_objects, Bucket=BUCKET, Delete=delete) == ("BadDigest", 400)
    finally:
        s3.meta.events.unregister("before-sign.s3.DeleteObjects", spoil)
    assert _get(s3, "kept") == b"x"


def test_deleting_one_or_many_is_silent_about_what_is_not_there(s3: Any) -> None:
    for key in ("gone/a", "gone/b", "gone/c"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x" * 40_000)
    s3.delete_object(Bucket=BUCKET, Key="gone/never")
    keys = [{"Key": "gone/a"}, {"Key": "gone/never"}]
    answer = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})
    assert answer["Deleted"] == keys
    quiet = {"Objects": [{"Key": "gone/b"}], "Quiet": True}
    assert "Deleted" not in s3.delete_objects(Bucket=BUCKET, Delete=quiet)
    assert [e["Key"] for e in s3.list_objects_v2(Bucket=BUCKET, Prefix="gone/")["Contents"]] == [
        "gone/c"
    ]
    many = {"Objects": [{"Key": str(i)} for i in range(1001)]}
    assert _refusal(s3.delete_objects, Bucket=BUCKET, Delete=many) == ("MalformedXML", 400)


def test_a_copy_keeps_or_replaces_what_was_said_of_its_source(s3: Any) -> None:
    said = {"ContentType": "image/png", "Metadata": {"label": "bicycle"}, "Tagging": "a=1"}
    s3.put_object(Bucket=BUCKET, Key="source é+", Body=b"x" * 40_000, **said)
    source = {"Bucket": BUCKET, "Key": "source é+"}
    answer = s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)["CopyObjectResult"]
    copy = s3.head_object(Bucket=BUCKET, Key="copy")
    assert (copy["ETag"], copy["ContentType"]) == (answer["ETag"], "image/png")
    assert copy["Metadata"] == {"label": "bicycle"}
    assert _get(s3, "copy") == b"x" * 40_000
    other = {"MetadataDirective": "REPLACE", "Metadata": {"b": "2"}, "TaggingDirective": "REPLACE"}
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source, Tagging="c=3", **other)
    copy = s3.head_object(Bucket=BUCKET, Key="copy")
    assert (copy["ContentType"], copy["Metadata"]) == ("binary/octet-stream", {"b": "2"})
    tags = s3.get_object_tagging(Bucket=BUCKET, Key="copy")["TagSet"]
    assert tags == [{"Key": "c", "Value": "3"}]


def test_a_copy_onto_itself_must_change_something(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="same", Body=b"x" * 40_000)
    members = {"Bucket": BUCKET, "Key": "same", "CopySource": f"{BUCKET}/same"}
    assert _refusal(s3.copy_object, **members) == ("InvalidRequest", 400)
    s3.copy_object(**members, MetadataDirective="REPLACE", Metadata={"a": "b"})
    assert s3.head_object(Bucket=BUCKET, Key="same")["Metadata"] == {"a": "b"}
    assert _get(s3, "same") == b"x" * 40_000


def test_copiers_conditions_are_about_the_source(s3: Any) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="source", Body=b"x")["ETag"]
    members = {"Bucket": BUCKET, "Key": "target", "CopySource": f"{BUCKET}/source"}
    failed = ("PreconditionFailed", 412)
    assert _refusal(s3.copy_object, **members, CopySourceIfMatch='"other"') == failed
    assert _refusal(s3.copy_object, **members, CopySourceIfNoneMatch=etag) == failed
    s3.copy_object(**members, CopySourceIfMatch=etag)
    absent = members | {"CopySource": f"{BUCKET}/nothing"}
    assert _refusal(s3.copy_object, **absent) == ("NoSuchKey", 404)
    assert _refusal(s3.copy_object, **members | {"CopySource": "x"})[0] == "InvalidArgument"


def test_tags_replace_tags_and_have_limits(s3: Any) -> None:
    s3.put_object(Bucket=BUCKET, Key="tagged", Body=b"x")
    members = {"Bucket": BUCKET, "Key": "tagged"}
    tags = [{"Key": "made-by", "Value": "scones"}]
    s3.put_object_tagging(**members, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(**members)["TagSet"] == tags
    s3.delete_object_tagging(**members)
    assert s3.get_object_tagging(**members)["TagSet"] == []
    many = [{"Key": str(i), "Value": ""} for i in range(11)]
    for wrong in (many, tags * 2, [{"Key": "k" * 129, "Value": ""}]):
        assert _refusal(s3.put_object_tagging, **members, Tagging={"TagSet": wrong})[1] == 400
    absent = {"Bucket": BUCKET, "Key": "no tags", "Tagging": {"TagSet": tags}}
    assert _refusal(s3.put_object_tagging, **absent) == ("NoSuchKey", 404)


def test_metadata_beyond_two_kilobytes_is_refused(s3: Any) -> None:
    members = {"Bucket": BUCKET, "Key": "talkative", "Metadata": {"a": "x" * 2048}}
    assert _refusal(s3.put_object, **members) == ("MetadataTooLarge", 400)


def test_what_is_absent_is_named(s3: Any) -> None:
    nowhere = {"Bucket": "no-such-bucket", "Key": "k"}
    for call in (s3.get_object, s3.put_object, s3.delete_object):
        assert _refusal(call, **nowhere) == ("NoSuchBucket", 404)
    assert _refusal(s3.head_object, **nowhere) == ("404", 404)
    assert _refusal(s3.get_object, Bucket=BUCKET, Key="nothing") == ("NoSuchKey", 404)
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket=BUCKET, Key="nothing")
    long = {"Bucket": BUCKET, "Key": "é" * 513}
    assert _refusal(s3.put_object, **long) == ("KeyTooLongError", 400)
    s3.put_object(Bucket=BUCKET, Key="é" * 512, Body=b"")


def test_what_is_not_carried_is_refused_by_name(s3: Any) -> None:
    members = {"Bucket": BUCKET, "Key": "k"}
    for given in (
        {"ACL": "public-read"},
        {"StorageClass": "GLACIER"},
        {"ServerSideEncryption": "aws:kms:dsse"},
        {"SSECustomerKey": "0" * 32, "SSECustomerAlgorithm": "AES256"},
        {"ObjectLockMode": "COMPLIANCE"},
        {"WebsiteRedirectLocation": "/elsewhere"},
    ):
        with pytest.raises(ClientError, match=next(iter(given))) as refused:
            s3.put_object(**members, **given)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    versioning = {"Status": "Enabled"}
    call = s3.put_bucket_versioning
    assert _refusal(call, Bucket=BUCKET, VersioningConfiguration=versioning)[1] == 501
    s3.put_object(
        **members, Body=b"x", ACL="private", StorageClass="STANDARD", ServerSideEncryption="AES256",
        RequestPayer="requester", ExpectedBucketOwner="000000000000",
    )  # fmt: skip
    stranger = {"ExpectedBucketOwner": "111122223333"}
    assert _refusal(s3.get_object, **members, **stranger) == ("AccessDenied", 403)
    assert _refusal(s3.head_bucket, Bucket=BUCKET, **stranger) == ("403", 403)


def test_presigned_addresses_work_without_boto3(s3: Any) -> None:
    members = {"Bucket": BUCKET, "Key": "presigned é"}
    put = s3.generate_presigned_url("put_object", Params=members | {"ContentType": "text/plain"})
    get = s3.generate_presigned_url("get_object", Params=members)
    with httpx.Client() as plain:
        answer = plain.put(put, content=b"by hand", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 200
        answer = plain.get(get)
        assert (answer.content, answer.headers["content-type"]) == (b"by hand", "text/plain")
        assert plain.get(get, headers={"Range": "bytes=3-"}).content == b"hand"
        assert plain.get(get.partition("?")[0]).status_code == 403


def test_a_stream_and_a_chunked_body_arrive_whole(client: Callable[..., Any], s3: Any) -> None:
    body = bytes(range(256)) * 9000
    s3.upload_fileobj(io.BytesIO(body), BUCKET, "stream")
    assert _get(s3, "stream") == body
    unsigned = client("s3", config=Config(s3={"payload_signing_enabled": False}))
    unsigned.put_object(Bucket=BUCKET, Key="chunked", Body=io.BytesIO(body))
    assert _get(s3, "chunked") == body
