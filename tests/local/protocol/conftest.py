"""Where botocore's protocol suites are: beside the checkout, or fetched once."""

import subprocess
import sys
import tarfile
from pathlib import Path

import botocore
import pytest


@pytest.fixture(scope="session")
def suites(pytestconfig: pytest.Config) -> Path:
    """The folder with input/ and output/; the test skips where it cannot be had."""
    beside = Path(__file__).resolve().parents[4] / "shared" / "conformance" / "botocore-protocols"
    if beside.is_dir():
        return beside
    assert pytestconfig.cache is not None
    version: str = botocore.__version__
    folder = pytestconfig.cache.mkdir("botocore-protocols") / version
    if not folder.is_dir():
        _fetch(version, folder)
    return folder


def _fetch(version: str, folder: Path) -> None:
    wanted = f"botocore=={version}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    downloads = folder.parent / f"{version}.download"
    done = subprocess.run(
        [*command, "--no-build-isolation", "-d", str(downloads), wanted],
        capture_output=True, text=True,
    )  # fmt: skip
    archives = list(downloads.glob("*.tar.gz"))
    if not archives:
        pytest.skip(f"needs the source distribution of {wanted}: {done.stderr.strip()[-200:]}")
    _unpack(archives[0], folder)


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            parts = Path(member.name).parts
            if parts[1:4] == ("tests", "unit", "protocols") and member.isfile():
                content = tar.extractfile(member)
                assert content is not None
                target = folder / Path(*parts[4:])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())
