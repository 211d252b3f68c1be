"""Objects in S3 to files in a folder and back, and folders to `.tar.gz` and back."""

import gzip
import lzma
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from scones.local.errors import ServiceError

FIRST_MOMENT = 0  # of a packed file: the same model gives the same bytes


class Objects(Protocol):
    """What is needed of S3, as boto3 spells it."""

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]: ...  # noqa: N803

    def put_object(self, *, Bucket: str, Key: str, Body: BinaryIO | bytes) -> dict[str, Any]: ...  # noqa: N803

    def list_objects_v2(
        self,
        *,
        Bucket: str,  # noqa: N803
        Prefix: str | None = None,  # noqa: N803
        ContinuationToken: str | None = None,  # noqa: N803
        MaxKeys: int | None = None,  # noqa: N803
    ) -> dict[str, Any]: ...


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/some/key` as bucket and key; ValueError if it is anything else."""
    match = re.fullmatch(r"s3://([^/]+)/?(.*)", uri, re.DOTALL)
    if match is None:
        raise ValueError(f"{uri!r} is no place in S3; write s3://bucket/key")
    return match[1], match[2]


def keys(s3: Objects, uri: str) -> Iterator[str]:
    """Every key that starts with the key of `uri`, in S3's order, but for folder marks (`a/`)."""
    bucket, prefix = split(uri)
    page: dict[str, Any] = {"NextContinuationToken": None}
    while "NextContinuationToken" in page:
        page = s3.list_objects_v2(
            Bucket=bucket, Prefix=prefix, ContinuationToken=page["NextContinuationToken"]
        )
        yield from (each["Key"] for each in page.get("Contents", []) if each["Key"][-1] != "/")
        if not page.get("IsTruncated"):
            return


def exists(s3: Objects, uri: str) -> bool:
    """Is there an object at, or under, `uri`?"""
    bucket, prefix = split(uri)
    try:
        return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"))
    except ServiceError as error:
        if error.code == "NoSuchBucket":
            return False
        raise


def download(s3: Objects, uri: str, folder: Path) -> int:
    """Copy what is at or under `uri` into `folder`; answers how many objects that was.

    A key's place is what follows the prefix, `s3://b/train` and `s3://b/train/` alike; the object
    whose key is the whole prefix keeps its last name (SageMaker's S3Prefix, File mode).
    """
    folder.mkdir(parents=True, exist_ok=True)
    bucket, prefix = split(uri)
    found = list(keys(s3, uri))
    for key in found:
        target = folder / _inside(relative(key, prefix))
        target.parent.mkdir(parents=True, exist_ok=True)
        fetch(s3, f"s3://{bucket}/{key}", target)
    return len(found)


def relative(key: str, prefix: str) -> str:
    """Where under its folder the object `key` goes, found by listing `prefix`."""
    if key.startswith(prefix.rstrip("/") + "/") and prefix:
        return key[len(prefix.rstrip("/")) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def _inside(path: str) -> PurePosixPath:
    """`path`, if it stays inside the folder that it is put in; else ValueError."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise ValueError(f"the key's path {path!r} leads out of its folder")
    return pure


def fetch(s3: Objects, uri: str, target: Path) -> None:
    """Copy one object into the file `target`."""
    bucket, key = split(uri)
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    source = BytesIO(body) if isinstance(body, bytes) else body
    with closing(source), target.open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)


def files(folder: Path) -> list[Path]:
    """Every plain file under `folder`, sorted; no links."""
    return sorted(
        Path(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if Path(root, name).is_file() and not Path(root, name).is_symlink()
    )


def upload(s3: Objects, source: Path, uri: str) -> None:
    """Put one file at exactly `uri`."""
    bucket, key = split(uri)
    with source.open("rb") as file:
        s3.put_object(Bucket=bucket, Key=key, Body=file)


def pack(folder: Path, target: Path) -> None:
    """Everything in `folder` as a `.tar.gz` without a top folder; same files, same bytes."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=FIRST_MOMENT) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in files(folder):
            archive.add(path, path.relative_to(folder).as_posix(), filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = FIRST_MOMENT
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar file of any compression into `folder`, which no member can leave.

    ValueError for one that is broken, or has a member that would.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(str(error)) from error
