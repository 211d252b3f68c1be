"""S3's listings through genuine boto3, against what the keys themselves say."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

KEYS = [
    "a", "a!", "a/", "a/1", "a/2/x", "a/2/y", "a0", "b/é", "b/🚲", "b/\uffee", "c d+e", "c%20d",
    "Z", "train/1.png", "train/2.png", "train/sub/3.png", "\U0010ffff", "\ud7ff1", "\ue0001",
]  # fmt: skip
"""Among them neighbours of the delimiter, keys that UTF-16 would sort otherwise, and the ends of
the code points that can be written."""


@pytest.fixture(scope="module")
def s3(client: Callable[..., Any]) -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket="listed")
    for key in random.Random(1).sample(KEYS, len(KEYS)):
        s3.put_object(Bucket="listed", Key=key, Body=key.encode())
    return s3


def _expected(prefix: str, delimiter: str) -> list[str]:
    """Keys and common prefixes, worked out from the list."""
    found: list[str] = []
    for key in sorted(KEYS, key=str.encode):
        if key.startswith(prefix):
            rest = key.removeprefix(prefix)
            cut = rest.find(delimiter) if delimiter else -1
            found.append(key if cut < 0 else prefix + rest[: cut + len(delimiter)])
    return list(dict.fromkeys(found))


def _listed(s3: Any, operation: str, size: int, prefix: str, delimiter: str) -> list[str]:
    pages = s3.get_paginator(operation).paginate(
        Bucket="listed", Prefix=prefix, Delimiter=delimiter, PaginationConfig={"PageSize": size}
    )
    found: list[str] = []
    for page in pages:
        keys = [each["Key"] for each in page.get("Contents", [])]
        prefixes = [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        assert keys == sorted(keys, key=str.encode)
        assert 1 <= len(keys) + len(prefixes) <= size
        found += sorted(keys + prefixes, key=str.encode)
    return found


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "delimiter"),
    [
        ("", ""), ("", "/"), ("a", ""), ("a", "/"), ("a/", "/"), ("b/", "/"), ("train/", "/"),
        ("", "2"), ("", "/2/"), ("\U0010ffff", ""), ("\ud7ff", "/"), ("c", "d"),
    ],
)  # fmt: skip
def test_pages_of_any_size_give_every_key_once(
    s3: Any, operation: str, size: int, prefix: str, delimiter: str
) -> None:
    assert _listed(s3, operation, size, prefix, delimiter) == _expected(prefix, delimiter)


def test_a_listing_tells_what_it_lists(s3: Any) -> None:
    answer = s3.list_objects_v2(Bucket="listed", Prefix="train/", Delimiter="/", FetchOwner=True)
    assert (answer["KeyCount"], answer["MaxKeys"], answer["IsTruncated"]) == (3, 1000, False)
    assert (answer["Name"], answer["Prefix"], answer["Delimiter"]) == ("listed", "train/", "/")
    assert answer["CommonPrefixes"] == [{"Prefix": "train/sub/"}]
    first = answer["Contents"][0]
    head = s3.head_object(Bucket="listed", Key="train/1.png")
    assert (first["Key"], first["Size"], first["StorageClass"]) == ("train/1.png", 11, "STANDARD")
    assert (first["ETag"], first["LastModified"]) == (head["ETag"], head["LastModified"])
    assert len(first["Owner"]["ID"]) == 64
    assert "NextContinuationToken" not in answer
    empty = s3.list_objects_v2(Bucket="listed", Prefix="nothing")
    assert (empty["KeyCount"], "Contents" in empty) == (0, False)


def test_starting_after_a_key_leaves_out_it_and_all_before(s3: Any) -> None:
    def after(key: str, **members: Any) -> list[str]:
        answer = s3.list_objects_v2(Bucket="listed", StartAfter=key, Prefix="a", **members)
        found = [each["Key"] for each in answer.get("Contents", [])]
        return found + [each["Prefix"] for each in answer.get("CommonPrefixes", [])]

    assert after("a/1") == ["a/2/x", "a/2/y", "a0"]
    assert after("a/1x") == ["a/2/x", "a/2/y", "a0"]
    assert after("") == [key for key in sorted(KEYS) if key.startswith("a")]
    assert after("a/1", Delimiter="/") == ["a0"]
    assert after("b") == []
    marked = s3.list_objects_v2(Bucket="listed", StartAfter="a/", Prefix="a/", Delimiter="/")
    assert [each["Key"] for each in marked["Contents"]] == ["a/1"]


def test_a_page_of_none_is_no_truncation(s3: Any) -> None:
    answer = s3.list_objects_v2(Bucket="listed", MaxKeys=0)
    assert (answer["KeyCount"], answer["IsTruncated"]) == (0, False)


def test_encoded_names_come_back_plain(s3: Any) -> None:
    """boto3 asks for url encoding and decodes by itself; asked by hand, the client does not."""
    answer = s3.list_objects_v2(Bucket="listed", Prefix="c", EncodingType="url")
    assert [each["Key"] for each in answer["Contents"]] == ["c%20d%2Be", "c%2520d"]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Bucket": "not-there"}, "NoSuchBucket"),
        ({"Bucket": "listed", "ContinuationToken": "?"}, "InvalidArgument"),
        ({"Bucket": "listed", "MaxKeys": -1}, "InvalidArgument"),
    ],
)
def test_what_cannot_be_listed_is_refused(s3: Any, members: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        s3.list_objects_v2(**members)
    assert refused.value.response["Error"]["Code"] == code


def test_a_thousand_keys_are_a_page(client: Callable[..., Any]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="many")
    for i in range(1002):
        s3.put_object(Bucket="many", Key=f"{i:04}/{i}", Body=b"")
    page = s3.list_objects_v2(Bucket="many", MaxKeys=5000)
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1000, 1000, True)
    rest = s3.list_objects_v2(Bucket="many", ContinuationToken=page["NextContinuationToken"])
    assert [each["Key"] for each in rest["Contents"]] == ["1000/1000", "1001/1001"]
    rolled = s3.list_objects_v2(Bucket="many", Delimiter="/")
    assert len(rolled["CommonPrefixes"]) == 1000
    delete = {"Objects": [{"Key": each["Key"]} for each in page["Contents"]]}
    s3.delete_objects(Bucket="many", Delete=delete)
    assert s3.list_objects_v2(Bucket="many")["KeyCount"] == 2
