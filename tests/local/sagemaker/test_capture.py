"""Captured records against real ones, and none lost."""

import asyncio
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from scones.local.errors import ServiceError
from scones.local.sagemaker.capture import Captures, Exchange, Rule, key, line

CONFIG = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/data_capture",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {
        "CsvContentTypes": ["text/csv"],
        "JsonContentTypes": ["application/json"],
    },
}
PICTURE = Exchange(b"\x89PNG...", "image/png", b"[0.75, 0.25]", "application/json")
NOON = 1728993912.9876  # 2024-10-15T12:05:12.987Z


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class Bucket:
    """S3 that keeps what is put, or refuses."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refuses = False

    def put_object(self, *, Bucket: str, Key: str, Body: Any) -> dict[str, Any]:
        if self.refuses:
            raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404)
        assert Bucket == "bucket"
        self.objects[Key] = Body
        return {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        raise NotImplementedError

    def list_objects_v2(self, **members: Any) -> dict[str, Any]:
        raise NotImplementedError


def rule(**members: Any) -> Rule:
    read = Rule.read({**CONFIG, **members})
    assert read is not None
    return read


def captures(folder: Path, bucket: Bucket, clock: Clock, **settings: Any) -> Captures:
    return Captures(home=folder, s3=bucket, clock=clock, **settings)


def test_a_record_is_laid_out_as_the_real_ones(shared: Path) -> None:
    files = sorted((shared / "data" / "sagemaker-captures").rglob("*.jsonl"))
    assert len(files) == 21
    records = [each for file in files for each in file.read_bytes().splitlines(keepends=True)]
    assert len(records) == 33
    for record in records:
        real = json.loads(record)
        asked = real["captureData"]["endpointInput"]
        answered = real["captureData"]["endpointOutput"]
        exchange = Exchange(
            b64decode(asked["data"]),
            asked["observedContentType"],
            answered["data"].encode(),
            answered["observedContentType"],
        )
        ours = line(rule(), exchange, 0.0) + "\n"
        about = json.loads(ours)["eventMetadata"]
        assert list(about) == list(real["eventMetadata"])
        for member in about:
            ours = ours.replace(about[member], real["eventMetadata"][member])
        assert ours.encode() == record


def test_the_time_is_cut_to_seconds_and_the_event_has_an_id() -> None:
    about = json.loads(line(rule(), PICTURE, NOON))["eventMetadata"]
    assert about["inferenceTime"] == "2024-10-15T12:05:12Z"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
                        about["eventId"])  # fmt: skip


def test_inference_id_and_custom_attributes_are_recorded_when_given() -> None:
    exchange = Exchange(b"1,2", "text/csv", b"0.5", "text/csv", "inference-1", "tracker-7")
    about = json.loads(line(rule(), exchange, NOON))["eventMetadata"]
    assert about["inferenceId"] == "inference-1"
    assert about["customAttributes"] == ["tracker-7"]


@pytest.mark.parametrize(
    ("content_type", "body", "encoding", "data"),
    [
        ("application/json", b'{"a": "\xc3\xa9"}', "JSON", '{"a": "é"}'),
        ("application/json; charset=utf-8", b"[1]", "JSON", "[1]"),
        ("text/csv", b"1,2\n", "CSV", "1,2\n"),
        ("TEXT/CSV", b"1,2", "CSV", "1,2"),
        ("image/png", b"\x00\xff", "BASE64", "AP8="),
        ("application/json", b"\xff\xfe", "BASE64", "//4="),
        ("text/plain", b"hello", "BASE64", "aGVsbG8="),
    ],
)
def test_encoding_follows_the_listed_content_types(
    content_type: str, body: bytes, encoding: str, data: str
) -> None:
    record = json.loads(line(rule(), Exchange(body, content_type, b"", "x/y"), NOON))
    side = record["captureData"]["endpointInput"]
    assert (side["encoding"], side["data"]) == (encoding, data)
    assert side["observedContentType"] == content_type


def test_without_a_list_of_content_types_everything_is_base64() -> None:
    record = json.loads(line(rule(CaptureContentTypeHeader=None), PICTURE, NOON))
    assert record["captureData"]["endpointOutput"]["encoding"] == "BASE64"


@pytest.mark.parametrize(
    ("modes", "sides"),
    [
        (["Input"], ["endpointInput"]),
        (["Output"], ["endpointOutput"]),
        (["InputAndOutput"], ["endpointInput", "endpointOutput"]),
    ],
)
def test_only_the_sides_asked_for_are_recorded(modes: list[str], sides: list[str]) -> None:
    options = [{"CaptureMode": mode} for mode in modes]
    record = json.loads(line(rule(CaptureOptions=options), PICTURE, NOON))
    assert list(record["captureData"]) == sides


def test_a_file_is_named_for_its_first_record() -> None:
    expected = "data_capture/cars/AllTraffic/2024/10/15/12/05-12-987-some-id.jsonl"
    assert key("data_capture/", "cars", "AllTraffic", NOON, "some-id") == expected
    assert key("", "cars", "AllTraffic", NOON, "i").startswith("cars/AllTraffic/2024/")


def test_a_disabled_or_absent_config_captures_nothing() -> None:
    assert Rule.read(None) is None
    assert Rule.read({**CONFIG, "EnableCapture": False}) is None


def test_a_file_takes_records_for_sixty_seconds_from_its_first(tmp_path: Path) -> None:
    async def scene() -> None:
        clock, bucket = Clock(), Bucket()
        under_test = captures(tmp_path, bucket, clock)
        for offset in (0.0, 59.9, 60.1, 100.0):
            clock.now = NOON + offset
            under_test.record(rule(), "cars", "AllTraffic", PICTURE)
        assert await under_test.flush() == 2
        files = [bucket.objects[name] for name in sorted(bucket.objects)]
        assert [body.count(b"\n") for body in files] == [2, 2]
        assert "/12/05-12-987-" in min(bucket.objects)
        assert "/12/06-13-087-" in max(bucket.objects)
        assert list(tmp_path.iterdir()) == []
        assert await under_test.flush() == 0

    asyncio.run(scene())


def test_files_are_delivered_when_they_are_due(tmp_path: Path) -> None:
    async def scene() -> None:
        clock, bucket = Clock(), Bucket()
        async with captures(tmp_path, bucket, clock, window_s=0.08) as under_test:
            under_test.record(rule(), "cars", "AllTraffic", PICTURE)
            await asyncio.sleep(0.1)
            assert bucket.objects == {}
            clock.now += 0.08
            await asyncio.sleep(0.1)
            assert len(bucket.objects) == 1
            under_test.record(rule(), "cars", "AllTraffic", PICTURE)
        assert len(bucket.objects) == 2  # the rest on the way out

    asyncio.run(scene())


def test_variants_and_endpoints_have_files_of_their_own(tmp_path: Path) -> None:
    async def scene() -> None:
        bucket = Bucket()
        under_test = captures(tmp_path, bucket, Clock())
        for endpoint, variant in (("a", "x"), ("a", "y"), ("b", "x")):
            under_test.record(rule(), endpoint, variant, PICTURE)
        assert await under_test.flush() == 3
        places = {"/".join(name.split("/")[1:3]) for name in bucket.objects}
        assert places == {"a/x", "a/y", "b/x"}

    asyncio.run(scene())


def test_a_killed_cloud_s_records_are_delivered_by_the_next(tmp_path: Path) -> None:
    async def scene() -> None:
        bucket = Bucket()
        killed = captures(tmp_path, bucket, Clock())
        killed.record(rule(), "cars", "AllTraffic", PICTURE)
        killed.record(rule(), "cars", "AllTraffic", PICTURE)
        (spool,) = tmp_path.iterdir()
        (tmp_path / "just-opened.jsonl").touch()
        with spool.open("ab") as torn:
            torn.write(b'{"captureData":{"endpointInp')
        async with captures(tmp_path, bucket, Clock()):
            await asyncio.sleep(0.1)
        assert await killed.flush() == 0
        (body,) = bucket.objects.values()
        assert [json.loads(each)["eventVersion"] for each in body.splitlines()] == ["0", "0"]

    asyncio.run(scene())


def test_records_that_s3_refuses_are_kept_and_tried_again(tmp_path: Path) -> None:
    async def scene() -> None:
        bucket = Bucket()
        bucket.refuses = True
        under_test = captures(tmp_path, bucket, Clock())
        under_test.record(rule(), "cars", "AllTraffic", PICTURE)
        assert await under_test.flush() == 0
        bucket.refuses = False
        assert await under_test.flush() == 1

    asyncio.run(scene())


def test_sampling_keeps_the_share_that_was_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        bucket = Bucket()
        rolls = iter([0.1, 0.29, 0.3, 0.9])
        under_test = captures(tmp_path, bucket, Clock(), chance=lambda: next(rolls))
        for _ in range(4):
            under_test.record(rule(InitialSamplingPercentage=30), "a", "x", PICTURE)
        await under_test.flush()
        (body,) = bucket.objects.values()
        assert body.count(b"\n") == 2

    asyncio.run(scene())
