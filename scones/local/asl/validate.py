"""Finds what is wrong with a definition: AWS's codes and words, and the JSON path of each fault.

What AWS was recorded to say is said the same; where no recording is known, the words are ours in
AWS's manner. The whole definition is looked at, and every fault told.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scones.local.asl import fields, jackson, jsonata, resources, timestamps
from scones.local.asl.choice import OPERATORS
from scones.local.asl.intrinsics import compile_call
from scones.local.asl.machine import JSONATA, JSONPATH
from scones.local.asl.paths import compile_path, compile_reference
from scones.local.asl.text import load

SCHEMA = "SCHEMA_VALIDATION_FAILED"
TARGET = "MISSING_TRANSITION_TARGET"
NOT_JSON = "INVALID_JSON_DESCRIPTION"

_LONGEST_NAME = 80
_VARIABLE = re.compile(r"[^\W\d]\w{0,79}")
_TARGETED = ("Next", "Default")
_TYPES = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
_LANGUAGES = (JSONATA, JSONPATH)


class Fault(NamedTuple):
    """One thing that is wrong."""

    code: str
    message: str
    location: str


Faults = Iterator[Fault]


def faults(text: str, *, express: bool = False) -> list[Fault]:
    """Everything that is wrong with a definition; empty if nothing is."""
    try:
        definition = load(text)
    except (ValueError, RecursionError):
        return [not_json(text)]
    if not isinstance(definition, dict):
        return [Fault(SCHEMA, "The definition must be a JSON object", "/")]
    try:
        return list(_machine(definition, "", JSONPATH, fields.MACHINE, express))
    except RecursionError:
        return [Fault(SCHEMA, "The definition is nested too deeply", "/")]


def not_json(text: str) -> Fault:
    """The fault of a text that is no JSON."""
    told = jackson.explain(text)
    where = f"[Source: {jackson.source(text)}; line: {told.line}, column: {told.column}]"
    return Fault(NOT_JSON, f"{told.message}\n at {where}", where)


def state_faults(name: str, state: Any, language: str = JSONPATH) -> list[Fault]:
    """Everything that is wrong with a state on its own, as TestState takes it."""
    found = _state(name, state, f"/States/{name}", language, None, False)
    return [each for each in found if each.code != TARGET]


def variable_references(definition: Mapping[str, Any]) -> dict[str, list[str]]:
    """Which variables each state refers to, as DescribeStateMachine lists them."""
    found = {}
    for name, state in definition["States"].items():
        text = json.dumps(state)
        names = set(re.findall(r"\$([A-Za-z_]\w*)\b(?!\s*\()", text)) - {"states"}
        if names:
            found[name] = sorted(names)
    return found


def _machine(
    machine: Mapping[str, Any], at: str, language: str, known: tuple[str, ...], express: bool
) -> Faults:
    here = at or "/"
    missing = [name for name in ("StartAt", "States") if name not in machine]
    if missing:
        yield Fault(SCHEMA, f"These fields are required: [{', '.join(missing)}]", here)
    for name in machine:
        if name not in known:
            yield Fault(SCHEMA, f"Field '{name}' is not supported", f"{at}/{name}")
    speaks = machine.get("QueryLanguage", language)
    if speaks not in (JSONATA, JSONPATH):
        yield Fault(SCHEMA, _one_of("QueryLanguage", _LANGUAGES), f"{at}/QueryLanguage")
        speaks = JSONPATH
    if not _is_number(machine.get("TimeoutSeconds", 1)):
        yield Fault(SCHEMA, "Expected value of type Integer", f"{at}/TimeoutSeconds")
    yield from _states(machine, at, speaks, express)


def _states(machine: Mapping[str, Any], at: str, language: str, express: bool) -> Faults:
    states = machine.get("States")
    if states is None:
        if "States" in machine:
            yield Fault(SCHEMA, "Expected value of type Object", f"{at}/States")
        return
    if not isinstance(states, dict):
        yield Fault(SCHEMA, "Expected value of type Object", f"{at}/States")
        return
    if not states:
        yield Fault(SCHEMA, "At least one state is required", f"{at}/States")
        return
    start = machine.get("StartAt")
    if "StartAt" in machine and (not isinstance(start, str) or start not in states):
        yield Fault(TARGET, f"Missing 'StartAt' target: {start}", f"{at}/StartAt")
    for name, state in states.items():
        place = f"{at}/States/{name}"
        if len(name) > _LONGEST_NAME:
            yield Fault(SCHEMA, f"State name exceeds {_LONGEST_NAME} characters", place)
        yield from _state(name, state, place, language, states, express)
    if isinstance(start, str) and start in states:
        yield from _unreached(states, start, at)


def _unreached(states: Mapping[str, Any], start: str, at: str) -> Faults:
    seen, left = {start}, [start]
    while left:
        for target in _targets(states[left.pop()]):
            if target in states and target not in seen:
                seen.add(target)
                left.append(target)
    for name in states:
        if name not in seen:
            message = f'State "{name}" is not reachable.'
            yield Fault(TARGET, message, f"{at}/States/{name}")


def _targets(state: Any) -> Iterator[str]:
    if not isinstance(state, dict):
        return
    found = [state.get(name) for name in _TARGETED]
    for name in ("Choices", "Catch"):
        for rule in state.get(name) or [] if isinstance(state.get(name), list) else []:
            if isinstance(rule, dict):
                found.append(rule.get("Next"))
    yield from (target for target in found if isinstance(target, str))


def _state(
    name: str,
    state: Any,
    at: str,
    outer: str,
    siblings: Mapping[str, Any] | None,
    express: bool,
) -> Faults:
    if not isinstance(state, dict):
        yield Fault(SCHEMA, "Expected value of type Object", at)
        return
    kind = state.get("Type")
    if "Type" not in state:
        yield Fault(SCHEMA, "These fields are required: [Type]", at)
        return
    if not isinstance(kind, str) or kind not in fields.COMMON:
        yield Fault(SCHEMA, _one_of("Type", _TYPES), f"{at}/Type")
        return
    language = state.get("QueryLanguage", outer)
    if language not in (JSONATA, JSONPATH):
        yield Fault(SCHEMA, _one_of("QueryLanguage", _LANGUAGES), f"{at}/QueryLanguage")
        return
    if outer == JSONATA and language == JSONPATH:
        message = (
            "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
        )
        yield Fault(SCHEMA, message, at)
        return
    yield from _shape(state, kind, language, at)
    yield from _moves(state, kind, at, siblings)
    yield from _CHECKS[kind](state, at, language, outer, siblings, express)
    yield from _data(state, at, language)


def _shape(state: Mapping[str, Any], kind: str, language: str, at: str) -> Faults:
    own = fields.JSONATA if language == JSONATA else fields.JSONPATH
    known = {*fields.BOTH, *fields.COMMON[kind], *own[kind]}
    for name, value in state.items():
        if name not in known:
            message = f"Field '{name}' is not supported"
            if name in {*fields.JSONATA[kind], *fields.JSONPATH[kind]}:
                message = f"The field '{name}' is not supported by the query language '{language}'"
            yield Fault(SCHEMA, message, f"{at}/{name}")
        elif not _is_kind(value, fields.KINDS.get(name, ()), language):
            expected = " or ".join(fields.KINDS[name])
            yield Fault(SCHEMA, f"Expected value of type {expected}", f"{at}/{name}")
    missing = [name for name in fields.REQUIRED.get(kind, ()) if name not in state]
    if missing:
        yield Fault(SCHEMA, f"These fields are required: [{', '.join(missing)}]", at)
    for first, second in fields.EXCLUSIVE:
        if first in state and second in state and not (second == "End" and not state[second]):
            yield Fault(SCHEMA, f"Only one of [{first}, {second}] may be given", at)


def _moves(
    state: Mapping[str, Any], kind: str, at: str, siblings: Mapping[str, Any] | None
) -> Faults:
    if kind not in ("Choice", "Succeed", "Fail") and "Next" not in state and not state.get("End"):
        yield Fault(SCHEMA, "One of these fields is required: [Next, End]", at)
    for name in _TARGETED:
        target = state.get(name)
        if siblings is not None and isinstance(target, str) and target not in siblings:
            yield Fault(TARGET, f"Missing '{name}' target: {target}", f"{at}/{name}")


Args = tuple[Mapping[str, Any], str, str, str, Mapping[str, Any] | None, bool]


def _nothing(*_: Any) -> Faults:
    return iter(())


def _task(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Any, express: bool
) -> Faults:
    yield from _resource(state.get("Resource"), f"{at}/Resource", express)
    credentials = state.get("Credentials")
    if isinstance(credentials, dict) and not {"RoleArn", "RoleArn.$"} & credentials.keys():
        message = "The field 'RoleArn' is required but was missing"
        yield Fault(SCHEMA, message, f"{at}/Credentials")
    limits = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if all(_is_number(each) for each in limits) and limits[1] > limits[0]:  # type: ignore[operator]
        # The specification says smaller; machines written for AWS have equal ones, too.
        message = "HeartbeatSeconds must not be larger than TimeoutSeconds"
        yield Fault(SCHEMA, message, f"{at}/HeartbeatSeconds")
    yield from _failing(state, at, language, siblings)


def _resource(resource: Any, at: str, express: bool) -> Faults:
    if not isinstance(resource, str):
        return
    parsed = resources.parse(resource)
    if parsed is None:
        if resource.startswith("arn:") and ":states:::" in resource:
            yield _unrecognized(resource, at)
        else:
            yield Fault(SCHEMA, "Value is not a valid resource ARN", at)
        return
    known = fields.OPTIMIZED.get(parsed.service)
    own = ("function", "activity")
    sdk = parsed.service.startswith("aws-sdk:")
    if not sdk and parsed.service not in own and (known is None or parsed.action not in known):
        yield _unrecognized(resource, at)
    elif express and parsed.pattern.startswith("sync"):
        message = f"Express state machine does not support '.{parsed.pattern}' service integration"
        yield Fault(SCHEMA, message, at)
    elif express and parsed.pattern == "waitForTaskToken":
        message = "Express state machine does not support '.waitForTaskToken' service integration "
        yield Fault(SCHEMA, message, at)
    elif express and parsed.service == "activity":
        yield Fault(SCHEMA, "Express state machine does not support activities", at)


def _unrecognized(resource: str, at: str) -> Fault:
    return Fault(
        SCHEMA,
        f"The resource provided {resource} is not recognized. The value is not a valid resource"
        " ARN, or the resource is not available in this region.",
        at,
    )


def _failing(state: Mapping[str, Any], at: str, language: str, siblings: Any) -> Faults:
    for name in ("Retry", "Catch"):
        given = state.get(name)
        rules = given if isinstance(given, list) else []
        for index, rule in enumerate(rules):
            place = f"{at}/{name}[{index}]"
            if not isinstance(rule, dict):
                yield Fault(SCHEMA, "Expected value of type Object", place)
                continue
            yield from _rule(rule, name, place, index == len(rules) - 1)
            if name == "Catch":
                yield from _catcher(rule, place, language, siblings)


def _rule(rule: Mapping[str, Any], name: str, at: str, last: bool) -> Faults:
    errors = rule.get("ErrorEquals")
    if not isinstance(errors, list) or not all(isinstance(each, str) for each in errors):
        yield Fault(SCHEMA, "These fields are required: [ErrorEquals]", at)
    elif not errors:
        yield Fault(SCHEMA, "At least one error is required", f"{at}/ErrorEquals")
    elif "States.ALL" in errors and (len(errors) > 1 or not last):
        message = f"States.ALL must appear alone, and in the last {name[:5]}er"
        yield Fault(SCHEMA, message, f"{at}/ErrorEquals")
    known: dict[str, Any] = _RETRIER if name == "Retry" else _CATCHER
    for member, value in rule.items():
        if member not in known:
            yield Fault(SCHEMA, f"Field '{member}' is not supported", f"{at}/{member}")
        elif name == "Retry" and not known[member](value):
            yield Fault(SCHEMA, "Value is out of range or of the wrong type", f"{at}/{member}")


def _catcher(rule: Mapping[str, Any], at: str, language: str, siblings: Any) -> Faults:
    target = rule.get("Next")
    if not isinstance(target, str):
        yield Fault(SCHEMA, "These fields are required: [Next]", at)
    elif siblings is not None and target not in siblings:
        yield Fault(TARGET, f"Missing 'Next' target: {target}", f"{at}/Next")
    yield from _data(rule, at, language)
    if "ResultPath" in rule and language == JSONATA:
        message = "The field 'ResultPath' is not supported by the query language 'JSONata'"
        yield Fault(SCHEMA, message, f"{at}/ResultPath")


def _choice(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Any, express: bool
) -> Faults:
    rules = state.get("Choices")
    if isinstance(rules, list) and not rules:
        yield Fault(SCHEMA, "At least one choice is required", f"{at}/Choices")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        place = f"{at}/Choices[{index}]"
        if not isinstance(rule, dict):
            yield Fault(SCHEMA, "Expected value of type Object", place)
            continue
        target = rule.get("Next")
        if not isinstance(target, str):
            yield Fault(SCHEMA, "These fields are required: [Next]", place)
        elif siblings is not None and target not in siblings:
            yield Fault(TARGET, f"Missing 'Next' target: {target}", f"{place}/Next")
        if language == JSONATA:
            yield from _condition(rule, place)
        else:
            yield from _test(rule, place, ("Next", "Assign", "Comment"))
        yield from _data(rule, place, language)


def _condition(rule: Mapping[str, Any], at: str) -> Faults:
    condition = rule.get("Condition")
    if not jsonata.is_expression(condition) and not isinstance(condition, bool):
        yield Fault(SCHEMA, "A Condition must be a JSONata expression or a boolean", at)


def _test(rule: Mapping[str, Any], at: str, more: tuple[str, ...] = ()) -> Faults:
    for name in ("And", "Or"):
        if name in rule:
            parts = rule[name]
            if not isinstance(parts, list) or not parts:
                yield Fault(SCHEMA, "Expected value of type Array", f"{at}/{name}")
                return
            for index, part in enumerate(parts):
                yield from _part(part, f"{at}/{name}[{index}]")
            return
    if "Not" in rule:
        yield from _part(rule["Not"], f"{at}/Not")
        return
    found = [name for name in rule if name in OPERATORS]
    if len(found) != 1 or "Variable" not in rule:
        yield Fault(SCHEMA, "A Variable and exactly one comparison operator are required", at)
        return
    yield from _path(rule["Variable"], f"{at}/Variable")
    yield from _operand(found[0], rule[found[0]], f"{at}/{found[0]}")
    for name in rule:
        if name not in (*found, "Variable", "Comment", *more):
            yield Fault(SCHEMA, f"Field '{name}' is not supported", f"{at}/{name}")


def _part(part: Any, at: str) -> Faults:
    if isinstance(part, dict):
        yield from _test(part, at)
    else:
        yield Fault(SCHEMA, "Expected value of type Object", at)


def _operand(name: str, value: Any, at: str) -> Faults:
    if name.endswith("Path"):
        yield from _path(value, at)
    elif name.startswith("Timestamp"):
        if not isinstance(value, str) or timestamps.parse(value) is None:
            yield Fault(SCHEMA, "String does not match RFC3339 timestamp", at)
    elif name.startswith("Is") or name.startswith("Boolean"):
        if not isinstance(value, bool):
            yield Fault(SCHEMA, "Expected value of type Boolean", at)
    elif name.startswith("Numeric"):
        if not _is_number(value):
            yield Fault(SCHEMA, "Expected value of type Number", at)
    elif not isinstance(value, str):
        yield Fault(SCHEMA, "Expected value of type String", at)


def _wait(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Any, express: bool
) -> Faults:
    given = [name for name in fields.WAITS if name in state]
    if len(given) != 1:
        names = ", ".join(fields.WAITS[::2] if language == JSONATA else fields.WAITS)
        yield Fault(SCHEMA, f"Exactly one of these fields is required: [{names}]", at)
    moment = state.get("Timestamp")
    evaluated = language == JSONATA and jsonata.is_expression(moment)
    if isinstance(moment, str) and not evaluated and timestamps.parse(moment) is None:
        yield Fault(SCHEMA, "String does not match RFC3339 timestamp", f"{at}/Timestamp")
    seconds = state.get("Seconds")
    if _is_number(seconds) and not 0 <= seconds <= 99_999_999:  # type: ignore[operator]
        yield Fault(SCHEMA, "Seconds must be between 0 and 99999999", f"{at}/Seconds")


def _parallel(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Any, express: bool
) -> Faults:
    branches = state.get("Branches")
    if isinstance(branches, list) and not branches:
        yield Fault(SCHEMA, "At least one branch is required", f"{at}/Branches")
    for index, branch in enumerate(branches if isinstance(branches, list) else []):
        place = f"{at}/Branches[{index}]"
        if isinstance(branch, dict):
            yield from _machine(branch, place, outer, fields.PROCESSOR, express)
        else:
            yield Fault(SCHEMA, "Expected value of type Object", place)
    yield from _failing(state, at, language, siblings)


def _map(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Any, express: bool
) -> Faults:
    name = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
    processor = state.get(name)
    if processor is None:
        yield Fault(SCHEMA, "These fields are required: [ItemProcessor]", at)
    elif isinstance(processor, dict):
        yield from _machine(processor, f"{at}/{name}", outer, fields.PROCESSOR, express)
        yield from _config(processor, f"{at}/{name}/ProcessorConfig", express)
    for member in ("ItemReader", "ResultWriter"):
        place = state.get(member)
        if isinstance(place, dict) and "Resource" in place:
            yield from _storage(place["Resource"], f"{at}/{member}/Resource")
    yield from _failing(state, at, language, siblings)


def _storage(resource: Any, at: str) -> Faults:
    if not isinstance(resource, str) or ":states:::s3:" not in resource:
        yield Fault(SCHEMA, "Value is not a valid resource ARN", at)


def _config(processor: Mapping[str, Any], at: str, express: bool) -> Faults:
    config = processor.get("ProcessorConfig")
    if config is None:
        return
    if not isinstance(config, dict):
        yield Fault(SCHEMA, "Expected value of type Object", at)
        return
    mode = config.get("Mode", "INLINE")
    if mode not in ("INLINE", "DISTRIBUTED"):
        yield Fault(SCHEMA, _one_of("Mode", ("INLINE", "DISTRIBUTED")), f"{at}/Mode")
    elif mode == "DISTRIBUTED":
        if config.get("ExecutionType") not in ("STANDARD", "EXPRESS"):
            yield Fault(SCHEMA, "These fields are required: [ExecutionType]", at)
        if express:
            message = "Express state machine does not support Map in DISTRIBUTED mode"
            yield Fault(SCHEMA, message, f"{at}/Mode")


_CHECKS = {
    "Pass": _nothing,
    "Task": _task,
    "Choice": _choice,
    "Wait": _wait,
    "Succeed": _nothing,
    "Fail": _nothing,
    "Parallel": _parallel,
    "Map": _map,
}


def _data(state: Mapping[str, Any], at: str, language: str) -> Faults:
    """Paths, templates and expressions, wherever they stand in a state."""
    assigned = state.get("Assign")
    for name in assigned if isinstance(assigned, dict) else ():
        plain = name.removesuffix(".$") if language == JSONPATH else name
        if not _VARIABLE.fullmatch(plain) or plain == "states":
            yield Fault(SCHEMA, f"'{plain}' is no name for a variable", f"{at}/Assign/{name}")
    if language == JSONATA:
        for name in ("Arguments", "Output", "Assign", "Items", "ItemSelector", "Condition",
                     "Seconds", "Timestamp", "MaxConcurrency"):  # fmt: skip
            if name in state:
                yield from _expressions(state[name], f"{at}/{name}")
        return
    for name in fields.PATHS:
        if isinstance(state.get(name), str):
            yield from _path(state[name], f"{at}/{name}")
    if isinstance(state.get("ResultPath"), str):
        yield from _reference(state["ResultPath"], f"{at}/ResultPath")
    for name in ("ErrorPath", "CausePath"):
        if isinstance(state.get(name), str):
            yield from _path_or_call(state[name], f"{at}/{name}")
    for name in ("Parameters", "ResultSelector", "ItemSelector", "Assign"):
        if name in state:
            yield from _template(state[name], f"{at}/{name}")


def _template(template: Any, at: str) -> Faults:
    if isinstance(template, dict):
        for name, value in template.items():
            if not name.endswith(".$"):
                yield from _template(value, f"{at}/{name}")
            elif not isinstance(value, str) or list(_path_or_call(value, at)):
                message = (
                    f"The value for the field '{name}' must be a valid JSONPath or a valid"
                    " intrinsic function call"
                )
                yield Fault(SCHEMA, message, at)
    elif isinstance(template, list):
        for index, value in enumerate(template):
            yield from _template(value, f"{at}[{index}]")


def _expressions(template: Any, at: str) -> Faults:
    if isinstance(template, dict):
        for name, value in template.items():
            yield from _expressions(value, f"{at}/{name}")
    elif isinstance(template, list):
        for index, value in enumerate(template):
            yield from _expressions(value, f"{at}[{index}]")
    elif jsonata.is_expression(template):
        try:
            jsonata.compile_expression(jsonata.source(template))
        except ValueError as error:
            yield Fault(SCHEMA, f"Value is not a valid JSONata expression. {error}", at)


def _path_or_call(text: str, at: str) -> Faults:
    if not text.startswith("States."):
        yield from _path(text, at)
        return
    try:
        compile_call(text)
    except (ValueError, RecursionError) as error:
        yield Fault(SCHEMA, f"Value is not a valid intrinsic function call: {error}", at)


def _path(text: Any, at: str) -> Faults:
    try:
        compile_path(text)
    except (ValueError, TypeError) as error:
        yield Fault(SCHEMA, f"Value is not a valid JSONPath: {error}", at)


def _reference(text: str, at: str) -> Faults:
    try:
        path = compile_reference(text)
        if path.root:
            raise ValueError("it must begin with $.")
    except ValueError as error:
        yield Fault(SCHEMA, f"Value is not a Reference Path: {error}", at)


def _one_of(field: str, values: tuple[str, ...]) -> str:
    return f"The field '{field}' should have one of these values: [{', '.join(values)}]"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(low: int, high: int) -> Any:
    return lambda value: _is_number(value) and float(value).is_integer() and low <= value <= high


_RETRIER: dict[str, Any] = {
    "ErrorEquals": lambda value: True,
    "Comment": lambda value: True,
    "IntervalSeconds": _is_whole(1, 99_999_999),
    "MaxAttempts": _is_whole(0, 99_999_999),
    "BackoffRate": lambda value: _is_number(value) and value >= 1,
    "MaxDelaySeconds": _is_whole(1, 31_622_400),
    "JitterStrategy": lambda value: value in ("FULL", "NONE"),
}
_CATCHER: dict[str, Any] = dict.fromkeys(
    ("ErrorEquals", "Comment", "Next", "ResultPath", "Assign", "Output")
)


def _is_kind(value: Any, kinds: tuple[str, ...], language: str) -> bool:
    if not kinds:
        return True
    if "expression" in kinds and language == JSONATA and jsonata.is_expression(value):
        return True
    if "string" in kinds and isinstance(value, str):
        return True
    return jsonata.kind(value) in kinds
