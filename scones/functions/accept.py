"""filterLowInferenceConfidence: what the model is not sure of stops here."""

import json
import math
import os
from typing import Any

from scones.functions.event import Event


class ThresholdConfidenceNotMet(Exception):  # noqa: N818 - the error's name in the machine
    """No class reaches the threshold."""


def handler(event: Event, context: Any) -> Event:
    """filterLowInferenceConfidence, by THRESHOLD and CLASSES (a JSON array)."""
    threshold = float(os.environ.get("THRESHOLD", "0.8"))
    return accept(event, threshold, json.loads(os.environ["CLASSES"]))


def accept(event: Event, threshold: float, classes: list[str]) -> Event:
    """Add the decided `class` and its `confidence`.

    Raises ThresholdConfidenceNotMet unless the confidence reaches the threshold (equal is enough).
    Of equal confidences the first class has it.
    """
    inferences = event["inferences"]
    if len(inferences) != len(classes):
        raise ValueError(f"{len(inferences)} inferences for {len(classes)} classes: {inferences}")
    confidence = max(inferences)
    if any(math.isnan(each) for each in inferences) or confidence < threshold:
        raise ThresholdConfidenceNotMet(f"{confidence:.4f} is below the threshold {threshold:g}")
    decided = classes[inferences.index(confidence)]
    return {**event, "class": decided, "confidence": confidence}
