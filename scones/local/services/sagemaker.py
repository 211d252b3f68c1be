"""SageMaker: training and tuning jobs, models, endpoint configs and endpoints."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.sagemaker import hosting
from scones.local.sagemaker.admission import (
    check_capture,
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
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.training import Training
from scones.local.sagemaker.transfer import Objects
from scones.local.sagemaker.tuning import Tuning
from scones.local.services.sagemaker_tuning import TuningJobs

JOB, MODEL, CONFIG, ENDPOINT = "training-job", "model", "endpoint-config", "endpoint"
WORDS = {MODEL: "model", CONFIG: "endpoint configuration", ENDPOINT: "endpoint"}


class SageMaker(TuningJobs):
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
        request = _given(**{name: value for name, value in locals().items() if name != "self"})
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
        return _listed("TrainingJobSummaries", members, page)

    async def stop_training_job(self, TrainingJobName: str) -> None:
        about = self.describe_training_job(TrainingJobName)
        if about["TrainingJobStatus"] in ("Completed", "Failed", "Stopped"):
            raise invalid(
                "The request was rejected because the training job is in status "
                f"{about['TrainingJobStatus']}."
            )
        self._training.stop(about["TrainingJobName"])

    # Models.

    def create_model(
        self,
        ModelName: str,
        PrimaryContainer: dict[str, Any] | None = None,
        Containers: list[dict[str, Any]] | None = None,
        ExecutionRoleArn: str | None = None,
        Tags: list[dict[str, str]] | None = None,
        EnableNetworkIsolation: bool = False,
    ) -> dict[str, Any]:
        """One container, given either way."""
        given = [PrimaryContainer] if PrimaryContainer is not None else Containers or []
        if len(given) != 1:
            not_carried(f"a model of {len(given)} containers; give one, as PrimaryContainer")
        check_isolation(EnableNetworkIsolation)
        hosting.check_container(given[0], self._containers, self._s3)
        shape = {"PrimaryContainer": given[0]} if PrimaryContainer else {"Containers": given}
        about = {
            "ModelName": ModelName,
            **shape,
            **_given(ExecutionRoleArn=ExecutionRoleArn),
            "EnableNetworkIsolation": False,
        }
        return {"ModelArn": self._create(MODEL, ModelName, "ModelArn", about, Tags)}

    def describe_model(self, ModelName: str) -> dict[str, Any]:
        return self._describe(MODEL, ModelName)

    def list_models(
        self,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        CreationTimeBefore: datetime | None = None,
        CreationTimeAfter: datetime | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        members = ("ModelName", "ModelArn", "CreationTime")
        return _listed("Models", members, self._resources.page(MODEL, **asked))

    def delete_model(self, ModelName: str) -> None:
        self._delete(MODEL, ModelName)

    # Endpoint configs.

    def create_endpoint_config(
        self,
        EndpointConfigName: str,
        ProductionVariants: list[dict[str, Any]],
        DataCaptureConfig: dict[str, Any] | None = None,
        Tags: list[dict[str, str]] | None = None,
        KmsKeyId: str | None = None,
        ExecutionRoleArn: str | None = None,
        EnableNetworkIsolation: bool = False,
    ) -> dict[str, Any]:
        """The key is kept and shown; nothing on this computer is encrypted with it."""
        check_isolation(EnableNetworkIsolation)
        hosting.check_variants(self._resources, self._arn(MODEL, ""), ProductionVariants)
        check_capture(DataCaptureConfig)
        about = {
            "EndpointConfigName": EndpointConfigName,
            "ProductionVariants": [{"InitialVariantWeight": 1.0, **e} for e in ProductionVariants],
            **_given(
                DataCaptureConfig=DataCaptureConfig,
                KmsKeyId=KmsKeyId,
                ExecutionRoleArn=ExecutionRoleArn,
            ),
            "EnableNetworkIsolation": False,
        }
        arn = self._create(CONFIG, EndpointConfigName, "EndpointConfigArn", about, Tags)
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        return self._describe(CONFIG, EndpointConfigName)

    def list_endpoint_configs(
        self,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        CreationTimeBefore: datetime | None = None,
        CreationTimeAfter: datetime | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return _listed("EndpointConfigs", members, self._resources.page(CONFIG, **asked))

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:
        self._delete(CONFIG, EndpointConfigName)

    # Endpoints.

    async def create_endpoint(
        self,
        EndpointName: str,
        EndpointConfigName: str,
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        plan = hosting.plan(self._resources, self._describe(CONFIG, EndpointConfigName))
        about = {
            "EndpointName": EndpointName,
            "EndpointConfigName": plan["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "LastModifiedTime": self._resources.now(),
        }
        arn = self._create(ENDPOINT, EndpointName, "EndpointArn", about, Tags)
        self._endpoints.create(EndpointName, plan)
        return {"EndpointArn": arn}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        return self._describe(ENDPOINT, EndpointName)

    def list_endpoints(
        self,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        CreationTimeBefore: datetime | None = None,
        CreationTimeAfter: datetime | None = None,
        LastModifiedTimeBefore: datetime | None = None,
        LastModifiedTimeAfter: datetime | None = None,
        StatusEquals: str | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime",
                   "EndpointStatus")  # fmt: skip
        return _listed("Endpoints", members, self._resources.page(ENDPOINT, **asked))

    async def update_endpoint(
        self,
        EndpointName: str,
        EndpointConfigName: str,
        RetainAllVariantProperties: bool = False,
        ExcludeRetainedVariantProperties: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        about = self._settled(EndpointName, "InService", "Failed")
        plan = hosting.plan(self._resources, self._describe(CONFIG, EndpointConfigName))
        if RetainAllVariantProperties:
            excluded = {e["VariantPropertyType"] for e in ExcludeRetainedVariantProperties or []}
            hosting.retain(plan, about, excluded)
        self._endpoints.update(about["EndpointName"], plan)
        return {"EndpointArn": about["EndpointArn"]}

    async def update_endpoint_weights_and_capacities(
        self, EndpointName: str, DesiredWeightsAndCapacities: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Weights at once; a number of instances is refused, since one child serves a variant."""
        about = self._settled(EndpointName, "InService")
        served = {each["VariantName"] for each in about["ProductionVariants"]}
        for each in DesiredWeightsAndCapacities:
            if each["VariantName"] not in served:
                raise invalid(f'Could not find variant "{each["VariantName"]}".')
            if each.get("DesiredInstanceCount") is not None:
                not_carried("DesiredInstanceCount; give DesiredWeight only")
        weights = {e["VariantName"]: e["DesiredWeight"] for e in DesiredWeightsAndCapacities}
        self._endpoints.weigh(about["EndpointName"], weights)
        return {"EndpointArn": about["EndpointArn"]}

    async def delete_endpoint(self, EndpointName: str) -> None:
        about = self._settled(EndpointName, "InService", "Failed")
        self._endpoints.delete(about["EndpointName"])

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

    # What several operations share.

    def _arn(self, kind: str, name: str) -> str:
        return self._identity.arn("sagemaker", f"{kind}/{name.lower()}")  # as AWS writes them

    def _create(
        self,
        kind: str,
        name: str,
        arn_member: str,
        about: dict[str, Any],
        tags: list[dict[str, str]] | None,
    ) -> str:
        arn = self._arn(kind, name)
        about = {**about, arn_member: arn, "CreationTime": self._resources.now()}
        status = about.get("EndpointStatus", "")
        if not self._resources.create(kind, name, arn, about, status=status, tags=tags):
            raise invalid(f'Cannot create already existing {WORDS[kind]} "{arn}".')
        return arn

    def _describe(self, kind: str, name: str) -> dict[str, Any]:
        about = self._resources.find(kind, name)
        if about is None:
            raise self._unknown(kind, name)
        return about

    def _delete(self, kind: str, name: str) -> None:
        if not self._resources.delete(kind, name):
            raise self._unknown(kind, name)

    def _unknown(self, kind: str, name: str) -> ServiceError:
        return invalid(f'Could not find {WORDS[kind]} "{self._arn(kind, name)}".')

    def _settled(self, name: str, *statuses: str) -> dict[str, Any]:
        """An endpoint that is not changing just now."""
        about = self._describe(ENDPOINT, name)
        if about["EndpointStatus"] not in statuses:
            raise invalid(f'Cannot update in-progress endpoint "{about["EndpointArn"]}".')
        return about

    def _tagged(self, arn: str) -> str:
        """The ARN under which a resource's tags are kept; another account's resolves by name."""
        kind, _, name = arn.split(":", 5)[5].partition("/")
        own = self._arn(kind, name)
        if not self._resources.has_arn(own):
            raise invalid(f'Could not find resource "{arn}".')
        return own


def _given(**members: Any) -> dict[str, Any]:
    return {member: value for member, value in members.items() if value is not None}


def _listed(member: str, members: tuple[str, ...], page: dict[str, Any]) -> dict[str, Any]:
    """A page of descriptions as a List operation's result."""
    summaries = [
        {key: about[key] for key in members if key in about} for about in page.pop("descriptions")
    ]
    return {member: summaries, **page}
