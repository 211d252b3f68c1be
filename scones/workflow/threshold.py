"""Which threshold a model is deployed with, and who says so.

A threshold that a person gives goes before; else the model's certificate says; else it is 0.8.
"""

from dataclasses import dataclass

from scones.gate.heldout import Gate
from scones.settings import UNCERTIFIED_THRESHOLD

HAND, CERTIFICATE, DEFAULT = "hand", "certificate", "default"


@dataclass(frozen=True)
class Threshold:
    """The least confidence that is acted upon."""

    value: float
    source: str
    """HAND, CERTIFICATE or DEFAULT."""
    promise: str | None
    """The certificate's one sentence, whoever chose; None where the model has no certificate."""


def choose(given: float | None, gate: Gate | None) -> Threshold:
    """The threshold by what the settings and the model's card say."""
    promise = gate.overall.sentence() if gate else None
    certified = gate.overall.threshold if gate else None
    if given is not None:
        return Threshold(given, HAND, promise)
    if certified is not None:
        return Threshold(certified, CERTIFICATE, promise)
    return Threshold(UNCERTIFIED_THRESHOLD, DEFAULT, promise)
