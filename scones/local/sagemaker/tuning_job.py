"""A tuning job's record: what it launched, what came of that, and whether it is done.

The training jobs are kept as all training jobs are; a tuning job keeps their names, what was
chosen for each, and how its objective went, so that counters and best job are never out of date.
"""

import uuid
from datetime import datetime
from typing import Any

from scones.local.sagemaker import job as training_job
from scones.local.sagemaker.ranges import Values
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.training import DEATH

KIND = "hyper-parameter-tuning-job"
GIVE_UP_AFTER = 5
"""Training jobs that all went wrong in the same way. AWS's own words say so (aws/
amazon-sagemaker-examples issue 2437): "No training job succeeded after 5 attempts"."""
NO_SUCCESS = (
    "No training job succeeded after {count} attempts. Please take a look at the training job "
    "failures to get more details."
)
NO_METRIC = (
    "No objective metrics found after running {count} training jobs. Please ensure that the "
    "custom algorithm is emitting the objective metric as defined by the regular expression "
    "provided."
)
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
"""By which a training job is told what it is judged by; AWS adds it to what was chosen."""

RESOURCES = ("ResourceConfig", "HyperParameterTuningResourceConfig")
"""Two ways to say what the training jobs run on; a definition has one."""

Verdict = tuple[str, str | None]
"""Completed or Failed, and for a failure its reason."""


