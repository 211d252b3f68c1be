"""Zip files from strangers: nothing leaves its folder, nothing grows beyond its limit."""

import io
import stat
import threading
import zipfile
from pathlib import Path

import pytest

from scones.local.errors import ServiceError
from scones.local.functions.packages import Packages


def zipped(*members: tuple[str, str] | tuple[zipfile.ZipInfo, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, str]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_a_zip_is_kept_and_unpacked(tmp_path: Path) -> None:
    kept = Packages(tmp_path)
    content = zipped(("app.py", "x = 1"), ("pkg/mod.py", "y = 2"))
    package = kept.add(content)
    assert package.size_bytes == len(content)
    assert kept.zip_file(package.sha256).read_bytes() == content
    assert files(kept.task(package.sha256)) == ["app.py", "pkg/mod.py"]


def test_an_executable_stays_one_and_everything_is_readable(tmp_path: Path) -> None:
    run = zipfile.ZipInfo("run")
    run.external_attr = (stat.S_IFREG | 0o700) << 16
    kept = Packages(tmp_path)
    task = kept.task(kept.add(zipped((run, "#!/bin/sh"), ("data", "x"))).sha256)
    assert (task / "run").stat().st_mode & 0o777 == 0o744
    assert (task / "data").stat().st_mode & 0o777 == 0o644


def test_a_link_within_the_folder_is_a_link(tmp_path: Path) -> None:
    kept = Packages(tmp_path)
    task = kept.task(kept.add(zipped(("lib/a.py", "x"), link("b.py", "lib/a.py"))).sha256)
    assert (task / "b.py").is_symlink()
    assert (task / "b.py").read_text() == "x"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\x03\x04 and no more", id="no zip"),
        pytest.param(zipped(("../out.py", "x")), id="a parent folder"),
        pytest.param(zipped(("a/../../out.py", "x")), id="a parent folder further in"),
        pytest.param(zipped(("..\\out.py", "x")), id="a parent folder as Windows writes it"),
        pytest.param(zipped(("/out.py", "x")), id="an absolute path"),
        pytest.param(zipped(("C:/out.py", "x")), id="a drive"),
        pytest.param(zipped(link("out", "/etc/passwd")), id="a link to elsewhere"),
        pytest.param(zipped(link("a/out", "../..")), id="a link upwards"),
        pytest.param(zipped(link("d", ".."), ("d/out.py", "x")), id="a file through a link"),
        pytest.param(
            zipped(("a/b/f", "x"), link("up", "a/b"), link("out", "up/../../..")),
            id="a link through a link",
        ),
        pytest.param(
            zipped(link("up", "../../.."), link("up/out", "/etc/passwd")), id="a link below a link"
        ),
        pytest.param(zipped(("a", "file"), ("a/b", "below a file")), id="a file as a folder"),
    ],
)
def test_a_bad_zip_is_refused_and_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as refused:
        Packages(tmp_path / "home").add(content)
    assert refused.value.code == "InvalidParameterValueException"
    assert refused.value.message == (
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )
    assert files(tmp_path) == []


def test_an_empty_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="Uploaded file must be a non-empty zip"):
        Packages(tmp_path).add(zipped())


def test_a_zip_bomb_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    kept = Packages(tmp_path, max_unzipped_bytes=3_000_000)
    with pytest.raises(ServiceError, match="Unzipped size must be smaller than 3000000 bytes"):
        kept.add(zipped(("a", "0" * 2_000_000), ("b", "0" * 2_000_000)))
    assert files(tmp_path) == []


def test_a_later_layer_lies_over_an_earlier_one(tmp_path: Path) -> None:
    kept = Packages(tmp_path)
    first = kept.add(zipped(("python/a.py", "first"), ("python/b.py", "first"), ("bin/x", "1")))
    second = kept.add(zipped(("python/b.py", "second"), link("python/c.py", "b.py")))
    opt = kept.opt([first.sha256, second.sha256])
    assert opt is not None
    told = {name: (opt / name).read_text() for name in files(opt)}
    assert told == {
        "bin/x": "1",
        "python/a.py": "first",
        "python/b.py": "second",
        "python/c.py": "second",
    }
    assert (kept.task(first.sha256) / "python/b.py").read_text() == "first"
    assert kept.opt([]) is None


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ([("a/b.py", "1")], [("a", "2")], {"a": "2"}),
        ([("a", "1")], [("a/b.py", "2")], {"a/b.py": "2"}),
        ([("a/b.py", "1")], [("c/b.py", "2"), link("a", "c")], {"a/b.py": "2", "c/b.py": "2"}),
        ([("c/b.py", "1"), link("a", "c")], [("a/d.py", "2")], {"a/b.py": "1", "a/d.py": "2"}),
        ([link("a", "nowhere")], [("a/b.py", "2")], {"a/b.py": "2"}),
    ],
)
def test_a_later_layer_s_entry_replaces_one_of_another_kind(
    first: list[tuple[str, str]],
    second: list[tuple[str, str]],
    told: dict[str, str],
    tmp_path: Path,
) -> None:
    kept = Packages(tmp_path)
    opt = kept.opt([kept.add(zipped(*layer)).sha256 for layer in (first, second)])
    assert opt is not None
    assert {name: (opt / name).read_text() for name in told} == told


def test_layers_cannot_leave_their_folder_together(tmp_path: Path) -> None:
    kept = Packages(tmp_path / "kept")
    layers = [
        zipped(("x", ""), link("out", "deep/down/../../outside")),
        zipped(("deep/y", ""), link("deep/down", "..")),  # now out is ../outside
        zipped(("out/evil.py", "")),
    ]
    (tmp_path / "kept/opt/outside").mkdir()
    opt = kept.opt([kept.add(layer).sha256 for layer in layers])
    assert opt is not None
    assert (opt / "out/evil.py").is_file()
    assert files(tmp_path / "kept/opt/outside") == []


def test_the_same_zip_from_eight_threads_is_one(tmp_path: Path) -> None:
    kept = Packages(tmp_path)
    content = zipped(*((f"{number}.py", "x") for number in range(50)))
    threads = [threading.Thread(target=kept.add, args=(content,)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(list((tmp_path / "task").iterdir())) == 1
    assert len(list((tmp_path / "zip").iterdir())) == 1


def test_what_nothing_refers_to_is_deleted(tmp_path: Path) -> None:
    kept = Packages(tmp_path)
    used, unused = kept.add(zipped(("a", "1"))), kept.add(zipped(("b", "2")))
    kept.opt([used.sha256])
    (tmp_path / "task" / "half.partial").mkdir()
    kept.keep_only([used.sha256])
    assert files(tmp_path) == sorted(
        [
            str(kept.zip_file(used.sha256).relative_to(tmp_path)),
            str((kept.task(used.sha256) / "a").relative_to(tmp_path)),
        ]
    )
    assert not kept.zip_file(unused.sha256).exists()
