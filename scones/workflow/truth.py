"""Ground truth in the bucket: JSON Lines in SageMaker's layout, written and found again."""

from collections.abc import Mapping

from scones.clients import Clients
from scones.monitor.labels import write_truth
from scones.workflow.files import dated

GROUND_TRUTH = "ground_truth"
JSON_LINES = "application/jsonl"


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
