"""kill -9 while hundreds of executions run: all end as they should, nothing is lost or doubled."""

import io
import json
import random
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from scones.local.asl.tasks import token_for

EXECUTIONS = 500
KILLS = 4
_ROLE = "arn:aws:iam::000000000000:role/r"

FUNCTION = """
import os
import random
import time


def handler(event, context):
    time.sleep(random.random() * 0.02)
    if random.random() < 0.2:
        raise ConnectionError("not now")
    return event["n"] * 2
"""

RETRY = [{"ErrorEquals": ["ConnectionError"], "IntervalSeconds": 1, "MaxAttempts": 20,
          "BackoffRate": 1.0, "JitterStrategy": "FULL"}]  # fmt: skip


_ONCE = (
    "ExecutionStarted",
    "ParallelStateStarted",
    "MapStateStarted",
    "LambdaFunctionSucceeded",
    "ParallelStateSucceeded",
    "ExecutionSucceeded",
)


def _machine(function: str) -> dict[str, Any]:
    double = {
        "Type": "Task",
        "Resource": function,
        "Retry": [*RETRY, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 5}],
        "End": True,
    }
    return {
        "StartAt": "Both",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {
                        "StartAt": "Each",
                        "States": {
                            "Each": {
                                "Type": "Map",
                                "ItemsPath": "$.items",
                                "ItemSelector": {"n.$": "$$.Map.Item.Value"},
                                "ItemProcessor": {
                                    "StartAt": "Pause",
                                    "States": {
                                        "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Same"},
                                        "Same": {"Type": "Pass", "End": True},
                                    },
                                },
                                "End": True,
                            }
                        },
                    },
                    {"StartAt": "Double", "States": {"Double": double}},
                ],
                "Next": "Rest",
            },
            "Rest": {"Type": "Wait", "Seconds": 2, "Next": "Done"},
            "Done": {"Type": "Succeed"},
        },
    }


@pytest.mark.slow
def test_no_execution_is_lost_or_doubled_by_kill_9(start_cloud: Any) -> None:
    cloud = start_cloud()
    arn = _prepare(cloud)
    acknowledged: dict[int, str] = {}
    current = {"cloud": cloud}
    stop = threading.Event()
    starters = [
        threading.Thread(target=_start_some, args=(current, arn, first, acknowledged, stop))
        for first in range(4)
    ]
    for each in starters:
        each.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(1.0, 2.5))
        cloud.kill()
        cloud = current["cloud"] = start_cloud(home=cloud.home)
    for each in starters:
        each.join(120)
    stop.set()
    assert len(acknowledged) == EXECUTIONS
    client = cloud.client("stepfunctions")
    _await_all(client, arn)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: _check(client, *pair), acknowledged.items()))


def _prepare(cloud: Any) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("double.py", FUNCTION)
    function = cloud.client("lambda").create_function(
        FunctionName="double",
        Runtime="python3.12",
        Role=_ROLE,
        Handler="double.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
    )["FunctionArn"]
    cloud.client("lambda").get_waiter("function_active_v2").wait(FunctionName="double")
    definition = json.dumps(_machine(function))
    made = cloud.client("stepfunctions").create_state_machine(
        name="both", definition=definition, roleArn=_ROLE
    )
    machine: str = made["stateMachineArn"]
    return machine


def _start_some(
    current: dict[str, Any], arn: str, first: int, acknowledged: dict[int, str], stop: Any
) -> None:
    """Start every fourth execution, again under its name if the cloud died in between."""
    for number in range(first, EXECUTIONS, 4):
        while not stop.is_set():
            try:
                client = current["cloud"].client("stepfunctions")
                begun = client.start_execution(
                    stateMachineArn=arn,
                    name=f"n{number}",
                    input=json.dumps({"items": [number, number + 1], "n": number}),
                )
                acknowledged[number] = begun["executionArn"]
                break
            except ClientError as error:
                if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                    raise
                prefix = arn.replace(":stateMachine:", ":execution:")
                acknowledged[number] = f"{prefix}:n{number}"
                break
            except (BotoCoreError, OSError):
                time.sleep(0.05)


