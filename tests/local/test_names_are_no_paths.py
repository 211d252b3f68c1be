"""A name that would be a path on this computer never becomes one: refused, or only a row."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/service-role/SconesRole"
Client = Callable[..., Any]
UNCHECKED = Config(parameter_validation=False)


def packaged() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return buffer.getvalue()


def training_job(name: str, channel: str = "train") -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://paths/"}
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": "any", "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://paths/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "InputDataConfig": [{"ChannelName": channel, "DataSource": {"S3DataSource": source}}],
    }


@pytest.mark.parametrize("name", ["../out", "..", "/tmp/out", "a/../../out", "a\\..\\out", "a\0b"])
def test_a_path_is_refused_as_a_name(cloud: Any, client: Client, name: str) -> None:
    sagemaker, lambda_ = client("sagemaker"), client("lambda", config=UNCHECKED)
    variant = {"VariantName": name, "ModelName": "m", "InitialInstanceCount": 1}
    code = {"Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler"}
    asked: list[Callable[[], Any]] = [
        lambda: sagemaker.create_training_job(**training_job(name)),
        lambda: sagemaker.create_training_job(**training_job("fine", channel=name)),
        lambda: sagemaker.create_model(
            ModelName=name, PrimaryContainer={"Image": "any"}, ExecutionRoleArn=ROLE
        ),
        lambda: sagemaker.create_endpoint_config(
            EndpointConfigName="fine",
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
        ),
        lambda: sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="fine"),
        lambda: lambda_.create_function(FunctionName=name, Code={"ZipFile": packaged()}, **code),
        lambda: lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": packaged()}),
    ]
    before = files(cloud.home.parent)
    for ask in asked:
        with pytest.raises(ClientError) as caught:
            ask()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert files(cloud.home.parent) - before <= {cloud.home / "server.log"}


def test_keys_and_logs_may_be_named_like_paths(cloud: Any, client: Client) -> None:
    s3, logs = client("s3"), client("logs")
    s3.create_bucket(Bucket="paths")
    before = {path for path in files(cloud.home.parent) if cloud.home not in path.parents}
    for key in ("../../out", "/etc/out", "a/../../../out", "..", "C:\\out"):
        s3.put_object(Bucket="paths", Key=key, Body=key.encode())
        assert s3.get_object(Bucket="paths", Key=key)["Body"].read() == key.encode()
    logs.create_log_group(logGroupName="../../out")
    logs.create_log_stream(logGroupName="../../out", logStreamName="../../out")
    after = {path for path in files(cloud.home.parent) if cloud.home not in path.parents}
    assert after == before
    assert not any(path.name in ("out", "C:\\out") for path in files(cloud.home))


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_a_refusal_that_quotes_control_characters_can_be_read(client: Client) -> None:
    with pytest.raises(ClientError, match="'a\ufffdb' at 'roleName'"):
        client("iam").create_role(RoleName="a\0b", AssumeRolePolicyDocument="{}")
    with pytest.raises(ClientError) as caught:
        client("s3").get_object(Bucket="no-such-bucket", Key="a\x01b")
    assert caught.value.response["Error"]["Code"] == "NoSuchBucket"
