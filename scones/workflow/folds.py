"""Folds of the staged training pictures, as lists in the bucket: what cross-validation needs.

In none of them are the test pictures, nor those that `scones train` with the same seed will hold
out to certify a threshold: whatever is chosen is chosen without a look at either.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scones.clients import Clients
from scones.images.manifest import Entry, write_lst
from scones.model import split
from scones.settings import Settings
from scones.workflow.staged import TRAIN, Staged

PLACE = "tune"


@dataclass(frozen=True)
class Fold:
    """One split of the training pictures: keys of two lists, both of pictures under `train/`."""

    train_list: str
    judged_list: str
    num_train: int
    num_judged: int


def deal(entries: Sequence[Entry], count: int) -> list[int]:
    """The fold of each picture: every class spread evenly, by the pictures' hashes.

    So the same pictures fall into the same folds in whatever order they are staged, and copies of
    a picture into one fold: none is judged by a model that learnt from its copy.
    """
    different = sorted({(entry.label, entry.sha256) for entry in entries})
    fold_of = {picture: place % count for place, picture in enumerate(different)}
    return [fold_of[entry.label, entry.sha256] for entry in entries]


def open_to_choice(entries: Sequence[Entry], certify: int | None, seed: int) -> list[Entry]:
    """The training pictures, in their order, but for those that a job will hold out to certify.

    By the job's own rule; where it skips damaged pictures it may hold out some others.
    """
    count = split.num_held_out(len(entries), certify)
    if not count:
        return list(entries)
    first: dict[str, int] = {}
    copy_of = [first.setdefault(each.sha256, row) for row, each in enumerate(entries)]
    labels = np.array([each.label for each in entries])
    kept, _ = split.stratified(labels, count, seed, np.array(copy_of))
    return [entries[row] for row in kept]


def put_folds(clients: Clients, staged: Staged, count: int) -> list[Fold]:
    """Write the lists of `count` folds; ValueError where there are too few pictures."""
    certify, seed = _hold_out(clients.settings)
    entries = open_to_choice(staged.split(TRAIN), certify, seed)
    sizes = Counter(each.label for each in entries)
    fewest = min((sizes[label] for label in range(len(staged.facts.train))), default=0)
    if fewest < count:
        raise ValueError(
            f"folds is {count}; the smallest class has {fewest} training pictures beside those "
            "that certify, and each fold needs one"
        )
    dealt = deal(entries, count)
    held_out = split.num_held_out(len(staged.split(TRAIN)), certify)
    place = f"{PLACE}/{staged.facts.sha256[:16]}-{held_out}-{seed}"
    return [
        _put(clients, entries, dealt, fold, f"{place}/{fold}-of-{count}") for fold in range(count)
    ]


def _hold_out(settings: Settings) -> tuple[int | None, int]:
    """How many pictures a job will hold out, None where it is not said, and its seed.

    A hyperparameter goes before the setting, as in the job.
    """
    given = {name: settings.hyperparameters.get(name) for name in ("certify", "seed")}
    for name, text in given.items():
        if text is not None and not text.isdecimal():
            raise ValueError(f"hyperparameter {name} is {text!r}; give a whole number from 0 up")
    certify, seed = given["certify"], given["seed"]
    return (
        settings.certify if certify is None else int(certify),
        settings.seed if seed is None else int(seed),
    )


def _put(
    clients: Clients, entries: Sequence[Entry], dealt: Sequence[int], fold: int, place: str
) -> Fold:
    judged = [entry for entry, its in zip(entries, dealt, strict=True) if its == fold]
    rest = [entry for entry, its in zip(entries, dealt, strict=True) if its != fold]
    found = Fold(f"{place}-train.lst", f"{place}-judged.lst", len(rest), len(judged))
    for key, listed in ((found.train_list, rest), (found.judged_list, judged)):
        clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=write_lst(listed).encode())
    return found
