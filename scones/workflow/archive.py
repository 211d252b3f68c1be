"""Where the pictures come from: what `--data` says, the official archive, or the sample."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pooch
import requests

from scones.images import cifar100, folder, sample
from scones.images.images import Dataset

ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
ARCHIVE_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
"""Both from https://www.cs.toronto.edu/~kriz/cifar.html."""
ARCHIVE_NAME = "cifar-100-python.tar.gz"
SAMPLE_NAME = "sample-python.tar.gz"
CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S = 3.0, 10.0


def locate(
    data: str,
    cache: Path,
    environment: Mapping[str, str],
    notice: Callable[[str], None],
    url: str = ARCHIVE_URL,
    md5: str = ARCHIVE_MD5,
    *,
    classes: Sequence[str] = sample.KINDS,
) -> Path:
    """The archive or folder that `data` means: `auto`, `cifar100`, `sample` or a path.

    `auto` is `SCONES_DATA` if set, else the official archive, from `cache` or its home page, else
    the built-in sample set, of which `notice` then tells. Raises ValueError for a path that is not
    there, a wrong checksum, `cifar100` out of reach, and for `classes` that the sample lacks where
    it would have to do.
    """
    if data == "sample":
        return write_sample(cache)
    if data == "cifar100":
        return download(cache, url, md5)
    if data != "auto":
        return _existing(data, "--data")
    if environment.get("SCONES_DATA"):
        return _existing(environment["SCONES_DATA"], "SCONES_DATA")
    try:
        return download(cache, url, md5)
    except UnreachableError as error:
        if not set(classes) <= set(sample.KINDS):
            raise ValueError(
                f"classes: {','.join(classes)} need pictures, and the CIFAR-100 archive is out of "
                f"reach: {url} did not answer; give your copy with --data PATH (the built-in "
                f"sample set has only {' and '.join(sample.KINDS)})"
            ) from error
        notice(
            "SAMPLE PICTURES: the built-in set is used, bicycles and motorcycles drawn by code. No "
            "figure from it says anything about photographs. The CIFAR-100 archive is out of "
            f"reach: {url} did not answer. Give your copy with --data PATH or SCONES_DATA."
        )
        return write_sample(cache)


def read(path: Path, classes: Sequence[str]) -> tuple[Dataset, list[str]]:
    """The pictures of `classes` in an archive or a folder, and the files left out as damaged."""
    if cifar100.is_archive(path):
        return cifar100.read(path, classes), []
    return folder.read(path, classes)


def _existing(text: str, setting: str) -> Path:
    path = Path(text).expanduser()
    if not path.exists():
        raise ValueError(
            f"{setting}: there is no {text}; give auto, cifar100, sample, a tar.gz or a folder"
        )
    return path


class UnreachableError(ConnectionError, ValueError):
    """The official archive cannot be had from here, now."""


def download(cache: Path, url: str = ARCHIVE_URL, md5: str = ARCHIVE_MD5) -> Path:
    """The official archive, from `cache` if it lies there whole, else fetched with a progress bar.

    Raises `UnreachableError`, and ValueError for a wrong checksum; then nothing is kept.
    """
    fetch = pooch.HTTPDownloader(progressbar=True, timeout=(CONNECT_TIMEOUT_S, SILENCE_TIMEOUT_S))
    pooch.get_logger().setLevel("WARNING")
    try:
        found = pooch.retrieve(url, f"md5:{md5}", ARCHIVE_NAME, cache, downloader=fetch)
    except requests.RequestException as error:
        reason = type(error).__name__
        raise UnreachableError(
            f"--data: {url} did not answer ({reason}); give --data PATH"
        ) from error
    except ValueError as error:
        raise ValueError(f"--data: what {url} sent has a wrong checksum; try again") from error
    except OSError as error:
        raise ValueError(f"home: {cache} cannot be written ({error.strerror})") from error
    return Path(found)


def write_sample(cache: Path) -> Path:
    """The sample set's archive in `cache`, drawn there at the first call."""
    path = cache / SAMPLE_NAME
    if not path.is_file():
        unfinished = path.with_suffix(f".{os.getpid()}")
        try:
            cache.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(sample.archive())
            unfinished.replace(path)
        except OSError as error:
            raise ValueError(f"home: {cache} cannot be written ({error.strerror})") from error
    return path
