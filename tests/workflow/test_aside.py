"""Which model is deployed after a retraining that was refused, and after going back.

On moto, which trains and serves nothing: models and captures are laid where they would be, and the
comparison is told as it would come out.
"""

import base64
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from scones.clients import Clients
from scones.gate.heldout import Gate, HeldOut, weigh
from scones.images import png
from scones.images.images import Dataset, Images
from scones.images.manifest import Entry
from scones.workflow.aside import LEFT, NOT_YET, SET_ASIDE, WORSE, pick, set_aside
from scones.workflow.deploy import Deployment, deploy, last_deployment
from scones.workflow.examine import Compared
from scones.workflow.progress import Step
from scones.workflow.retrain import Retrained, back, retrain
from scones.workflow.stage import stage
from scones.workflow.staged import read_staged
from scones.workflow.train import Trained, train
from scones.workflow.truth import REVIEW, put_truth

CLASSES = ("bicycle", "motorcycle")
BETTER, WORSE_CALLS = Compared(40, 30, 2, 4), Compared(40, 30, 4, 2)


def images(count: int, step: int) -> Images:
    pixels = np.arange(count * 32 * 32 * 3, dtype=np.uint32).reshape(count, 32, 32, 3) * step
    names = tuple(f"{place}.png" for place in range(count))
    labels = np.arange(count, dtype=np.int64) % 2
    return Images((pixels % 251).astype(np.uint8), labels, CLASSES, names)


def gate(count: int) -> Gate:
    """Of a model that errs in one picture, where it is unsure; 200 certify it, 10 do not."""
    labels = np.arange(count, dtype=np.int64) % 2
    z = np.where(labels == 1, 1.0, -1.0) * np.linspace(0.5, 6, count)
    z[0] = 0.1
    return weigh(HeldOut(CLASSES, np.stack([-z / 2, z / 2], 1), labels, ("",) * count))


def left(clients: Clients, trained: Trained, made: Gate | None) -> None:
    """The model.tar.gz that the job would have left."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        if made is not None:
            content = json.dumps({"gate": made.to_json()}).encode()
            member = tarfile.TarInfo("card.json")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    bucket, _, key = trained.model_uri.removeprefix("s3://").partition("/")
    clients.s3.put_object(Bucket=bucket, Key=key, Body=stream.getvalue())


def captured(clients: Clients) -> None:
    """One captured picture that is not staged, with a person's label."""
    picture = base64.b64encode(png.encode(np.full((32, 32, 3), 7, np.uint8))).decode()
    now = datetime.fromtimestamp(clients.clock(), UTC)
    line = {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/png", "encoding": "BASE64", "data": picture,
            },
            "endpointOutput": {"encoding": "JSON", "data": "[0.9, 0.1]"},
        },
        "eventMetadata": {"eventId": "event", "inferenceTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"},
    }  # fmt: skip
    key = f"data_capture/scones/AllTraffic/{now:%Y/%m/%d/%H}/a.jsonl"
    clients.s3.put_object(Bucket=clients.bucket, Key=key, Body=json.dumps(line).encode())
    put_truth(clients, {"event": 0}, f"{REVIEW}1")


