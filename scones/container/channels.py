"""A job's channels, read: pictures by their list, with the damaged ones named and left out."""

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scones.images import png
from scones.images.images import Images
from scones.images.manifest import Row, read_lst

DAMAGED_LIMIT = 0.01
"""Above this share of damaged pictures a job fails."""
NAMED = 20
"""How many damaged pictures a message names; FailureReason holds 1024 characters."""


@dataclass(frozen=True)
class Channel:
    """What one pair of channels held."""

    images: Images
    damaged: tuple[str, ...]
    """File names, each with its reason in brackets."""
    rows: int
    """How many the list named."""
    sha256: Mapping[str, str]
    """Of each picture's bytes as they came, in hex, by file name."""


def read(data: Path, name: str, class_names: Sequence[str], height: int, width: int) -> Channel:
    """The pictures of channel `name`, as listed by channel `<name>_lst`.

    Raises ValueError for a missing channel or list, a label out of range, no pictures at all, and
    when more than one picture in a hundred is damaged.
    """
    rows = _rows(data, name)
    pixels, kept, damaged, digests = [], [], [], {}
    for row in rows:
        if row.label >= len(class_names):
            raise ValueError(
                f"{name}_lst: {row.filename} has label {row.label}, and num_classes is "
                f"{len(class_names)}; labels go from 0 to num_classes - 1"
            )
        try:
            content = _content(data / name, row.filename)
            pixels.append(png.decode(content, height, width))
            kept.append(row)
            digests[row.filename] = hashlib.sha256(content).hexdigest()
        except ValueError as error:
            damaged.append(f"{row.filename} ({error})")
    if len(damaged) > DAMAGED_LIMIT * len(rows) or not kept:
        more = f" and {len(damaged) - NAMED} more" if len(damaged) > NAMED else ""
        raise ValueError(
            f"{name}: {len(damaged)} of {len(rows)} pictures are damaged, more than "
            f"{DAMAGED_LIMIT:.0%}: {'; '.join(damaged[:NAMED])}{more}"
        )
    images = Images(
        np.stack(pixels),
        np.array([row.label for row in kept], dtype=np.int64),
        tuple(class_names),
        tuple(row.filename for row in kept),
    )
    return Channel(images, tuple(damaged), len(rows), digests)


def _rows(data: Path, name: str) -> list[Row]:
    for channel in (name, f"{name}_lst"):
        if not (data / channel).is_dir():
            raise ValueError(f"channel {channel!r} is missing; {name} and {name}_lst belong")
    lists = sorted((data / f"{name}_lst").rglob("*.lst"))
    if len(lists) != 1:
        found = ", ".join(file.name for file in lists) or "none"
        raise ValueError(f"channel {name}_lst: one .lst file belongs there, found {found}")
    rows = read_lst(lists[0].read_text("utf-8"), lists[0].name)
    if not rows:
        raise ValueError(f"channel {name}_lst: {lists[0].name} lists no pictures")
    return rows


def _content(folder: Path, filename: str) -> bytes:
    path = (folder / filename).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError("it lies outside its channel")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{error.strerror}") from error


def earlier_weights(data: Path) -> bytes:
    """The weights file within the model.tar.gz of channel `model`, unpacked in memory.

    Raises ValueError where channel, archive or weights are missing or not ours.
    """
    folder = data / "model"
    archives = sorted(folder.rglob("*.tar.gz")) if folder.is_dir() else []
    if len(archives) != 1:
        raise ValueError(
            "use_pretrained_model is 1 and channel 'model' holds no model.tar.gz of an earlier "
            "job; add it (there are no ImageNet weights here), or give 0"
        )
    try:
        with tarfile.open(archives[0]) as archive:
            stream = archive.extractfile("weights.pt")
            assert stream is not None, "a member found by name as a file has content"
            return stream.read()
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise ValueError(
            f"channel model: {archives[0].name} is no model of this container ({error})"
        ) from error
