"""What the captured records say of a deployed model: figures first, pages made of them later.

Records are those of the present deployment, each request once. Truth is joined by the picture's
SHA-256 against the staged manifest, so labels cost nothing. A picture judged several times counts
once in accuracy and in the class-by-gate tables, by its latest answer: the model answers the same
picture the same, so copies of one answer are no further evidence.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scones.gate import exact
from scones.gate.intervals import clopper_pearson
from scones.images.manifest import Entry
from scones.monitor import card_figures
from scones.monitor.capture import Record
from scones.monitor.curve import Epoch

CERTAINTY = 0.95
GALLERY = 12
FEW = 5
"""Fewer records of a class than this, and no verdict on the gate is given."""


@dataclass(frozen=True)
class Execution:
    """How one execution of the machine ended."""

    status: str
    error: str | None = None


@dataclass(frozen=True)
class Material:
    """Everything a report is made of; the bytes were fetched by somebody else."""

    dataset: str
    classes: tuple[str, ...]
    threshold: float
    deployed_at: datetime
    """Records before this second are another model's."""
    records: Sequence[Record]
    """All that the endpoint ever captured, in the files' order."""
    manifest: Sequence[Entry]
    executions: Sequence[Execution]
    """Those of the present deployment."""
    epochs: Sequence[Epoch] = ()
    """Of the present model's training."""
    definition: Mapping[str, Any] = field(default_factory=dict)
    succeeded_history: Sequence[Mapping[str, Any]] = ()
    """Of one execution that succeeded; empty where none did."""
    failed_history: Sequence[Mapping[str, Any]] = ()
    """Of one execution that the gate stopped; empty where none was."""
    faults: int = 0
    """Captured lines that could not be read."""
    threshold_from: str = "hand"
    """Who says the threshold: `hand`, `certificate` or `default`."""
    promise: str | None = None
    """What the model's certificate says, in one sentence; None without one."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """The model's card.json; empty where it has none."""
    promises: Sequence[str] = ()
    """A sentence for each class's certificate."""
    gates_before: Sequence[tuple[datetime, float]] = ()
    """Until when, and at which threshold, the gates of the earlier deployments stood that `records`
    are of, the oldest first; the present one's is `threshold`."""
    names: Mapping[str, str] = field(default_factory=dict)
    """bucket, endpoint, state_machine, training_job."""
    seconds: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Share:
    """k of n, with its exact interval."""

    k: int
    n: int

    @property
    def value(self) -> float | None:
        return self.k / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's, at `CERTAINTY`."""
        return clopper_pearson(self.k, self.n, CERTAINTY)

    def as_json(self) -> dict[str, float | int | None]:
        low, high = self.interval
        return {"value": self.value, "low": low, "high": high, "k": self.k, "n": self.n}


@dataclass(frozen=True)
class Judged:
    """One record with what we know of it."""

    record: Record
    label: int
    """The class decided: the most probable one."""
    truth: int | None
    """None where the picture is none of the staged test pictures."""
    key: str | None
    """Where the picture is staged."""

    @property
    def confidence(self) -> float:
        return max(self.record.probabilities)


@dataclass(frozen=True)
class Gate:
    """Class by gate, each different picture once: is one class refused more often than another?"""

    passed: tuple[int, ...]
    """By class."""
    refused: tuple[int, ...]
    p_values: tuple[float, ...]
    """Fisher's exact p: one for two classes; for more, each class against the rest, adjusted for
    their number (Holm)."""

    def share_refused(self, label: int) -> Share:
        return Share(self.refused[label], self.passed[label] + self.refused[label])


@dataclass(frozen=True)
class Report:
    """The figures."""

    material: Material
    judged: tuple[Judged, ...]
    """Of the present deployment, each request once, in order of time."""
    history: tuple[Judged, ...]
    """Of every deployment with as many classes."""
    accuracy: Share
    """Over different test pictures."""
    accepted_wrong: Share
    """Wrong ones among the different test pictures that the gate let pass."""
    by_decision: Gate
    by_truth: Gate
    """Only pictures whose truth is known."""

    @property
    def passed(self) -> int:
        """Requests of the present deployment that the gate let pass."""
        return sum(each.confidence >= self.material.threshold for each in self.judged)

    @property
    def beyond(self) -> int:
        """Captured requests above the number of executions: sent straight to the endpoint, by
        the second machine that classifies a whole place in S3, or again after an error."""
        return max(0, len(self.judged) - len(self.material.executions))

    @property
    def errors(self) -> Counter[str]:
        """Error name to how many executions it ended."""
        named = (each.error or each.status for each in self.material.executions)
        ended = (each.status for each in self.material.executions)
        return Counter(
            name
            for name, status in zip(named, ended, strict=True)
            if status not in ("SUCCEEDED", "RUNNING")
        )

    def count(self, *statuses: str) -> int:
        """Executions that ended so."""
        return sum(each.status in statuses for each in self.material.executions)

    def least_confident(self) -> list[Judged]:
        """Different pictures, the least confident first."""
        seen = {each.record.picture: each for each in self.judged if each.record.picture}
        return sorted(seen.values(), key=lambda each: each.confidence)[:GALLERY]


