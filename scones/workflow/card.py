"""The card of a deployed model, out of its model.tar.gz: its certificate and its baseline."""

import io
import json
import tarfile
from typing import Any

import numpy as np

from scones.clients import Clients
from scones.gate.calibration import Calibration
from scones.gate.certificate import Certificate
from scones.gate.heldout import Baseline, Gate

CARD = "card.json"


def read_card(clients: Clients, job: str) -> dict[str, Any]:
    """The card that the training job left; empty where the model has none."""
    answer = clients.sagemaker.describe_training_job(TrainingJobName=job)
    bucket, _, key = (
        answer["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    )
    archive = clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    try:
        return card_in(archive)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise ValueError(f"s3://{bucket}/{key} holds no readable model: {error}") from error


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
        if "gate" in card:
            return Gate.from_json(card["gate"]), None
        if "certificate" in card:
            return Gate.from_json(card), None
        if card.get("certificates"):
            return _without_baseline(card), NO_BASELINE
    except (KeyError, TypeError, ValueError) as error:
        return None, f"The model's card cannot be read ({error}), so nothing is promised."
    return None, NO_CERTIFICATE


NO_CERTIFICATE = (
    "The model's card holds no certificate and no baseline: train one with `--hyperparameter "
    "certify=200`, or give --baseline."
)
NO_BASELINE = (
    "The model's card holds no baseline, so drift is sought within the stream alone: train a new "
    "model, or give --baseline."
)


def _without_baseline(card: dict[str, Any]) -> Gate:
    names = tuple(card["class_names"])
    overall, *per_class = map(Certificate.from_json, card["certificates"])
    nothing = Baseline(names, np.zeros((0, len(names))), np.zeros(0, np.int64))
    return Gate(Calibration.from_json(card["calibration"]), overall, tuple(per_class), nothing)
