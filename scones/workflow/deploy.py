"""Deploy: a trained model behind an endpoint that captures, three functions, and their machine."""

import base64
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from scones.clients import Clients
from scones.workflow import algorithm
from scones.workflow.aside import take_up
from scones.workflow.card import card_at, gate_of
from scones.workflow.machine import definition, functions_zip
from scones.workflow.ours import refuse_foreign
from scones.workflow.progress import Step, Steps, silent
from scones.workflow.staged import Facts
from scones.workflow.threshold import HAND, Threshold, choose
from scones.workflow.train import Trained, stamp

DEPLOYMENTS = "deployments/"
RUNTIME = "python3.12"
FUNCTION_TIMEOUT_S = 30
FUNCTION_MB = 256


class EndpointError(RuntimeError):
    """The endpoint did not come into service."""


@dataclass(frozen=True)
class Deployment:
    """What went live, and when: one JSON object each in the bucket, so that a report knows."""

    deployed_at: datetime
    """Aware, UTC, by the endpoint's own clock."""
    dataset: str
    classes: tuple[str, ...]
    threshold: float
    job: str
    endpoint: str
    endpoint_config: str
    state_machine: str
    """Its ARN."""
    threshold_from: str = HAND
    """`hand`, `certificate` or `default`; notes of before certificates counted do not say."""
    promise: str | None = None
    """The certificate's one sentence; None where the model has none."""

    @property
    def gate(self) -> Threshold:
        """The threshold, who said it, and what it promises."""
        return Threshold(self.threshold, self.threshold_from, self.promise)


def deploy(
    clients: Clients,
    trained: Trained,
    facts: Facts,
    steps: Steps = silent,
    threshold: Threshold | None = None,
) -> Deployment:
    """Make or update endpoint, functions and machine; answers when all of them serve.

    Without `threshold` it is `threshold_of`'s. A model that serves is not set aside any more.
    Raises EndpointError with SageMaker's reason, and ValueError before anything of somebody else's
    is written over.
    """
    settings = clients.settings
    check_names(clients)
    bays = settings.bays_of(facts.classes)
    threshold = threshold or threshold_of(clients, trained)
    with steps("deploy") as step:
        step.total(3)
        config = _start_endpoint(clients, trained)
        step.say("functions")
        arns = _functions(clients, facts, threshold.value)
        step.advance()
        step.say("machine")
        machine = _machine(clients, definition(bays, arns))
        step.advance()
        deployed_at = wait_in_service(clients, config, step)
        deployment = Deployment(
            deployed_at, facts.dataset, facts.classes, threshold.value, trained.job,
            settings.endpoint, config, machine, threshold.source, threshold.promise,
        )  # fmt: skip
        take_up(clients, trained.job)
        _note(clients, deployment)
        step.advance()
    return deployment


def threshold_of(clients: Clients, trained: Trained) -> Threshold:
    """The threshold that a model is deployed with, by settings and certificate."""
    gate, _ = gate_of(card_at(clients, trained.model_uri))
    return choose(clients.settings.threshold, gate)


def check_names(clients: Clients) -> None:
    """ValueError where something of somebody else's bears one of our names."""
    endpoint = describe_endpoint(clients)
    refuse_foreign(clients, machine_arn(clients), endpoint["EndpointArn"] if endpoint else None)


def last_deployment(clients: Clients) -> Deployment:
    """The newest deployment noted in the bucket; ValueError where there is none."""
    deployments = all_deployments(clients)
    if not deployments:
        raise ValueError(f"nothing is deployed from {clients.bucket!r}; run `scones deploy` first")
    return deployments[-1]


def all_deployments(clients: Clients) -> list[Deployment]:
    """Every deployment noted in the bucket, the oldest first."""
    s3, bucket = clients.s3, clients.bucket
    try:
        pages = list(
            s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=DEPLOYMENTS)
        )
    except s3.exceptions.NoSuchBucket:
        return []
    keys = sorted(each["Key"] for page in pages for each in page.get("Contents", []))
    return [_noted(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys]


def _note(clients: Clients, deployment: Deployment) -> None:
    fields = {**asdict(deployment), "deployed_at": deployment.deployed_at.isoformat()}
    clients.s3.put_object(
        Bucket=clients.bucket,
        Key=f"{DEPLOYMENTS}{deployment.endpoint_config}.json",
        Body=json.dumps(fields, indent=2).encode(),
        ContentType="application/json",
    )


def _noted(text: bytes) -> Deployment:
    fields = json.loads(text)
    fields["deployed_at"] = datetime.fromisoformat(fields["deployed_at"])
    return Deployment(**{**fields, "classes": tuple(fields["classes"])})


def _start_endpoint(clients: Clients, trained: Trained) -> str:
    """Model, configuration and endpoint on their way; answers the configuration's name."""
    name = f"{clients.settings.endpoint}-{stamp(clients.clock())}"
    sagemaker, tags = clients.sagemaker, _tag_list(clients)
    sagemaker.create_model(
        ModelName=name,
        ExecutionRoleArn=clients.role,
        PrimaryContainer={
            "Image": algorithm.image_uri(clients.region),
            "ModelDataUrl": trained.model_uri,
        },
        Tags=tags,
    )
    sagemaker.create_endpoint_config(**endpoint_config(clients, name), Tags=tags)
    _create_or_update(clients, name, tags)
    return name


def endpoint_config(clients: Clients, name: str) -> dict[str, Any]:
    """CreateEndpointConfig's arguments: everything is captured, answers as legible JSON."""
    settings = clients.settings
    return {
        "EndpointConfigName": name,
        "ProductionVariants": [
            {
                "VariantName": "AllTraffic",
                "ModelName": name,
                "InitialInstanceCount": 1,
                "InstanceType": settings.serving_instance,
                "InitialVariantWeight": 1.0,
            }
        ],
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{clients.bucket}/{settings.capture_prefix}",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json"],
            },
        },
    }


