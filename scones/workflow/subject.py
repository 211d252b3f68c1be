"""What is watched: whose captures, under which gate, beside which baseline, with which labels."""

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones.clients import Clients
from scones.gate.heldout import Baseline, Gate
from scones.model import card as cards
from scones.monitor.capture import Fault
from scones.settings import Settings
from scones.workflow.card import NO_BASELINE, NO_CERTIFICATE, card_in, gate_of, read_card
from scones.workflow.deploy import Deployment, all_deployments, last_deployment
from scones.workflow.files import Files, open_files
from scones.workflow.staged import Staged, read_staged
from scones.workflow.threshold import CERTIFICATE, HAND, choose
from scones.workflow.truth import open_truth, truth_at, truth_prefix

MANIFEST, NO_TRUTH = "manifest", "none"
CLASSES, THRESHOLD = "classes", "threshold"


@dataclass(frozen=True)
class Question:
    """What the user asked to have watched."""

    source: str | None = None
    """S3 prefix or folder of captures; None: the deployed endpoint's. A prefix that holds those, or
    lies within them, is ours as well."""
    truth: str | None = None
    """`manifest`, S3 prefixes and folders of ground truth, with commas between; or `none`. None:
    of the deployed endpoint manifest and ground truth, of anything else nothing."""
    baseline: str | None = None
    """A card, a model.tar.gz or a baseline's JSON; or a period, START/END. None: the card's."""
    threshold: float | None = None
    """Of captures that are not our own deployment's. None: the settings', the baseline's
    certificate's, or the default."""
    pictures: bool = True
    """Whether pictures are looked at: measured, shown, and joined with the manifest."""
    classes: tuple[str, ...] | None = None
    """Of captures that are not our own deployment's. None: the baseline's, or the default."""

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
    asked: frozenset[str] = frozenset()
    """Of these ids those that only a review labelled, which the model's own doubts chose."""
    by_picture: dict[str, int] = field(default_factory=dict)
    """By hex SHA-256."""
    faults: tuple[Fault, ...] = ()
    """Of ground-truth files."""
    notes: tuple[str, ...] = ()
    """What the reader should know beforehand, in sentences."""
    staged: Staged | None = None
    model: str | None = None
    """The training job whose model is watched."""
    ours: bool = False
    """Whether it is our own deployment's."""
    assumed: tuple[str, ...] = ()
    """CLASSES, THRESHOLD: what nobody said and nothing tells."""


def subject(clients: Clients | None, settings: Settings, question: Question) -> Subject:
    """Resolve the question; ValueError says which part of it cannot be.

    `clients` may be None where nothing `needs_cloud`.
    """
    if question.threshold is not None and not 0 < question.threshold <= 1:
        raise ValueError(f"threshold is {question.threshold!r}; it should be above 0, at most 1")
    found = None if clients is None else _ours(clients, question)
    if found is None:
        found = _elsewhere(clients, settings, question)
    found = _with_baseline(found, question.baseline)
    found = _with_truth(clients, found, question)
    return replace(found, notes=(*found.notes, *_guesses(found)))


def _ours(clients: Clients, question: Question) -> Subject | None:
    """Our own deployment, or that of its captures which is asked for; None if they are others'.

    Of a prefix that holds more than its captures, only these are watched.
    """
    if question.source is None:
        return _deployed(clients, last_deployment(clients), question)
    asked = open_files(question.source, clients.s3).place
    captures = f"s3://{clients.bucket}/{clients.settings.capture_prefix}/"
    if not (asked.startswith(captures) or captures.startswith(asked)):
        return None
    deployments = all_deployments(clients)
    if not deployments:
        return None
    place = _captures(clients, deployments[-1])
    if not (asked.startswith(place) or place.startswith(asked)):
        return None
    found = _deployed(clients, deployments[-1], question)
    if asked == place:
        return found
    whose = f"captures of our own endpoint {deployments[-1].endpoint}"
    if place.startswith(asked):
        note = f"Of what lies below {asked}, only the {whose} are watched."
        return replace(found, notes=(*found.notes, note))
    note = f"Of the {whose}, only those below {asked} are watched."
    files = open_files(asked, clients.s3, clients.settings.parallel)
    return replace(found, files=files, notes=(*found.notes, note))


def _captures(clients: Clients, deployment: Deployment) -> str:
    return f"s3://{clients.bucket}/{clients.settings.capture_prefix}/{deployment.endpoint}/"


def _deployed(clients: Clients, deployment: Deployment, question: Question) -> Subject:
    """All captures of our own deployment; ValueError for a threshold that is not its gate's."""
    if question.threshold is not None:
        raise ValueError(
            f"threshold is {question.threshold:g}; the gate of our own deployment stands at "
            f"{deployment.threshold:.4g}: leave --threshold out, or move the gate with: "
            f"scones deploy --threshold {question.threshold:g}"
        )
    gate, missing = gate_of(read_card(clients, deployment.job))
    return Subject(
        open_files(_captures(clients, deployment), clients.s3, clients.settings.parallel),
        deployment.classes,
        deployment.threshold,
        deployment.threshold_from == HAND,
        # Capture times are cut to whole seconds.
        since_s=float(int(deployment.deployed_at.timestamp())),
        gate=gate,
        notes=(*_notes(deployment, missing), *_unused(deployment, question)),
        staged=_staged(clients, deployment),
        model=deployment.job,
        ours=True,
    )


