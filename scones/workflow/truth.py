"""Ground truth in the bucket: JSON Lines in SageMaker's layout, written and found again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scones.clients import Clients
from scones.monitor.capture import Fault
from scones.monitor.labels import read_truth, write_truth
from scones.workflow.files import Files, Folder, Prefix, dated, open_files

GROUND_TRUTH = "ground_truth"
JSON_LINES = "application/jsonl"
REVIEW = "review-"
"""How the files of labels that a person gave begin; labels of simulated pictures do not."""


@dataclass(frozen=True)
class Truth:
    """What ground-truth files say."""

    labels: dict[str, int]
    """By inference id or event id; the later file corrects the earlier."""
    asked: frozenset[str]
    """Of these ids those that no other file labels than a review's: the model's own doubts chose
    them, so they teach and are shown, but no share may be counted on them."""
    faults: tuple[Fault, ...]


def truth_prefix(clients: Clients) -> str:
    """Below it lie the labels of the endpoint's captures, by hour, as the captures themselves."""
    return f"{GROUND_TRUTH}/{clients.settings.endpoint}/"


def put_truth(clients: Clients, truth: Mapping[str, int], name: str) -> str | None:
    """Labels by inference id or event id, as one file of this hour; answers its S3 address.

    None, and nothing is written, where there are no labels.
    """
    if not truth:
        return None
    key = f"{truth_prefix(clients)}{dated(clients.clock())}/{name}.jsonl"
    clients.s3.put_object(
        Bucket=clients.bucket, Key=key, Body=write_truth(truth), ContentType=JSON_LINES
    )
    return f"s3://{clients.bucket}/{key}"


def open_truth(place: str, s3: Any) -> Files:
    """The files of ground truth at a place; ValueError where no such folder is there."""
    files = open_files(place, s3)
    if isinstance(files, Folder) and not files.path.is_dir():
        raise ValueError(
            f"truth is {place!r}, and no such folder is there; it should be manifest, none, "
            "s3://bucket/prefix/ or a folder of ground truth"
        )
    return files


def truth_at(files: Files, class_names: Sequence[str], beginning: str = "") -> Truth:
    """What the files say whose name so begins."""
    labels: dict[str, int] = {}
    others: set[str] = set()
    faults: list[Fault] = []
    names = [name for name in files.names((), 0.0) if name.rpartition("/")[2].startswith(beginning)]
    for name, content in files.read(names):
        more, bad = read_truth(content, name, class_names)
        labels |= more
        faults += bad
        if not name.rpartition("/")[2].startswith(REVIEW):
            others |= more.keys()
    return Truth(labels, frozenset(labels.keys() - others), tuple(faults))


def reviewed(clients: Clients, class_names: Sequence[str]) -> dict[str, int]:
    """The labels that people gave to the endpoint's captures."""
    files = Prefix(clients.s3, clients.bucket, truth_prefix(clients), clients.settings.parallel)
    return truth_at(files, class_names, REVIEW).labels
