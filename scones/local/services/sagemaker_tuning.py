"""SageMaker's hyperparameter tuning jobs: many training jobs, the best of which is told."""

import asyncio
from datetime import datetime
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.sagemaker.admission import check_channels, check_image, not_carried
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.resources import Resources, start_of, token
from scones.local.sagemaker.transfer import Objects
from scones.local.sagemaker.tuning import Tuning
from scones.local.sagemaker.tuning_admission import check_config, check_definition, described
from scones.local.sagemaker.tuning_job import KIND, TuningJob, counters, objective


class TuningJobs:
    """Of `SageMaker`: what was asked for is kept in `resources`; `tuning` makes it so."""

    _identity: Identity
    _s3: Objects
    _containers: Containers
    _resources: Resources
    _tuning: Tuning

    async def create_hyper_parameter_tuning_job(
        self,
        HyperParameterTuningJobName: str,
        HyperParameterTuningJobConfig: dict[str, Any],
        TrainingJobDefinition: dict[str, Any] | None = None,
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        """One algorithm a tuning job."""
        name, config = HyperParameterTuningJobName, HyperParameterTuningJobConfig
        if TrainingJobDefinition is None:
            not_carried("a tuning job without TrainingJobDefinition")
        check_config(config)
        check_definition(TrainingJobDefinition, config)
        specification = TrainingJobDefinition["AlgorithmSpecification"]
        check_image(self._containers, specification.get("TrainingImage"), "train")
        await asyncio.to_thread(
            check_channels,
            self._s3,
            TrainingJobDefinition.get("InputDataConfig", []),
            TrainingJobDefinition["RoleArn"],
        )
        arn = self._identity.arn("sagemaker", f"{KIND}/{name.lower()}")
        about = described(name, config, TrainingJobDefinition, arn, self._resources.now())
        if not self._resources.create(
            KIND, name, arn, about, status="InProgress", plan={"Trials": []}, tags=Tags
        ):
            raise ServiceError(
                "ResourceInUse",
                f"A hyperparameter tuning job with the name, {name}, already exists. Choose a "
                "different name.",  # AWS's words: aws/amazon-sagemaker-examples issue 2440
            )
        self._tuning.start(name)
        return {"HyperParameterTuningJobArn": arn}

    def describe_hyper_parameter_tuning_job(
        self, HyperParameterTuningJobName: str
    ) -> dict[str, Any]:
        return self._job(HyperParameterTuningJobName).described()

    def list_hyper_parameter_tuning_jobs(
        self,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NameContains: str | None = None,
        CreationTimeAfter: datetime | None = None,
        CreationTimeBefore: datetime | None = None,
        LastModifiedTimeAfter: datetime | None = None,
        LastModifiedTimeBefore: datetime | None = None,
        StatusEquals: str | None = None,
    ) -> dict[str, Any]:
        """By default sorted by name, the first first, as the API reference has it."""
        asked = {key: value for key, value in locals().items() if key != "self"}
        asked["SortBy"] = SortBy or "Name"
        page = self._resources.page(KIND, ascending_by_default=True, **asked)
        return {
            "HyperParameterTuningJobSummaries": [
                self._listed(each) for each in page.pop("descriptions")
            ],
            **page,
        }

    def list_training_jobs_for_hyper_parameter_tuning_job(
        self,
        HyperParameterTuningJobName: str,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        StatusEquals: str | None = None,
        SortBy: str | None = None,
        SortOrder: str | None = None,
    ) -> dict[str, Any]:
        """Sorted by FinalObjectiveMetricValue, those without one are left out."""
        found = self._job(HyperParameterTuningJobName).summaries()
        if StatusEquals is not None:
            found = [each for each in found if each["TrainingJobStatus"] == StatusEquals]
        if SortBy == "FinalObjectiveMetricValue":
            found = [each for each in found if each["ObjectiveStatus"] == "Succeeded"]
            found.sort(key=objective)
        elif SortBy != "CreationTime":  # in which order they are
            member = "TrainingJobStatus" if SortBy == "Status" else "TrainingJobName"
            found.sort(key=lambda each: str(each[member]))
        if SortOrder == "Descending":
            found.reverse()
        start, size = start_of(NextToken), MaxResults or 10
        page: dict[str, Any] = {"TrainingJobSummaries": found[start : start + size]}
        return {**page, "NextToken": token(start + size)} if len(found) > start + size else page

    async def stop_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> None:
        job = self._job(HyperParameterTuningJobName)
        status = job.about["HyperParameterTuningJobStatus"]
        if status in ("Completed", "Failed", "Stopped"):
            raise ServiceError(
                "ValidationException",
                f"The request was rejected because the tuning job is in status {status}.",
            )
        self._tuning.stop(job.name)

    def _job(self, name: str) -> TuningJob:
        if self._resources.find(KIND, name) is None:
            raise ServiceError("ResourceNotFound", "Requested resource not found.")
        return TuningJob(self._resources, name)

    def _listed(self, about: dict[str, Any]) -> dict[str, Any]:
        """A description as HyperParameterTuningJobSummary."""
        members = ("HyperParameterTuningJobName", "HyperParameterTuningJobArn",
                   "HyperParameterTuningJobStatus", "CreationTime", "HyperParameterTuningEndTime",
                   "LastModifiedTime")  # fmt: skip
        config = about["HyperParameterTuningJobConfig"]
        return {
            **{member: about[member] for member in members if member in about},
            "Strategy": config["Strategy"],
            "ResourceLimits": config["ResourceLimits"],
            **counters(self._job(about["HyperParameterTuningJobName"]).summaries()),
        }
