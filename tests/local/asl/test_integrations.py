"""Tasks that other services carry out: names, shapes, jobs that are waited for or stopped."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scones.local.errors import ServiceError


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


asl_world = _module("asl_world_integrations", Path(__file__).parent / "asl_world.py")

ROLE = "arn:aws:iam::000000000000:role/r"
JOB = {
    "TrainingJobName": "job",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Training:
    """A SageMaker whose one job takes `looks` descriptions to come to `end`."""

    def __init__(self, end: str, looks: int = 3) -> None:
        self._end = end
        self._left = looks
        self.stopped: list[str] = []

    async def create(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"TrainingJobArn": f"arn:job/{arguments['TrainingJobName']}"}

    async def describe(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self._left -= 1
        status = self._end if self._left <= 0 else "InProgress"
        created = datetime(2026, 11, 20, 10, tzinfo=UTC)
        return {**arguments, "TrainingJobStatus": status, "CreationTime": created}

    async def stop(self, arguments: dict[str, Any]) -> dict[str, Any]:
        self.stopped.append(arguments["TrainingJobName"])
        return {}


def _run(
    home: Path, task: dict[str, Any], more: dict[tuple[str, str], Answer], stop: bool = False
) -> tuple[dict[str, Any], Any]:
    async def go() -> tuple[dict[str, Any], Any]:
        clock = asl_world.JumpingClock()
        services = asl_world.Services(clock)
        services.more = more
        async with asl_world.stepfunctions(home, services, clock) as client:
            definition = {"StartAt": "T", "States": {"T": {"Type": "Task", "End": True, **task}}}
            made = await client.create_state_machine(
                name="m", definition=json.dumps(definition), roleArn=ROLE
            )
            arn = (await client.start_execution(stateMachineArn=made["stateMachineArn"]))[
                "executionArn"
            ]
            if stop:
                await asyncio.sleep(0.02)
                await client.stop_execution(executionArn=arn)
            while (found := await client.describe_execution(executionArn=arn))[
                "status"
            ] == "RUNNING":
                await asyncio.sleep(0.001)
            return found, services

    return asyncio.run(go())


def _job(training: Training) -> dict[tuple[str, str], Answer]:
    return {
        ("sagemaker", "create_training_job"): training.create,
        ("sagemaker", "describe_training_job"): training.describe,
        ("sagemaker", "stop_training_job"): training.stop,
    }


SYNC = {
    "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
    "Parameters": JOB,
}


def test_a_training_job_is_waited_for_and_described(tmp_path: Path) -> None:
    found, _ = _run(tmp_path, SYNC, _job(Training("Completed")))
    output = json.loads(found["output"])
    assert output["TrainingJobStatus"] == "Completed"
    assert output["CreationTime"] == "2026-11-20T10:00:00.000Z"


def test_a_training_job_that_fails_is_a_failed_task(tmp_path: Path) -> None:
    found, _ = _run(tmp_path, SYNC, _job(Training("Failed")))
    assert (found["status"], found["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(found["cause"])["TrainingJobStatus"] == "Failed"


def test_a_job_is_stopped_when_its_time_is_up(tmp_path: Path) -> None:
    training = Training("Completed", looks=10**6)
    found, _ = _run(tmp_path, {**SYNC, "TimeoutSeconds": 5}, _job(training))
    assert (found["status"], found["error"]) == ("FAILED", "States.Timeout")
    assert training.stopped == ["job"]


def test_a_job_is_stopped_with_its_execution(tmp_path: Path) -> None:
    training = Training("Completed", looks=10**9)
    found, _ = _run(tmp_path, SYNC, _job(training), stop=True)
    assert found["status"] == "ABORTED"
    assert training.stopped == ["job"]


def test_a_job_that_is_only_begun_answers_at_once(tmp_path: Path) -> None:
    task = {**SYNC, "Resource": "arn:aws:states:::sagemaker:createTrainingJob"}
    found, _ = _run(tmp_path, task, _job(Training("Completed")))
    assert json.loads(found["output"])["TrainingJobArn"] == "arn:job/job"


@pytest.mark.parametrize(
    ("resource", "given", "service", "operation", "asked"),
    [
        ("sfn:listExecutions", {"StateMachineArn": "a", "MaxResults": 1}, "stepfunctions",
         "list_executions", {"stateMachineArn": "a", "maxResults": 1}),
        ("cloudwatchlogs:putLogEvents",
         {"LogGroupName": "g", "LogStreamName": "s", "LogEvents": [{"Timestamp": 1}]},
         "logs", "put_log_events",
         {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1}]}),
        ("s3:putObject", {"Bucket": "b", "Key": "k", "Body": {"json": 1}}, "s3", "put_object",
         {"Bucket": "b", "Key": "k", "Body": b'{"json":1}'}),
        ("sagemakerruntime:invokeEndpoint", {"EndpointName": "e", "Body": "text"},
         "sagemaker-runtime", "invoke_endpoint", {"EndpointName": "e", "Body": b"text"}),
    ],
)  # fmt: skip
def test_members_are_turned_into_the_services_own_spelling(
    tmp_path: Path, resource: str, given: Any, service: str, operation: str, asked: Any
) -> None:
    async def answer(arguments: dict[str, Any]) -> dict[str, Any]:
        return {}

    task = {"Resource": f"arn:aws:states:::aws-sdk:{resource}", "Parameters": given}
    found, services = _run(tmp_path, task, {(service, operation): answer})
    assert found["status"] == "SUCCEEDED", found
    assert services.calls[0] == (service, operation, asked)


def test_results_wear_the_state_machines_spelling(tmp_path: Path) -> None:
    async def answer(arguments: dict[str, Any]) -> dict[str, Any]:
        began = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
        return {"executionArn": "e", "startDate": began, "ResponseMetadata": {}}

    task = {
        "Resource": "arn:aws:states:::aws-sdk:sfn:startExecution",
        "Parameters": {"StateMachineArn": "a"},
    }
    found, _ = _run(tmp_path, task, {("stepfunctions", "start_execution"): answer})
    assert json.loads(found["output"]) == {
        "ExecutionArn": "e",
        "StartDate": "2026-01-02T03:04:05.678Z",
    }


def test_a_refusal_is_an_error_by_the_services_name(tmp_path: Path) -> None:
    async def answer(arguments: dict[str, Any]) -> dict[str, Any]:
        raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404)

    task = {
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    found, _ = _run(tmp_path, task, {("s3", "get_object"): answer})
    assert found["error"] == "S3.NoSuchBucketException"
    assert found["cause"].startswith(
        "The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: "
    )


def test_what_a_task_lacks_is_told(tmp_path: Path) -> None:
    task = {
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": "b"},
    }
    found, _ = _run(tmp_path, task, {})
    assert found["error"] == "States.Runtime"
    assert "[The field 'Key' is required but was missing]" in found["cause"]


def test_a_function_may_send_its_own_token_back(tmp_path: Path) -> None:
    async def go() -> dict[str, Any]:
        clock = asl_world.JumpingClock()
        services = asl_world.Services(clock)
        async with asl_world.stepfunctions(tmp_path, services, clock) as client:

            async def invoke(given: dict[str, Any]) -> dict[str, Any]:
                token = json.loads(given["Payload"])["token"]
                await client.send_task_success(taskToken=token, output='{"sent": true}')
                with pytest.raises(ServiceError, match="does not exist anymore"):
                    await client.send_task_failure(taskToken=token)
                return {"StatusCode": 200, "Payload": b"null"}

            services.more["lambda", "invoke"] = invoke
            task = {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
                "End": True,
            }
            definition = json.dumps({"StartAt": "T", "States": {"T": task}})
            made = await client.create_state_machine(name="m", definition=definition, roleArn=ROLE)
            begun = await client.start_execution(stateMachineArn=made["stateMachineArn"])
            async with asyncio.timeout(10):
                while True:
                    found: dict[str, Any] = await client.describe_execution(
                        executionArn=begun["executionArn"]
                    )
                    if found["status"] != "RUNNING":
                        return found
                    await asyncio.sleep(0.001)

    assert json.loads(asyncio.run(go())["output"]) == {"sent": True}


def test_an_execution_is_stopped_in_the_turn_in_which_it_is_started(tmp_path: Path) -> None:
    async def go() -> str:
        clock = asl_world.JumpingClock()
        services = asl_world.Services(clock)
        async with asl_world.stepfunctions(tmp_path, services, clock) as client:
            wait = {"Type": "Wait", "Seconds": 3600, "End": True}
            definition = json.dumps({"StartAt": "W", "States": {"W": wait}})
            made = await client.create_state_machine(name="m", definition=definition, roleArn=ROLE)
            arn = made["stateMachineArn"].replace(":stateMachine:", ":execution:") + ":e"
            begun = client.start_execution(stateMachineArn=made["stateMachineArn"], name="e")
            async with asyncio.timeout(10):
                await asyncio.gather(begun, client.stop_execution(executionArn=arn))
            found: dict[str, Any] = await client.describe_execution(executionArn=arn)
            return str(found["status"])

    assert asyncio.run(go()) == "ABORTED"
