"""What is watched: whose captures, under which gate, beside which baseline, with which labels."""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from scones.clients import Clients
from scones.gate.heldout import Baseline, Gate
from scones.monitor.capture import Fault
from scones.settings import Settings
from scones.workflow.card import card_in, gate_of, read_card
from scones.workflow.deploy import Deployment, last_deployment
from scones.workflow.files import Files, open_files
from scones.workflow.staged import Staged, read_staged
from scones.workflow.threshold import HAND, choose
from scones.workflow.truth import truth_at, truth_prefix

MANIFEST, NO_TRUTH = "manifest", "none"


@dataclass(frozen=True)
class Question:
    """What the user asked to have watched."""

    source: str | None = None
    """S3 prefix or folder of captures; None: the deployed endpoint's."""
    truth: str | None = None
    """`manifest`, S3 prefixes and folders of ground truth, with commas between; or `none`. None:
    of the deployed endpoint manifest and ground truth, of anything else nothing."""
    baseline: str | None = None
    """A card, a model.tar.gz or a baseline's JSON; or a period, START/END. None: the card's."""
    threshold: float | None = None
    """None: the deployment's, else the settings'."""
    pictures: bool = True
    """Whether pictures are looked at: measured, shown, and joined with the manifest."""

    @property
    def of_deployment(self) -> bool:
        return self.source is None

    @property
    def needs_cloud(self) -> bool:
        """Whether anything has to be fetched that is not in a folder."""
        places = [self.source or "s3://", *(self.truth or "").split(",")]
        return any(place.startswith("s3://") or place == MANIFEST for place in places)


@dataclass(frozen=True)
class Period:
    """A chosen time whose records are the baseline."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Subject:
    """Everything about the captures but themselves."""

    files: Files
    class_names: tuple[str, ...]
    threshold: float
    by_hand: bool
    """Whether somebody set the threshold; else certificate or default did."""
    since_s: float = 0.0
    """Records before are another model's."""
    gate: Gate | None = None
    period: Period | None = None
    labels: dict[str, int] = field(default_factory=dict)
    """By inference id or event id."""
    by_picture: dict[str, int] = field(default_factory=dict)
    """By hex SHA-256."""
    faults: tuple[Fault, ...] = ()
    """Of ground-truth files."""
    notes: tuple[str, ...] = ()
    """What the reader should know beforehand, in sentences."""
    staged: Staged | None = None
    model: str | None = None
    """The training job whose model is watched."""


def subject(clients: Clients | None, settings: Settings, question: Question) -> Subject:
    """Resolve the question; ValueError says which part of it cannot be.

    `clients` may be None where nothing `needs_cloud`.
    """
    if question.threshold is not None and not 0 < question.threshold <= 1:
        raise ValueError(f"threshold is {question.threshold!r}; it should be above 0, at most 1")
    found = (
        _deployed(clients)
        if question.of_deployment and clients is not None
        else _elsewhere(clients, settings, question)
    )
    found = _with_baseline(found, question.baseline)
    found = _with_truth(clients, found, question)
    if question.threshold is None:
        return found
    return replace(found, threshold=question.threshold, by_hand=True)


def _deployed(clients: Clients) -> Subject:
    deployment = last_deployment(clients)
    settings = clients.settings
    gate, missing = gate_of(read_card(clients, deployment.job))
    place = f"s3://{clients.bucket}/{settings.capture_prefix}/{deployment.endpoint}/"
    return Subject(
        open_files(place, clients.s3, settings.parallel),
        deployment.classes,
        deployment.threshold,
        deployment.threshold_from == HAND,
        # Capture times are cut to whole seconds.
        since_s=float(int(deployment.deployed_at.timestamp())),
        gate=gate,
        notes=_notes(deployment, missing),
        staged=_staged(clients, deployment),
        model=deployment.job,
    )


def _notes(deployment: Deployment, missing: str | None) -> tuple[str, ...]:
    sample = "dataset: sample. The model learnt from pictures drawn by code, not from photographs."
    notes = [sample] if deployment.dataset == "sample" else []
    return (*notes, *([missing] if missing else []))


