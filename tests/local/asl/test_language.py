"""The language, case by case: the tables in `cases/`, each of which says who says so."""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scones.local.asl import intrinsics, jsonata, paths
from scones.local.asl.choice import compile_rule
from scones.local.asl.errors import EvaluationError, PathError, StatesError
from scones.local.errors import ServiceError

_HERE = Path(__file__).parent


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


asl_world = _module("asl_world_language", _HERE / "asl_world.py")


def _table(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((_HERE / "cases" / name).read_text(encoding="utf-8"))
    assert all(group["says"] in ("aws", "docs", "model", "ours") for group in found)
    return found


def _scene(document: Any) -> paths.Scene:
    context = {"Execution": {"Input": document}, "State": {"Name": "Choose"}}
    return paths.Scene(document, lambda: context, {})


@pytest.mark.parametrize("group", _table("intrinsics.json"), ids=lambda group: group["says"])
def test_intrinsic_functions(group: dict[str, Any]) -> None:
    for call, document, result in group.get("intrinsics", ()):
        assert intrinsics.compile_call(call).evaluate(_scene(document)) == result, call
    for call, document, error in group.get("intrinsic_errors", ()):
        with pytest.raises((StatesError, PathError)) as raised:
            intrinsics.compile_call(call).evaluate(_scene(document))
        if isinstance(raised.value, StatesError):
            assert raised.value.error == error, call


def test_intrinsic_functions_that_differ_each_time() -> None:
    first, second = (
        intrinsics.compile_call("States.UUID()").evaluate(_scene({})) for _ in range(2)
    )
    assert first != second and len(first) == 36
    seeded = intrinsics.compile_call("States.MathRandom(0, 1000000, 7)")
    assert seeded.evaluate(_scene({})) == seeded.evaluate(_scene({}))


@pytest.mark.parametrize(
    "text",
    ["States.Nothing()", "States.Array(", "States.Array(1", "States.Array(1 2)", "States.Array('a)",
     "States.Array(1) x", "$.a", "States.Array(,)", "States.UUID"],
)  # fmt: skip
def test_what_is_no_intrinsic_call_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        intrinsics.compile_call(text)


@pytest.mark.parametrize("group", _table("paths.json"), ids=lambda group: group["says"])
def test_paths(group: dict[str, Any]) -> None:
    document = group.get("document")
    for text, expected, *whole in group.get("paths", ()):
        found = paths.compile_path(text).read(_scene(document))
        assert found == (document if whole else expected), text
    for text in group.get("nowhere", ()):
        with pytest.raises(PathError):
            paths.compile_path(text).read(_scene(document))
    for text in group.get("malformed", ()):
        with pytest.raises(ValueError):
            paths.compile_path(text)


@pytest.mark.parametrize("group", _table("choice.json"), ids=lambda group: group["says"])
def test_choice_rules(group: dict[str, Any]) -> None:
    for rule, cases in group["rules"]:
        test = compile_rule(rule)
        for value, expected in cases:
            scene = _scene({"v": value, **group["beside"]})
            assert test(scene) is expected, (rule, value)


@pytest.mark.parametrize("group", _table("jsonata.json"), ids=lambda group: group["says"])
def test_expressions(group: dict[str, Any]) -> None:
    states = {"input": group["input"], "context": {"State": {"Name": "State"}}}
    bindings = {**group["variables"], "states": states}
    for text, expected in group["expressions"]:
        assert jsonata.evaluate(text, bindings, "Output") == expected, text
    for text, told in group["expression_errors"]:
        with pytest.raises(EvaluationError) as raised:
            jsonata.evaluate(text, bindings, "Output")
        assert told in (raised.value.cause or ""), text


def _machine_cases() -> list[Any]:
    return [
        pytest.param(group, case, id=f"{name}-{number}-{index}")
        for name in ("states.json", "tasks.json")
        for number, group in enumerate(_table(name))
        for index, case in enumerate(group["cases"])
    ]


@pytest.mark.parametrize(("group", "case"), _machine_cases())
def test_machines(group: dict[str, Any], case: dict[str, Any], tmp_path: Path) -> None:
    described, services, waited = asyncio.run(_run(group, case, tmp_path))
    if "output" in case:
        assert described["status"] == "SUCCEEDED", described
        assert json.loads(described["output"]) == case["output"]
    else:
        assert described["status"] == case.get("status", "FAILED"), described
        assert described.get("error") == case.get("error")
    assert case.get("cause", "") in described.get("cause", "")
    if "whole_cause" in case:
        assert described["cause"] == case["whole_cause"]
    if "waited" in case:
        assert waited == pytest.approx(case["waited"], abs=1)
    if "attempts" in case:
        assert len(services.calls) == case["attempts"]


async def _run(group: dict[str, Any], case: dict[str, Any], home: Path) -> Any:
    clock = asl_world.JumpingClock()
    services = asl_world.Services(clock)
    services.functions = group.get("functions", {})
    services.objects = {
        bucket: {key: text.encode() for key, text in objects.items()}
        for bucket, objects in group.get("objects", {}).items()
    }

    async def put(arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments["Bucket"] == "refuses":
            raise ServiceError("AccessDenied", "Access Denied", 403)
        return {}

    services.more["s3", "put_object"] = put
    async with asl_world.stepfunctions(home, services, clock) as client:
        made = await client.create_state_machine(
            name="case", definition=_definition(case), roleArn="arn:aws:iam::000000000000:role/r"
        )
        began = clock.now()
        execution = (
            await client.start_execution(
                stateMachineArn=made["stateMachineArn"], input=json.dumps(case["input"])
            )
        )["executionArn"]
        while (described := await client.describe_execution(executionArn=execution))[
            "status"
        ] == "RUNNING":
            await asyncio.sleep(0.001)
        return described, services, clock.now() - began


def _definition(case: dict[str, Any]) -> str:
    if "definition" in case:
        return json.dumps(case["definition"])
    states = case.get("states") or {"State": case.get("state") or _distributed(case)}
    text = json.dumps({"StartAt": "State", "States": states})
    for name in ("echo", "bad", "slow", "big", "gone"):
        arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
        text = text.replace(f"{{{name}}}", arn)
    return text


def _distributed(case: dict[str, Any]) -> dict[str, Any]:
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    rules = [{"Variable": "$", "NumericEquals": case.get("fails_on", -1), "Next": "Bad"}]
    states: dict[str, Any] = {"Item": {"Type": "Pass", "End": True}}
    if "fails_on" in case:
        states = {
            "Item": {"Type": "Choice", "Choices": rules, "Default": "Good"},
            "Good": {"Type": "Succeed"},
            "Bad": {"Type": "Fail", "Error": "Item"},
        }
    processor = {"ProcessorConfig": config, "StartAt": "Item", "States": states}
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **case["map"]}
