"""Deployment packages: the zip files of functions and layers, kept by their SHA-256."""

import hashlib
import io
import os
import shutil
import stat
import uuid
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scones.local.errors import ServiceError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES = 262_144_000
_CHUNK_BYTES = 2**20


@dataclass(frozen=True)
class Package:
    """A zip file that was accepted."""

    sha256: str
    """As AWS tells it: base64."""
    size_bytes: int


class Packages:
    """A folder with `zip/<sha256>.zip` and, unpacked, `task/<sha256>/`; layers merged in `opt/`.

    Whatever stands under its final name is complete: it was written beside it and then renamed.
    """

    def __init__(self, folder: Path, max_unzipped_bytes: int = MAX_UNZIPPED_BYTES) -> None:
        self._max_unzipped_bytes = max_unzipped_bytes
        self._zips, self._tasks, self._merged = (folder / name for name in ("zip", "task", "opt"))
        for each in (self._zips, self._tasks, self._merged):
            each.mkdir(parents=True, exist_ok=True)

    def add(self, content: bytes) -> Package:
        """Keep a zip file and unpack it; InvalidParameterValueException for a bad one."""
        digest = hashlib.sha256(content)
        name = digest.hexdigest()
        if not (self._tasks / name).is_dir():
            self._unpack(content, self._tasks / name)
        partial = self._zips / f"{name}.{uuid.uuid4().hex}.partial"
        partial.write_bytes(content)
        partial.replace(self._zips / f"{name}.zip")
        return Package(b64encode(digest.digest()).decode(), len(content))

    def zip_file(self, sha256: str) -> Path:
        """The zip file as it was sent."""
        return self._zips / f"{_hex(sha256)}.zip"

    def task(self, sha256: str) -> Path:
        """The folder of an unpacked function or layer."""
        folder = self._tasks / _hex(sha256)
        if not folder.is_dir():
            self._unpack(self.zip_file(sha256).read_bytes(), folder)
        return folder

    def opt(self, layers: Sequence[str]) -> Path | None:
        """Layers in one folder, a later one's files over an earlier one's; None without layers."""
        if not layers:
            return None
        key = hashlib.sha256(" ".join(layers).encode()).hexdigest()
        folder = self._merged / key
        if not folder.is_dir():
            partial = folder.with_name(f"{key}.{uuid.uuid4().hex}.partial")
            for layer in layers:
                _copy_over(self.task(layer), partial)
            _settle(partial, folder)
        return folder

    def keep_only(self, used: Iterable[str]) -> None:
        """Delete what no function or layer refers to; merged layers are made again when needed.

        For a moment when no worker runs.
        """
        names = {_hex(each) for each in used}
        for each in [*self._zips.iterdir(), *self._tasks.iterdir()]:
            if each.name.removesuffix(".zip") not in names:
                _remove(each)
        for each in self._merged.iterdir():
            _remove(each)

    def _unpack(self, content: bytes, folder: Path) -> None:
        partial = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}.partial")
        partial.mkdir()
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                _extract(archive, partial, self._max_unzipped_bytes)
        # The last three: encrypted, or compressed in a way that zipfile cannot undo; a file where
        # another member needs a folder; a header that says one name and a directory another.
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError) as why:
            shutil.rmtree(partial)
            raise _bad_zip() from why
        except ServiceError:
            shutil.rmtree(partial)
            raise
        _settle(partial, folder)


def _extract(archive: zipfile.ZipFile, folder: Path, max_bytes: int) -> None:
    """Files first, links last, so that nothing is ever written through a link."""
    members = [each for each in archive.infolist() if each.filename]
    if not members:
        raise _refused("Uploaded file must be a non-empty zip")
    left = max_bytes
    links: list[tuple[Path, str]] = []
    for member in members:
        target = folder / _inside(member.filename)
        if member.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif stat.S_ISLNK(member.external_attr >> 16):
            with archive.open(member) as source:  # no path is longer: PATH_MAX, limits.h
                links.append((target, source.read(4096).decode()))
        else:
            left -= _extract_file(archive, member, target, left)
            if left < 0:
                raise _refused(f"Unzipped size must be smaller than {max_bytes} bytes")
    for target, pointed in links:
        _refuse_outside(target.parent, folder)  # an earlier link may lead there
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(pointed)
    for target, _ in links:  # at the end: a later link may have turned an earlier one
        _refuse_outside(target, folder)


def _refuse_outside(target: Path, folder: Path) -> None:
    if not target.resolve().is_relative_to(folder.resolve()):
        raise _bad_zip()


def _extract_file(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, limit: int
) -> int:
    """Write one file, or of a larger one just over `limit` bytes; answers how many."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with archive.open(member) as source, target.open("wb") as sink:
        while size <= limit and (chunk := source.read(_CHUNK_BYTES)):
            size += sink.write(chunk)
    target.chmod(0o644 | (member.external_attr >> 16) & 0o111)
    return size


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or any(":" in each for each in path.parts[:1]):
        raise _bad_zip()
    return path


def _copy_over(source: Path, target: Path) -> None:
    """Let what `source` has lie over what `target` has, and nothing outside of it.

    Hard links cost no space, and the files are never written again. Links of several layers may
    together lead outside though each alone does not.
    """
    for at, folders, files in os.walk(source):
        into = target / Path(at).relative_to(source)
        if not (into.is_dir() and into.resolve().is_relative_to(target.resolve())):
            into.unlink(missing_ok=True)
            into.mkdir(parents=True)
        for name in [*files, *(each for each in folders if (Path(at) / each).is_symlink())]:
            _remove(into / name)
            os.link(Path(at) / name, into / name, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _settle(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:  # another thread was first, with the same content
        shutil.rmtree(partial)


def _hex(sha256: str) -> str:
    return b64decode(sha256).hex()


def _bad_zip() -> ServiceError:
    return _refused(
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )


def _refused(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValueException", message, Type="User")
