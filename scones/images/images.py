"""Images: pixels with labels, the form every reader gives and every learner takes.

Shape letters: N pictures, H rows, W columns, C colours (red, green, blue).
"""

import difflib
import hashlib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Images:
    """Labelled pictures of one size, in a fixed order."""

    pixels_NHWC: Pixels
    """Red, green and blue, 0 to 255."""
    labels_N: Labels
    """Positions in `class_names`."""
    class_names: tuple[str, ...]
    filenames: tuple[str, ...]
    """One for each picture, unique, ending in .png."""

    def __post_init__(self) -> None:
        counts = {len(self.pixels_NHWC), len(self.labels_N), len(self.filenames)}
        assert len(counts) == 1, "pixels, labels and file names count the same pictures"

    def __len__(self) -> int:
        return len(self.filenames)

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> "Images":
        """The pictures at `indices`, in that order."""
        rows = np.asarray(indices, dtype=np.int64)
        names = tuple(self.filenames[row] for row in rows)
        return Images(self.pixels_NHWC[rows], self.labels_N[rows], self.class_names, names)

    def sha256(self) -> str:
        """A fingerprint of pixels, labels and class names, the same on every machine."""
        digest = hashlib.sha256(repr((self.class_names, self.pixels_NHWC.shape)).encode())
        digest.update(np.ascontiguousarray(self.pixels_NHWC).tobytes())
        digest.update(self.labels_N.astype("<i8").tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """What is learned from: training and test pictures of the same classes."""

    name: str
    """`cifar100`, `sample`, or the name of a folder of pictures."""
    train: Images
    test: Images
    damaged: tuple[str, ...] = ()
    """Files that were no pictures and are left out, each with the reason."""

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.train.class_names


def check_classes(wanted: Sequence[str], known: Iterable[str]) -> None:
    """Refuse a class list that `known` cannot serve, offering the close names.

    Raises ValueError for fewer than two classes, a repeated class or an unknown one.
    """
    names = list(known)
    if len(wanted) < 2:
        raise ValueError(f"classes: got {', '.join(wanted) or 'none'}; give two or more")
    for position, name in enumerate(wanted):
        if name in wanted[:position]:
            raise ValueError(f"classes: {name!r} is given twice; name each class once")
        if name not in names:
            raise ValueError(f"classes: no class {name!r} in this data; {_offer(name, names)}")


def _offer(name: str, names: list[str]) -> str:
    """`did you mean ...?`, or the first names there are when nothing is close."""
    contained = [known for known in names if name and name in known]
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6) or contained[:3]
    if close:
        return f"did you mean {' or '.join(close)}?"
    more = ", ..." if len(names) > 10 else ""
    return (
        f"there are {', '.join(sorted(names)[:10])}{more}; name those you want, such as "
        f"--classes {shlex.quote(','.join(sorted(names)[:3]))}"
    )
