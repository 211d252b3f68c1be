"""Ground truth in the bucket: JSON Lines in SageMaker's layout, written and found again."""

from collections.abc import Mapping, Sequence

from scones.clients import Clients
from scones.monitor.capture import Fault
from scones.monitor.labels import read_truth, write_truth
from scones.workflow.files import Files, Prefix, dated

GROUND_TRUTH = "ground_truth"
JSON_LINES = "application/jsonl"
REVIEW = "review-"
"""How the files of labels that a person gave begin; labels of simulated pictures do not."""


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


def truth_at(
    files: Files, class_names: Sequence[str], beginning: str = ""
) -> tuple[dict[str, int], list[Fault]]:
    """Label by inference id or event id, and faults, of the files whose name so begins.

    The later file corrects the earlier.
    """
    labels: dict[str, int] = {}
    faults: list[Fault] = []
    names = [name for name in files.names((), 0.0) if name.rpartition("/")[2].startswith(beginning)]
    for name, content in files.read(names):
        more, bad = read_truth(content, name, class_names)
        labels |= more
        faults += bad
    return labels, faults


def reviewed(clients: Clients, class_names: Sequence[str]) -> dict[str, int]:
    """The labels that people gave to the endpoint's captures."""
    files = Prefix(clients.s3, clients.bucket, truth_prefix(clients), clients.settings.parallel)
    return truth_at(files, class_names, REVIEW)[0]
