"""S3's buckets through genuine boto3 and the gateway."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


def _refusal(call: Callable[..., Any], **members: Any) -> tuple[str, int]:
    """Code and HTTP status of the error a call must end with."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_bucket_lives_from_create_to_delete(s3: Any) -> None:
    name = "a-bucket.of-mine"
    assert _refusal(s3.head_bucket, Bucket=name) == ("404", 404)
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    s3.create_bucket(Bucket=name)  # us-east-1 says 200 to its owner
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert name in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert _refusal(s3.delete_bucket, Bucket=name) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert _refusal(s3.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)


def test_buckets_are_tagged_and_listed_in_pages(s3: Any) -> None:
    for name in ("page-1", "page-2", "page-3"):
        s3.create_bucket(Bucket=name)
    assert _refusal(s3.get_bucket_tagging, Bucket="page-1") == ("NoSuchTagSet", 404)
    tags = [{"Key": "made-by", "Value": "scones"}]
    s3.put_bucket_tagging(Bucket="page-1", Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket="page-1")["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket="page-1")
    assert _refusal(s3.get_bucket_tagging, Bucket="page-1") == ("NoSuchTagSet", 404)
    pages = s3.get_paginator("list_buckets").paginate(
        Prefix="page-", PaginationConfig={"PageSize": 2}
    )
    assert [[b["Name"] for b in page["Buckets"]] for page in pages] == [
        ["page-1", "page-2"], ["page-3"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["Ab-c", "a_b", "ab", "a" * 64, "a..b", "-ab", "ab-", "192.168.1.1", "xn--ab"]
)
def test_a_bucket_name_must_be_one(s3: Any, name: str) -> None:
    assert _refusal(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400)


def test_a_client_of_another_region_gets_its_bucket_there(client: Callable[..., Any]) -> None:
    s3 = client("s3", region_name="eu-west-1")
    there = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket="irish", CreateBucketConfiguration=there)
    assert s3.get_bucket_location(Bucket="irish")["LocationConstraint"] == "eu-west-1"
    assert s3.head_bucket(Bucket="irish")["BucketRegion"] == "eu-west-1"
