"""Service integrations: what a Task's Resource does, through the other services of this cloud.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from scones.local.asl.errors import (
    ITEM_READER_FAILED,
    RESULT_WRITER_FAILED,
    RUNTIME,
    TASK_FAILED,
    StatesError,
)
from scones.local.asl.ports import Call, Clock
from scones.local.asl.text import dump, load, whole
from scones.local.errors import ServiceError
from scones.local.executions import sdk

GatewayCall = Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]

POLL_S = 0.5
"""Between looks at a job; ours. AWS listens to events and looks rarely."""

_SAGEMAKER = ("createTrainingJob", "createModel", "createEndpointConfig", "createEndpoint")
_SAGEMAKER_ALL = (*_SAGEMAKER, "updateEndpoint", "createTransformJob", "createProcessingJob")
_ENDED_JOBS = ("Completed", "Failed", "Stopped")


class Integrations:
    """The interpreter's runner and storage."""

    def __init__(self, call: GatewayCall, clock: Clock) -> None:
        self._call = call
        self._clock = clock

    async def run(self, call: Call) -> Any:
        """The result of a task, or what its service answered when a job began."""
        if call.service == "function":
            payload = call.arguments
            response = await self._invoke({"FunctionName": call.action, "Payload": dump(payload)})
            return response["Payload"]
        if call.service == "lambda":
            return await self._lambda(call.arguments)
        if call.service == "states" and call.action == "startExecution":
            return await self._start_execution(call)
        if call.service.startswith("aws-sdk:"):
            return await self._sdk(call.service.removeprefix("aws-sdk:"), call)
        if call.service == "sagemaker" and call.action in _SAGEMAKER_ALL:
            return await self._sdk("sagemaker", call, "SageMaker.AmazonSageMakerException")
        return await self._sdk(call.service, call)

    async def finish(self, call: Call, begun: Any) -> Any:
        """Wait for the job that a `.sync` task began; its description is the result."""
        if call.service == "states":
            return await self._ended_execution(call, begun["ExecutionArn"])
        if call.service == "sagemaker" and call.action == "createTrainingJob":
            return await self._ended_job(call)
        raise StatesError(
            TASK_FAILED, f"{call.resource} is not carried by the local cloud", from_task=True
        )

    async def stop(self, call: Call, begun: Any) -> None:
        """End a job that nobody waits for any more."""
        if call.service == "states":
            arn = begun["ExecutionArn"]
            await self._quietly("stepfunctions", "stop_execution", {"executionArn": arn})
        elif call.action == "createTrainingJob":
            name = call.arguments["TrainingJobName"]
            await self._quietly("sagemaker", "stop_training_job", {"TrainingJobName": name})

    # Lambda

    async def _lambda(self, arguments: Any) -> dict[str, Any]:
        """As the optimized integration: a string Payload is sent as it is, the answer is read."""
        _check("lambda", "invoke", arguments, "Payload")
        given = {key: value for key, value in arguments.items() if value is not None}
        payload = given.get("Payload")
        if payload is not None and not isinstance(payload, str):
            given["Payload"] = dump(payload)
        return await self._invoke(given)

    async def _invoke(self, given: dict[str, Any]) -> dict[str, Any]:
        request = {**given}
        if "Payload" in request:
            request["Payload"] = whole(request["Payload"]).encode()
        try:
            response = await self._call("lambda", "invoke", request)
        except ServiceError as error:
            raise lambda_error(error, "Qualifier" in given) from error
        body = sdk.read_stream(response.get("Payload", b"")).decode("utf-8", "replace")
        if response.get("FunctionError"):
            raise function_error(body)
        return {
            "ExecutedVersion": response.get("ExecutedVersion", "$LATEST"),
            "Payload": _value(body),
            **metadata(),
            "StatusCode": response.get("StatusCode", 200),
        }

    # Step Functions

    async def _start_execution(self, call: Call) -> dict[str, Any]:
        _check("stepfunctions", "start_execution", call.arguments, "Input")
        given = sdk.request("stepfunctions", "start_execution", call.arguments)
        if "input" in given and not isinstance(given["input"], str):
            given["input"] = dump(given["input"])
        try:
            begun = await self._call("stepfunctions", "start_execution", given)
        except ServiceError as error:
            name = f"StepFunctions.{sdk.exception_name(error.code)}"
            raise _service_error(name, "AWSStepFunctions", error) from error
        answer = sdk.response("stepfunctions", "start_execution", begun)
        return {**answer, **metadata()}

    async def _ended_execution(self, call: Call, arn: str) -> dict[str, Any]:
        wait_s = 0.02
        while True:
            found = await self._call("stepfunctions", "describe_execution", {"executionArn": arn})
            if found["status"] != "RUNNING":
                break
            await self._clock.sleep_until(self._clock.now() + wait_s)
            wait_s = min(wait_s * 1.5, POLL_S)
        answer = sdk.response("stepfunctions", "describe_execution", found)
        if found["status"] != "SUCCEEDED":
            raise StatesError(TASK_FAILED, dump(answer), from_task=True)
        if call.pattern == "sync:2":
            answer["Output"] = _value(answer.get("Output", "null"))
            answer["Input"] = _value(answer.get("Input", "null"))
        return answer

    # SageMaker and all others

    async def _ended_job(self, call: Call) -> dict[str, Any]:
        name = {"TrainingJobName": call.arguments["TrainingJobName"]}
        while True:
            found = await self._call("sagemaker", "describe_training_job", name)
            if found["TrainingJobStatus"] in _ENDED_JOBS:
                break
            await self._clock.sleep_until(self._clock.now() + POLL_S)
        answer = sdk.response("sagemaker", "describe_training_job", found)
        if found["TrainingJobStatus"] != "Completed":
            raise StatesError(TASK_FAILED, dump(answer), from_task=True)
        return answer

    async def _sdk(self, service: str, call: Call, error_name: str | None = None) -> Any:
        name, method = sdk.names(service, call.action)
        if name is None or method is None:
            cause = f"The local cloud does not carry {call.service}:{call.action}."
            raise StatesError(TASK_FAILED, cause, from_task=True)
        _check(name, method, call.arguments)
        request = sdk.request(name, method, call.arguments)
        try:
            found = await self._call(name, method, request)
        except ServiceError as error:
            title = sdk.title(service)
            named = error_name or f"{title}.{sdk.exception_name(error.code)}"
            raise _service_error(named, title, error) from error
        answer = sdk.response(name, method, found)
        return {**answer, **metadata()} if not call.service.startswith("aws-sdk:") else answer

    async def _quietly(self, service: str, operation: str, arguments: dict[str, Any]) -> None:
        try:
            await self._call(service, operation, arguments)
        except ServiceError:
            return  # it has ended by itself

    # Storage of Distributed Maps

    async def read(self, arguments: Mapping[str, Any]) -> bytes:
        """One object of S3."""
        _check("s3", "get_object", arguments)
        try:
            found = await self._call("s3", "get_object", dict(arguments))
        except ServiceError as error:
            raise _s3_error(ITEM_READER_FAILED, error) from error
        body = found["Body"]
        return await asyncio.to_thread(sdk.read_stream, body)

    async def listed(self, arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Objects of S3, as ListObjectsV2 describes them, page by page."""
        _check("s3", "list_objects_v2", arguments)
        request = dict(arguments)
        while True:
            try:
                page = await self._call("s3", "list_objects_v2", request)
            except ServiceError as error:
                raise _s3_error(ITEM_READER_FAILED, error) from error
            for each in page.get("Contents", []):
                modified = each["LastModified"].timestamp()
                yield {
                    "Etag": each["ETag"],
                    "Key": each["Key"],
                    "LastModified": modified,
                    "Size": each["Size"],
                    "StorageClass": each.get("StorageClass", "STANDARD"),
                }
            if not page.get("NextContinuationToken"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    async def write(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object into S3."""
        request = {"Bucket": bucket, "Key": key, "Body": body}
        try:
            await self._call("s3", "put_object", request)
        except ServiceError as error:
            raise _s3_error(RESULT_WRITER_FAILED, error) from error


def _check(service: str, method: str, arguments: Any, *free: str) -> None:
    """StatesError States.Runtime for arguments that no request can be made of."""
    given = arguments if isinstance(arguments, dict) else {}
    faults = sdk.faults(service, method, given, free)
    if faults or not isinstance(arguments, dict):
        told = ", ".join(faults)
        cause = f"The Parameters '{dump(arguments)}' could not be used to start the Task: [{told}]"
        raise StatesError(RUNTIME, cause, in_state=True)


def metadata() -> dict[str, Any]:
    """What optimized integrations add to an answer."""
    number = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": number, "Content-Type": "application/json"}
    return {
        "SdkHttpMetadata": {
            "AllHttpHeaders": {key: [value] for key, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": number},
    }


def function_error(body: str) -> StatesError:
    """The failure that a function's error answer stands for."""
    try:
        facts = json.loads(body)
        name = facts.get("errorType") or "Lambda.Unknown"
    except (ValueError, AttributeError):
        return StatesError("Lambda.Unknown", body, from_task=True)
    if name in ("Sandbox.Timedout", "Runtime.ExitError", "Function.ResponseSizeTooLarge"):
        return StatesError(name, body, from_task=True)
    return StatesError(name, body, from_task=True)


def lambda_error(error: ServiceError, qualified: bool) -> StatesError:
    """The failure that a refusal of Invoke stands for, in the words of AWS's Java SDK 1."""
    message = error.message
    if error.code == "ResourceNotFoundException" and not qualified and ":$LATEST" not in message:
        message += ":$LATEST"
    cause = (
        f"{message} (Service: AWSLambda; Status Code: {error.status}; Error Code: {error.code};"
        f" Request ID: {uuid.uuid4()}; Proxy: null)"
    )
    return StatesError(f"Lambda.{error.code}", cause, from_task=True)


def _service_error(name: str, title: str, error: ServiceError) -> StatesError:
    cause = (
        f"{error.message} (Service: {title}, Status Code: {error.status},"
        f" Request ID: {uuid.uuid4()})"
    )
    return StatesError(name, cause, from_task=True)


def _s3_error(name: str, error: ServiceError) -> StatesError:
    cause = (
        f"{error.message} (Service: Amazon S3; Status Code: {error.status}; Error Code:"
        f" {error.code}; Request ID: {uuid.uuid4()}; Proxy: null)"
    )
    return StatesError(name, cause)


def _value(text: str) -> Any:
    """JSON, or the text itself where it is none."""
    try:
        return load(text) if text else None
    except ValueError:
        return text
