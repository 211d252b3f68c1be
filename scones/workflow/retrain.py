"""Retrain: learn from reviewed captures, examine old and new alike, deploy only what is not worse.

A test picture from which a learnt one was made (a simulation's blurred copy) is left out of the
examination, and a staged picture is never learnt from: so neither model has seen what it is asked.
"""

import hashlib
import json
import textwrap
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from scones.clients import Clients
from scones.gate.exact import mcnemar
from scones.gate.intervals import clopper_pearson
from scones.images import png
from scones.images.manifest import Entry, write_jsonl, write_lst
from scones.monitor.capture import Record, read_records
from scones.workflow import algorithm
from scones.workflow.deploy import (
    Deployment,
    all_deployments,
    deploy,
    endpoint_config,
    last_deployment,
    wait_in_service,
)  # fmt: skip
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
from scones.workflow.threshold import Threshold
from scones.workflow.train import TRAIN_LIST, Trained, stamp, train
from scones.workflow.truth import reviewed

OLD, NEW = "old", "new"
FEWEST = 20
"""Held-out pictures below which nothing is compared."""


@dataclass(frozen=True)
class Learnt:
    """A captured picture that somebody labelled."""

    sha256: str
    picture: bytes
    label: int


@dataclass(frozen=True)
class Compared:
    """Two models on the same held-out pictures."""

    n: int
    both: int
    """Pictures that both call rightly."""
    only_old: int
    only_new: int

    @property
    def p(self) -> float:
        """McNemar's exact two-sided p that they err alike."""
        return mcnemar(self.only_old, self.only_new)

    @property
    def worse(self) -> bool:
        """Whether the new model is right less often."""
        return self.only_new < self.only_old

    def sentence(self) -> str:
        return (
            f"On the same {self.n} held-out pictures the old model is right on "
            f"{self._share(self.both + self.only_old)}, the new one on "
            f"{self._share(self.both + self.only_new)}; {self.only_new} only the new one, "
            f"{self.only_old} only the old one (McNemar's exact p = {self.p:.2g})."
        )

    def _share(self, right: int) -> str:
        low, high = clopper_pearson(right, self.n)
        return f"{right} ({100 * right / self.n:.1f} %; 95 %: {100 * low:.1f} to {100 * high:.1f})"


@dataclass(frozen=True)
class Retrained:
    """A new model, examined."""

    trained: Trained
    added: int
    """Pictures it learnt from beyond the staged ones."""
    known: int
    """Labelled pictures that were staged already: no news, or set aside for testing."""
    compared: Compared
    deployment: Deployment | None
    """None: the old model goes on."""

    def sentence(self) -> str:
        """A paragraph each of the comparison, what it learnt from, and the end; 80 columns."""
        end = (
            "The new one is worse, so the old one goes on."
            if self.deployment is None
            else f"The new one serves now ({self.trained.job}); `scones retrain --back` returns."
        )
        learnt = f"It learnt from {_pictures(self.added, 'more ')}."
        if self.known:
            learnt += (
                f" {_pictures(self.known)} of those labelled "
                f"{'is' if self.known == 1 else 'are'} not news: staged already, to train or to "
                "test, which is never learnt from."
            )
        paragraphs = (self.compared.sentence(), learnt, end)
        return "\n".join(
            textwrap.fill(each, 80, break_on_hyphens=False, break_long_words=False)
            for each in paragraphs
        )


