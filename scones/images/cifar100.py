"""The CIFAR-100 python archive, or anything in its layout: a tar.gz or an unpacked folder.

Layout [https://www.cs.toronto.edu/~kriz/cifar.html]: `cifar-100-python/{meta,train,test}`, each a
Python 2 pickle of a dict; `data` holds one row of 3072 bytes a picture, 1024 red, then 1024 green,
then 1024 blue values, row by row. Members are read in memory; nothing is unpacked onto the disk.
"""

import lzma
import re
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scones.images import unpickle
from scones.images.images import Dataset, Images, check_classes

MEMBERS = ("meta", "train", "test")
SIDE = 32
ROW_BYTES = 3 * SIDE * SIDE
CLASS_NAMES = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house
    kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
    mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
    plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
    shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table
    tank telephone television tiger tractor train trout tulip turtle wardrobe whale
    willow_tree wolf woman worm
""".split()  # noqa: SIM905 (a hundred words read better than a hundred literals)
"""The hundred fine classes, at their numbers."""
MEMBER_LIMIT_BYTES = 1 << 29
"""CIFAR-100's largest member, `train`, has 155 MB."""


def read(path: Path, classes: Sequence[str]) -> Dataset:
    """The pictures of `classes`, labelled 0, 1, ... in the order given.

    Raises ValueError for an archive that is truncated, hostile or incomplete, for an unknown
    class (the close ones are offered), and for a class that has no pictures.
    """
    tables = read_tables(path)
    names = _texts(tables["meta"], "fine_label_names", path)
    check_classes(classes, names)
    labels = [names.index(name) for name in classes]
    train, test = (_images(tables[split], split, labels, classes, path) for split in MEMBERS[1:])
    return Dataset(str(tables["meta"].get("dataset", "cifar100")), train, test)


def class_names(path: Path) -> tuple[str, ...]:
    """Every class the archive names, with pictures or without."""
    return tuple(_texts(read_tables(path)["meta"], "fine_label_names", path))


def is_archive(path: Path) -> bool:
    """Whether `path` is a file, or a folder in the archive's layout."""
    return path.is_file() or _unpacked(path) is not None


def read_tables(path: Path) -> dict[str, dict[str, object]]:
    """Member name -> its dict, keys as text."""
    folder = _unpacked(path)
    if folder is None and path.is_dir():
        raise ValueError(f"data: {path} holds no {', '.join(MEMBERS)} of a CIFAR-100 archive")
    contents = _from_tar(path) if folder is None else _from_folder(folder)
    missing = [name for name in MEMBERS if name not in contents]
    if missing:
        raise ValueError(f"data: {path} lacks {', '.join(missing)}; {', '.join(MEMBERS)} belong")
    return {name: _table(content, name, path) for name, content in contents.items()}


def _unpacked(path: Path) -> Path | None:
    for folder in (path, path / "cifar-100-python"):
        if any((folder / name).is_file() for name in MEMBERS):
            return folder
    return None


def _from_folder(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in MEMBERS if (folder / name).is_file()}


def _from_tar(path: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(path) as archive:
            contents = _members(archive, path)
            _check_trailer(archive)
            return contents
    except FileNotFoundError as error:
        raise ValueError(f"data: there is no {path}; give an archive or a folder") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        # Of a file that no method can read, tarfile tells what each of them said, a line each.
        reason = "" if "\n" in str(error) else f" ({error})"
        raise ValueError(f"data: {path} is damaged or no tar.gz archive{reason}") from error


def _members(archive: tarfile.TarFile, path: Path) -> dict[str, bytes]:
    """The wanted members, after every one has passed tarfile's data filter."""
    contents: dict[str, bytes] = {}
    for member in archive:
        tarfile.data_filter(member, str(path.parent))
        name = Path(member.name).name
        if name not in MEMBERS or not member.isfile():
            continue
        if member.size > MEMBER_LIMIT_BYTES:
            raise ValueError(f"data: {member.name} in {path} claims {member.size} bytes")
        stream = archive.extractfile(member)
        assert stream is not None, "a regular member has content"
        contents[name] = stream.read()
    return contents


def _check_trailer(archive: tarfile.TarFile) -> None:
    """Read on to the end, where gzip keeps its checksum; tarfile itself stops before."""
    assert archive.fileobj is not None, "an open archive has a stream"
    while archive.fileobj.read(1 << 20):
        pass


def _table(content: bytes, name: str, path: Path) -> dict[str, object]:
    try:
        value = unpickle.loads(content)
    except ValueError as error:
        raise ValueError(f"data: {name} in {path}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"data: {name} in {path} holds no dict")
    return {str(_text(key)): _text(item) for key, item in value.items()}


def _text(value: object) -> object:
    return value.decode("latin1") if isinstance(value, bytes) else value


def _texts(table: Mapping[str, object], key: str, path: Path) -> list[str]:
    values = table.get(key)
    if not isinstance(values, list):
        raise ValueError(f"data: {path} has no list {key!r}")
    return [str(_text(value)) for value in values]


def _images(
    table: Mapping[str, object],
    split: str,
    labels: Sequence[int],
    classes: Sequence[str],
    path: Path,
) -> Images:
    """The rows of the wanted labels, in the archive's order."""
    data, fine = table.get("data"), table.get("fine_labels")
    filenames = _texts(table, "filenames", path)
    if not (isinstance(data, np.ndarray) and isinstance(fine, list)):
        raise ValueError(f"data: {split} in {path} has no array 'data' or no list 'fine_labels'")
    if data.dtype != np.uint8 or data.shape != (len(fine), ROW_BYTES):
        raise ValueError(f"data: {split} in {path}: {data.dtype} {data.shape} for {len(fine)} rows")
    if len(filenames) != len(fine):
        raise ValueError(f"data: {split} in {path}: {len(filenames)} names for {len(fine)} rows")
    rows = [row for row, label in enumerate(fine) if label in labels]
    labels_N = np.array([labels.index(fine[row]) for row in rows], dtype=np.int64)
    for position, name in enumerate(classes):
        if not np.any(labels_N == position):
            raise ValueError(f"classes: {path} has no {split} pictures of {name!r}")
    pixels_NHWC = data[rows].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    names = _plain([filenames[row] for row in rows])
    return Images(np.ascontiguousarray(pixels_NHWC), labels_N, tuple(classes), names)


def _plain(names: Sequence[str]) -> tuple[str, ...]:
    """The names as parts of keys and fields of lists; one that comes again is told apart.

    Two pictures of one name would be one object, with one of the two labels.
    """
    seen: dict[str, int] = {}
    plain = []
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9_-]", "_", name.removesuffix(".png"))
        seen[stem] = seen.get(stem, 0) + 1
        again = f".{seen[stem]}" if seen[stem] > 1 else ""
        plain.append(f"{stem}{again}.png")
    return tuple(plain)