def _create_or_update(clients: Clients, config: str, tags: list[dict[str, str]]) -> None:
    """A failed endpoint cannot be updated: it makes way for a new one."""
    sagemaker, name = clients.sagemaker, clients.settings.endpoint
    answer = describe_endpoint(clients)
    while answer is not None and answer["EndpointStatus"] not in ("InService", "Failed"):
        clients.sleep(clients.poll_s)
        answer = describe_endpoint(clients)
    if answer is not None and answer["EndpointStatus"] == "Failed":
        sagemaker.delete_endpoint(EndpointName=name)
        while describe_endpoint(clients) is not None:
            clients.sleep(clients.poll_s)
        answer = None
    if answer is None:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=tags)
    else:
        sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config)


def describe_endpoint(clients: Clients) -> dict[str, Any] | None:
    """DescribeEndpoint, or None where there is no such endpoint."""
    sagemaker = clients.sagemaker
    try:
        answer: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=clients.settings.endpoint)
        return answer
    except sagemaker.exceptions.ClientError as error:
        if "Could not find" in error.response["Error"]["Message"]:
            return None
        raise


def wait_in_service(clients: Clients, config: str, step: Step) -> datetime:
    """Until the endpoint serves by this configuration; answers since when.

    Raises EndpointError if it fails to, and ValueError where there is no endpoint.
    """
    while True:
        answer = describe_endpoint(clients)
        if answer is None:
            name = clients.settings.endpoint
            raise ValueError(f"there is no endpoint {name!r}; run `scones deploy` first")
        status = answer["EndpointStatus"]
        step.say(f"endpoint {status}")
        if status == "InService" and answer["EndpointConfigName"] == config:
            modified: datetime = answer["LastModifiedTime"]
            return modified.astimezone(UTC)
        # An update that fails leaves the endpoint in service as it was before.
        if status in ("Failed", "InService", "UpdateRollbackFailed", "OutOfService"):
            reason = answer.get("FailureReason", status)
            raise EndpointError(f"endpoint {clients.settings.endpoint} does not serve: {reason}")
        clients.sleep(clients.poll_s)


def _functions(clients: Clients, facts: Facts, threshold: float) -> dict[str, str]:
    """The three functions as this package has them; name in the template to ARN."""
    settings, code = clients.settings, functions_zip()
    made = {
        "serializeImageData": (settings.serialize_function, "serialize", {}),
        "imageClassification": (
            settings.classify_function, "classify", {"ENDPOINT_NAME": settings.endpoint},
        ),
        "filterLowInferenceConfidence": (
            settings.accept_function,
            "accept",
            {"THRESHOLD": repr(threshold), "CLASSES": json.dumps(facts.classes)},
        ),
    }  # fmt: skip
    return {
        word: _function(clients, name, f"scones.functions.{module}.handler", variables, code)
        for word, (name, module, variables) in made.items()
    }


def _function(
    clients: Clients, name: str, handler: str, variables: dict[str, str], code: bytes
) -> str:
    wanted = {
        "Runtime": RUNTIME,
        "Role": clients.role,
        "Handler": handler,
        "Timeout": FUNCTION_TIMEOUT_S,
        "MemorySize": FUNCTION_MB,
    }
    environment = {"Variables": variables}
    lambda_ = clients.functions
    try:
        there = lambda_.get_function(FunctionName=name)["Configuration"]
    except lambda_.exceptions.ResourceNotFoundException:
        answer = lambda_.create_function(
            FunctionName=name, Code={"ZipFile": code}, Environment=environment,
            Tags=clients.tags, **wanted,
        )  # fmt: skip
        lambda_.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig=_often(clients)
        )
        return str(answer["FunctionArn"])
    digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
    if there["CodeSha256"] != digest:
        lambda_.update_function_code(FunctionName=name, ZipFile=code)
        _wait_updated(clients, name)
    same = {key: there.get(key) for key in wanted} == wanted
    if not same or there.get("Environment", {}).get("Variables", {}) != variables:
        lambda_.update_function_configuration(FunctionName=name, Environment=environment, **wanted)
        _wait_updated(clients, name)
    return str(there["FunctionArn"])


def _wait_updated(clients: Clients, name: str) -> None:
    """Lambda refuses a second change while the first is under way (ResourceConflictException)."""
    waiter = clients.functions.get_waiter("function_updated_v2")
    waiter.wait(FunctionName=name, WaiterConfig=_often(clients))


def _often(clients: Clients) -> dict[str, Any]:
    return {"Delay": clients.poll_s, "MaxAttempts": 300}


def machine_arn(clients: Clients) -> str:
    """The machine's ARN, in the partition that the role lies in."""
    partition, settings = clients.role.split(":")[1], clients.settings
    place = f"{clients.region}:{clients.account}"
    return f"arn:{partition}:states:{place}:stateMachine:{settings.machine}"


def _machine(clients: Clients, text: str) -> str:
    machines, arn = clients.machines, machine_arn(clients)
    try:
        there = machines.describe_state_machine(stateMachineArn=arn)
    except machines.exceptions.StateMachineDoesNotExist:
        tags = [{"key": key, "value": value} for key, value in clients.tags.items()]
        answer = machines.create_state_machine(
            name=clients.settings.machine, definition=text, roleArn=clients.role, type="STANDARD",
            tags=tags,
        )  # fmt: skip
        return str(answer["stateMachineArn"])
    if (there["definition"], there["roleArn"]) != (text, clients.role):
        machines.update_state_machine(stateMachineArn=arn, definition=text, roleArn=clients.role)
    return arn


def _tag_list(clients: Clients) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in clients.tags.items()]
