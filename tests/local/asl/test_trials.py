"""TestState at its edges: what is refused, and what a mock stands for."""

import asyncio
import importlib.util
import json
import sys
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


asl_world = _module("asl_world_trials", Path(__file__).parent / "asl_world.py")

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
CALLBACK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "f", "Payload.$": "$$.Task.Token"},
    "End": True,
}


def _try(home: Path, state: dict[str, Any], **given: Any) -> dict[str, Any]:
    async def go() -> dict[str, Any]:
        clock = asl_world.JumpingClock()
        services = asl_world.Services(clock)
        async with asl_world.stepfunctions(home, services, clock) as client:
            trial = client.test_state(definition=json.dumps(state), **given)
            answer: dict[str, Any] = await asyncio.wait_for(trial, 10)
            return answer

    return asyncio.run(go())


def test_a_mock_is_what_comes_back_with_a_task_token(tmp_path: Path) -> None:
    answer = _try(tmp_path, CALLBACK, mock={"result": "{}"})
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", "{}")
    failed = _try(tmp_path, CALLBACK, mock={"errorOutput": {"error": "E", "cause": "c"}})
    assert (failed["status"], failed["error"]) == ("FAILED", "E")


@pytest.mark.parametrize(
    "resource",
    [
        CALLBACK["Resource"],
        "arn:aws:states:::states:startExecution.sync:2",
        "arn:aws:states:us-east-1:000000000000:activity:a",
    ],
)
def test_what_would_wait_for_others_needs_a_mock(tmp_path: Path, resource: str) -> None:
    with pytest.raises(ServiceError, match="mock must be specified"):
        _try(tmp_path, {**CALLBACK, "Resource": resource})


def test_the_delay_of_a_late_retry_is_the_longest_there_is(tmp_path: Path) -> None:
    retrier = {"ErrorEquals": ["States.ALL"], "MaxAttempts": 9999, "MaxDelaySeconds": 60}
    state = {"Type": "Task", "Resource": FUNCTION, "End": True, "Retry": [retrier]}
    answer = _try(
        tmp_path,
        state,
        inspectionLevel="DEBUG",
        mock={"errorOutput": {"error": "E", "cause": "c"}},
        stateConfiguration={"retrierRetryCount": 5000},
    )
    assert answer["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"] == 60


def test_variables_are_an_object(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="variables"):
        _try(tmp_path, {"Type": "Pass", "End": True}, variables="[1]")
