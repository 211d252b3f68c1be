"""Expressions that take long, and who waits for them: nobody but their own execution."""

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from jsonata.jexception import JException

from scones.local.asl import jsonata, patience
from scones.local.asl.bounds import Bounds
from scones.local.asl.errors import EvaluationError
from scones.local.asl.expression import Full

_HERE = Path(__file__).parent
_BACKTRACKING = "$match('" + "a" * 60 + "b', /(a|aa)+$/)"
_ENDLESS = "($f := function($x) { $f($x + 1) }; $f(1))"
_LONG = "$count($map([1..40000], function($x) { $x * 2 }))"


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


asl_world = _module("asl_world_patience", _HERE / "asl_world.py")


@pytest.mark.parametrize(
    "text",
    [
        _ENDLESS,
        _BACKTRACKING,
        _BACKTRACKING.replace("$match", "$contains"),
        _BACKTRACKING.replace("$match", "$split"),
        _BACKTRACKING.replace("/)", "/, 'x')").replace("$match", "$replace"),
        _BACKTRACKING.replace("/)", "/, 'x', 3)").replace("$match", "$replace"),
    ],
    ids=["endless", "match", "contains", "split", "replace", "replace at most"],
)
def test_what_does_not_end_is_stopped_in_time(text: str) -> None:
    bounds = Bounds(monotonic() + 0.1)
    began = monotonic()
    with pytest.raises(JException) as raised:
        Full(text)({}, bounds)
    assert raised.value.error == "D1012"
    assert bounds.spent
    assert monotonic() - began < 2


async def _longest_gap(work: "asyncio.Future[Any]") -> float:
    """Seconds that the loop was held at most until `work` was done."""
    longest, last = 0.0, monotonic()
    while not work.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, monotonic() - last), monotonic()
    return longest


@pytest.mark.parametrize("text", [_ENDLESS, _BACKTRACKING, _LONG], ids=["endless", "match", "long"])
@pytest.mark.slow
def test_a_long_expression_holds_up_nobody_else(text: str, tmp_path: Path) -> None:
    async def run() -> tuple[float, dict[str, Any]]:
        clock = asl_world.JumpingClock()
        service = asl_world.stepfunctions(tmp_path, asl_world.Services(clock), clock)
        async with service as client:
            made = await client.create_state_machine(
                name="m", definition=_machine(text), roleArn="arn:aws:iam::000000000000:role/r"
            )
            started = await client.start_execution(stateMachineArn=made["stateMachineArn"])
            arn = started["executionArn"]

            async def ended() -> dict[str, Any]:
                while True:
                    found: dict[str, Any] = await client.describe_execution(executionArn=arn)
                    if found["status"] != "RUNNING":
                        return found
                    await asyncio.sleep(0.01)

            waiting = asyncio.ensure_future(ended())
            return await _longest_gap(waiting), await waiting

    gap, described = asyncio.run(run())
    assert gap < 0.5
    if text == _LONG:
        assert json.loads(described["output"])["found"] == 40000
    else:
        assert described["error"] == "States.QueryEvaluationError"
        assert "D1012" in described["cause"]


def _machine(text: str) -> str:
    output = {"found": f"{{% {text} %}}"}
    state = {"Type": "Pass", "Output": output, "End": True}
    states = {"QueryLanguage": "JSONata", "StartAt": "State", "States": {"State": state}}
    return json.dumps(states)


def test_what_was_answered_before_a_long_expression_stays_what_it_was() -> None:
    asked: list[int] = []

    def work() -> list[Any]:
        asked.append(1)
        texts = ("$uuid()", _LONG, "$uuid()", _LONG)
        return [jsonata.evaluate(text, {}, "Output") for text in texts]

    first, long, second, again = asyncio.run(patience.patiently(work))
    assert first != second
    assert long == again == 40000
    assert len(asked) == 3


def test_a_failure_beside_the_loop_is_the_failure_of_the_expression() -> None:
    text = f"{_LONG} > 1 ? $error('told') : 0"
    with pytest.raises(EvaluationError) as raised:
        asyncio.run(patience.patiently(lambda: jsonata.evaluate(text, {}, "Output")))
    assert "told" in (raised.value.cause or "")
