"""The card of a deployed model, out of its model.tar.gz: its certificate and its baseline."""

import io
import json
import tarfile
from typing import Any

from scones.clients import Clients
from scones.gate.heldout import Gate
from scones.model import card as cards

CARD = "card.json"


def read_card(clients: Clients, job: str) -> dict[str, Any]:
    """The card that the training job left; empty where the model has none."""
    answer = clients.sagemaker.describe_training_job(TrainingJobName=job)
    return card_at(clients, answer["ModelArtifacts"]["S3ModelArtifacts"])


def card_at(clients: Clients, model_uri: str) -> dict[str, Any]:
    """The card of the model.tar.gz there; empty where the model has none."""
    bucket, _, key = model_uri.removeprefix("s3://").partition("/")
    archive = clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return card_in(archive)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{model_uri} holds no readable model: {error}") from error


def card_in(archive: bytes) -> dict[str, Any]:
    """card.json of a model.tar.gz's bytes; empty where there is none."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        for member in files:
            if member.isfile() and member.name.rpartition("/")[2] == CARD:
                content = files.extractfile(member)
                assert content is not None, "a file has content"
                card: dict[str, Any] = json.load(content)
                return card
    return {}


def gate_of(card: dict[str, Any]) -> tuple[Gate | None, str | None]:
    """Calibration, certificate and baseline in a card, and what is missing of them, in a sentence.

    Cards of older models hold certificates without the certifying pictures' answers, or neither.
    """
    try:
        found = Gate.from_json(card) if "certificate" in card else cards.gate_of(card)
    except (KeyError, TypeError, ValueError) as error:
        return None, f"The model's card cannot be read ({error}), so nothing is promised."
    if found is None:
        return None, NO_CERTIFICATE
    return found, None if len(found.baseline.labels_N) else NO_BASELINE


NO_CERTIFICATE = (
    "The model's card holds no certificate and no baseline: train one with `--certify "
    "200`, or give --baseline."
)
NO_BASELINE = (
    "The model's card holds no baseline, so drift is sought within the stream alone: train a new "
    "model, or give --baseline."
)
