"""Destroy: everything that carries our tag goes, and is named as it goes."""

from collections.abc import Callable, Iterator
from typing import Any

from scones.clients import Clients
from scones.workflow.ours import is_ours
from scones.workflow.progress import Steps, silent
from scones.workflow.train import LOG_GROUP as TRAINING_LOGS

UNDER_WAY = ("Creating", "Updating", "SystemUpdating", "RollingBack")
GONE = ("ResourceNotFoundException", "NoSuchBucket", "NoSuchTagSet", "404")


def destroy(clients: Clients, steps: Steps = silent) -> list[str]:
    """Delete what our tag marks, users before what they use; answers what was deleted, in words.

    Training and tuning jobs stay in SageMaker's lists, the former with no way to delete them; a
    running one is stopped.
    """
    gone: list[str] = []
    with steps("destroy") as step:
        for delete in (
            _machines, _functions, _endpoints, _endpoint_configs, _models, _searches, _jobs,
            _training_logs, _bucket,
        ):  # fmt: skip
            for words in delete(clients):
                gone.append(words)
                step.say(words)
    return gone


def _machines(clients: Clients) -> Iterator[str]:
    machines = clients.machines
    for each in _all(machines, "list_state_machines", "stateMachines"):
        arn = each["stateMachineArn"]
        tags = machines.list_tags_for_resource(resourceArn=arn)["tags"]
        if is_ours(clients, {tag["key"]: tag["value"] for tag in tags}):
            machines.delete_state_machine(stateMachineArn=arn)
            yield f"state machine {each['name']}"


def _functions(clients: Clients) -> Iterator[str]:
    lambda_ = clients.functions
    for each in _all(lambda_, "list_functions", "Functions"):
        if is_ours(clients, lambda_.list_tags(Resource=each["FunctionArn"]).get("Tags", {})):
            lambda_.delete_function(FunctionName=each["FunctionName"])
            yield f"function {each['FunctionName']}"
            yield from _log_group(clients, f"/aws/lambda/{each['FunctionName']}")


def _endpoints(clients: Clients) -> Iterator[str]:
    for name in _of_sagemaker(clients, "endpoints", "Endpoints", "Endpoint"):
        # SageMaker refuses to delete what it is still making: "Cannot update in-progress endpoint"
        while _status(clients, name) in UNDER_WAY:
            clients.sleep(clients.poll_s)
        clients.sagemaker.delete_endpoint(EndpointName=name)
        yield f"endpoint {name}"
        yield from _log_group(clients, f"/aws/sagemaker/Endpoints/{name}")


def _status(clients: Clients, name: str) -> str:
    answer = clients.sagemaker.describe_endpoint(EndpointName=name)
    return str(answer["EndpointStatus"])


def _endpoint_configs(clients: Clients) -> Iterator[str]:
    for name in _of_sagemaker(clients, "endpoint_configs", "EndpointConfigs", "EndpointConfig"):
        clients.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        yield f"endpoint configuration {name}"


def _models(clients: Clients) -> Iterator[str]:
    for name in _of_sagemaker(clients, "models", "Models", "Model"):
        clients.sagemaker.delete_model(ModelName=name)
        yield f"model {name}"


def _searches(clients: Clients) -> Iterator[str]:
    """Before the training jobs, of which they would start others."""
    running = {"StatusEquals": "InProgress"}
    for name in _of_sagemaker(
        clients, "hyper_parameter_tuning_jobs", "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJob", **running,
    ):  # fmt: skip
        clients.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        yield f"running tuning job {name} (stopped)"


def _jobs(clients: Clients) -> Iterator[str]:
    running = {"StatusEquals": "InProgress"}
    for name in _of_sagemaker(
        clients, "training_jobs", "TrainingJobSummaries", "TrainingJob", **running
    ):
        clients.sagemaker.stop_training_job(TrainingJobName=name)
        yield f"running training job {name} (stopped)"


def _training_logs(clients: Clients) -> Iterator[str]:
    """What our training jobs wrote; the group is the account's, and goes when that was all."""
    logs = clients.logs
    try:
        listed = _all(logs, "describe_log_streams", "logStreams", logGroupName=TRAINING_LOGS)
    except logs.exceptions.ResourceNotFoundException:
        return
    jobs = set(_of_sagemaker(clients, "training_jobs", "TrainingJobSummaries", "TrainingJob"))
    streams = [each["logStreamName"] for each in listed]
    ours = [name for name in streams if name.partition("/")[0] in jobs]
    for name in ours:
        logs.delete_log_stream(logGroupName=TRAINING_LOGS, logStreamName=name)
    if not ours:
        return
    yield f"{len(ours)} log streams of training jobs"
    if len(ours) == len(streams):
        yield from _log_group(clients, TRAINING_LOGS)


def _bucket(clients: Clients) -> Iterator[str]:
    """The bucket with all that is in it, if we made it."""
    s3, bucket = clients.s3, clients.bucket
    try:
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise
        tags = []
    if not is_ours(clients, {tag["Key"]: tag["Value"] for tag in tags}):
        return
    clients.flush()  # a capture written after the last object is gone would hold up the bucket
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        keys = [{"Key": each["Key"]} for each in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        count += len(keys)
    s3.delete_bucket(Bucket=bucket)
    yield f"bucket {bucket} with {count} objects"


def _log_group(clients: Clients, name: str) -> Iterator[str]:
    """The log that Lambda or SageMaker kept for something of ours; it carries no tag."""
    logs = clients.logs
    try:
        logs.delete_log_group(logGroupName=name)
        yield f"log group {name}"
    except logs.exceptions.ResourceNotFoundException:
        return


def _of_sagemaker(
    clients: Clients, operation: str, members: str, noun: str, **arguments: Any
) -> Iterator[str]:
    """Names of the things of one kind that are ours; the list is taken before any is deleted."""
    for each in list(_all(clients.sagemaker, f"list_{operation}", members, **arguments)):
        tags = clients.sagemaker.list_tags(ResourceArn=each[f"{noun}Arn"])["Tags"]
        if is_ours(clients, {tag["Key"]: tag["Value"] for tag in tags}):
            yield each[f"{noun}Name"]


def _all(client: Any, operation: str, members: str, **arguments: Any) -> list[dict[str, Any]]:
    pages: Callable[..., Iterator[dict[str, Any]]] = client.get_paginator(operation).paginate
    return [each for page in pages(**arguments) for each in page[members]]