def _staged(clients: Clients, deployment: Deployment) -> Staged | None:
    """What is staged, where it tells the truth about this model's classes."""
    try:
        staged = read_staged(clients)
    except ValueError:
        return None
    return staged if staged.facts.classes == deployment.classes else None


def _elsewhere(clients: Clients | None, settings: Settings, question: Question) -> Subject:
    assert question.source is not None, "what is not deployed is named"
    s3 = clients.s3 if clients else None
    files = open_files(question.source, s3, settings.parallel)
    threshold = choose(settings.threshold, None)
    return Subject(files, settings.classes, threshold.value, threshold.source == HAND)


def _with_baseline(found: Subject, baseline: str | None) -> Subject:
    if baseline is None:
        return found
    if "/" in baseline and not Path(baseline).exists() and baseline[:1].isdigit():
        return replace(found, period=period(baseline))
    gate = _read_baseline(Path(baseline).expanduser(), found)
    if gate.baseline.class_names != found.class_names:
        raise ValueError(
            f"baseline {baseline!r} knows {', '.join(gate.baseline.class_names)}; it should know "
            f"{', '.join(found.class_names)}"
        )
    return replace(found, gate=gate, notes=())


def period(text: str) -> Period:
    """START/END, both ISO 8601, UTC where they say nothing else."""
    try:
        start, end = (datetime.fromisoformat(part) for part in text.split("/"))
    except ValueError:
        raise ValueError(
            f"baseline is {text!r}; it should be a file, or a period such as "
            "2026-11-01/2026-11-08T12:00"
        ) from None
    times = [each.replace(tzinfo=UTC) if each.tzinfo is None else each for each in (start, end)]
    found = Period(times[0].timestamp(), times[1].timestamp())
    if found.start_s >= found.end_s:
        raise ValueError(f"baseline is {text!r}; its end should come after its start")
    return found


def _read_baseline(path: Path, found: Subject) -> Gate:
    try:
        content = path.read_bytes()
        told = card_in(content) if content[:2] == b"\x1f\x8b" else json.loads(content)
        if "probabilities" in told and found.gate is not None:
            return replace(found.gate, baseline=Baseline.from_json(told))
        gate, missing = gate_of(told)
    except OSError as error:
        raise ValueError(f"baseline {str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, tarfile.TarError, EOFError) as error:
        raise ValueError(f"baseline {str(path)!r} is none: {error}") from error
    if gate is None:
        raise ValueError(f"baseline {str(path)!r} is none: {missing}")
    return gate


def _with_truth(clients: Clients | None, found: Subject, question: Question) -> Subject:
    places = _places(clients, found, question)
    labels: dict[str, int] = {}
    faults: list[Fault] = []
    for place in places:
        if place != MANIFEST:
            files = open_files(place, clients.s3 if clients else None)
            more, bad = truth_at(files, found.class_names)
            labels |= more
            faults += bad
    by_picture = _by_picture(clients, found) if MANIFEST in places and question.pictures else {}
    return replace(found, labels=labels, by_picture=by_picture, faults=tuple(faults))


def _places(clients: Clients | None, found: Subject, question: Question) -> Sequence[str]:
    if question.truth == NO_TRUTH:
        return []
    if question.truth is not None:
        return [place.strip() for place in question.truth.split(",") if place.strip()]
    if not question.of_deployment or clients is None:
        return []
    ours = f"s3://{clients.bucket}/{truth_prefix(clients)}"
    return [MANIFEST, ours] if found.staged else [ours]


def _by_picture(clients: Clients | None, found: Subject) -> dict[str, int]:
    staged = found.staged
    if staged is None:
        assert clients is not None, "a manifest is read with clients"
        staged = read_staged(clients)
        if staged.facts.classes != found.class_names:
            raise ValueError(
                f"truth is 'manifest', and staged are {', '.join(staged.facts.classes)}; watched "
                f"are {', '.join(found.class_names)}"
            )
    return {entry.sha256: entry.label for entry in staged.entries}