class TuningJob:
    """One tuning job; every change is kept at once."""

    def __init__(self, resources: Resources, name: str) -> None:
        found = resources.find(KIND, name)
        assert found is not None, f"tuning job {name} was created before it runs"
        self.about: dict[str, Any] = found
        plan = resources.plan(KIND, name)
        self.arn = str(found["HyperParameterTuningJobArn"])
        self.trials: list[dict[str, Any]] = plan["Trials"]
        """Launched so far, in order: Name, Values, and the Series of the objective."""
        self._resources = resources

    @property
    def name(self) -> str:
        return str(self.about["HyperParameterTuningJobName"])

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.about["HyperParameterTuningJobConfig"]
        return config

    @property
    def maximizes(self) -> bool:
        return bool(self.config["HyperParameterTuningJobObjective"]["Type"] == "Maximize")

    @property
    def metric(self) -> str:
        return str(self.config["HyperParameterTuningJobObjective"]["MetricName"])

    # What it launched.

    def launch(self, values: Values, now: datetime) -> str:
        """Keep a training job of these values, InProgress; its name."""
        name = f"{self.name}-{len(self.trials) + 1:03d}-{uuid.uuid4().hex[:8]}"
        arn = self.arn.replace(f":{KIND}/{self.name.lower()}", f":training-job/{name.lower()}")
        self.trials.append({"Name": name, "Values": values, "Series": []})
        self.keep()  # a name without a job is passed over, a job without a name would be lost
        about = training_job.described(self._request(name, values), arn, now)
        about["TuningJobArn"] = self.arn
        self._resources.create(
            training_job.KIND, name, arn, about, status="InProgress",
            tags=self._resources.tags(self.arn),
        )  # fmt: skip
        return name

    def _request(self, name: str, values: Values) -> dict[str, Any]:
        """CreateTrainingJob's members, from the definition and what was chosen."""
        given = {**self.about["TrainingJobDefinition"]}
        static = given.pop("StaticHyperParameters", {})
        resources = resource_config(given)
        for member in ("DefinitionName", *RESOURCES):
            given.pop(member, None)
        if "CheckpointConfig" in given:  # one trial must not go on from another's
            place = given["CheckpointConfig"]["S3Uri"].rstrip("/")
            given["CheckpointConfig"] = {**given["CheckpointConfig"], "S3Uri": f"{place}/{name}"}
        chosen = {**static, **values, OBJECTIVE_HYPERPARAMETER: self.metric}
        return {
            "TrainingJobName": name,
            **given,
            "ResourceConfig": resources,
            "HyperParameters": chosen,
        }

    # What came of it.

    def summaries(self) -> list[dict[str, Any]]:
        """HyperParameterTrainingJobSummary of every training job, in the order of launching."""
        found = []
        for trial in self.trials:
            about = self._resources.find(training_job.KIND, trial["Name"])
            if about is not None:
                found.append(self._summary(trial, about))
        return found

    def _summary(self, trial: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
        members = ("TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingStartTime",
                   "TrainingEndTime", "TrainingJobStatus", "FailureReason")  # fmt: skip
        summary = {member: about[member] for member in members if member in about}
        summary["TunedHyperParameters"] = trial["Values"]
        if "DefinitionName" in self.about["TrainingJobDefinition"]:
            name = self.about["TrainingJobDefinition"]["DefinitionName"]
            summary["TrainingJobDefinitionName"] = name
        ended = about["TrainingJobStatus"] in ("Completed", "Stopped", "Failed")
        metrics = {
            each["MetricName"]: each["Value"] for each in about.get("FinalMetricDataList", [])
        }
        if not ended:
            return {**summary, "ObjectiveStatus": "Pending"}
        if about["TrainingJobStatus"] == "Failed" or self.metric not in metrics:
            return {**summary, "ObjectiveStatus": "Failed"}
        objective = {**self.config["HyperParameterTuningJobObjective"],
                     "Value": metrics[self.metric]}  # fmt: skip
        return {
            **summary,
            "FinalHyperParameterTuningJobObjectiveMetric": objective,
            "ObjectiveStatus": "Succeeded",
        }

    def described(self) -> dict[str, Any]:
        """What DescribeHyperParameterTuningJob answers."""
        summaries = self.summaries()
        best = self.best(summaries)
        spent = sum(_seconds(each, self._resources.now()) for each in summaries)
        return {
            **self.about,
            **counters(summaries),
            **({"BestTrainingJob": best} if best is not None else {}),
            "ConsumedResources": {"RuntimeInSeconds": round(spent)},
        }

    def best(self, summaries: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The one with the best objective, the earlier of two equals; None while there is none."""
        judged = [each for each in summaries if each["ObjectiveStatus"] == "Succeeded"]
        return max(judged, key=lambda each: self.worth(objective(each)), default=None)

    def worth(self, value: float) -> float:
        """The objective as something to be made large."""
        return value if self.maximizes else -value

    # Whether it is done.

    def verdict(self, summaries: list[dict[str, Any]]) -> Verdict | None:
        """How it ends by what its training jobs came to; None: it goes on."""
        ended = [each for each in summaries if each["ObjectiveStatus"] != "Pending"]
        judged = [each for each in ended if each["ObjectiveStatus"] == "Succeeded"]
        if judged:
            return ("Completed", None) if self._satisfied(judged) else None
        return self.hopeless(ended) if len(_own(ended)) >= GIVE_UP_AFTER else None

    def hopeless(self, ended: list[dict[str, Any]]) -> Verdict:
        """The end of a job none of whose training jobs has an objective."""
        own = _own(ended)
        failed = all(each["TrainingJobStatus"] == "Failed" for each in own)
        return "Failed", (NO_SUCCESS if failed else NO_METRIC).format(count=len(own))

    def _satisfied(self, judged: list[dict[str, Any]]) -> bool:
        criteria = self.config.get("TuningJobCompletionCriteria", {})
        worths = [self.worth(objective(each)) for each in judged]
        target = criteria.get("TargetObjectiveMetricValue")
        if target is not None and max(worths) >= self.worth(target):
            return True
        patience = criteria.get("BestObjectiveNotImproving", {}).get(
            "MaxNumberOfTrainingJobsNotImproving"
        )
        since = len(worths) - 1 - worths.index(max(worths))
        return patience is not None and since >= patience

    # Keeping.

    def enter(self, status: str, reason: str | None = None) -> None:
        """Stopping, or an end."""
        now = self._resources.now()
        self.about["HyperParameterTuningJobStatus"] = status
        if reason is not None:
            self.about["FailureReason"] = reason
        if status != "Stopping":
            self.about["HyperParameterTuningEndTime"] = now
        self.keep()

    def keep(self) -> None:
        self.about["LastModifiedTime"] = self._resources.now()
        status = self.about["HyperParameterTuningJobStatus"]
        self._resources.update(KIND, self.name, self.about, status, {"Trials": self.trials})


def resource_config(definition: dict[str, Any]) -> dict[str, Any]:
    """The training jobs' ResourceConfig, said in either of two ways; the SDK uses the second.

    Of several InstanceConfigs it is the first, which AWS prefers as well.
    """
    given = next(definition[member] for member in RESOURCES if member in definition)
    config = {name: value for name, value in given.items() if name != "AllocationStrategy"}
    first: dict[str, Any] = next(iter(config.pop("InstanceConfigs", [])), {})
    return {**config, **first}


def objective(summary: dict[str, Any]) -> float:
    """The final value of a training job that has one."""
    return float(summary["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def retryable(summary: dict[str, Any]) -> bool:
    """Did it die with the cloud that ran it?"""
    return bool(summary.get("FailureReason") == DEATH)


def counters(summaries: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """TrainingJobStatusCounters and ObjectiveStatusCounters."""
    jobs = dict.fromkeys(
        ("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0
    )
    objectives = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
    for each in summaries:
        status = each["TrainingJobStatus"]
        if status == "Failed":
            status = "RetryableError" if retryable(each) else "NonRetryableError"
        jobs["InProgress" if status == "Stopping" else status] += 1
        objectives[each["ObjectiveStatus"]] += 1
    return {"TrainingJobStatusCounters": jobs, "ObjectiveStatusCounters": objectives}


def _own(ended: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in ended if not retryable(each)]


def _seconds(summary: dict[str, Any], now: datetime) -> float:
    started = summary.get("TrainingStartTime")
    if started is None:
        return 0.0
    return float((summary.get("TrainingEndTime", now) - started).total_seconds())
