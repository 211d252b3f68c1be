"""Whatever is given, the answer is AWS's own error or an execution that ends: never our failure."""

import asyncio
import copy
import importlib.util
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from scones.local.asl import jackson
from scones.local.errors import ServiceError

_HERE = Path(__file__).parent
_ROLE = "arn:aws:iam::000000000000:role/r"


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


asl_world = _module("asl_world_anything", _HERE / "asl_world.py")

_SCALARS = (
    some.none()
    | some.booleans()
    | some.integers(-(10**12), 10**12)
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=12)
    | some.sampled_from(
        ["$", "$$", "$.a", "$.a[*]", "$.a[?(@.b)]", "$x", "States.UUID()", "States.Format('{}', $)",
         "{% $states.input %}", "{% 1 + 'a' %}", "{% $x %}", "{%%}", "2026-01-01T00:00:00Z",
         "Pass", "Task", "Map", "State", "JSONata", "JSONPath",
         "arn:aws:states:::lambda:invoke", "arn:aws:states:::aws-sdk:s3:getObject"]
    )
)  # fmt: skip
_KEYS = some.text(max_size=6) | some.sampled_from(
    ["a", "a.$", "Type", "Next", "End", "Result", "Parameters", "Assign", "Output", "Seconds",
     "ErrorEquals", "Variable", "StringEquals", "And", "Not", "StartAt", "States"]
)  # fmt: skip
JSON = some.recursive(
    _SCALARS,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


def _definitions() -> list[dict[str, Any]]:
    found = []
    for name in ("states.json", "tasks.json"):
        for group in json.loads((_HERE / "cases" / name).read_text(encoding="utf-8")):
            for case in group["cases"]:
                if "state" in case or "states" in case:
                    states = case.get("states") or {"State": case["state"]}
                    found.append({"StartAt": "State", "States": states})
    return found


VALID = _definitions()


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key, each in value.items():
            found += _places(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            found += _places(each, (*path, index))
    return found


@some.composite
def _mutated(draw: some.DrawFn) -> Any:
    """A valid definition in which one place holds something else, or nothing."""
    definition = copy.deepcopy(draw(some.sampled_from(VALID)))
    places = [path for path in _places(definition) if path]
    path = draw(some.sampled_from(places))
    parent = definition
    for key in path[:-1]:
        parent = parent[key]
    if draw(some.booleans()) and isinstance(parent, dict):
        del parent[path[-1]]
    else:
        parent[path[-1]] = draw(JSON)
    return definition


async def _try(home: Path, definition: str, value: str) -> None:
    clock = asl_world.JumpingClock()
    services = asl_world.Services(clock)
    services.functions = {"echo": {"kind": "echo"}}
    async with asl_world.stepfunctions(home, services, clock) as client:
        try:
            made = await client.create_state_machine(
                name="any", definition=definition, roleArn=_ROLE
            )
            begun = await client.start_execution(
                stateMachineArn=made["stateMachineArn"], input=value
            )
            async with asyncio.timeout(20):
                while True:
                    described = await client.describe_execution(executionArn=begun["executionArn"])
                    if described["status"] != "RUNNING":
                        break
                    await asyncio.sleep(0.001)
            await client.get_execution_history(executionArn=begun["executionArn"])
            assert described.get("cause") != "Internal error"
        except ServiceError as error:
            assert error.status < 500


@pytest.fixture
def homes(tmp_path: Path) -> Any:
    """A fresh folder at each call."""
    numbers = iter(range(10**6))
    return lambda: tmp_path / str(next(numbers))


_SETTINGS = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@_SETTINGS
@given(definition=JSON | some.text())
def test_any_definition_is_taken_or_refused(homes: Any, definition: Any) -> None:
    text = definition if isinstance(definition, str) else json.dumps(definition)
    asyncio.run(_try(homes(), text, "{}"))


@pytest.mark.slow
@_SETTINGS
@given(definition=_mutated(), value=JSON)
def test_a_definition_with_one_wrong_place_is_refused_or_runs_to_an_end(
    homes: Any, caplog: pytest.LogCaptureFixture, definition: Any, value: Any
) -> None:
    asyncio.run(_try(homes(), json.dumps(definition), json.dumps(value)))
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.slow
@_SETTINGS
@given(value=JSON.map(json.dumps) | some.text())
def test_any_input_is_taken_or_refused(homes: Any, value: str) -> None:
    definition = {
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "M"}],
                "Default": "P",
            },
            "M": {
                "Type": "Map",
                "ItemsPath": "$.a",
                "ItemProcessor": {
                    "StartAt": "I",
                    "States": {"I": {"Type": "Pass", "ResultPath": "$.i", "End": True}},
                },
                "Next": "P",
            },
            "P": {"Type": "Pass", "Parameters": {"t.$": "States.JsonToString($)"}, "End": True},
        },
    }
    asyncio.run(_try(homes(), json.dumps(definition), value))


