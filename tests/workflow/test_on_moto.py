"""`--target aws`: the same verbs against moto, which checks parameters as AWS's models do.

moto trains nothing, serves nothing and executes no machine, so this goes as far as deploying and
destroying; what the machine does is a journey on the local cloud.
"""

import io
import json
import tarfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scones.clients import Clients
from scones.container.hyperparameters import plan
from scones.container.job import told
from scones.gate.heldout import Gate, HeldOut, weigh
from scones.images.images import Dataset, Images
from scones.workflow.aside import pick
from scones.workflow.deploy import all_deployments, deploy, last_deployment
from scones.workflow.destroy import destroy
from scones.workflow.progress import Lines
from scones.workflow.stage import stage
from scones.workflow.staged import Facts, read_staged
from scones.workflow.train import JobError, Trained, request, train


def images(count: int) -> Images:
    pixels = np.arange(count * 32 * 32 * 3, dtype=np.uint32).reshape(count, 32, 32, 3)
    names = tuple(f"{place}.png" for place in range(count))
    labels = np.arange(count, dtype=np.int64) % 2
    return Images((pixels % 251).astype(np.uint8), labels, ("bicycle", "motorcycle"), names)


DATASET = Dataset("sample", images(6), images(4))


def left_by(trained: Trained, clients: Clients, card: dict[str, Any] | None) -> Trained:
    """Moto trains nothing; this is the model.tar.gz that such a job would have left."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        if card is not None:
            content = json.dumps(card).encode()
            member = tarfile.TarInfo("card.json")
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    bucket, _, key = trained.model_uri.removeprefix("s3://").partition("/")
    clients.s3.put_object(Bucket=bucket, Key=key, Body=stream.getvalue())
    return trained


def certified() -> Gate:
    """Of a model that errs in one picture of 200, where it is unsure."""
    labels = np.arange(200, dtype=np.int64) % 2
    z = np.where(labels == 1, 1.0, -1.0) * np.linspace(0.5, 6, 200)
    z[0] = 0.1
    return weigh(HeldOut(DATASET.class_names, np.stack([-z / 2, z / 2], 1), labels, ("",) * 200))


def keys(clients: Clients) -> dict[str, Any]:
    found = clients.s3.list_objects_v2(Bucket=clients.bucket)["Contents"]
    return {each["Key"]: each["LastModified"] for each in found}


def test_the_usual_environment_says_which_account_and_region(clients: Clients) -> None:
    assert clients.bucket == "scones-eu-west-1-123456789012"
    assert clients.s3.meta.region_name == "eu-west-1"
    assert "amazonaws.com" in clients.s3.meta.endpoint_url


def test_staging_twice_uploads_no_picture_twice(clients: Clients) -> None:
    staged = stage(clients, DATASET)
    before = keys(clients)
    assert set(before) == {
        *(f"train/{place}.png" for place in range(6)),
        *(f"test/{place}.png" for place in range(4)),
        *("train.lst", "test.lst", "manifest.jsonl", "dataset.json"),
    }
    listed = clients.s3.get_object(Bucket=clients.bucket, Key="test.lst")["Body"].read()
    assert listed == b"0\t0\t0.png\n1\t1\t1.png\n2\t0\t2.png\n3\t1\t3.png\n"
    assert stage(clients, DATASET) == staged == read_staged(clients)
    after = keys(clients)
    assert {key for key in before if before[key] != after[key]} <= {
        "train.lst", "test.lst", "manifest.jsonl", "dataset.json",
    }  # fmt: skip


def test_a_training_job_has_four_channels_and_texts(clients: Clients) -> None:
    settings = replace(clients.settings, hyperparameters={"epochs": "3"})
    clients = replace(clients, settings=settings)
    trained = train(clients, stage(clients, DATASET))
    job = clients.sagemaker.describe_training_job(TrainingJobName=trained.job)
    assert job["HyperParameters"] == {
        "image_shape": "3,32,32", "num_classes": "2", "num_training_samples": "6", "epochs": "3",
    }  # fmt: skip
    names = ["train", "validation", "train_lst", "validation_lst"]
    assert [channel["ChannelName"] for channel in job["InputDataConfig"]] == names
    assert job["AlgorithmSpecification"]["TrainingImage"] == (
        "685385470294.dkr.ecr.eu-west-1.amazonaws.com/image-classification:1"
    )
    assert pick(clients, read_staged(clients).facts) == (trained, [])


@pytest.mark.parametrize(("count", "last"), [(1, "bicycle/0.jpg (cut off)"), (90, "and 7")])
def test_what_was_damaged_before_staging_comes_to_the_job_for_its_card(
    clients: Clients, count: int, last: str
) -> None:
    files = tuple(f"bicycle/{place}.jpg (cut off)" for place in range(count))
    stage(clients, replace(DATASET, damaged=files))
    staged = read_staged(clients)
    assert staged.facts.damaged == files
    asked = request(clients, staged, "job")["Environment"]
    assert len(asked["SCONES_DAMAGED"]) <= 512
    found = plan({**told(asked), "num_classes": "2"}).damaged
    assert found[0] == files[0]
    assert found[-1].startswith(last)


def test_a_failed_job_is_never_told_as_done(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, told = stage(clients, DATASET), io.StringIO()
    describe = clients.sagemaker.describe_training_job

    def failed(**asked: str) -> dict[str, Any]:
        return {**describe(**asked), "TrainingJobStatus": "Failed", "FailureReason": "no memory"}

    monkeypatch.setattr(clients.sagemaker, "describe_training_job", failed)
    with pytest.raises(JobError, match="did not complete: no memory"):
        train(clients, staged, Lines(told))
    assert told.getvalue().splitlines() == ["train     started", "train     failed"]


def test_nothing_staged_or_trained_or_deployed_is_said(clients: Clients) -> None:
    with pytest.raises(ValueError, match="scones stage"):
        read_staged(clients)
    facts = Facts("sample", DATASET.class_names, {}, {}, "")
    with pytest.raises(ValueError, match="scones train"):
        pick(clients, facts)
    assert all_deployments(clients) == []
    with pytest.raises(ValueError, match="scones deploy"):
        last_deployment(clients)


def test_what_is_somebody_elses_is_not_written_over(clients: Clients) -> None:
    staged = stage(clients, DATASET)
    trained = left_by(train(clients, staged), clients, None)
    clients.functions.create_function(
        FunctionName="imageClassification", Runtime="python3.12", Role=clients.role, Handler="a.b",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"'imageClassification'.*SCONES_CLASSIFY_FUNCTION"):
        deploy(clients, trained, staged.facts)
    found = clients.functions.get_function(FunctionName="imageClassification")
    assert found["Configuration"]["Handler"] == "a.b"
    assert clients.sagemaker.list_models()["Models"] == []
    clients.functions.delete_function(FunctionName="imageClassification")
    deploy(clients, trained, staged.facts)
    other = replace(clients, settings=replace(clients.settings, project="another"))
    with pytest.raises(ValueError, match=r"'serializeImageData'"):
        deploy(other, trained, staged.facts)


def test_deploying_makes_all_with_our_tag_and_destroying_leaves_nothing(clients: Clients) -> None:
    staged = stage(clients, DATASET)
    other = clients.functions.create_function(
        FunctionName="somebody-elses", Runtime="python3.12", Role=clients.role, Handler="a.b",
        Code={"ZipFile": b"PK\x05\x06" + bytes(18)},
    )  # fmt: skip
    deployment = deploy(clients, left_by(train(clients, staged), clients, None), staged.facts)
    assert deployment == last_deployment(clients)
    assert (deployment.threshold, deployment.threshold_from) == (0.8, "default")
    config = clients.sagemaker.describe_endpoint_config(
        EndpointConfigName=deployment.endpoint_config
    )
    capture = config["DataCaptureConfig"]
    assert capture["InitialSamplingPercentage"] == 100
    assert capture["CaptureContentTypeHeader"]["JsonContentTypes"] == ["application/json"]
    function = clients.functions.get_function(FunctionName="filterLowInferenceConfidence")
    variables = function["Configuration"]["Environment"]["Variables"]
    assert variables == {"THRESHOLD": "0.8", "CLASSES": '["bicycle", "motorcycle"]'}
    gone = destroy(clients)
    for words in ("state machine scones", "endpoint scones", "function serializeImageData"):
        assert words in gone
    assert gone[-1].startswith("bucket scones-eu-west-1-123456789012 with ")
    assert clients.s3.list_buckets()["Buckets"] == []
    left = clients.functions.list_functions()["Functions"]
    assert [each["FunctionArn"] for each in left] == [other["FunctionArn"]]
    assert destroy(clients) == []


def test_the_certificate_sets_the_functions_threshold_and_a_person_pins_it(
    clients: Clients,
) -> None:
    staged, gate = stage(clients, DATASET), certified()
    trained = left_by(train(clients, staged), clients, {"gate": gate.to_json()})

    def deployed(clients: Clients) -> tuple[float, str, str]:
        deployment = deploy(clients, trained, staged.facts)
        assert deployment == last_deployment(clients)
        assert deployment.promise == gate.overall.sentence()
        function = clients.functions.get_function(FunctionName="filterLowInferenceConfidence")
        set_to = function["Configuration"]["Environment"]["Variables"]["THRESHOLD"]
        return deployment.threshold, deployment.threshold_from, set_to

    threshold = gate.overall.threshold
    assert threshold is not None
    assert deployed(clients) == (threshold, "certificate", repr(threshold))
    clients.sagemaker.delete_endpoint(EndpointName="scones")  # moto has no UpdateEndpoint
    pinned = replace(clients, settings=replace(clients.settings, threshold=0.8))
    assert deployed(pinned) == (0.8, "hand", "0.8")
    destroy(clients)


def test_what_training_is_told_goes_by_the_environment(clients: Clients) -> None:
    settings = replace(clients.settings, profile="best", certify=2, risk=0.1, folds=3)
    staged = stage(clients, DATASET)
    told = request(replace(clients, settings=settings), staged, "job")
    assert told["Environment"] == {
        "SCONES_CLASS_NAMES": "bicycle,motorcycle", "SCONES_DATASET": "sample", "SCONES_SEED": "0",
        "SCONES_PROFILE": "best", "SCONES_CERTIFY": "2", "SCONES_RISK": "0.1",
        "SCONES_FOLDS": "3",
    }  # fmt: skip
    assert not {"profile", "certify", "risk", "folds"} & told["HyperParameters"].keys()
    assert "SCONES_CERTIFY" not in request(clients, staged, "job")["Environment"]
    greedy = replace(clients, settings=replace(settings, certify=4))
    with pytest.raises(ValueError, match="certify is 4; of 6 training pictures at most 3"):
        train(greedy, staged)


def test_a_bucket_that_was_there_before_is_not_deleted(clients: Clients) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    clients.s3.create_bucket(Bucket=clients.bucket, CreateBucketConfiguration=where)
    stage(clients, DATASET)
    assert destroy(clients) == []
    assert "manifest.jsonl" in keys(clients)
