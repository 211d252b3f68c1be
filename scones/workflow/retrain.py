"""Retrain: learn from reviewed captures, examine old and new alike, deploy only what is not worse.

A test picture from which a learnt one was made (a simulation's blurred copy) is left out of the
examination, and a staged picture is never learnt from: so neither model has seen what it is asked.
"""

import hashlib
import json
import textwrap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from scones.clients import Clients
from scones.images import png
from scones.images.manifest import Entry, write_jsonl, write_lst
from scones.monitor.capture import Record, read_records
from scones.workflow.aside import NOT_YET, SET_ASIDE, WORSE, leave, set_aside
from scones.workflow.deploy import (
    Deployment,
    all_deployments,
    deploy,
    last_deployment,
    threshold_of,
)
from scones.workflow.examine import Compared, compare
from scones.workflow.files import Prefix
from scones.workflow.progress import Step, Steps, silent
from scones.workflow.simulate import origins
from scones.workflow.staged import (
    DATASET_KEY,
    MANIFEST_KEY,
    TEST,
    TRAIN,
    Facts,
    Staged,
    facts_json,
    read_staged,
)  # fmt: skip
from scones.workflow.threshold import Gates
from scones.workflow.train import TRAIN_LIST, Trained, stamp, train
from scones.workflow.truth import reviewed

FEWEST = 20
"""Test pictures below which nothing is compared."""


@dataclass(frozen=True)
class Learnt:
    """A captured picture that somebody labelled."""

    sha256: str
    picture: bytes
    label: int


@dataclass(frozen=True)
class Retrained:
    """A new model, examined."""

    trained: Trained
    added: int
    """Pictures it learnt from beyond the staged ones."""
    known: int
    """Labelled pictures that were staged already: no news, or set aside for testing."""
    compared: Compared
    gates: Gates
    deployment: Deployment | None
    """None: the old model goes on."""

    def sentence(self) -> str:
        """A paragraph each of comparison, what was learnt, the gates, and the end; 80 columns."""
        learnt = f"It learnt from {_pictures(self.added, 'more ')}."
        if self.known:
            learnt += (
                f" {_pictures(self.known)} of those labelled "
                f"{'is' if self.known == 1 else 'are'} not news: staged already, to train or to "
                "test, which is never learnt from."
            )
        gates = self.gates.sentences(self.deployment is not None)
        told = _filled(self.compared.sentence(), learnt, *gates, self._end())
        return told if self.deployment else f"{told}\n  scones deploy --job {self.trained.job}"

    def _end(self) -> str:
        if self.deployment is not None:
            return f"The new one serves now ({self.trained.job}); `scones retrain --back` returns."
        why = "is worse"
        if not self.compared.worse:
            why = (
                "is right no less often, but its gate is not certified, as the old one's is: that "
                "counts as worse"
            )
        return (
            f"The new one {why}, so the old one goes on. The new one is set aside; to have it "
            "serve all the same:"
        )


@dataclass(frozen=True)
class Returned:
    """An earlier model that serves again."""

    left: Deployment
    """What served until now."""
    deployment: Deployment
    forward: bool
    """Whether this takes back an earlier going back."""

    def sentence(self) -> str:
        """A paragraph each of what serves, and the gates; 80 columns."""
        serves = f"endpoint {self.deployment.endpoint} serves {self.deployment.job} again"
        told = (
            f"This goes forward again, to the model that was left for {self.left.job}."
            if self.forward
            else f"{self.left.job} is set aside: `scones deploy` passes it over, and `scones "
            "retrain --back` once more goes forward to it again."
        )
        gates = Gates(self.left.gate, self.deployment.gate).sentences(changed=True)
        return f"{serves}\n{_filled(told, *gates)}"


Compare = Callable[[Clients, Deployment, Trained, Sequence[Entry], Step], Compared]


def retrain(clients: Clients, steps: Steps = silent, compare: Compare = compare) -> Retrained:
    """Train on what is staged and what was labelled; deploy the new model unless it is worse.

    Worse is right less often, or a gate that nothing certifies in place of a certified one. The new
    model is set aside from the first, so that what ends before its acceptance leaves nothing that
    `deploy` would take. The staged lists name the new pictures only once the new model serves.
    Raises ValueError where there is nothing to learn, or too little to examine on.
    """
    staged, old = read_staged(clients), last_deployment(clients)
    if staged.facts.classes != old.classes:
        raise ValueError(
            f"staged are {', '.join(staged.facts.classes)}, and the model knows "
            f"{', '.join(old.classes)}; stage the model's classes first"
        )
    with steps("labels") as step:
        learnt, known = labelled(clients, staged, old, step)
        held_out = examined(clients, staged, learnt)
        bigger = _stage(clients, staged, learnt)
    key = f"retrain/{stamp(clients.clock())}/{TRAIN_LIST}"
    _put(clients, key, write_lst(bigger.split(TRAIN)).encode())
    trained = train(clients, bigger, steps, key, {SET_ASIDE: NOT_YET})
    with steps("compare") as step:
        compared = compare(clients, old, trained, held_out, step)
    gates = Gates(old.gate, threshold_of(clients, trained))
    if compared.worse or gates.worse:
        set_aside(clients, trained.job, WORSE)
        return Retrained(trained, len(learnt), known, compared, gates, None)
    deployment = deploy(clients, trained, bigger.facts, steps, gates.new)
    _put(clients, TRAIN_LIST, write_lst(bigger.split(TRAIN)).encode())
    _put(clients, DATASET_KEY, facts_json(bigger.facts))
    _put(clients, MANIFEST_KEY, write_jsonl(bigger.entries).encode())
    return Retrained(trained, len(learnt), known, compared, gates, deployment)


