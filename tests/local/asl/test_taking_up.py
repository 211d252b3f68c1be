"""An execution cut off after any commit is taken up again and ends as it would have."""

import asyncio
import importlib.util
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any

import pytest

from scones.local.asl.errors import StatesError
from scones.local.asl.history import Event, History
from scones.local.asl.interpreter import Interpreter, World
from scones.local.asl.machine import build
from scones.local.asl.ports import Call, Outcome


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


asl_world = _module("asl_world_taking_up", Path(__file__).parent / "asl_world.py")


class Flaky:
    """A runner: `echo` answers its arguments, `fail` always fails, `second` fails once a token."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._seen: Counter[str] = Counter()
        self.ran: Counter[str] = Counter()

    async def run(self, call: Call) -> Any:
        arguments = call.arguments
        key = json.dumps(arguments, sort_keys=True)
        self.ran[key] += 1
        await self._clock.sleep_until(self._clock.now() + arguments.get("seconds", 0.5))
        self._seen[key] += 1
        if call.action == "fail" or (call.action == "second" and self._seen[key] == 1):
            raise StatesError("Flaky", "not now", from_task=True)
        return arguments

    async def finish(self, call: Call, begun: Any) -> Any:
        await self._clock.sleep_until(self._clock.now() + 2)
        return {"finished": begun}

    async def stop(self, call: Call, begun: Any) -> None:
        return None


class NoTokens:
    """Nobody sends anything back."""

    def open(self, token: str) -> None:
        return None

    def expect(self, token: str) -> Awaitable[Any]:
        return asyncio.get_running_loop().create_future()

    def taken(self, token: str) -> None:
        return None

    def heartbeat(self, token: str) -> float:
        return 0.0


class Recorder:
    """Events in the groups in which they would be committed."""

    def __init__(self) -> None:
        self.commits: list[list[Event]] = []
        self._group: list[Event] | None = None

    def __call__(self, event: Event) -> None:
        if self._group is None:
            self._group = []
            asyncio.get_running_loop().call_soon(self._commit)
        self._group.append(event)

    def _commit(self) -> None:
        if self._group:
            self.commits.append(self._group)
        self._group = None


def _task(action: str, **fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:test:{action}", **fields}


RETRY = [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 3, "MaxAttempts": 2}]

MACHINES: dict[str, dict[str, Any]] = {
    "states in a row": {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Result": {"n": 1}, "Assign": {"kept": 7}, "Next": "B"},
            "B": {"Type": "Wait", "Seconds": 5, "Next": "C"},
            "C": _task("echo", Parameters={"v.$": "$kept"}, ResultPath="$.c", Next="D"),
            "D": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.c.v", "NumericEquals": 7, "Next": "E"}],
            },
            "E": {"Type": "Pass", "Parameters": {"all.$": "$", "kept.$": "$kept"}, "End": True},
        },
    },
    "a task that succeeds at the second attempt": {
        "StartAt": "A",
        "States": {"A": _task("second", Retry=RETRY, End=True)},
    },
    "a task that is caught after its attempts": {
        "StartAt": "A",
        "States": {
            "A": _task(
                "fail",
                Retry=RETRY,
                Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B", "ResultPath": "$.error"}],
                End=True,
            ),
            "B": {"Type": "Pass", "End": True},
        },
    },
    "a job that is waited for": {
        "StartAt": "A",
        "States": {
            "A": {
                "Type": "Task",
                "Resource": "arn:aws:states:::test:job.sync",
                "End": True,
            }
        },
    },
    "branches and iterations": {
        "StartAt": "P",
        "States": {
            "P": {
                "Type": "Parallel",
                "Branches": [
                    {
                        "StartAt": "M",
                        "States": {
                            "M": {
                                "Type": "Map",
                                "ItemsPath": "$.items",
                                "MaxConcurrency": 2,
                                "ItemProcessor": {
                                    "StartAt": "T",
                                    "States": {
                                        "T": _task(
                                            "echo",
                                            Parameters={"i.$": "$$.Map.Item.Index", "v.$": "$"},
                                            Next="W",
                                        ),
                                        "W": {"Type": "Wait", "Seconds": 1, "End": True},
                                    },
                                },
                                "End": True,
                            }
                        },
                    },
                    {
                        "StartAt": "S",
                        "States": {
                            "S": _task("second", Parameters={"in": "branch"}, Retry=RETRY, End=True)
                        },
                    },
                ],
                "Next": "Z",
            },
            "Z": {"Type": "Pass", "End": True},
        },
    },
    "a branch that fails": {
        "StartAt": "P",
        "States": {
            "P": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "F", "States": {"F": _task("fail", End=True)}},
                    {
                        "StartAt": "W",
                        "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}},
                    },
                ],
                "Catch": [{"ErrorEquals": ["Flaky"], "Next": "Z"}],
                "Next": "Z",
            },
            "Z": {"Type": "Pass", "End": True},
        },
    },
    "a map that is tried again": {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "ItemProcessor": {
                    "StartAt": "T",
                    "States": {"T": _task("second", Parameters={"v.$": "$"}, End=True)},
                },
                "Retry": [{"ErrorEquals": ["Flaky"], "MaxAttempts": 5}],
                "End": True,
            }
        },
    },
    "a failure": {
        "StartAt": "W",
        "States": {
            "W": {"Type": "Wait", "Seconds": 1, "Next": "F"},
            "F": {"Type": "Fail", "Error": "Told", "Cause": "so"},
        },
    },
}
INPUT = {"items": [5, 6, 7], "seconds": 1}


async def _run(
    definition: dict[str, Any], recorded: Iterable[Event], runner: Flaky, clock: Any
) -> tuple[Outcome, Recorder]:
    async def settled() -> None:
        await asyncio.sleep(0)

    recorder = Recorder()
    world = World(
        clock=clock,
        runner=runner,
        tokens=NoTokens(),
        storage=None,  # type: ignore[arg-type]
        open_map_run=None,  # type: ignore[arg-type]
        settled=settled,
    )
    context = {
        "Execution": {"Id": "arn:aws:states:us-east-1:000000000000:execution:m:e", "Input": INPUT},
        "StateMachine": {"Id": "m"},
    }
    history = History(recorder, clock.now, recorded)
    interpreter = Interpreter(build(definition), context, history, world)
    outcome = await interpreter.run(json.dumps(INPUT), {})
    await asyncio.sleep(0)
    return outcome, recorder


@pytest.mark.parametrize("name", MACHINES)
def test_an_execution_cut_off_after_any_commit_ends_the_same(name: str) -> None:
    async def check() -> None:
        clock = asl_world.JumpingClock()
        definition = MACHINES[name]
        whole, recorder = await _run(definition, [], Flaky(clock), clock)
        for cut in range(1, len(recorder.commits)):
            before = [event for group in recorder.commits[:cut] for event in group]
            runner = Flaky(clock)
            runner._seen.update(dict.fromkeys(_failed_before(before), 1))
            again, rest = await _run(definition, before, runner, clock)
            assert again == whole, f"after commit {cut}"
            _check_history([*before, *(event for group in rest.commits for event in group)])

    asyncio.run(check())


LONG = "$count($map([1..9000], function($x) { $x }))"
"""Takes longer than the loop can spare, so the history may end while it is evaluated."""

LONG_WINDED: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "StartAt": "P",
    "States": {
        "P": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "M",
                    "States": {
                        "M": {
                            "Type": "Map",
                            "Items": "{% $states.input.items %}",
                            "ItemProcessor": {
                                "StartAt": "I",
                                "States": {"I": {"Type": "Pass", "End": True}},
                            },
                            "Output": f"{{% [$states.result, {LONG}] %}}",
                            "End": True,
                        }
                    },
                }
            ],
            "Output": f"{{% [$states.result, {LONG}] %}}",
            "Next": "T",
        },
        "T": _task("echo", Arguments={"n": 1}, Output=f"{{% {LONG} %}}", Next="F"),
        "F": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "E", "States": {"E": {"Type": "Fail", "Error": "Told"}}}],
            "Catch": [
                {"ErrorEquals": ["Told"], "Output": f"{{% {LONG} %}}", "Next": "Z"},
            ],
            "End": True,
        },
        "Z": {"Type": "Succeed"},
    },
}


@pytest.mark.slow
def test_nothing_is_recorded_twice_where_a_long_expression_was_cut_off() -> None:
    async def check() -> None:
        clock = asl_world.JumpingClock()
        whole, recorder = await _run(LONG_WINDED, [], Flaky(clock), clock)
        assert whole.output == "9000"
        kinds = Counter(event.kind for group in recorder.commits for event in group)
        for cut in range(1, len(recorder.commits)):
            before = [event for group in recorder.commits[:cut] for event in group]
            again, rest = await _run(LONG_WINDED, before, Flaky(clock), clock)
            assert again == whole, f"after commit {cut}"
            events = [*before, *(event for group in rest.commits for event in group)]
            _check_history(events)
            assert Counter(event.kind for event in events) == kinds, f"after commit {cut}"

    asyncio.run(check())


def _failed_before(events: list[Event]) -> list[str]:
    """The arguments of tasks that had failed, so that they succeed this time."""
    scheduled = {event.scope: event for event in events if event.kind == "TaskScheduled"}
    failed = [event for event in events if event.kind == "TaskFailed"]
    return [
        json.dumps(json.loads((scheduled[event.scope].details or {})["parameters"]), sort_keys=True)
        for event in failed
    ]


def _check_history(events: list[Event]) -> None:
    shown = [event for event in events if event.id]
    assert [event.id for event in shown] == list(range(1, len(shown) + 1))
    assert all(event.previous < event.id for event in shown)
    assert shown[0].kind == "ExecutionStarted"
    assert [event for event in shown if event.kind.startswith("Execution")][1:] == shown[-1:]
    counted = Counter(event.kind for event in shown)
    assert counted["MapIterationSucceeded"] <= counted["MapIterationStarted"]


def test_a_wait_that_is_taken_up_again_waits_its_remainder_only() -> None:
    async def check() -> None:
        clock = asl_world.JumpingClock()
        definition = MACHINES["a failure"]
        _, recorder = await _run(definition, [], Flaky(clock), clock)
        entered = next(e for group in recorder.commits for e in group if e.kind.endswith("Entered"))
        _, rest = await _run(definition, recorder.commits[0], Flaky(clock), clock)
        left = next(e for group in rest.commits for e in group if e.kind == "WaitStateExited")
        assert left.at >= entered.at + 1
        assert not any(e.kind == "WaitStateEntered" for group in rest.commits for e in group)

    asyncio.run(check())


def test_a_task_that_had_ended_is_not_run_again() -> None:
    async def check() -> None:
        clock = asl_world.JumpingClock()
        definition = MACHINES["states in a row"]
        _, recorder = await _run(definition, [], Flaky(clock), clock)
        for cut, group in enumerate(recorder.commits):
            if any(event.kind == "TaskSucceeded" for event in group):
                before = [event for each in recorder.commits[: cut + 1] for event in each]
                runner = Flaky(clock)
                await _run(definition, before, runner, clock)
                assert not runner.ran

    asyncio.run(check())
