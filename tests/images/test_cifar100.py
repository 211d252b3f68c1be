"""The archive reader: true pictures, true labels, and one clear refusal for everything else."""

import gzip
import io
import lzma
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scones.images import cifar100

CLASSES = ["bicycle", "motorcycle"]
Table = dict[object, object]


def table(rows: int, labels: tuple[int, ...] = (8, 48)) -> Table:
    rng = np.random.default_rng(0)
    return {
        b"data": rng.integers(0, 256, (rows, 3072), dtype=np.uint8),
        b"fine_labels": [labels[row % len(labels)] for row in range(rows)],
        b"filenames": [f"picture_{row}.png".encode() for row in range(rows)],
    }


def members() -> dict[str, bytes]:
    names = [name.encode() for name in cifar100.CLASS_NAMES]
    tables: dict[str, Table] = {
        "meta": {b"fine_label_names": names},
        "train": table(6),
        "test": table(4),
    }
    return {name: pickle.dumps(value, protocol=2) for name, value in tables.items()}


def write(path: Path, contents: dict[str, bytes], folder: str = "cifar-100-python/") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(folder + name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_real_archive_gives_every_bicycle_and_motorcycle(shared: Path) -> None:
    source = shared / "data" / "cifar-100-python-two-classes.tar.gz"
    dataset = cifar100.read(source, CLASSES)
    assert (len(dataset.train), len(dataset.test)) == (1000, 200)
    assert dataset.train.labels_N.tolist().count(1) == 500
    assert dataset.train.filenames[0] == "bike_s_000682.png"
    assert dataset.name == "cifar100"
    # cross-checked against numpy's own unpickler
    with tarfile.open(source) as archive:
        stream = archive.extractfile("cifar-100-python/train")
        assert stream is not None
        rows = pickle.loads(stream.read(), encoding="bytes")[b"data"]
    expected = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    assert np.array_equal(dataset.train.pixels_NHWC, expected)


def test_labels_follow_the_order_in_which_classes_are_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", members())
    there, back = cifar100.read(path, CLASSES), cifar100.read(path, CLASSES[::-1])
    assert there.class_names == ("bicycle", "motorcycle")
    assert np.array_equal(there.train.labels_N, 1 - back.train.labels_N)
    assert np.array_equal(there.train.pixels_NHWC, back.train.pixels_NHWC)


def test_the_first_third_of_a_row_is_red(tmp_path: Path) -> None:
    contents = members()
    train = table(2)
    train[b"data"] = np.repeat(np.arange(3, dtype=np.uint8), 1024)[None].repeat(2, axis=0)
    contents["train"] = pickle.dumps(train, protocol=2)
    dataset = cifar100.read(write(tmp_path / "a.tar.gz", contents), CLASSES)
    assert dataset.train.pixels_NHWC[0, 5, 7].tolist() == [0, 1, 2]


def test_an_unpacked_folder_reads_as_the_archive_does(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", members())
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, content in members().items():
        (folder / name).write_bytes(content)
    packed, unpacked, above = (cifar100.read(p, CLASSES) for p in (path, folder, tmp_path))
    assert packed.train.sha256() == unpacked.train.sha256() == above.train.sha256()


def test_file_names_are_plain_and_no_two_alike(tmp_path: Path) -> None:
    contents = members()
    train = table(6)
    train[b"filenames"] = [b"a.png", b"a.png", b"a\t1\n../b.png", b"a.png", b"c", b"a.2.png"]
    contents["train"] = pickle.dumps(train, protocol=2)
    dataset = cifar100.read(write(tmp_path / "a.tar.gz", contents), CLASSES)
    assert dataset.train.filenames == (
        "a.png", "a.2.png", "a_1____b.png", "a.3.png", "c.png", "a_2.png",
    )  # fmt: skip


def test_an_unknown_class_is_offered_the_close_ones(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", members())
    with pytest.raises(ValueError, match=r"no class 'motorbicycle'.*did you mean motorcycle"):
        cifar100.read(path, ["bicycle", "motorbicycle"])


@pytest.mark.parametrize(
    ("classes", "complaint"),
    [
        (["bicycle"], "two or more"),
        ([], "two or more"),
        (["bicycle", "bicycle"], "given twice"),
        (["bicycle", "bus"], "no train pictures of 'bus'"),
    ],
)
def test_a_class_list_that_cannot_be_served_is_refused(
    tmp_path: Path, classes: list[str], complaint: str
) -> None:
    path = write(tmp_path / "a.tar.gz", members())
    with pytest.raises(ValueError, match=complaint):
        cifar100.read(path, classes)


def damaged_tar(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def not_gzip(path: Path) -> None:
    path.write_bytes(b"<html>moved</html>")


def damaged_checksum(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def damaged_xz(path: Path) -> None:
    content = bytearray(lzma.compress(gzip.decompress(path.read_bytes())))
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [damaged_tar, not_gzip, damaged_checksum, damaged_xz, empty])
def test_a_damaged_archive_is_refused_in_one_sentence(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = write(tmp_path / "a.tar.gz", members())
    harm(path)
    with pytest.raises(ValueError, match=r"a\.tar\.gz"):
        cifar100.read(path, CLASSES)


@pytest.mark.parametrize("name", ["meta", "train", "test"])
def test_a_missing_member_is_named(tmp_path: Path, name: str) -> None:
    contents = members()
    del contents[name]
    with pytest.raises(ValueError, match=f"lacks {name}"):
        cifar100.read(write(tmp_path / "a.tar.gz", contents), CLASSES)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no"):
        cifar100.read(tmp_path / "absent.tar.gz", CLASSES)


def test_a_folder_without_members_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no meta, train, test"):
        cifar100.read(tmp_path, CLASSES)


@pytest.mark.parametrize(
    "change",
    [
        {b"data": np.zeros((6, 100), np.uint8)},
        {b"data": np.zeros((6, 3072), np.float32)},
        {b"data": [1, 2]},
        {b"fine_labels": None},
        {b"filenames": [b"one.png"]},
    ],
)
def test_a_table_of_another_shape_is_refused(tmp_path: Path, change: Table) -> None:
    contents = members()
    contents["train"] = pickle.dumps(table(6) | change, protocol=2)
    with pytest.raises(ValueError, match="train in"):
        cifar100.read(write(tmp_path / "a.tar.gz", contents), CLASSES)


class Boom:
    """What a hostile pickle looks like: unpickling it runs a command."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch hacked",)


def test_a_hostile_pickle_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    contents = members()
    contents["meta"] = pickle.dumps(Boom(), protocol=2)
    with pytest.raises(ValueError, match="asks for"):
        cifar100.read(write(tmp_path / "a.tar.gz", contents), CLASSES)
    assert not (tmp_path / "hacked").exists()


def climbing() -> tarfile.TarInfo:
    return tarfile.TarInfo("../../escaped")


def linked() -> tarfile.TarInfo:
    member = tarfile.TarInfo("cifar-100-python/train")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


def device() -> tarfile.TarInfo:
    member = tarfile.TarInfo("cifar-100-python/meta")
    member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize("make", [climbing, linked, device])
def test_a_hostile_tar_is_refused(tmp_path: Path, make: Callable[[], tarfile.TarInfo]) -> None:
    path = tmp_path / "inner" / "a.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(make())
    with pytest.raises(ValueError, match=r"a\.tar\.gz"):
        cifar100.read(path, CLASSES)
    assert [entry.name for entry in tmp_path.iterdir()] == ["inner"]


def test_a_member_that_claims_to_be_huge_is_refused(tmp_path: Path) -> None:
    member = tarfile.TarInfo("cifar-100-python/train")
    member.size = cifar100.MEMBER_LIMIT_BYTES + 1
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(member.tobuf()))
    with pytest.raises(ValueError, match="claims"):
        cifar100.read(path, CLASSES)