def back(clients: Clients, steps: Steps = silent) -> Returned:
    """Let the model before the present one serve again, under its own threshold, by UpdateEndpoint.

    The present one is set aside. Raises ValueError where there was none of these classes.
    """
    *before, now = all_deployments(clients) or [last_deployment(clients)]
    others = [each for each in before if each.job != now.job and each.classes == now.classes]
    if not others:
        raise ValueError(f"there is no model before {now.job} to go back to")
    last = others[-1]
    answer = clients.sagemaker.describe_training_job(TrainingJobName=last.job)
    trained = Trained(last.job, answer["ModelArtifacts"]["S3ModelArtifacts"], ())
    facts = replace(read_staged(clients).facts, dataset=last.dataset, classes=last.classes)
    leave(clients, now.job, last.job)
    deployment = deploy(clients, trained, facts, steps, last.gate)
    served = [each.job for each in before] + [now.job]
    forward = served.index(now.job) < served.index(last.job)
    return Returned(now, deployment, forward)


def labelled(
    clients: Clients, staged: Staged, old: Deployment, step: Step
) -> tuple[list[Learnt], int]:
    """Different captured pictures that people labelled and that are not staged already.

    And how many different ones they labelled that are. Raises ValueError where there is no new one.
    """
    truth = reviewed(clients, old.classes)
    known = {entry.sha256 for entry in staged.entries}
    found: dict[str, Learnt] = {}
    clients.flush()
    prefix = f"{clients.settings.capture_prefix}/{old.endpoint}/"
    files = Prefix(clients.s3, clients.bucket, prefix, clients.settings.parallel)
    names = files.names((), clients.clock()) if truth else []
    step.total(len(names))
    for name, content in files.read(names):
        for record in read_records(content, name)[0]:
            each = _learnt(record, truth)
            if each is not None:
                found[each.sha256] = each
        step.advance()
    new = [each for each in found.values() if each.sha256 not in known]
    if not new:
        raise ValueError(
            "no captured picture beyond the staged ones is labelled; label some with: scones review"
        )
    return new, len(found) - len(new)


def _pictures(count: int, kind: str = "") -> str:
    return f"{count} {kind}picture{'' if count == 1 else 's'}"


def _filled(*paragraphs: str) -> str:
    return "\n".join(
        textwrap.fill(each, 80, break_on_hyphens=False, break_long_words=False)
        for each in paragraphs
    )


def _learnt(record: Record, truth: dict[str, int]) -> Learnt | None:
    label = truth.get(record.inference_id or "", truth.get(record.event_id))
    if label is None or record.picture is None:
        return None
    try:
        png.decode(record.picture)
    except ValueError:
        return None
    return Learnt(hashlib.sha256(record.picture).hexdigest(), record.picture, label)


def examined(clients: Clients, staged: Staged, learnt: Sequence[Learnt]) -> list[Entry]:
    """The staged test pictures that nothing was made from which is learnt now, or was before."""
    made_from = origins(clients)
    shas = [each.sha256 for each in learnt] + [each.sha256 for each in staged.split(TRAIN)]
    seen = {made_from.get(sha) for sha in shas}
    held_out = [entry for entry in staged.split(TEST) if entry.key not in seen]
    if len(held_out) < FEWEST:
        raise ValueError(
            f"{len(held_out)} test pictures are left to compare on; {FEWEST} or more are needed"
        )
    return held_out


def _stage(clients: Clients, staged: Staged, learnt: Sequence[Learnt]) -> Staged:
    """The pictures beside the training pictures, and what is staged with them."""
    entries = []
    for each in learnt:
        kind = "jpg" if each.picture.startswith(b"\xff\xd8") else "png"
        key = f"{TRAIN}/labelled-{each.sha256[:24]}.{kind}"
        entries.append(Entry(key, each.label, TRAIN, each.sha256))
    with ThreadPoolExecutor(clients.settings.parallel) as pool:
        puts = [
            pool.submit(_put, clients, entry.key, each.picture)
            for entry, each in zip(entries, learnt, strict=True)
        ]
        for put in puts:
            put.result()
    return Staged(_more(staged.facts, entries), (*staged.entries, *entries))


def _more(facts: Facts, entries: Sequence[Entry]) -> Facts:
    """Counts with the new pictures, and a hash of the old hash and theirs."""
    counts = dict(facts.train)
    for entry in entries:
        counts[facts.classes[entry.label]] += 1
    told = json.dumps([facts.sha256, sorted(entry.sha256 for entry in entries)])
    return replace(facts, train=counts, sha256=hashlib.sha256(told.encode()).hexdigest())


def _put(clients: Clients, key: str, content: bytes) -> None:
    clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=content)