@pytest.fixture
def account_of_ours(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> Clients:
    """Pictures staged and one labelled; jobs listed newest first, which moto leaves out."""
    listed = clients.sagemaker.list_training_jobs

    def newest_first(**asked: Any) -> Any:
        answer = listed(**asked)
        summaries = answer["TrainingJobSummaries"]
        summaries.sort(key=lambda each: each["TrainingJobName"], reverse=True)
        return answer

    monkeypatch.setattr(clients.sagemaker, "list_training_jobs", newest_first)
    stage(clients, Dataset("sample", images(6, 1), images(40, 3)))
    captured(clients)
    return clients


def trained(clients: Clients, made: Gate | None = None) -> Trained:
    done = train(clients, read_staged(clients))
    left(clients, done, made)
    return done


def serve(clients: Clients, made: Trained) -> None:
    away(clients)
    deploy(clients, made, read_staged(clients).facts)


def away(clients: Clients) -> None:
    """Moto has no UpdateEndpoint, so that each deployment needs the name free."""
    if clients.sagemaker.list_endpoints()["Endpoints"]:
        clients.sagemaker.delete_endpoint(EndpointName="scones")


def chosen(clients: Clients) -> str:
    return pick(clients, read_staged(clients).facts)[0].job


def why(clients: Clients, job: str) -> str | None:
    arn = clients.sagemaker.describe_training_job(TrainingJobName=job)["TrainingJobArn"]
    tags = clients.sagemaker.list_tags(ResourceArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}.get(SET_ASIDE)


def retrained(clients: Clients, told: Compared, made: Gate | None = None) -> Retrained:
    """`retrain` with this model and this outcome of the comparison."""

    def compare(
        clients: Clients, old: Deployment, new: Trained, held_out: Sequence[Entry], step: Step
    ) -> Compared:
        assert why(clients, new.job) == NOT_YET
        left(clients, new, made)
        away(clients)
        return told

    return retrain(clients, compare=compare)


def test_after_a_refused_retraining_deploy_takes_the_one_before(account_of_ours: Clients) -> None:
    clients = account_of_ours
    old = trained(clients)
    serve(clients, old)
    done = retrained(clients, WORSE_CALLS)
    new = done.trained.job
    assert (done.deployment, why(clients, new)) == (None, WORSE)
    assert "The new one is worse, so the old one goes on." in " ".join(done.sentence().split())
    assert done.sentence().splitlines()[-1] == f"  scones deploy --job {new}"
    picked, (passed,) = pick(clients, read_staged(clients).facts)
    assert picked.job == old.job
    assert passed.sentence() == (
        f"{new} is passed over: retrain found it worse (--job serves it all the same)"
    )


def test_a_refused_model_that_is_named_serves_and_is_set_aside_no_more(
    account_of_ours: Clients,
) -> None:
    clients = account_of_ours
    serve(clients, trained(clients))
    new = retrained(clients, WORSE_CALLS).trained.job
    picked, passed = pick(clients, read_staged(clients).facts, new)
    assert (picked.job, passed) == (new, [])
    serve(clients, picked)
    assert (why(clients, new), chosen(clients)) == (None, new)


def test_an_accepted_model_is_not_set_aside(account_of_ours: Clients) -> None:
    clients = account_of_ours
    serve(clients, trained(clients))
    done = retrained(clients, BETTER)
    assert done.deployment == last_deployment(clients)
    assert (why(clients, done.trained.job), chosen(clients)) == (None, done.trained.job)


def test_what_was_never_examined_is_passed_over(account_of_ours: Clients) -> None:
    clients = account_of_ours
    old = trained(clients)
    serve(clients, old)

    def interrupted(*asked: Any) -> Compared:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrain(clients, compare=interrupted)
    picked, (passed,) = pick(clients, read_staged(clients).facts)
    assert (picked.job, passed.aside) == (old.job, NOT_YET)


@pytest.mark.parametrize(
    ("before", "threshold", "after", "source"),
    [
        (200, None, 10, None),
        (200, None, None, None),
        (200, None, 200, "certificate"),
        (200, 0.7, 10, "hand"),
        (10, None, 10, "default"),
        (None, None, 10, "default"),
    ],
)
def test_a_certified_gate_gives_way_to_an_uncertified_one_only_by_hand(
    account_of_ours: Clients,
    before: int | None,
    threshold: float | None,
    after: int | None,
    source: str | None,
) -> None:
    clients = account_of_ours
    serve(clients, trained(clients, gate(before) if before else None))
    by_hand = replace(clients, settings=replace(clients.settings, threshold=threshold))
    done = retrained(by_hand, BETTER, gate(after) if after else None)
    assert (done.deployment.threshold_from if done.deployment else None) == source
    assert why(clients, done.trained.job) == (None if source else WORSE)


def test_the_gate_is_told_as_it_was_and_as_it_would_be(account_of_ours: Clients) -> None:
    clients = account_of_ours
    serve(clients, trained(clients, gate(200)))
    refused = " ".join(retrained(clients, BETTER, gate(10)).sentence().split())
    certified = gate(200).overall
    assert f"The gate stands at {certified.threshold:.4g}, as the model's certificate" in refused
    assert certified.sentence() in refused
    assert "The new model's would stand at 0.8, the default: not certified, so it" in refused
    assert "Not certifiable that of the accepted pictures at most 5 % are wrong" in refused
    assert (
        "The new one is right no less often, but its gate is not certified, as the old one's is: "
        "that counts as worse, so the old one goes on." in refused
    )
    taken = retrained(clients, BETTER, gate(200)).sentence()
    assert max(map(len, taken.splitlines())) <= 80
    assert "The gate stood at " in taken and "It stands now at " in taken


def test_going_back_sets_the_left_one_aside_and_once_more_goes_forward(
    account_of_ours: Clients,
) -> None:
    clients = account_of_ours
    old, worse = trained(clients, gate(200)), trained(clients)
    set_aside(clients, worse.job, WORSE)
    between, new = trained(clients), trained(clients)
    serve(clients, old)
    serve(clients, new)
    away(clients)
    first = back(clients)
    assert (first.deployment.job, first.forward) == (old.job, False)
    assert [why(clients, each.job) for each in (old, worse, between, new)] == [
        None, WORSE, LEFT, LEFT,
    ]  # fmt: skip
    assert chosen(clients) == old.job
    told = " ".join(first.sentence().split())
    assert f"endpoint scones serves {old.job} again {new.job} is set aside" in told
    assert "once more goes forward to it again" in told
    assert "The gate stood at 0.8, the default" in told
    assert f"It stands now at {gate(200).overall.threshold:.4g}, as the model's" in told
    away(clients)
    second = back(clients)
    assert (second.deployment.job, second.forward) == (new.job, True)
    assert f"This goes forward again, to the model that was left for {old.job}." in " ".join(
        second.sentence().split()
    )
    assert [why(clients, each.job) for each in (old, new)] == [None, None]
    assert chosen(clients) == new.job
    away(clients)
    third = back(clients)
    assert (third.deployment.job, third.forward, chosen(clients)) == (old.job, False, old.job)


def test_what_is_trained_after_going_back_is_deployed(account_of_ours: Clients) -> None:
    clients = account_of_ours
    for _ in range(2):
        serve(clients, trained(clients))
    newest = trained(clients)
    away(clients)
    back(clients)
    assert chosen(clients) == newest.job


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("scones-never", "job is 'scones-never'; there is no such training job"),
        ("foreign", "job is 'foreign', which is not ours: it lacks the tag scones:project=scones"),
    ],
)
def test_a_job_that_cannot_be_deployed_is_refused(
    account_of_ours: Clients, job: str, said: str
) -> None:
    clients = account_of_ours
    asked = clients.sagemaker.describe_training_job(TrainingJobName=trained(clients).job)
    members = ("AlgorithmSpecification", "RoleArn", "OutputDataConfig", "ResourceConfig",
               "StoppingCondition")  # fmt: skip
    given = {member: asked[member] for member in members}
    clients.sagemaker.create_training_job(TrainingJobName="foreign", **given)
    with pytest.raises(ValueError, match=said):
        pick(clients, read_staged(clients).facts, job)


def test_a_model_of_other_classes_than_are_staged_is_refused(
    account_of_ours: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients, describe = account_of_ours, account_of_ours.sagemaker.describe_training_job
    job = trained(clients).job

    def with_environment(**asked: str) -> dict[str, Any]:
        """As AWS answers; moto forgets the variables."""
        return {**describe(**asked), "Environment": {"SCONES_CLASS_NAMES": "bicycle,motorcycle"}}

    monkeypatch.setattr(clients.sagemaker, "describe_training_job", with_environment)
    assert chosen(clients) == job
    facts = replace(read_staged(clients).facts, classes=("bus", "van"))
    with pytest.raises(ValueError, match=f"staged are bus,van, and {job} learnt bicycle,motorcyc"):
        pick(clients, facts)


def test_where_all_are_set_aside_one_is_named(account_of_ours: Clients) -> None:
    clients = account_of_ours
    job = trained(clients).job
    set_aside(clients, job, WORSE)
    with pytest.raises(ValueError, match=f"every trained model is set aside.*--job {job}"):
        pick(clients, read_staged(clients).facts)
