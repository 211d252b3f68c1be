"""SageMaker: training and tuning jobs, models, endpoint configs and endpoints."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.sagemaker.admission import (
    check_channels,
    check_image,
    check_isolation,
    check_training,
    invalid,
    not_carried,
)
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.endpoints import Endpoints
from scones.local.sagemaker.job import described
from scones.local.sagemaker.resources import Resources, given_members, listed
from scones.local.sagemaker.training import Training
from scones.local.sagemaker.transfer import Objects
from scones.local.sagemaker.tuning import Tuning
from scones.local.services.sagemaker_hosting import Hosting
from scones.local.services.sagemaker_tuning import TuningJobs

JOB = "training-job"


class SageMaker(Hosting, TuningJobs):
    """What was asked for is kept in `resources`; `training`, `tuning` and `endpoints` make it so.

    One computer is one instance: instance types are kept and shown, a count of instances other than
    one is refused for training and served by one child a variant for endpoints.
    """

    def __init__(
        self,
        *,
        identity: Identity,
        s3: Objects,
        containers: Containers,
        resources: Resources,
        training: Training,
        tuning: Tuning,
        endpoints: Endpoints,
    ) -> None:
        self._identity = identity
        self._s3 = s3
        self._containers = containers
        self._resources = resources
        self._training = training
        self._tuning = tuning
        self._endpoints = endpoints
        self._life = AsyncExitStack()

    async def __aenter__(self) -> "SageMaker":
        await self._life.enter_async_context(self._training)
        await self._life.enter_async_context(self._tuning)  # left before the jobs that it launched
        await self._life.enter_async_context(self._endpoints)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._life.aclose()
        self._resources.close()

    # Training jobs.

    async def create_training_job(
        self,
        TrainingJobName: str,
        RoleArn: str,
        OutputDataConfig: dict[str, Any],
        AlgorithmSpecification: dict[str, Any] | None = None,
        ResourceConfig: dict[str, Any] | None = None,
        StoppingCondition: dict[str, Any] | None = None,
        HyperParameters: dict[str, str] | None = None,
        InputDataConfig: list[dict[str, Any]] | None = None,
        Environment: dict[str, str] | None = None,
        CheckpointConfig: dict[str, Any] | None = None,
        Tags: list[dict[str, str]] | None = None,
        EnableNetworkIsolation: bool = False,
        EnableInterContainerTrafficEncryption: bool = False,
        EnableManagedSpotTraining: bool = False,
        DebugHookConfig: dict[str, Any] | None = None,
        ProfilerConfig: dict[str, Any] | None = None,
        ExperimentConfig: dict[str, Any] | None = None,
        RetryStrategy: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Debug hook, profiler, experiment and retries are kept and shown, and do nothing."""
        request = given_members(
            **{name: value for name, value in locals().items() if name != "self"}
        )
        tags = request.pop("Tags", None)
        check_isolation(EnableNetworkIsolation)
        if AlgorithmSpecification is None:
            not_carried("a training job without AlgorithmSpecification")
        arn = self._arn(JOB, TrainingJobName)
        about = described(request, arn, self._resources.now())
        check_training(about)
        check_image(self._containers, about["AlgorithmSpecification"].get("TrainingImage"), "train")
        await asyncio.to_thread(check_channels, self._s3, about["InputDataConfig"], RoleArn)
        if not self._resources.create(
            JOB, TrainingJobName, arn, about, status="InProgress", tags=tags
        ):
            raise ServiceError(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({arn})",
            )
        self._training.start(TrainingJobName)
        return {"TrainingJobArn": arn}

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        about = self._resources.find(JOB, TrainingJobName)
        if about is None:
            raise invalid("Requested resource not found.")
        return about

    def list_training_jobs(
        self,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        CreationTimeAfter: datetime | None = None,
        CreationTimeBefore: datetime | None = None,
        LastModifiedTimeAfter: datetime | None = None,
        LastModifiedTimeBefore: datetime | None = None,
        NameContains: str | None = None,
        StatusEquals: str | None = None,
        SortBy: str | None = None,
        SortOrder: str | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        page = self._resources.page(JOB, ascending_by_default=True, **asked)
        members = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime",
                   "LastModifiedTime", "TrainingJobStatus", "SecondaryStatus")  # fmt: skip
        return listed("TrainingJobSummaries", members, page)

    async def stop_training_job(self, TrainingJobName: str) -> None:
        about = self.describe_training_job(TrainingJobName)
        if about["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
            raise invalid(
                "The request was rejected because the training job is in status "
                f"{about['TrainingJobStatus']}."
            )
        self._training.stop(about["TrainingJobName"])

    # Tags, and what is always empty.

    def add_tags(self, ResourceArn: str, Tags: list[dict[str, str]]) -> dict[str, Any]:
        arn = self._tagged(ResourceArn)
        self._resources.tag(arn, Tags)
        return {"Tags": self._resources.tags(arn)}

    def list_tags(
        self, ResourceArn: str, NextToken: str | None = None, MaxResults: int | None = None
    ) -> dict[str, Any]:
        """All tags in one page: there are at most 50."""
        return {"Tags": self._resources.tags(self._tagged(ResourceArn))}

    def delete_tags(self, ResourceArn: str, TagKeys: list[str]) -> dict[str, Any]:
        self._resources.untag(self._tagged(ResourceArn), TagKeys)
        return {}

    def list_monitoring_schedules(
        self,
        EndpointName: str | None = None,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        StatusEquals: str | None = None,
    ) -> dict[str, Any]:
        """None: no schedule can be created here."""
        return {"MonitoringScheduleSummaries": []}

    def _tagged(self, arn: str) -> str:
        """The ARN under which a resource's tags are kept; another account's resolves by name."""
        kind, _, name = arn.split(":", 5)[5].partition("/")
        own = self._arn(kind, name)
        if not self._resources.has_arn(own):
            raise invalid(f'Could not find resource "{arn}".')
        return own
