"""What lies staged in the bucket: which data set, which classes, and every picture's label."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from scones.clients import Clients
from scones.images.manifest import Entry, read_jsonl

TRAIN, TEST = "train", "test"
DATASET_KEY = "dataset.json"
MANIFEST_KEY = "manifest.jsonl"


@dataclass(frozen=True)
class Facts:
    """The data set, as the reports and the model's card name it."""

    dataset: str
    """`cifar100`, `sample`, or a folder's name."""
    classes: tuple[str, ...]
    """By label."""
    train: Mapping[str, int]
    """Pictures by class."""
    test: Mapping[str, int]
    sha256: str
    """Of the training pictures' pixels, labels and class names."""
    damaged: tuple[str, ...] = ()
    """Files that were no pictures and are not staged, each with the reason."""


@dataclass(frozen=True)
class Staged:
    """Facts and the manifest."""

    facts: Facts
    entries: tuple[Entry, ...]

    def split(self, name: str) -> list[Entry]:
        """The entries of `train` or `test`, in the lists' order."""
        return [entry for entry in self.entries if entry.split == name]


def read_staged(clients: Clients) -> Staged:
    """What `stage` put into the bucket; ValueError where nothing is staged yet."""
    try:
        facts = json.loads(_read(clients, DATASET_KEY))
        entries = read_jsonl(_read(clients, MANIFEST_KEY).decode())
    except (clients.s3.exceptions.NoSuchKey, clients.s3.exceptions.NoSuchBucket) as error:
        raise ValueError(
            f"bucket {clients.bucket!r} holds no staged pictures; run `scones stage` first"
        ) from error
    lists = {name: tuple(facts.get(name, ())) for name in ("classes", "damaged")}
    return Staged(Facts(**{**facts, **lists}), tuple(entries))


def facts_json(facts: Facts) -> bytes:
    return json.dumps(asdict(facts), indent=2).encode()


def _read(clients: Clients, key: str) -> bytes:
    body: bytes = clients.s3.get_object(Bucket=clients.bucket, Key=key)["Body"].read()
    return body