def examine(material: Material) -> Report:
    """The figures of `material`; every one is defined without records, too."""
    history = _judge(material)
    # Capture times are cut to whole seconds.
    since = material.deployed_at.replace(microsecond=0)
    judged = tuple(each for each in history if each.record.inferred_at >= since)
    known = {each.key: each for each in judged if each.truth is not None}.values()
    passed = [each for each in known if each.confidence >= material.threshold]
    # Where no picture was captured, each request counts.
    pictures = {
        each.record.picture or (each.record.event_id, each.record.item): each for each in judged
    }
    return Report(
        material,
        judged,
        history,
        Share(sum(each.label == each.truth for each in known), len(known)),
        Share(sum(each.label != each.truth for each in passed), len(passed)),
        _gate(material, [(each.label, each.confidence) for each in pictures.values()]),
        _gate(
            material,
            [(each.truth, each.confidence) for each in known if each.truth is not None],
        ),
    )


def _judge(material: Material) -> tuple[Judged, ...]:
    """By time, each event once; records with another number of classes are another model's."""
    truths = {each.sha256: each for each in material.manifest if each.split == "test"}
    once = {(each.event_id, each.item): each for each in material.records}
    found: list[Judged] = []
    for record in sorted(once.values(), key=lambda each: each.inferred_at):
        if len(record.probabilities) != len(material.classes):
            continue
        digest = hashlib.sha256(record.picture).hexdigest() if record.picture else ""
        entry = truths.get(digest)
        label = record.probabilities.index(max(record.probabilities))
        truth, key = (entry.label, entry.key) if entry else (None, None)
        found.append(Judged(record, label, truth, key))
    return tuple(found)


def _gate(material: Material, judged: Sequence[tuple[int, float]]) -> Gate:
    labels = range(len(material.classes))
    passed = Counter(label for label, confidence in judged if confidence >= material.threshold)
    refused = Counter(label for label, confidence in judged if confidence < material.threshold)
    tables = [
        [
            [passed[label], refused[label]],
            [passed.total() - passed[label], refused.total() - refused[label]],
        ]
        for label in labels
    ]
    p_values = [exact.fisher(table) for table in (tables[:1] if len(labels) == 2 else tables)]
    return Gate(
        tuple(passed[label] for label in labels),
        tuple(refused[label] for label in labels),
        tuple(exact.holm(p_values)),
    )


def verdict(gate: Gate, classes: Sequence[str], called: str) -> str:
    """One sentence: is one class refused more often, as far as these records can say?

    `called` says how the classes are meant: "pictures decided" or "pictures that are".
    """
    totals = [a + b for a, b in zip(gate.passed, gate.refused, strict=True)]
    n, refused = sum(totals), sum(gate.refused)
    if n == 0:
        return "Nothing is captured yet."
    if refused in (0, n):
        return f"The gate {'passed' if refused == 0 else 'refused'} all {n} pictures: no contrast."
    if min(totals) < FEW:
        rare = classes[totals.index(min(totals))]
        return f"Only {min(totals)} {called} {rare}: too few to say whether one is refused more."
    smallest = min(gate.p_values)
    often = max(range(len(classes)), key=lambda label: gate.refused[label] / totals[label])
    share = ", ".join(
        f"{gate.refused[label]} of {totals[label]} {classes[label]}"
        for label in range(len(classes))
    )
    if smallest < 1 - CERTAINTY:
        return f"{classes[often]} is refused more often: {share} ({_p(smallest)}, n = {n})."
    return f"No sign that one class is refused more often: {share} ({_p(smallest)}, n = {n})."


def _p(value: float) -> str:
    return f"Fisher's exact p = {value:.2g}" if value >= 0.001 else "Fisher's exact p < 0.001"


def stands(material: Material) -> str:
    """One sentence: where the gate stands, and who says so."""
    return f"The gate stands at {standing(material.threshold, material.threshold_from)}."


def standing(threshold: float, threshold_from: str) -> str:
    """The threshold, and who says so."""
    said = {
        "certificate": "as the model's certificate says",
        "hand": "set by hand, which by itself promises nothing",
        "default": "the default: not certified, so it promises nothing",
    }
    return f"{threshold:.4g}, {said[threshold_from]}"


def as_json(report: Report) -> dict[str, Any]:
    """report.json."""
    material = report.material
    return {
        "dataset": material.dataset,
        "classes": list(material.classes),
        "accuracy": report.accuracy.as_json(),
        "threshold": material.threshold,
        "threshold_from": material.threshold_from,
        "promise": material.promise,
        "accepted_wrong": report.accepted_wrong.as_json(),
        "card": card_figures.in_short(material.card),
        "executions": {
            "started": len(material.executions),
            "succeeded": report.count("SUCCEEDED"),
            "failed": report.count("FAILED", "TIMED_OUT", "ABORTED"),
            "errors": dict(report.errors.most_common()),
        },
        "captured": {
            "records": len(report.judged),
            "unreadable": material.faults,
            "history": len(report.history),
        },
        "gate": {
            "by_decision": _gate_json(report.by_decision, material.classes),
            "by_truth": _gate_json(report.by_truth, material.classes),
        },
        "least_confident": [
            {
                "key": each.key,
                "decided": material.classes[each.label],
                "confidence": each.confidence,
                "truth": None if each.truth is None else material.classes[each.truth],
            }
            for each in report.least_confident()
        ],
        "seconds": dict(material.seconds),
        **material.names,
        "deployed_at": material.deployed_at.isoformat(),
    }


def _gate_json(gate: Gate, classes: Sequence[str]) -> dict[str, Any]:
    return {
        "passed": dict(zip(classes, gate.passed, strict=True)),
        "refused": dict(zip(classes, gate.refused, strict=True)),
        "fisher_p": list(gate.p_values),
    }
