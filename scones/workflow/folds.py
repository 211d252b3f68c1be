"""Folds of the staged training pictures, as lists in the bucket: what cross-validation needs.

The test pictures are in none of them: whatever is chosen is chosen without a look at those.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scones.clients import Clients
from scones.images.manifest import Entry, write_lst
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


def put_folds(clients: Clients, staged: Staged, count: int) -> list[Fold]:
    """Write the lists of `count` folds; ValueError where there are too few pictures."""
    entries = staged.split(TRAIN)
    fewest = min(staged.facts.train.values(), default=0)
    if fewest < count:
        raise ValueError(
            f"folds is {count}; the smallest class has {fewest} training pictures, and each fold "
            "needs one"
        )
    dealt = deal(entries, count)
    place = f"{PLACE}/{staged.facts.sha256[:16]}"
    return [
        _put(clients, entries, dealt, fold, f"{place}/{fold}-of-{count}") for fold in range(count)
    ]


def _put(
    clients: Clients, entries: Sequence[Entry], dealt: Sequence[int], fold: int, place: str
) -> Fold:
    judged = [entry for entry, its in zip(entries, dealt, strict=True) if its == fold]
    rest = [entry for entry, its in zip(entries, dealt, strict=True) if its != fold]
    found = Fold(f"{place}-train.lst", f"{place}-judged.lst", len(rest), len(judged))
    for key, listed in ((found.train_list, rest), (found.judged_list, judged)):
        clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=write_lst(listed).encode())
    return found
