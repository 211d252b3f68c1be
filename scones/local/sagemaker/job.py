"""A training job's record: where it stands and how it came there."""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from scones.local.sagemaker.containers import names
from scones.local.sagemaker.resources import Resources

KIND = "training-job"
MAX_REASON = 1024
"""Characters of FailureReason."""

BUILT_IN_METRICS = [
    {"Name": "train:accuracy", "Regex": r"Train-accuracy=([0-9.]+)"},
    {"Name": "validation:accuracy", "Regex": r"Validation-accuracy=([0-9.]+)"},
]
"""The image classification algorithm's own. Its log lines: eight public notebooks."""

MAX_RUNTIME_S = 86400
"""Of a job that sets no StoppingCondition: a day (API reference, StoppingCondition)."""

STARTING = "Preparing the instances for training"
PENDING = "Training job waiting for capacity"
DOWNLOADING = "Downloading input data"
TRAINING = "Training image download completed. Training in progress."
STOPPING = "Stopping the training job"
UPLOADING = "Uploading generated training model"
COMPLETED = "Training job completed"
FAILED = "Training job failed"
STOPPED = "Training job stopped"
MAX_RUNTIME = "Training job runtime exceeded MaxRuntimeInSeconds provided"
# What the SageMaker SDK prints while it waits, seen in eight public notebooks.


def described(request: dict[str, Any], arn: str, now: datetime) -> dict[str, Any]:
    """What DescribeTrainingJob says of a job that was just asked for."""
    specification = measured(request["AlgorithmSpecification"])
    limit = {"MaxRuntimeInSeconds": MAX_RUNTIME_S, **request.get("StoppingCondition", {})}
    return {
        "HyperParameters": {},
        "InputDataConfig": [],
        "ResourceConfig": {"InstanceCount": 1},
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        **request,
        "OutputDataConfig": {"KmsKeyId": "", **request["OutputDataConfig"]},  # the SDK reads it
        "TrainingJobArn": arn,
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "SecondaryStatusTransitions": [],
        "AlgorithmSpecification": {"EnableSageMakerMetricsTimeSeries": False, **specification},
        "StoppingCondition": limit,
        "ModelArtifacts": {"S3ModelArtifacts": artifacts(request)},
        "CreationTime": now,
        "LastModifiedTime": now,
    }


def measured(specification: dict[str, Any]) -> dict[str, Any]:
    """An AlgorithmSpecification with the metrics that a built-in algorithm brings."""
    if "image-classification" in names(specification.get("TrainingImage", "")):
        return {"MetricDefinitions": BUILT_IN_METRICS, **specification}
    return specification


def artifacts(job: dict[str, Any]) -> str:
    """Where a job's model goes: `<S3OutputPath>/<job>/output/model.tar.gz`."""
    output: str = job["OutputDataConfig"]["S3OutputPath"]
    return f"{output.rstrip('/')}/{job['TrainingJobName']}/output/model.tar.gz"


class Job:
    """One job between its creation and its end; every change is kept at once."""

    def __init__(
        self,
        resources: Resources,
        name: str,
        hear: Callable[[str, float], None] | None = None,
    ) -> None:
        """`hear` gets name and value of each metric that `measure` finds."""
        found = resources.find(KIND, name)
        assert found is not None, f"training job {name} was created before it runs"
        self.about: dict[str, Any] = found
        self._resources = resources
        self._hear = hear

    @property
    def name(self) -> str:
        return str(self.about["TrainingJobName"])

    @property
    def ended(self) -> bool:
        """Is there nothing left to do for it?"""
        return self.about["TrainingJobStatus"] in ("Completed", "Failed", "Stopped")

    def enter(self, secondary: str, message: str, status: str | None = None) -> None:
        """Go on to the next secondary status."""
        now = self._resources.now()
        transitions = self.about["SecondaryStatusTransitions"]
        if transitions:
            transitions[-1]["EndTime"] = now
        transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": message})
        self.about["SecondaryStatus"] = secondary
        self.about["TrainingJobStatus"] = status or self.about["TrainingJobStatus"]
        if secondary == "Downloading" and "TrainingStartTime" not in self.about:
            self.about["TrainingStartTime"] = now
        self._keep(now)

    def end(self, secondary: str, message: str, reason: str | None = None) -> None:
        """Completed, Failed, Stopped or MaxRuntimeExceeded (whose status is Stopped)."""
        now = self._resources.now()
        status = "Stopped" if secondary == "MaxRuntimeExceeded" else secondary
        if reason is not None:
            self.about["FailureReason"] = reason[:MAX_REASON]
        started = self.about.get("TrainingStartTime")
        if started is not None:
            seconds = math.ceil((now - started).total_seconds())
            self.about.update(TrainingTimeInSeconds=seconds, BillableTimeInSeconds=seconds)
        self.about["TrainingEndTime"] = now
        self.enter(secondary, message, status)
        self.about["SecondaryStatusTransitions"][-1]["EndTime"] = self.about["LastModifiedTime"]
        self._keep(now)

    def measure(self, line: str) -> None:
        """Read the metrics that a line of the log gives; the last value of each one counts."""
        for definition in self.about["AlgorithmSpecification"].get("MetricDefinitions", []):
            found = re.search(definition["Regex"], line)
            value = _number(found[1]) if found is not None and found.groups() else None
            if value is not None:
                self._note(definition["Name"], value)

    def _note(self, name: str, value: float) -> None:
        rest = [e for e in self.about.get("FinalMetricDataList", []) if e["MetricName"] != name]
        metric = {"MetricName": name, "Value": value, "Timestamp": self._resources.now()}
        self.about["FinalMetricDataList"] = [*rest, metric]
        if self._hear is not None:
            self._hear(name, value)

    def _keep(self, now: Any) -> None:
        self.about["LastModifiedTime"] = now
        self._resources.update(KIND, self.name, self.about, self.about["TrainingJobStatus"])


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
