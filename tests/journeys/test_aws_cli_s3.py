"""The AWS command line against the local cloud's S3, as a person would type it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

Aws = Callable[..., str]


@pytest.fixture
def aws(cloud: Any, tmp_path: Path) -> Aws:
    """`aws("s3", "ls")` -> what it printed; it must end with status 0."""
    command = Path(sys.executable).with_name("aws")
    if not command.exists():
        pytest.skip("needs the AWS command line, which is absent")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PYTHONWARNINGS": "ignore",
    }

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            [str(command), "--endpoint-url", cloud.url, *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    return run


def _pictures(folder: Path, count: int) -> None:
    """Files written an hour ago: sync sends again what is newer than S3's whole second."""
    folder.mkdir()
    for i in range(count):
        (folder / f"ünï {i:03}.png").write_bytes(os.urandom(2048))
        hour_ago = time.time() - 3600
        os.utime(folder / f"ünï {i:03}.png", (hour_ago, hour_ago))


def test_a_folder_is_synced_up_listed_synced_down_and_removed(aws: Aws, tmp_path: Path) -> None:
    _pictures(tmp_path / "train", 60)
    assert "make_bucket: course" in aws("s3", "mb", "s3://course")
    sent = aws("s3", "sync", "train", "s3://course/train", "--no-progress")
    assert sent.count("upload: ") == 60
    assert aws("s3", "sync", "train", "s3://course/train", "--no-progress") == ""
    assert aws("s3", "ls", "s3://course").split() == ["PRE", "train/"]
    listed = aws("s3", "ls", "s3://course/train/").splitlines()
    assert len(listed) == 60
    assert listed[7].split(maxsplit=3)[2:] == ["2048", "ünï 007.png"]
    assert "course" in aws("s3", "ls")

    (tmp_path / "train" / "ünï 000.png").write_bytes(b"another size")
    (tmp_path / "train" / "ünï 001.png").unlink()
    changed = aws("s3", "sync", "train", "s3://course/train", "--no-progress", "--delete")
    assert sorted(line.split(":")[0] for line in changed.splitlines()) == ["delete", "upload"]

    aws("s3", "sync", "s3://course/train", "back", "--no-progress")
    for path in (tmp_path / "train").iterdir():
        assert (tmp_path / "back" / path.name).read_bytes() == path.read_bytes()

    assert "BucketNotEmpty" in aws("s3", "rb", "s3://course", status=1)
    assert aws("s3", "rm", "s3://course", "--recursive").count("delete: ") == 59
    assert "remove_bucket: course" in aws("s3", "rb", "s3://course")


def test_a_large_file_and_a_stream_are_copied(aws: Aws, tmp_path: Path) -> None:
    content = os.urandom(2**20) * 20
    (tmp_path / "model.tar.gz").write_bytes(content)
    aws("s3", "mb", "s3://models")
    aws("s3", "cp", "model.tar.gz", "s3://models/a/", "--no-progress")
    aws("s3", "cp", "s3://models/a/model.tar.gz", "s3://models/b.tar.gz", "--no-progress")
    aws("s3", "mv", "s3://models/b.tar.gz", "s3://models/c.tar.gz", "--no-progress")
    aws("s3", "cp", "s3://models/c.tar.gz", "down", "--no-progress")
    assert (tmp_path / "down").read_bytes() == content
    assert "Total Objects: 2" in aws("s3", "ls", "s3://models", "--recursive", "--summarize")
    missing = aws("s3", "cp", "s3://models/nothing", "x", status=1)
    assert "404" in missing


def test_the_plain_operations_answer_as_the_command_line_expects(aws: Aws, tmp_path: Path) -> None:
    aws("s3api", "create-bucket", "--bucket", "plain")
    (tmp_path / "x").write_text("hello")
    put = ("s3api", "put-object", "--bucket", "plain", "--key", "x", "--body", "x")
    assert "5d41402abc4b2a76b9719d911017c592" in aws(*put, "--metadata", "a=b")
    assert '"a": "b"' in aws("s3api", "head-object", "--bucket", "plain", "--key", "x")
    got = ("s3api", "get-object", "--bucket", "plain", "--key", "x", "--range", "bytes=1-3", "y")
    assert "bytes 1-3/5" in aws(*got)
    assert (tmp_path / "y").read_text() == "ell"
    absent = aws("s3api", "head-bucket", "--bucket", "not-there", status=255)
    assert "(404)" in absent and "Not Found" in absent
    assert '"LocationConstraint": null' in aws("s3api", "get-bucket-location", "--bucket", "plain")
    not_carried = aws("s3api", "get-bucket-acl", "--bucket", "plain", status=255)
    assert "NotImplemented" in not_carried and "GetBucketAcl" in not_carried