def _await_all(client: Any, arn: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if not client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            return
        time.sleep(0.5)
    raise AssertionError("executions are running after two minutes")


def _check(client: Any, number: int, arn: str) -> None:
    described = client.describe_execution(executionArn=arn)
    assert described["status"] == "SUCCEEDED", described
    expected = [[{"n": number}, {"n": number + 1}], number * 2]
    assert json.loads(described["output"]) == expected
    events = client.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    for kind in _ONCE:
        assert kinds.count(kind) == 1, (arn, kind, kinds)
    assert kinds.count("MapIterationSucceeded") == kinds.count("MapIterationStarted") == 2


@pytest.mark.slow
def test_a_distributed_map_runs_only_its_missing_items(start_cloud: Any) -> None:
    cloud = start_cloud()
    states = {"W": {"Type": "Wait", "Seconds": 1, "Next": "P"}, "P": {"Type": "Pass", "End": True}}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    fan = {
        "Type": "Map",
        "MaxConcurrency": 20,
        "ItemProcessor": {"ProcessorConfig": config, "StartAt": "W", "States": states},
        "End": True,
    }
    client = cloud.client("stepfunctions")
    machine = client.create_state_machine(
        name="fan", definition=json.dumps({"StartAt": "M", "States": {"M": fan}}), roleArn=_ROLE
    )["stateMachineArn"]
    begun = client.start_execution(stateMachineArn=machine, input=json.dumps(list(range(60))))
    time.sleep(1.6)
    cloud.kill()
    client = start_cloud(home=cloud.home).client("stepfunctions")
    _await_all(client, machine)
    described = client.describe_execution(executionArn=begun["executionArn"])
    assert described["status"] == "SUCCEEDED", described
    assert json.loads(described["output"]) == list(range(60))
    (run,) = client.list_map_runs(executionArn=begun["executionArn"])["mapRuns"]
    children = client.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    assert len(children) == 60
    assert client.describe_map_run(mapRunArn=run["mapRunArn"])["itemCounts"]["succeeded"] == 60
    for child in children:
        events = client.get_execution_history(executionArn=child["executionArn"])["events"]
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        assert len(events) == 6


@pytest.mark.slow
def test_a_task_token_is_still_good_after_kill_9(start_cloud: Any) -> None:
    cloud = start_cloud()
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:listStateMachines.waitForTaskToken",
        "Parameters": {"MaxResults": 1},
        "Assign": {"token.$": "$$.Task.Token"},
        "End": True,
    }
    shown = {"Type": "Pass", "Parameters": {"t.$": "$$.Execution.Id"}, "Next": "T"}
    client = cloud.client("stepfunctions")
    machine = client.create_state_machine(
        name="waits",
        definition=json.dumps({"StartAt": "P", "States": {"P": shown, "T": waiting}}),
        roleArn=_ROLE,
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine)["executionArn"]
    _await_event(client, execution, "TaskSubmitted")
    cloud.kill()
    client = start_cloud(home=cloud.home).client("stepfunctions")
    token = token_for(execution, "", _entered(client, execution), 0)
    client.send_task_success(taskToken=token, output='"back"')
    _await_all(client, machine)
    described = client.describe_execution(executionArn=execution)
    assert (described["status"], described["output"]) == ("SUCCEEDED", '"back"')
    events = client.get_execution_history(executionArn=execution)["events"]
    assert [event["type"] for event in events].count("TaskScheduled") == 1


def _await_event(client: Any, execution: str, kind: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        events = client.get_execution_history(executionArn=execution)["events"]
        if kind in [event["type"] for event in events]:
            return
        time.sleep(0.05)
    raise AssertionError(f"no {kind} in 20 s")


def _entered(client: Any, execution: str) -> int:
    events = client.get_execution_history(executionArn=execution)["events"]
    found: int = next(event["id"] for event in events if event["type"] == "TaskStateEntered")
    return found
