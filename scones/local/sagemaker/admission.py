"""What SageMaker refuses at the door, after the gateway has checked the request's form."""

import re
from typing import Any, NoReturn

from scones.local.errors import ServiceError
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.opt_ml import CHECKPOINTS
from scones.local.sagemaker.transfer import Objects, exists, split


def invalid(message: str) -> ServiceError:
    """The refusal that SageMaker gives for nearly everything."""
    return ServiceError("ValidationException", message)


def not_carried(what: str) -> NoReturn:
    """Refuse by name what AWS has and this cloud does not."""
    raise ServiceError("NotImplemented", f"The local cloud does not carry {what}", 501)


def check_isolation(wanted: bool) -> None:
    """Refuse what cannot be kept to: a container here is a process on this computer."""
    if wanted:
        not_carried("EnableNetworkIsolation: a container here is a process on this computer")


def check_image(containers: Containers, image: str | None, verb: str) -> None:
    """Refuse an image that no command is registered for."""
    try:
        containers.command(image or "", verb)
    except LookupError as error:
        raise invalid(str(error.args[0])) from error


def check_place(member: str, uri: str) -> None:
    """Refuse what is no `s3://bucket/key`."""
    try:
        split(uri)
    except ValueError as error:
        raise invalid(f"Invalid {member}: {error}") from error


def check_training(request: dict[str, Any]) -> None:
    """Refuse a CreateTrainingJob that this cloud would not run as AWS does."""
    if "AlgorithmName" in request["AlgorithmSpecification"]:
        not_carried("AlgorithmName; give a TrainingImage")
    if request["AlgorithmSpecification"]["TrainingInputMode"] == "Pipe":
        not_carried("TrainingInputMode Pipe; use File")
    count = request["ResourceConfig"].get("InstanceCount", 1)
    if count != 1:
        instance = request["ResourceConfig"].get("InstanceType", "local")
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{instance} for training job usage' is 1 Instances, "
            f"with current utilization of 0 Instances and a request delta of {count} Instances.",
        )
    for definition in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        _check_regex(definition)
    check_place("S3OutputPath", request["OutputDataConfig"]["S3OutputPath"])
    if request["OutputDataConfig"].get("CompressionType", "GZIP") != "GZIP":
        not_carried("OutputDataConfig.CompressionType NONE; use GZIP")
    if "CheckpointConfig" in request:
        _check_checkpoints(request["CheckpointConfig"])


def _check_regex(definition: dict[str, str]) -> None:
    try:
        re.compile(definition["Regex"])
    except re.error as error:
        raise invalid(
            f"Invalid Regex of metric {definition['Name']}: {definition['Regex']} ({error})"
        ) from error


def _check_checkpoints(config: dict[str, Any]) -> None:
    check_place("CheckpointConfig.S3Uri", config["S3Uri"])
    path = config.get("LocalPath", CHECKPOINTS)
    if not path.startswith("/opt/ml/") or ".." in path.split("/"):
        not_carried(f"CheckpointConfig.LocalPath {path}; use a folder under /opt/ml/")


def check_channels(s3: Objects, channels: list[dict[str, Any]], role: str) -> None:
    """Refuse channels that are not carried, or under whose prefix there is nothing."""
    seen = [channel["ChannelName"] for channel in channels]
    if len(seen) != len(set(seen)):
        raise invalid(f"Duplicate channel names in InputDataConfig: {', '.join(seen)}")
    for channel in channels:
        source = _carried_source(channel)
        check_place(f"S3Uri of channel {channel['ChannelName']}", source["S3Uri"])
        if not exists(s3, source["S3Uri"]):
            bucket, _ = split(source["S3Uri"])
            raise invalid(
                f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data '
                "source. Please ensure that the bucket exists in the selected region, that "
                f'objects exist under that S3 prefix, and that the role "{role}" has '
                f'"s3:ListBucket" permissions on bucket "{bucket}".'
            )


def _carried_source(channel: dict[str, Any]) -> dict[str, Any]:
    """The channel's S3DataSource, if it is of the one kind that is carried."""
    name = channel["ChannelName"]
    if name in (".", ".."):  # the model's pattern lets them through
        raise invalid(f"Invalid ChannelName: {name}")
    for member, value in (("InputMode", "Pipe"), ("ContentType", "application/x-recordio")):
        if channel.get(member) == value:
            not_carried(f"{member} {value} (channel {name})")
    for member in ("RecordWrapperType", "CompressionType"):
        if channel.get(member, "None") != "None":
            not_carried(f"{member} {channel[member]} (channel {name})")
    source: dict[str, Any] | None = channel["DataSource"].get("S3DataSource")
    if source is None:
        not_carried(f"a data source other than S3DataSource (channel {name})")
    if source["S3DataType"] != "S3Prefix":
        not_carried(f"S3DataType {source['S3DataType']}; use S3Prefix (channel {name})")
    return source


def check_capture(config: dict[str, Any] | None) -> None:
    """Refuse a DataCaptureConfig that cannot be kept to."""
    if config is not None:
        check_place("DestinationS3Uri", config["DestinationS3Uri"])