def retrain(clients: Clients, steps: Steps = silent) -> Retrained:
    """Train on what is staged and what was labelled; deploy the new model unless it is worse.

    The staged lists name the new pictures only once the new model serves. Raises ValueError where
    there is nothing to learn, or too little to examine on.
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
    trained = train(clients, bigger, steps, key)
    with steps("compare") as step:
        compared = _compare(clients, old, trained, held_out, step)
    if compared.worse:
        return Retrained(trained, len(learnt), known, compared, None)
    deployment = deploy(clients, trained, bigger.facts, steps)
    _put(clients, TRAIN_LIST, write_lst(bigger.split(TRAIN)).encode())
    _put(clients, DATASET_KEY, facts_json(bigger.facts))
    _put(clients, MANIFEST_KEY, write_jsonl(bigger.entries).encode())
    return Retrained(trained, len(learnt), known, compared, deployment)


def back(clients: Clients, steps: Steps = silent) -> Deployment:
    """Let the model before the present one serve again, under its own threshold, by UpdateEndpoint.

    Raises ValueError where there was none of these classes.
    """
    *before, now = all_deployments(clients) or [last_deployment(clients)]
    others = [each for each in before if each.job != now.job and each.classes == now.classes]
    if not others:
        raise ValueError(f"there is no model before {now.job} to go back to")
    last = others[-1]
    answer = clients.sagemaker.describe_training_job(TrainingJobName=last.job)
    trained = Trained(last.job, answer["ModelArtifacts"]["S3ModelArtifacts"], ())
    threshold = Threshold(last.threshold, last.threshold_from, last.promise)
    facts = replace(read_staged(clients).facts, dataset=last.dataset, classes=last.classes)
    return deploy(clients, trained, facts, steps, threshold)


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


def _compare(
    clients: Clients, old: Deployment, trained: Trained, held_out: Sequence[Entry], step: Step
) -> Compared:
    """Both models as two variants of an endpoint that captures nothing and is gone afterwards."""
    name = f"trial-{stamp(clients.clock())}"
    trial = replace(clients, settings=replace(clients.settings, endpoint=name))
    sagemaker, tags = (
        clients.sagemaker,
        [{"Key": key, "Value": value} for key, value in clients.tags.items()],
    )
    configured = sagemaker.describe_endpoint_config(EndpointConfigName=old.endpoint_config)
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=clients.role,
        PrimaryContainer={
            "Image": algorithm.image_uri(clients.region), "ModelDataUrl": trained.model_uri,
        },
        Tags=tags,
    )  # fmt: skip
    try:
        models = {OLD: configured["ProductionVariants"][0]["ModelName"], NEW: name}
        variant = endpoint_config(clients, name)["ProductionVariants"][0]
        sagemaker.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[
                {**variant, "VariantName": each, "ModelName": model}
                for each, model in models.items()
            ],
            Tags=tags,
        )
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)
        wait_in_service(trial, name, step)
        return _examine(trial, held_out, step)
    finally:
        _remove(trial)


def _examine(trial: Clients, held_out: Sequence[Entry], step: Step) -> Compared:
    runtime, name = trial.other("sagemaker-runtime"), trial.settings.endpoint
    step.total(len(held_out))

    def right(entry: Entry) -> tuple[bool, bool]:
        picture = trial.s3.get_object(Bucket=trial.bucket, Key=entry.key)["Body"].read()
        calls = []
        for variant in (OLD, NEW):
            answer = runtime.invoke_endpoint(
                EndpointName=name, ContentType="image/png", Body=picture, TargetVariant=variant
            )
            probabilities = json.load(answer["Body"])
            calls.append(probabilities.index(max(probabilities)) == entry.label)
        step.advance()
        return calls[0], calls[1]

    with ThreadPoolExecutor(trial.settings.parallel) as pool:
        pairs = list(pool.map(right, held_out))
    return Compared(
        len(pairs),
        pairs.count((True, True)),
        pairs.count((True, False)),
        pairs.count((False, True)),
    )


def _remove(trial: Clients) -> None:
    """Endpoint, configuration and model of the trial, as far as they were made."""
    sagemaker, name = trial.sagemaker, trial.settings.endpoint
    for delete, argument in (
        (sagemaker.delete_endpoint, "EndpointName"),
        (sagemaker.delete_endpoint_config, "EndpointConfigName"),
        (sagemaker.delete_model, "ModelName"),
    ):
        try:
            delete(**{argument: name})
        except sagemaker.exceptions.ClientError as error:
            if "Could not find" not in error.response["Error"]["Message"]:
                raise


def _put(clients: Clients, key: str, content: bytes) -> None:
    clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=content)
