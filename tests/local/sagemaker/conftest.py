"""A local cloud whose containers are two small programs, and what a test wants to do with it."""

import io
import json
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "programs"
IMAGE = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
ROLE = "arn:aws:iam::000000000000:role/service-role/SconesRole"
CONTAINERS = {
    "image-classification": {
        "train": [sys.executable, str(PROGRAMS / "small_train.py")],
        "serve": [sys.executable, str(PROGRAMS / "small_serve.py")],
    }
}


@dataclass
class Hosted:
    """Clients of one cloud, and the longer calls made short."""

    cloud: Any
    image: str = IMAGE

    def __post_init__(self) -> None:
        self.s3 = self.cloud.client("s3")
        self.sagemaker = self.cloud.client("sagemaker")
        self.runtime = self.cloud.client("sagemaker-runtime")
        self.logs = self.cloud.client("logs")

    def channel(self, name: str, uri: str, **members: Any) -> dict[str, Any]:
        """One File channel over an S3 prefix."""
        source = {
            "S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated",
        }  # fmt: skip
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **members}

    def job(self, name: str, **members: Any) -> str:
        """Start a training job with two channels; `members` replace the request's own."""
        given = {
            "TrainingJobName": name,
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "RoleArn": ROLE,
            "OutputDataConfig": {"S3OutputPath": "s3://data/models/"},
            "ResourceConfig": {
                "InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
            "InputDataConfig": [self.channel("train", "s3://data/train/")],
        }  # fmt: skip
        arn: str = self.sagemaker.create_training_job(**{**given, **members})["TrainingJobArn"]
        return arn

    def ended(self, name: str, within_s: float = 20.0) -> dict[str, Any]:
        """The job's description once it is over."""
        return self.until_described(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name),
            lambda job: job["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"),
            within_s,
        )

    def training(self, name: str) -> dict[str, Any]:
        """The job's description once its child has spoken."""
        self.until(lambda: self.lines("/aws/sagemaker/TrainingJobs", f"{name}/"), bool)
        job: dict[str, Any] = self.sagemaker.describe_training_job(TrainingJobName=name)
        return job

    def lines(self, group: str, prefix: str) -> list[str]:
        """What is in a group's streams of that prefix."""
        try:
            streams = self.logs.describe_log_streams(
                logGroupName=group, logStreamNamePrefix=prefix
            )["logStreams"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in self.logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    def archive(self, key: str) -> dict[str, bytes]:
        """A tar.gz in the bucket, as names and contents."""
        body = self.s3.get_object(Bucket="data", Key=key)["Body"].read()
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            files = [(each.name, archive.extractfile(each)) for each in archive.getmembers()]
            return {name: file.read() for name, file in files if file is not None}

    def model(self, name: str, **environment: str) -> None:
        self.sagemaker.create_model(
            ModelName=name,
            PrimaryContainer={
                "Image": IMAGE,
                "ModelDataUrl": "s3://data/model.tar.gz",
                "Environment": {"WHO": name, **environment},
            },
            ExecutionRoleArn=ROLE,
        )

    def config(self, name: str, models: dict[str, float], **members: Any) -> None:
        """An endpoint config with a variant of that weight, and that name, for each model."""
        variants = [
            {
                "VariantName": model, "ModelName": model, "InitialVariantWeight": weight,
                "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge",
            }
            for model, weight in models.items()
        ]  # fmt: skip
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=variants, **members
        )

    def endpoint(self, name: str, **environment: str) -> None:
        """An endpoint in service, its model and config of the same name."""
        self.model(name, **environment)
        self.config(name, {name: 1.0})
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        assert self.settled(name)["EndpointStatus"] == "InService"

    def settled(self, name: str, within_s: float = 20.0) -> dict[str, Any]:
        """An endpoint's description once it does not change any more."""
        return self.until_described(
            lambda: self.sagemaker.describe_endpoint(EndpointName=name),
            lambda endpoint: endpoint["EndpointStatus"] in ("InService", "Failed"),
            within_s,
        )

    def ask(self, name: str, body: bytes = b"hello", **members: Any) -> dict[str, Any]:
        """What the small container says."""
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **members)
        said: dict[str, Any] = json.loads(answer["Body"].read())
        return said

    def until_described(
        self,
        look: Callable[[], dict[str, Any]],
        fits: Callable[[dict[str, Any]], bool],
        within_s: float,
    ) -> dict[str, Any]:
        """A description once it fits."""
        seen: dict[str, Any] = self.until(look, fits, within_s)
        return seen

    def until(
        self, look: Callable[[], Any], fits: Callable[[Any], bool], within_s: float = 20.0
    ) -> Any:
        """Look again and again until it fits."""
        give_up_at = time.monotonic() + within_s
        while not fits(seen := look()):
            assert time.monotonic() < give_up_at, f"still {seen}"
            time.sleep(0.05)
        return seen


@pytest.fixture(scope="module")
def hosted(start_cloud: Any) -> Hosted:
    """A cloud with a bucket `data`: three pictures, two lists and a model."""
    return furnish(start_cloud(containers=CONTAINERS))


def furnish(cloud: Any) -> Hosted:
    hosted = Hosted(cloud)
    hosted.s3.create_bucket(Bucket="data")
    for key in ("train/a.png", "train/more/b.png", "train/c.png", "train.lst", "lists/test.lst"):
        hosted.s3.put_object(Bucket="data", Key=key, Body=key.encode())
    model = io.BytesIO()
    with tarfile.open(fileobj=model, mode="w:gz") as archive:
        entry = tarfile.TarInfo("weights.bin")
        entry.size = 7
        archive.addfile(entry, io.BytesIO(b"weights"))
    hosted.s3.put_object(Bucket="data", Key="model.tar.gz", Body=model.getvalue())
    return hosted


@pytest.fixture(scope="module")
def make_hosted(start_cloud: Any) -> Callable[..., Hosted]:
    """`make_hosted()`: another furnished cloud; `make_hosted(home)` starts one there again."""

    def make(
        home: Path | None = None, containers: dict[str, Any] = CONTAINERS, **options: Any
    ) -> Hosted:
        cloud = start_cloud(home, containers=containers, **options)
        return furnish(cloud) if home is None else Hosted(cloud)

    return make
