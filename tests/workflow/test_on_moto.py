"""`--target aws`: the same verbs against moto, which checks parameters as AWS's models do.

moto trains nothing, serves nothing and executes no machine, so this goes as far as deploying and
destroying; what the machine does is a journey on the local cloud.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import numpy as np
import pytest
from moto import mock_aws

from scones.clients import Clients, connect
from scones.images.images import Dataset, Images
from scones.settings import Settings
from scones.workflow.deploy import all_deployments, deploy, last_deployment
from scones.workflow.destroy import destroy
from scones.workflow.stage import stage
from scones.workflow.staged import read_staged
from scones.workflow.train import last_trained, train

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {
                "Service": [
                    "lambda.amazonaws.com",
                    "sagemaker.amazonaws.com",
                    "states.amazonaws.com",
                ]
            },
        }
    ],
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty account; answers a role's ARN."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws(config={"lambda": {"use_docker": False}}):
        role = boto3.client("iam").create_role(
            RoleName="Scones", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        yield role["Role"]["Arn"]


@pytest.fixture
def clients(account: str) -> Clients:
    settings = Settings(target="aws", role=account, parallel=2)
    return replace(connect(settings), poll_s=0.01)


def images(count: int) -> Images:
    pixels = np.arange(count * 32 * 32 * 3, dtype=np.uint32).reshape(count, 32, 32, 3)
    names = tuple(f"{place}.png" for place in range(count))
    labels = np.arange(count, dtype=np.int64) % 2
    return Images((pixels % 251).astype(np.uint8), labels, ("bicycle", "motorcycle"), names)


DATASET = Dataset("sample", images(6), images(4))


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
    assert last_trained(clients).job == trained.job


def test_nothing_staged_or_trained_or_deployed_is_said(clients: Clients) -> None:
    with pytest.raises(ValueError, match="scones stage"):
        read_staged(clients)
    with pytest.raises(ValueError, match="scones train"):
        last_trained(clients)
    assert all_deployments(clients) == []
    with pytest.raises(ValueError, match="scones deploy"):
        last_deployment(clients)


def test_what_is_somebody_elses_is_not_written_over(clients: Clients) -> None:
    staged = stage(clients, DATASET)
    trained = train(clients, staged)
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
    deployment = deploy(clients, train(clients, staged), staged.facts)
    assert deployment == last_deployment(clients)
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


def test_a_bucket_that_was_there_before_is_not_deleted(clients: Clients) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    clients.s3.create_bucket(Bucket=clients.bucket, CreateBucketConfiguration=where)
    stage(clients, DATASET)
    assert destroy(clients) == []
    assert "manifest.jsonl" in keys(clients)
