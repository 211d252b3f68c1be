"""Which threshold a model is deployed with, and who says so.

A threshold that a person gives goes before; else the model's certificate says; else it is 0.8.
"""

from dataclasses import dataclass

from scones.gate.heldout import Gate
from scones.monitor.report import standing
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

    def sentence(self, lead: str) -> str:
        """Where the gate stands, who says so, and the promise or why there is none."""
        promise = f" {self.promise}" if self.promise else ""
        return f"{lead} at {standing(self.value, self.source)}.{promise}"


@dataclass(frozen=True)
class Gates:
    """The gate of the model that serves, and the one that another brings with it."""

    old: Threshold
    new: Threshold

    @property
    def worse(self) -> bool:
        """Whether a certified gate gives way to one that nobody set and nothing certifies."""
        return self.old.source == CERTIFICATE and self.new.source == DEFAULT

    def sentences(self, changed: bool) -> tuple[str, str]:
        """Both, where the new one took over, or where it would have."""
        stood, stands = (
            ("The gate stood", "It stands now")
            if changed
            else ("The gate stands", "The new model's would stand")
        )
        return self.old.sentence(stood), self.new.sentence(stands)


def choose(given: float | None, gate: Gate | None) -> Threshold:
    """The threshold by what the settings and the model's card say."""
    promise = gate.overall.sentence() if gate else None
    certified = gate.overall.threshold if gate else None
    if given is not None:
        return Threshold(given, HAND, promise)
    if certified is not None:
        return Threshold(certified, CERTIFICATE, promise)
    return Threshold(UNCERTIFIED_THRESHOLD, DEFAULT, promise)