@pytest.mark.slow
@_SETTINGS
@given(state=JSON | some.sampled_from(VALID).map(lambda each: each["States"]["State"]), value=JSON)
def test_any_state_can_be_tried(homes: Any, state: Any, value: Any) -> None:
    async def check() -> None:
        clock = asl_world.JumpingClock()
        async with asl_world.stepfunctions(homes(), asl_world.Services(clock), clock) as client:
            try:
                await client.test_state(
                    definition=json.dumps(state), input=json.dumps(value), inspectionLevel="TRACE"
                )
            except ServiceError as error:
                assert error.status < 500

    asyncio.run(check())


@pytest.mark.parametrize("depth", [250, 299, 300, 301, 2000, 100_000])
def test_deep_documents_are_carried_or_refused(homes: Any, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    definition = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
    asyncio.run(_try(homes(), definition, deep))
    template = definition.replace('"End"', f'"Parameters": {deep}, "End"')
    asyncio.run(_try(homes(), template, "{}"))
    asyncio.run(_try(homes(), definition.replace('"End"', f'"Result": {deep}, "End"'), "{}"))


HALF_A_PAIR = r'"\ud800"'
"""JSON that is valid, of text that is not."""


_TO_JSON = {"Type": "Pass", "Parameters": {"a.$": "States.StringToJson($)"}}
_ENCODED = {"Type": "Pass", "Parameters": {"a.$": "States.Base64Encode($)"}}
_OUTPUT = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input %}"}
_PARSED = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $parse($states.input) %}"}


@pytest.mark.parametrize(
    ("state", "value"),
    [
        ({"Type": "Pass"}, HALF_A_PAIR),
        (_TO_JSON, json.dumps(HALF_A_PAIR)),
        (_ENCODED, HALF_A_PAIR),
        (_OUTPUT, HALF_A_PAIR),
        (_PARSED, json.dumps(HALF_A_PAIR)),
    ],
)
def test_half_a_surrogate_pair_costs_nobody_a_commit(homes: Any, state: Any, value: str) -> None:
    definition = {"StartAt": "S", "States": {"S": {**state, "End": True}}}
    asyncio.run(asyncio.wait_for(_try(homes(), json.dumps(definition), value), 20))


def test_half_a_surrogate_pair_in_an_error_is_kept_and_told(homes: Any) -> None:
    definition = {
        "StartAt": "S",
        "States": {"S": {"Type": "Fail", "Error": "\ud800", "Cause": "c"}},
    }
    asyncio.run(asyncio.wait_for(_try(homes(), json.dumps(definition), "{}"), 20))


def test_a_number_of_thousands_of_digits_is_refused(homes: Any) -> None:
    definition = {"StartAt": "S", "States": {"S": {"Type": "Pass", "End": True}}}
    asyncio.run(_try(homes(), json.dumps(definition), "1" * 5000))


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("", "No content to map due to end-of-input", 1, 0),
        ("not a definition", "Unrecognized token 'not': was expecting (JSON String", 1, 4),
        ("{'a': 1}", "Unexpected character (''' (code 39)): was expecting double-quote", 1, 3),
        ("{a: 1}", "Unexpected character ('a' (code 97)): was expecting double-quote", 1, 3),
        ('{"a" 1}', "Unexpected character ('1' (code 49)): was expecting a colon", 1, 7),
        ('{"a": }', "Unexpected character ('}' (code 125)): expected a valid value", 1, 8),
        ("[NaN]", "Unrecognized token 'NaN'", 1, 5),
    ],
)
def test_a_text_that_is_no_json_is_told_in_jacksons_words(
    text: str, message: str, line: int, column: int
) -> None:
    told = jackson.explain(text)
    assert told.message.startswith(message)
    assert (told.line, told.column) == (line, column)
