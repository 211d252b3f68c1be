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
