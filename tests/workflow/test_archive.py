"""Which pictures `--data` means, with and without a network."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scones.workflow import archive

CONTENT = b"an archive"
MD5 = hashlib.md5(CONTENT).hexdigest()


class Home(BaseHTTPRequestHandler):
    """The home page of the archive, on this computer."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Home)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/a.tar.gz"
    server.shutdown()
    thread.join()
    server.server_close()


def silent(text: str) -> None:
    raise AssertionError(text)


def test_the_official_archive_is_fetched_once_and_kept(tmp_path: Path, url: str) -> None:
    first = archive.locate("auto", tmp_path, {}, silent, url, MD5)
    assert first.read_bytes() == CONTENT
    nowhere = "http://127.0.0.1:1/a.tar.gz"
    assert archive.locate("auto", tmp_path, {}, silent, nowhere, MD5) == first


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="wrong checksum"):
        archive.locate("auto", tmp_path, {}, silent, url, "0" * 32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_out_of_reach_means_the_sample_set_and_a_loud_notice(tmp_path: Path) -> None:
    said: list[str] = []
    path = archive.locate("auto", tmp_path, {}, said.append, "http://127.0.0.1:1/a.tar.gz", MD5)
    assert "SAMPLE" in said[0]
    dataset, damaged = archive.read(path, ["bicycle", "motorcycle"])
    assert (dataset.name, damaged) == ("sample", [])


def test_classes_that_the_sample_set_lacks_are_refused_where_it_would_have_to_do(
    tmp_path: Path,
) -> None:
    nowhere = "http://127.0.0.1:1/a.tar.gz"
    with pytest.raises(ValueError, match=r"tank,bus need pictures.*out of reach.*--data PATH"):
        archive.locate("auto", tmp_path, {}, silent, nowhere, MD5, classes=["tank", "bus"])
    assert list(tmp_path.iterdir()) == []


def test_cifar100_out_of_reach_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--data PATH"):
        archive.locate("cifar100", tmp_path, {}, silent, "http://127.0.0.1:1/a.tar.gz", MD5)


def test_the_environment_comes_before_the_cache(tmp_path: Path) -> None:
    mine = tmp_path / "mine.tar.gz"
    mine.touch()
    assert archive.locate("auto", tmp_path, {"SCONES_DATA": str(mine)}, silent) == mine


@pytest.mark.parametrize(("data", "setting"), [("auto", "SCONES_DATA"), ("absent.gz", "--data")])
def test_a_path_that_is_not_there_names_the_setting(
    tmp_path: Path, data: str, setting: str
) -> None:
    with pytest.raises(ValueError, match=f"{setting}: there is no absent.gz"):
        archive.locate(data, tmp_path, {"SCONES_DATA": "absent.gz"}, silent)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot be written"):
        archive.locate("sample", tmp_path / "file" / "cache", {}, silent)
