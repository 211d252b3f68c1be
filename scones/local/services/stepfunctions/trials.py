"""TestState."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from scones.local.asl import jackson, trial, validate
from scones.local.asl.errors import StatesError
from scones.local.asl.machine import JSONPATH, State, build_state
from scones.local.asl.resources import parse
from scones.local.asl.text import dump, load
from scones.local.asl.timestamps import render
from scones.local.errors import ServiceError
from scones.local.executions import mocks
from scones.local.services.stepfunctions.ledger import Operations

_UNMOCKED = "[Task, Wait, Pass, Succeed, Fail, Choice]"
_MOCKABLE = ("Task", "Map", "Parallel")
_WITH_TOKEN = ("sync", "sync:2", "waitForTaskToken")


class TrialOperations(Operations):
    """States tried on their own."""

    async def test_state(
        self,
        definition: str,
        roleArn: str | None = None,
        input: str | None = None,
        inspectionLevel: str | None = None,
        revealSecrets: bool | None = None,
        variables: str | None = None,
        stateName: str | None = None,
        mock: dict[str, Any] | None = None,
        context: str | None = None,
        stateConfiguration: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        name, fields, language = _chosen(_json(definition), stateName)
        _check(definition, name, fields, language, stateName)
        state = build_state(name, fields, language)
        _check_mock(state, mock)
        value = _value("input", input if input is not None else "{}")
        setting = _setting(state, mock, stateConfiguration or {}, context, variables)
        verdict = await trial.attempt(
            state, value, self._context(value, roleArn), self._ledger.world, setting
        )
        return _answer(verdict, inspectionLevel or "INFO")

    def _context(self, value: Any, role_arn: str | None) -> dict[str, Any]:
        identity, name, machine = self._ledger.identity, str(uuid.uuid4()), str(uuid.uuid4())
        return {
            "Execution": {
                "Id": identity.arn("states", f"express:{machine}:{name}:{uuid.uuid4()}"),
                "Input": value,
                "Name": name,
                "RoleArn": role_arn,
                "StartTime": render(self._ledger.now()),
            },
            "StateMachine": {
                "Id": identity.arn("states", f"stateMachine:{machine}"),
                "Name": machine,
            },
        }


def _json(text: str) -> Any:
    try:
        return load(text)
    except ValueError:
        told = validate.not_json(text)
        message = f"Invalid State Machine Definition: '{told.code}: {told.message}'"
        raise ServiceError("InvalidDefinition", message) from None


def _chosen(definition: Any, name: str | None) -> tuple[str, Any, str]:
    """The state to try: the definition itself, or the one of that name, however deep."""
    if not isinstance(definition, dict):
        raise ServiceError("InvalidDefinition", "The definition must be a JSON object")
    if name is None:
        if "States" in definition and "Type" not in definition:
            message = "stateName must be given when the definition is a state machine"
            raise ServiceError("ValidationException", message)
        return "StateName", definition, JSONPATH
    for found, state, language in _nested(definition, JSONPATH):
        if found == name:
            return found, state, language
    raise ServiceError("ValidationException", "State not found in definition")


def _nested(machine: Any, language: str) -> Iterator[tuple[str, Any, str]]:
    if not isinstance(machine, dict) or not isinstance(machine.get("States"), dict):
        return
    language = machine.get("QueryLanguage", language)
    for name, state in machine["States"].items():
        yield name, state, language
        if isinstance(state, dict):
            inner = [state.get("ItemProcessor"), state.get("Iterator")]
            branches = state.get("Branches")
            for each in (*inner, *(branches if isinstance(branches, list) else ())):
                yield from _nested(each, language)


def _check(definition: str, name: str, fields: Any, language: str, whole: str | None) -> None:
    faults = validate.faults(definition) if whole else validate.state_faults(name, fields, language)
    if faults:
        told = ", ".join(f"{each.code}: {each.message} at {each.location}" for each in faults)
        message = f"Invalid State Machine Definition: '{told}'"
        raise ServiceError("InvalidDefinition", message)


def _check_mock(state: State, mock: Mapping[str, Any] | None) -> None:
    if mock is None:
        if state.kind in ("Map", "Parallel"):
            message = (
                "TestState API does not support Map or Parallel states. Supported state types"
                f" include: {_UNMOCKED}"
            )
            raise ServiceError("InvalidDefinition", message)
        resource = parse(state.fields.get("Resource", ""))
        if resource is not None and (resource.pattern or resource.service == "activity"):
            raise _refused(
                "A mock must be specified for a Task with an activity, or with the '.sync' or"
                " '.waitForTaskToken' service integration pattern"
            )
        return
    if state.kind not in _MOCKABLE:
        raise _refused(f"State type '{state.kind}' is not supported when a mock is specified")
    if "result" in mock and "errorOutput" in mock:
        raise _refused(
            "A test mock should have only one of the following fields: [result, errorOutput]."
        )


def _setting(
    state: State,
    mock: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    context: str | None,
    variables: str | None,
) -> trial.Setting:
    return trial.Setting(
        mock=_mock(state, mock) if mock is not None else None,
        retries=given.get("retrierRetryCount", 0),
        failed_items=given.get("mapIterationFailureCount"),
        reader_data=given.get("mapItemReaderData"),
        context=_given_context(state, context),
        variables=_variables(variables) if variables is not None else None,
    )


def _variables(text: str) -> dict[str, Any]:
    found = _value("variables", text)
    if not isinstance(found, dict):
        raise _refused("The variables must be a JSON object.")
    return found


def _mock(state: State, mock: Mapping[str, Any]) -> trial.Mock:
    if "errorOutput" in mock:
        told = mock["errorOutput"]
        failure = StatesError(told.get("error"), told.get("cause"), from_task=True)
        failure.placed = True
        return trial.Mock(failure=failure)
    result = _value("mock result", mock.get("result", "null"))
    if state.kind == "Map" and "ResultWriter" in state.fields:
        if not isinstance(result, dict):
            raise _refused("Mocked result must be a JSON object.")
    elif state.kind in ("Map", "Parallel"):
        if not isinstance(result, list):
            raise _refused("Mocked result must be an array.")
    elif mock.get("fieldValidationMode", "STRICT") != "NONE":
        strict = mock.get("fieldValidationMode", "STRICT") == "STRICT"
        fault = mocks.fault(state.fields["Resource"], result, strict=strict)
        if fault:
            raise _refused(f"Mock result schema validation error: {fault}")
    return trial.Mock(result=result)


def _given_context(state: State, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    context = _value("context", text)
    if not isinstance(context, dict):
        raise _refused("Invalid Context object provided: it must be a JSON object")
    resource = parse(state.fields.get("Resource", "")) if state.kind == "Task" else None
    if "Task" in context and (resource is None or resource.pattern not in _WITH_TOKEN):
        raise _refused(
            "Invalid Context object provided: Context object contains 'Task' when state is not a"
            " Task state with a '.sync' or '.waitForTaskToken' service integration pattern"
        )
    if "Map" in context and state.kind != "Map":
        raise _refused(
            "Invalid Context object provided: Context object contains 'Map' when state is not a"
            " Map state"
        )
    return context


def _answer(verdict: trial.Verdict, level: str) -> dict[str, Any]:
    found: dict[str, Any] = {"status": verdict.status}
    if verdict.failure is None or verdict.status == "CAUGHT_ERROR":
        found["output"] = dump(verdict.output)
    if verdict.next is not None:
        found["nextState"] = verdict.next
    if verdict.failure is not None:
        told = {"error": verdict.failure.error, "cause": verdict.failure.cause}
        found |= {key: value for key, value in told.items() if value is not None}
    if level != "INFO":
        found["inspectionData"] = {
            step: value if step in _PLAIN_STEPS else dump(value)
            for step, value in verdict.seen.items()
        }
    return found


_PLAIN_STEPS = (
    "errorDetails",
    "maxConcurrency",
    "toleratedFailureCount",
    "toleratedFailurePercentage",
)


def _value(what: str, text: str) -> Any:
    try:
        return load(text)
    except ValueError:
        message = f"Invalid State Machine Execution Input: '{jackson.explain(text).message}'"
        if what == "input":
            raise ServiceError("InvalidExecutionInput", message) from None
        raise _refused(f"The {what} is not valid JSON.") from None


def _refused(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
