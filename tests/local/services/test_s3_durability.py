"""S3's promise: an object is the old one or the new one, whoever reads, whenever we are killed."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.services.s3 import S3

BUCKET = "kept"
LARGE = 200_000

WRITER = """
import random, sys
from pathlib import Path
from scones.local.identity import Identity
from scones.local.services.s3 import S3

s3 = S3(home=Path(sys.argv[1]), identity=Identity("http://127.0.0.1"))
chance = random.Random(int(sys.argv[2]))
number = int(sys.argv[3])
while True:
    number += 1
    key = f"key-{number % 7}"
    body = number.to_bytes(8, "big") * chance.choice([1, 200, 30_000])
    if chance.random() < 0.2:
        members = dict(Bucket="kept", Key=key)
        members["UploadId"] = s3.create_multipart_upload(**members)["UploadId"]
        etag = s3.upload_part(**members, PartNumber=1, Body=body)["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        s3.complete_multipart_upload(**members, MultipartUpload=parts)
    else:
        s3.put_object(Bucket="kept", Key=key, Body=body)
    print(number, flush=True)
"""


def _open(home: Path) -> S3:
    return S3(home=home, identity=Identity("http://127.0.0.1:4566"))


def _blobs(home: Path) -> list[Path]:
    return [path for path in (home / "blobs").rglob("*") if path.is_file()]


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3]:
    s3 = _open(tmp_path)
    s3.create_bucket(Bucket=BUCKET)
    yield s3
    s3._shelf.store.close()


def _read(s3: S3, key: str) -> bytes:
    with s3.get_object(Bucket=BUCKET, Key=key)["Body"] as body:
        content: bytes = body.read()
    return content


@pytest.mark.slow
def test_after_kill_9_every_acknowledged_object_is_whole(tmp_path: Path) -> None:
    chance = random.Random(1)
    latest = 0
    before = _open(tmp_path)
    before.create_bucket(Bucket=BUCKET)
    before._shelf.store.close()
    for round_ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(round_), str(latest)],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Timer(0.4 + chance.random() * 0.6, os.kill, (child.pid, signal.SIGKILL)).start()
        said = child.communicate(timeout=30)[0].split("\n")[:-1]
        assert child.returncode == -signal.SIGKILL
        acknowledged = latest = int(said[-1]) if said else latest
        s3 = _open(tmp_path)
        listed = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        for content in listed:
            body = _read(s3, content["Key"])
            number = int.from_bytes(body[:8], "big")
            assert body == body[:8] * (len(body) // 8)
            assert len(body) == content["Size"]
            if "-1" not in content["ETag"]:
                assert content["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
            # the last acknowledged write of this key, or the one that was under way
            remainder = int(content["Key"][-1])
            newest = acknowledged - (acknowledged - remainder) % 7
            assert number in (newest, acknowledged + 1)
            latest = max(latest, number)
        named = s3._shelf.store.read(
            "select blob from objects where blob is not null union all select blob from parts"
        )
        assert sorted(row["blob"] for row in named) == sorted(p.name for p in _blobs(tmp_path))
        s3._shelf.store.close()
    assert latest > 100, "the writer did not get far enough to mean anything"


@pytest.mark.slow
def test_a_cloud_killed_and_started_again_has_objects_uploads_and_tags(
    start_cloud: Callable[..., Any],
) -> None:
    cloud = start_cloud()
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    for key, body in (("small", b"s"), ("large", b"l" * LARGE)):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body, Metadata={"kept": key})
    upload = {"Bucket": BUCKET, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"p")["ETag"]
    cloud.kill()
    s3 = start_cloud(home=cloud.home).client("s3")
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "a", "Value": "b"}]
    for key, body in (("small", b"s"), ("large", b"l" * LARGE)):
        got = s3.get_object(Bucket=BUCKET, Key=key)
        assert (got["Body"].read(), got["Metadata"]) == (body, {"kept": key})
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert s3.get_object(Bucket=BUCKET, Key="parts")["Body"].read() == b"p"


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_reader_keeps_what_it_began_to_read(s3: S3, size: int) -> None:
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"a" * size)
    written_over = s3.get_object(Bucket=BUCKET, Key="k", Range="bytes=1-")["Body"]
    s3.put_object(Bucket=BUCKET, Key="k", Body=b"b" * size)
    deleted = s3.get_object(Bucket=BUCKET, Key="k")["Body"]
    s3.delete_object(Bucket=BUCKET, Key="k")
    with written_over, deleted:
        assert written_over.read() == b"a" * (size - 1)
        assert deleted.read() == b"b" * size


def test_readers_and_writers_of_one_key_never_meet_halfway(s3: S3) -> None:
    def write(number: int) -> None:
        for i in range(25):
            size = (100, LARGE)[(number + i) % 2]
            s3.put_object(Bucket=BUCKET, Key="k", Body=bytes([number]) * size)

    def read(_: int) -> None:
        for _ in range(100):
            answer = s3.get_object(Bucket=BUCKET, Key="k")
            with answer["Body"] as stream:
                body = stream.read()
            assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'

    s3.put_object(Bucket=BUCKET, Key="k", Body=b"")
    with ThreadPoolExecutor(8) as pool:
        work: list[Callable[[int], None]] = [write, read] * 4
        for done in [pool.submit(each, i) for i, each in enumerate(work)]:
            done.result()
    assert len(_blobs(s3._shelf.blobs._folder.parent)) <= 1


def test_who_wrote_reads_the_newest_while_others_read_and_write(s3: S3) -> None:
    """Small objects are remembered between reads: a write anywhere must make that be forgotten."""

    def own(thread: int) -> None:
        for number in range(150):
            s3.put_object(Bucket=BUCKET, Key=f"{thread}", Body=b"%d" % number)
            assert _read(s3, f"{thread}") == _read(s3, f"{thread}") == b"%d" % number
            s3.put_object_tagging(
                Bucket=BUCKET, Key=f"{thread}", Tagging={"TagSet": [{"Key": "n", "Value": "1"}]}
            )
            assert s3.get_object(Bucket=BUCKET, Key=f"{thread}")["TagCount"] == 1
            s3.delete_object(Bucket=BUCKET, Key=f"{thread}")
            with pytest.raises(ServiceError, match="does not exist"):
                s3.get_object(Bucket=BUCKET, Key=f"{thread}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(own, range(8)))


def test_what_is_remembered_stays_small(s3: S3) -> None:
    for number in range(400):
        s3.put_object(Bucket=BUCKET, Key=f"{number}", Body=bytes(32 * 1024))
    for number in range(400):
        assert _read(s3, f"{number}") == bytes(32 * 1024)
    held = s3._shelf._recent._of[1]
    assert 0 < sum(len(data) for _, data in held.values()) <= 4 * 2**20


def test_of_many_conditional_writers_one_wins(s3: S3) -> None:
    def put(number: int) -> bool:
        try:
            s3.put_object(Bucket=BUCKET, Key="k", Body=str(number).encode(), IfNoneMatch="*")
        except ServiceError as error:
            assert error.code == "PreconditionFailed"
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(40))) == 1


def test_what_is_written_over_deleted_or_refused_leaves_no_bytes(tmp_path: Path, s3: S3) -> None:
    key: dict[str, Any] = {"Bucket": BUCKET, "Key": "k"}
    for _ in range(3):
        s3.put_object(**key, Body=b"x" * LARGE)
        assert len(_blobs(tmp_path)) == 1
    refusals: list[dict[str, Any]] = [{"IfNoneMatch": "*"}, {"ChecksumCRC32": "AAAAAA=="}]
    for refused in refusals:
        with pytest.raises(ServiceError):
            s3.put_object(**key, Body=b"y" * LARGE, **refused)
    with pytest.raises(ServiceError):
        s3.put_object(Bucket="nowhere", Key="k", Body=b"y" * LARGE)
    assert len(_blobs(tmp_path)) == 1
    upload = key | {"UploadId": s3.create_multipart_upload(**key)["UploadId"]}
    for _ in range(2):
        s3.upload_part(**upload, PartNumber=1, Body=b"z")
    assert len(_blobs(tmp_path)) == 2
    s3.abort_multipart_upload(**upload)
    s3.delete_object(**key)
    assert _blobs(tmp_path) == []


def test_a_start_removes_bytes_that_nothing_names_and_objects_without_bytes(tmp_path: Path) -> None:
    s3 = _open(tmp_path)
    s3.create_bucket(Bucket=BUCKET)
    for key in ("whole", "cut short"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=key.encode() * LARGE)
    lost = s3._shelf.find(BUCKET, "cut short").blob
    s3._shelf.store.close()
    for path in _blobs(tmp_path):
        if path.name == lost:
            path.write_bytes(b"as after a power cut")
    orphan = tmp_path / "blobs" / "00" / "00orphan"
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"as after a kill")
    s3 = _open(tmp_path)
    assert _read(s3, "whole") == b"whole" * LARGE
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["whole"]
    assert len(_blobs(tmp_path)) == 1
    s3._shelf.store.close()


def test_no_key_reaches_outside_the_store(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    s3 = _open(home)
    s3.create_bucket(Bucket=BUCKET)
    for key in ("../../x", "/etc/x", "a/../../../x", "C:\\x", "x\0y"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"x" * LARGE)
        assert _read(s3, key) == b"x" * LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert sorted(path.name for path in home.iterdir() if "sqlite" not in path.name) == ["blobs"]
    s3._shelf.store.close()