def _unused(deployment: Deployment, question: Question) -> tuple[str, ...]:
    if question.classes in (None, deployment.classes):
        return ()
    return (
        f"--classes {','.join(question.classes or ())} is not used: our own deployment's classes "
        f"are {', '.join(deployment.classes)}.",
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
    given = question.threshold if question.threshold is not None else settings.threshold
    threshold = choose(given, None)
    return Subject(
        open_files(question.source, clients.s3 if clients else None, settings.parallel),
        question.classes or settings.classes,
        threshold.value,
        threshold.source == HAND,
        assumed=(
            *([CLASSES] if question.classes is None else []),
            *([THRESHOLD] if given is None else []),
        ),
    )


def _guesses(found: Subject) -> tuple[str, ...]:
    """What is assumed of captures, in a sentence."""
    told = {
        CLASSES: f"the class names {', '.join(found.class_names)} (--classes says otherwise)",
        THRESHOLD: f"a gate at {found.threshold:.4g} (--threshold says otherwise)",
    }
    guesses = " and ".join(told[each] for each in found.assumed)
    return (f"Not given, so assumed: {guesses}.",) if guesses else ()


def _with_baseline(found: Subject, baseline: str | None) -> Subject:
    if baseline is None:
        return found
    if "/" in baseline and not Path(baseline).exists() and baseline[:1].isdigit():
        return replace(found, period=period(baseline))
    gate = _read_baseline(Path(baseline).expanduser(), found)
    found = _told_by(gate, found)
    if gate.baseline.class_names != found.class_names:
        raise ValueError(
            f"baseline {baseline!r} knows {', '.join(gate.baseline.class_names)}; it should know "
            f"{', '.join(found.class_names)}"
        )
    missing = (NO_CERTIFICATE, NO_BASELINE)
    notes = tuple(note for note in found.notes if note not in missing)
    return replace(found, gate=gate, notes=notes)


def _told_by(gate: Gate, found: Subject) -> Subject:
    """With the baseline's classes and its certified threshold, where these were but assumed."""
    if CLASSES in found.assumed:
        found = replace(found, class_names=gate.baseline.class_names)
    threshold = choose(None, gate)
    certified = threshold.source == CERTIFICATE
    if THRESHOLD in found.assumed and certified:
        found = replace(found, threshold=threshold.value)
    known = (CLASSES, *([THRESHOLD] if certified else []))
    return replace(found, assumed=tuple(each for each in found.assumed if each not in known))


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
        return _gate_in(told, found)
    except OSError as error:
        raise ValueError(f"baseline {str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, tarfile.TarError, EOFError) as error:
        why = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"baseline {str(path)!r} is none ({why}); it should be a model's card.json or "
            "model.tar.gz, a baseline's JSON, or a period such as 2026-11-01/2026-11-08"
        ) from error


def _gate_in(told: Any, found: Subject) -> Gate:
    """The gate of a card, or the watched one with another baseline; KeyError for what it lacks."""
    if not isinstance(told, dict):
        raise ValueError("it holds no JSON object")
    if "probabilities" in told:
        if found.gate is None:
            raise ValueError("answers alone, and the model has no certificate to go with them")
        return replace(found.gate, baseline=Baseline.from_json(told))
    gate = Gate.from_json(told) if "certificate" in told else cards.gate_of(told)
    if gate is None:
        raise ValueError("it holds no certificate")
    return gate


def _with_truth(clients: Clients | None, found: Subject, question: Question) -> Subject:
    places = _places(clients, found, question)
    labels: dict[str, int] = {}
    others: set[str] = set()
    faults: list[Fault] = []
    for place in places:
        if place != MANIFEST:
            told = truth_at(open_truth(place, clients.s3 if clients else None), found.class_names)
            if told.faults and not told.labels and question.truth is not None:
                raise ValueError(
                    f"truth is {place!r}, where no line of ground truth could be read; the first: "
                    f"{told.faults[0]}"
                )
            labels |= told.labels
            others |= told.labels.keys() - told.asked
            faults += told.faults
    by_picture = _by_picture(clients, found) if MANIFEST in places and question.pictures else {}
    return replace(
        found,
        labels=labels,
        asked=frozenset(labels.keys() - others),
        by_picture=by_picture,
        faults=tuple(faults),
    )


def _places(clients: Clients | None, found: Subject, question: Question) -> Sequence[str]:
    if question.truth == NO_TRUTH:
        return []
    if question.truth is not None:
        return [place.strip() for place in question.truth.split(",") if place.strip()]
    if not found.ours or clients is None:
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
