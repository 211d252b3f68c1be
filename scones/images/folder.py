"""A folder with one subfolder of pictures per class: somebody's own data as a `Dataset`.

    doors/bicycle/0001.jpg, doors/bicycle/..., doors/motorcycle/...

or, split by their owner, `doors/train/bicycle/...` and `doors/test/bicycle/...`. Without such a
split, every picture whose content's hash falls into one sixth is a test picture, so that the same
picture always lands on the same side, however many come after it. PNG and JPEG, of any size.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scones.images import png
from scones.images.images import Dataset, Images, Pixels, check_classes

SUFFIXES = (".png", ".jpg", ".jpeg")
DAMAGED_LIMIT = 0.01
"""Above this share of unreadable pictures, the folder is refused."""


@dataclass(frozen=True)
class Picture:
    """One readable file."""

    pixels_HWC: Pixels
    label: int
    filename: str
    """Its path within its class's parent, flattened, ending in .png."""
    sha256: str


def class_names(path: Path) -> tuple[str, ...]:
    """The subfolders, sorted."""
    root = path / "train" if (path / "train").is_dir() else path
    return tuple(sorted(folder.name for folder in root.iterdir() if folder.is_dir()))


def read(
    path: Path, classes: Sequence[str] | None = None, side: int = 32
) -> tuple[Dataset, list[str]]:
    """The pictures at `side` x `side`, and the files that were no pictures and are left out.

    Without `classes`, every subfolder is a class. Raises ValueError for an unknown or empty class,
    and when more than one file in a hundred is damaged.
    """
    names = class_names(path)
    if not names:
        raise ValueError(
            f"data: {path} has no subfolders; it should have one folder of PNG or JPEG pictures "
            "for each class, such as bicycle/ and motorcycle/"
        )
    wanted = list(classes or names)
    check_classes(wanted, names)
    damaged: list[str] = []
    if (path / "train").is_dir() and (path / "test").is_dir():
        train, test = (
            _pictures(path / split, wanted, side, damaged) for split in ("train", "test")
        )
    else:
        pictures = _pictures(path, wanted, side, damaged)
        train = [picture for picture in pictures if not _is_test(picture)]
        test = [picture for picture in pictures if _is_test(picture)]
    if len(damaged) > DAMAGED_LIMIT * (len(train) + len(test) + len(damaged)):
        raise ValueError(f"data: {len(damaged)} damaged pictures in {path}: {', '.join(damaged)}")
    name = path.resolve().name
    return Dataset(name, _images(train, wanted), _images(test, wanted), tuple(damaged)), damaged


def _is_test(picture: Picture) -> bool:
    return int(picture.sha256[:8], 16) % 6 == 0


def _pictures(root: Path, classes: Sequence[str], side: int, damaged: list[str]) -> list[Picture]:
    pictures = []
    for label, name in enumerate(classes):
        files = [file for file in sorted((root / name).rglob("*")) if _is_picture(file)]
        if not files:
            raise ValueError(f"data: no .png, .jpg or .jpeg pictures under {root / name}")
        for file in files:
            content = file.read_bytes()
            try:
                pixels_HWC = png.decode(content, side, side)
            except ValueError as error:
                damaged.append(f"{file.relative_to(root)} ({error})")
                continue
            sha256 = hashlib.sha256(content).hexdigest()
            pictures.append(Picture(pixels_HWC, label, _flat_name(file, root), sha256))
    return pictures


def _is_picture(file: Path) -> bool:
    return file.is_file() and file.suffix.lower() in SUFFIXES


def _flat_name(file: Path, root: Path) -> str:
    """`bicycle/home/1.jpg` -> `bicycle_home_1_jpg.png`: unique within the split."""
    return "_".join(file.relative_to(root).parts).replace(".", "_") + ".png"


def _images(pictures: Sequence[Picture], classes: Sequence[str]) -> Images:
    for label, name in enumerate(classes):
        if all(picture.label != label for picture in pictures):
            raise ValueError(f"data: class {name!r} has too few pictures to train and to test")
    return Images(
        np.stack([picture.pixels_HWC for picture in pictures]),
        np.array([picture.label for picture in pictures], dtype=np.int64),
        tuple(classes),
        tuple(picture.filename for picture in pictures),
    )
