"""Where captures and labels lie: files below an S3 prefix, or below a folder of this computer."""

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

DATED = re.compile(r"(.*/)?(\d{4}/\d\d/\d\d/\d\d)/[^/]+")
"""`<variant>/yyyy/mm/dd/hh/<file>`, the layout of Data Capture and of ground truth."""
LATE = timedelta(hours=2)
"""How far back the newest hours are listed again, for files that come late."""
GRAIN_NS = 10_000_000
"""By which a file's time of change may lie behind the clock: the kernel's tick is 1 to 10 ms."""
AT_ONCE = 64
"""Files that are fetched ahead; each is at most a few megabytes."""


class Files(Protocol):
    """JSON Lines files under names that sort by time within a variant."""

    @property
    def place(self) -> str:
        """Where they lie, as the user gave it."""

    def names(self, known: Sequence[str], now_s: float) -> list[str]:
        """Every name, sorted; of hours long past, those of `known` are taken for granted."""

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of each, in the order asked for."""

    def changed(self, names: Sequence[str], since_ns: int) -> bool:
        """Whether one of them was written to since (ns since 1970)."""


@dataclass(frozen=True)
class Folder:
    """`*.jsonl` below a folder."""

    path: Path

    @property
    def place(self) -> str:
        return str(self.path.absolute())

    def names(self, known: Sequence[str], now_s: float) -> list[str]:
        """All of them: a walk over 10,000 files takes 7 ms, so nothing need be granted.

        ValueError where there is no folder, or one below it cannot be listed: verdicts on the rest
        alone would pass for verdicts on the whole.
        """
        try:
            if self.path.is_file():
                raise ValueError(f"{str(self.path)!r} is a file; give the folder that it lies in")
            if not self.path.is_dir():
                raise ValueError(f"there is no folder {str(self.path)!r} to read captures from")
            return sorted(_below(str(self.path)))
        except OSError as error:
            raise ValueError(
                f"folder {error.filename!r} cannot be listed: {error.strerror}"
            ) from error

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for name in names:
            yield name, self.content(name)

    def changed(self, names: Sequence[str], since_ns: int) -> bool:
        """As where a file was still being copied.

        Its time of change (st_ctime) says so also where the copy has the original's time.
        """
        return any(_changed_ns(f"{self.path}/{name}") >= since_ns - GRAIN_NS for name in names)

    def content(self, name: str) -> bytes:
        """What a file holds; ValueError where it cannot be read, as when it is gone meanwhile."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise ValueError(
                f"{str(self.path / name)!r} cannot be read: {error.strerror}"
            ) from error


@dataclass(frozen=True)
class Prefix:
    """`*.jsonl` below s3://bucket/prefix/; names are whole keys."""

    s3: Any
    bucket: str
    prefix: str
    """Ends with a slash."""
    parallel: int = 8

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def names(self, known: Sequence[str], now_s: float) -> list[str]:
        """One listing a folder; where hours of it are known, it begins two hours before the last.

        The last is the newest that is known, or this hour if that is earlier.
        """
        newest = _newest(known)
        found = set()
        for folder in [*self._folders(), ""]:
            after = _hour_before(newest.get(folder), now_s)
            if after is not None:
                before = folder + after
                found |= {name for name in known if name.startswith(folder) and name < before}
                found |= set(self._list(folder, f"{folder}{after}"))
            else:
                found |= set(self._list(folder) if folder else self._list(self.prefix, alone=True))
        return sorted(found)

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        # Only here: with it come logging and more, for which a folder's reader need not wait.
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.parallel) as pool:
            for start in range(0, len(names), AT_ONCE):
                some = names[start : start + AT_ONCE]
                yield from zip(some, pool.map(self._get, some), strict=True)

    def changed(self, names: Sequence[str], since_ns: int) -> bool:
        """Never: captured objects are written once."""
        return False

    def _get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def _folders(self) -> list[str]:
        pages = self._pages(self.prefix, Delimiter="/")
        return [each["Prefix"] for page in pages for each in page.get("CommonPrefixes", [])]

    def _list(self, prefix: str, after: str = "", alone: bool = False) -> list[str]:
        """Keys under the prefix; `alone`: only those in no folder."""
        options = {"StartAfter": after} if after else {}
        pages = self._pages(prefix, **options, **({"Delimiter": "/"} if alone else {}))
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        return [key for key in keys if key.endswith(".jsonl")]

    def _pages(self, prefix: str, **options: str) -> Iterator[dict[str, Any]]:
        pages = self.s3.get_paginator("list_objects_v2")
        try:
            yield from pages.paginate(Bucket=self.bucket, Prefix=prefix, **options)
        except self.s3.exceptions.NoSuchBucket as error:
            raise ValueError(f"there is no bucket {self.bucket!r} to read from") from error


def _changed_ns(path: str) -> int:
    try:
        return os.stat(path).st_ctime_ns  # noqa: PTH116 (a third of the time that a Path takes)
    except OSError:
        return time.time_ns()


def _below(folder: str) -> list[str]:
    """Names of all `*.jsonl` below a folder; a quarter of the time that Path.rglob takes."""
    found: list[str] = []
    beginnings = [""]
    while beginnings:
        beginning = beginnings.pop()
        with os.scandir(f"{folder}/{beginning}") as entries:
            for entry in entries:
                is_named = entry.name.endswith(".jsonl")
                if is_named and entry.is_file(follow_symlinks=False):
                    found.append(beginning + entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    beginnings.append(f"{beginning}{entry.name}/")
                elif is_named and entry.is_symlink():  # no pipe, at which reading would wait
                    found.append(beginning + entry.name)
    return found


def open_files(place: str, s3: Any, parallel: int = 8) -> Files:
    """`s3://bucket/prefix/` or a folder; `s3` is None where only folders can be read."""
    if not place.startswith("s3://"):
        return Folder(Path(place).expanduser())
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    if not bucket:
        raise ValueError(f"{place!r} names no bucket; it should be s3://bucket/prefix/")
    if prefix.endswith(".jsonl"):
        raise ValueError(f"{place!r} names a file; give the prefix that it lies under")
    assert s3 is not None, "a client comes along wherever S3 is named"
    return Prefix(s3, bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else "", parallel)


def legible(name: str) -> str:
    r"""A name that every file, page and terminal takes: what is no text in it as \udcff."""
    return name.encode("utf-8", "backslashreplace").decode()


def dated(at_s: float) -> str:
    """yyyy/mm/dd/hh of a time, the folder in which its files lie."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y/%m/%d/%H}"


def _newest(known: Sequence[str]) -> dict[str, str]:
    """Newest known hour by folder; a folder with a file elsewhere than in an hour has none."""
    newest: dict[str, str] = {}
    odd = set()
    for name in known:
        match = DATED.fullmatch(name)
        if match is None:
            odd.add(f"{name.rpartition('/')[0]}/")
        else:
            newest[match[1] or ""] = max(newest.get(match[1] or "", ""), match[2])
    return {folder: hour for folder, hour in newest.items() if folder not in odd and folder}


def _hour_before(hour: str | None, now_s: float) -> str | None:
    if hour is None:
        return None
    try:
        newest = datetime.strptime(hour, "%Y/%m/%d/%H").replace(tzinfo=UTC)
    except ValueError:
        return None
    return dated((min(newest, datetime.fromtimestamp(now_s, UTC)) - LATE).timestamp())
