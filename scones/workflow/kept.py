"""What a monitor keeps between runs: columns and measures of files once read, and last states."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from scones.monitor import columns, kept_columns, measured
from scones.monitor.bulk import Bulk
from scones.monitor.columns import Columns, Keys
from scones.monitor.measured import Measured
from scones.monitor.pictures import Measures, measure
from scones.workflow.files import Files, Folder
from scones.workflow.progress import Step
from scones.workflow.readers import reading

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Cache:
    """A folder with the columns of one place, read with so many classes."""

    folder: Path

    def states(self, name: str) -> dict[str, str]:
        """What the verdicts of that name were when last told; empty the first time."""
        try:
            told: Any = json.loads((self.folder / name).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def keep_states(self, name: str, states: dict[str, str]) -> None:
        self._write(name, lambda stream: stream.write(json.dumps(states).encode()))

    def read(
        self, files: Files, num_classes: int, now_s: float, step: Step, pictures: bool = True
    ) -> tuple[Columns, Measured]:
        """Columns and measures of all files; only files that are new are fetched.

        Without `pictures` nothing is measured and no picture is hashed. Where files that were read
        are gone, or others than they were, everything is read anew.
        """
        known = self._load("columns.msgpack", kept_columns.load, columns.empty(num_classes))
        seen = self._load("measures.npz", measured.load, measured.nothing())
        if pictures and seen.num_files != len(known.files):
            known, seen = columns.empty(num_classes), measured.nothing()
        began_ns = time.time_ns()
        names = files.names(known.files, now_s)
        gone = not set(known.files) <= set(names)
        if gone or files.changed(known.files, self._load("began.json", _began_in, 0)):
            known, seen = columns.empty(num_classes), measured.nothing()
            names = files.names((), now_s)
        there = set(known.files)
        new = [name for name in names if name not in there]
        if not new:
            return known, seen
        step.total(len(new))
        found: list[tuple[list[float], list[Measures]]] = []

        def passing() -> Iterator[tuple[str, bytes]]:
            for name, content in files.read(new):
                if pictures:
                    found.append(measured.of_file(name, content))
                step.advance()
                yield name, content

        if pictures or not isinstance(files, Folder):
            known = columns.update(known, passing(), pictures=pictures)
        else:
            with reading(files.path, new, num_classes) as bulks:
                known = columns.grow(known, new, _told(bulks, step), files.content)
        if pictures:
            times = [at for some, _ in found for at in some]
            seen = seen.grown(times, [each for _, some in found for each in some], len(new))
            self._write("measures.npz", lambda stream: measured.save(seen, stream))
        self._write("columns.msgpack", lambda stream: kept_columns.save(known, stream))
        # Last: a look that was broken off before is one after which all files are new.
        self._write("began.json", lambda stream: stream.write(json.dumps(began_ns).encode()))
        return known, seen

    def arrivals(self, name: str, keys: Keys) -> NDArray[np.int64]:
        """The order in which keys were first asked about: new ones come last, as they are given.

        A bet on labels may look at them in no other order than that in which they came: put in by
        the time of their pictures, 10 % of lives with a kept risk of 5 % ended in an alarm (labels
        at random, 50 looks, 300 lives), not the 5 % at most of bets on each as it comes.
        """
        kept: Keys = self._load(name, _keys_in, np.zeros(0, np.uint64))
        new = keys[~np.isin(keys, kept)]
        if len(new):
            kept = np.concatenate([kept, new])
            self._write(name, lambda stream: stream.write(kept.astype("<u8").tobytes()))
        order = np.argsort(kept, kind="stable")
        places: NDArray[np.int64] = order[np.searchsorted(kept[order], keys)]
        return places

    def reference(self, sha256: str, fetch: Callable[[], list[bytes]]) -> list[Measures]:
        """Measures of the staged pictures with that hash; `fetch` gets them the first time."""
        name = f"reference-{sha256[:16]}.npz"
        kept = self._load(name, measured.load, measured.nothing())
        if len(kept.at_N) == 0:
            found = [each for each in map(measure, fetch()) if each is not None]
            kept = kept.grown([0.0] * len(found), found, 0)
            self._write(name, lambda stream: measured.save(kept, stream))
        return kept.since(0.0)

    def _load(self, name: str, load: Callable[[BinaryIO], Kept], otherwise: Kept) -> Kept:
        """A cache that is absent or broken is made anew."""
        try:
            with (self.folder / name).open("rb") as stream:
                return load(stream)
        except (OSError, ValueError):
            return otherwise

    def _write(self, name: str, save: Callable[[BinaryIO], object]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished = self.folder / f"{name}.{os.getpid()}"
            with unfinished.open("wb") as stream:
                save(stream)
            unfinished.replace(self.folder / name)
        except OSError as error:
            raise ValueError(
                f"home: {str(self.folder)!r} cannot be written ({error.strerror}); "
                "choose another with --home"
            ) from error


def _began_in(stream: BinaryIO) -> int:
    began_ns: Any = json.loads(stream.read())
    if not isinstance(began_ns, int):
        raise ValueError(f"this is no time: {began_ns!r}")
    return began_ns


def _keys_in(stream: BinaryIO) -> Keys:
    return np.frombuffer(stream.read(), "<u8").astype(np.uint64)


def _told(bulks: Iterator[Bulk], step: Step) -> Iterator[Bulk]:
    for bulk in bulks:
        step.advance(len(bulk.files) + len(bulk.odd))
        yield bulk


def cache_of(home: Path, place: str, num_classes: int, pictures: bool) -> Cache:
    """The cache of a place; one for reading with pictures and one for reading without."""
    told = json.dumps([place, num_classes, pictures])
    return Cache(home / "monitor" / hashlib.sha256(told.encode()).hexdigest()[:16])
