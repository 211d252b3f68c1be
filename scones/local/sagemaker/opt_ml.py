"""The folder that stands for /opt/ml, SageMaker's layout for a training container.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
"""

import json
from pathlib import Path
from typing import Any

CHECKPOINTS = "/opt/ml/checkpoints"


class OptMl:
    """One job's folder."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.model = base / "model"
        self.output = base / "output" / "data"
        self.checkpoints = base / "checkpoints"

    def lay_out(self, job: dict[str, Any]) -> None:
        """Make the folders and write `input/config` from a job's description."""
        for folder in (self.model, self.output, self.checkpoints, self.base / "input" / "config"):
            folder.mkdir(parents=True, exist_ok=True)
        self._configure("hyperparameters", job.get("HyperParameters") or {})
        channels = job.get("InputDataConfig") or []
        self._configure(
            "inputdataconfig", {each["ChannelName"]: _channel(each) for each in channels}
        )
        self._configure("resourceconfig", _resources(job["ResourceConfig"]))

    def channel(self, name: str) -> Path:
        """Where a channel's files go."""
        return self.base / "input" / "data" / name

    def local(self, container_path: str) -> Path:
        """Where a path of the container (`/opt/ml/...`) lies on this computer."""
        assert container_path.startswith("/opt/ml/"), "refused at creation"
        return self.base / container_path.removeprefix("/opt/ml/")

    @property
    def failure(self) -> str:
        """What the container wrote about its failure, "" if nothing."""
        path = self.base / "output" / "failure"
        return path.read_text("utf-8", "replace").strip() if path.is_file() else ""

    def _configure(self, name: str, value: Any) -> None:
        path = self.base / "input" / "config" / f"{name}.json"
        path.write_text(json.dumps(value), "utf-8")


def _channel(channel: dict[str, Any]) -> dict[str, str]:
    about = {
        "ContentType": channel.get("ContentType"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
            "S3DataDistributionType", "FullyReplicated"
        ),
        "TrainingInputMode": channel.get("InputMode", "File"),
    }
    return {key: value for key, value in about.items() if value is not None}


def _resources(config: dict[str, Any]) -> dict[str, Any]:
    group = {
        "instance_group_name": "homogeneousCluster",
        "instance_type": config.get("InstanceType", "local"),
        "hosts": ["algo-1"],
    }
    return {
        "current_host": "algo-1",
        "current_instance_type": group["instance_type"],
        "current_group_name": group["instance_group_name"],
        "hosts": ["algo-1"],
        "instance_groups": [group],
        "network_interface_name": "lo",
    }
