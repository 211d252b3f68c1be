"""Finds what is wrong with a definition: AWS's codes and words, and the JSON path of each fault.

What AWS was recorded to say is said the same; where no recording is known, the words are ours in
AWS's manner. The whole definition is looked at, and every fault told.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scones.local.asl import fields, jackson, jsonata, resources, timestamps
from scones.local.asl.fault import (
    NOT_JSON,
    SCHEMA,
    TARGET,
    Fault,
    Faults,
    is_kind,
    is_number,
    no_target,
    not_a,
    one_of,
    required,
    unknown,
)
from scones.local.asl.machine import JSONATA, JSONPATH
from scones.local.asl.text import load
from scones.local.asl.validate_data import data_faults, path_faults, template_faults
from scones.local.asl.validate_rules import Siblings, choice_faults, failing_faults

_LONGEST_NAME = 80
_TARGETED = ("Next", "Default")
_LABEL = re.compile(r"[^\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f\x7f-\x9f]{1,40}")
"""https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html"""
_TYPES = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
_LANGUAGES = (JSONATA, JSONPATH)


def faults(text: str, *, express: bool = False) -> list[Fault]:
    """Everything that is wrong with a definition; empty if nothing is."""
    try:
        definition = load(text)
    except ValueError:
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
            yield unknown(at, name)
    speaks = machine.get("QueryLanguage", language)
    if speaks not in (JSONATA, JSONPATH):
        yield Fault(SCHEMA, one_of("QueryLanguage", _LANGUAGES), f"{at}/QueryLanguage")
        speaks = JSONPATH
    if not is_number(machine.get("TimeoutSeconds", 1)):
        yield not_a("Integer", f"{at}/TimeoutSeconds")
    yield from _states(machine, at, speaks, express)


def _states(machine: Mapping[str, Any], at: str, language: str, express: bool) -> Faults:
    states = machine.get("States")
    if states is None:
        if "States" in machine:
            yield not_a("Object", f"{at}/States")
        return
    if not isinstance(states, dict):
        yield not_a("Object", f"{at}/States")
        return
    if not states:
        yield Fault(SCHEMA, "At least one state is required", f"{at}/States")
        return
    start = machine.get("StartAt")
    if "StartAt" in machine and (not isinstance(start, str) or start not in states):
        yield no_target("StartAt", start, at)
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
    siblings: Siblings,
    express: bool,
) -> Faults:
    if not isinstance(state, dict):
        yield not_a("Object", at)
        return
    kind = state.get("Type")
    if "Type" not in state:
        yield required(at, "Type")
        return
    if not isinstance(kind, str) or kind not in fields.COMMON:
        yield Fault(SCHEMA, one_of("Type", _TYPES), f"{at}/Type")
        return
    language = state.get("QueryLanguage", outer)
    if language not in (JSONATA, JSONPATH):
        yield Fault(SCHEMA, one_of("QueryLanguage", _LANGUAGES), f"{at}/QueryLanguage")
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
    yield from data_faults(state, at, language)


def _shape(state: Mapping[str, Any], kind: str, language: str, at: str) -> Faults:
    own = fields.JSONATA if language == JSONATA else fields.JSONPATH
    known = {*fields.BOTH, *fields.COMMON[kind], *own[kind]}
    for name, value in state.items():
        if name not in known:
            message = f"Field '{name}' is not supported"
            if name in {*fields.JSONATA[kind], *fields.JSONPATH[kind]}:
                message = f"The field '{name}' is not supported by the query language '{language}'"
            yield Fault(SCHEMA, message, f"{at}/{name}")
        elif not is_kind(value, fields.KINDS.get(name, ()), language):
            expected = " or ".join(fields.KINDS[name])
            yield Fault(SCHEMA, f"Expected value of type {expected}", f"{at}/{name}")
    missing = [name for name in fields.REQUIRED.get(kind, ()) if name not in state]
    if missing:
        yield Fault(SCHEMA, f"These fields are required: [{', '.join(missing)}]", at)
    for first, second in fields.EXCLUSIVE:
        if first in state and second in state and not (second == "End" and not state[second]):
            yield Fault(SCHEMA, f"Only one of [{first}, {second}] may be given", at)


def _moves(state: Mapping[str, Any], kind: str, at: str, siblings: Siblings) -> Faults:
    if kind not in ("Choice", "Succeed", "Fail") and "Next" not in state and not state.get("End"):
        yield Fault(SCHEMA, "One of these fields is required: [Next, End]", at)
    for name in _TARGETED:
        target = state.get(name)
        if siblings is not None and isinstance(target, str) and target not in siblings:
            yield no_target(name, target, at)


def _nothing(*_: Any) -> Faults:
    return iter(())


def _task(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Siblings, express: bool
) -> Faults:
    yield from _resource(state.get("Resource"), f"{at}/Resource", express)
    credentials = state.get("Credentials")
    if isinstance(credentials, dict) and not {"RoleArn", "RoleArn.$"} & credentials.keys():
        message = "The field 'RoleArn' is required but was missing"
        yield Fault(SCHEMA, message, f"{at}/Credentials")
    limits = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds")
    if all(is_number(each) for each in limits) and limits[1] > limits[0]:  # type: ignore[operator]
        # The specification says smaller; machines written for AWS have equal ones, too.
        message = "HeartbeatSeconds must not be larger than TimeoutSeconds"
        yield Fault(SCHEMA, message, f"{at}/HeartbeatSeconds")
    yield from failing_faults(state, at, language, siblings)


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
    if not _is_recognized(parsed):
        yield _unrecognized(resource, at)
    elif express and parsed.pattern.startswith("sync"):
        message = f"Express state machine does not support '.{parsed.pattern}' service integration"
        yield Fault(SCHEMA, message, at)
    elif express and parsed.pattern == "waitForTaskToken":
        message = "Express state machine does not support '.waitForTaskToken' service integration "
        yield Fault(SCHEMA, message, at)
    elif express and parsed.service == "activity":
        yield Fault(SCHEMA, "Express state machine does not support activities", at)


def _is_recognized(resource: resources.Resource) -> bool:
    service, action, pattern = resource
    waits = pattern.startswith("sync")
    if service in ("function", "activity"):
        return True
    if service.startswith("aws-sdk:"):
        return not waits
    if action not in fields.OPTIMIZED.get(service, ()):
        return False
    if pattern == "sync:2" and service != "states":
        return False
    return not (waits and {service, action} & fields.WITHOUT_JOBS)


def _unrecognized(resource: str, at: str) -> Fault:
    return Fault(
        SCHEMA,
        f"The resource provided {resource} is not recognized. The value is not a valid resource"
        " ARN, or the resource is not available in this region.",
        at,
    )


def _wait(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Siblings, express: bool
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
    if is_number(seconds) and not 0 <= seconds <= 99_999_999:  # type: ignore[operator]
        yield Fault(SCHEMA, "Seconds must be between 0 and 99999999", f"{at}/Seconds")


def _parallel(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Siblings, express: bool
) -> Faults:
    branches = state.get("Branches")
    if isinstance(branches, list) and not branches:
        yield Fault(SCHEMA, "At least one branch is required", f"{at}/Branches")
    for index, branch in enumerate(branches if isinstance(branches, list) else []):
        place = f"{at}/Branches[{index}]"
        if isinstance(branch, dict):
            yield from _machine(branch, place, outer, fields.PROCESSOR, express)
        else:
            yield not_a("Object", place)
    yield from failing_faults(state, at, language, siblings)


def _map(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Siblings, express: bool
) -> Faults:
    name = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
    processor = state.get(name)
    if processor is None:
        yield required(at, "ItemProcessor")
    elif isinstance(processor, dict):
        yield from _machine(processor, f"{at}/{name}", outer, fields.PROCESSOR, express)
        yield from _config(processor, f"{at}/{name}/ProcessorConfig", express)
    label = state.get("Label")
    if isinstance(label, str) and not _LABEL.fullmatch(label):
        message = "A Label has 1 to 40 characters, no spaces, wildcards or special characters"
        yield Fault(SCHEMA, message, f"{at}/Label")
    for member in ("ItemReader", "ItemBatcher", "ResultWriter"):
        if isinstance(state.get(member), dict):
            yield from _nested(state[member], fields.NESTED[member], language, f"{at}/{member}")
    yield from _reader_config(state.get("ItemReader"), f"{at}/ItemReader/ReaderConfig")
    yield from failing_faults(state, at, language, siblings)


def _reader_config(reader: Any, at: str) -> Faults:
    config = reader.get("ReaderConfig") if isinstance(reader, dict) else None
    if not isinstance(config, dict):
        return
    if config.get("CSVHeaderLocation") == "GIVEN" and "CSVHeaders" not in config:
        yield required(at, "CSVHeaders")
    if config.get("Transformation") == "LOAD_AND_FLATTEN" and "InputType" not in config:
        yield required(at, "InputType")


def _nested(value: Mapping[str, Any], members: Mapping[str, Any], language: str, at: str) -> Faults:
    """An object of which each member is described in `fields.NESTED`."""
    for name, each in value.items():
        place, allowed = f"{at}/{name}", members.get(name)
        if allowed is None:
            yield unknown(at, name)
        elif isinstance(allowed, Mapping):
            yield from _nested_object(each, allowed, language, place)
        elif isinstance(allowed, frozenset):
            if not isinstance(each, str) or each not in allowed:
                yield Fault(SCHEMA, one_of(name, tuple(sorted(allowed))), place)
        elif name == "Resource":
            if not isinstance(each, str) or ":states:::s3:" not in each:
                yield Fault(SCHEMA, "Value is not a valid resource ARN", place)
        elif not is_kind(each, allowed, language):
            yield not_a(" or ".join(allowed), place)
        elif name.endswith("Path"):
            yield from path_faults(each, place)
        elif name in ("Parameters", "Arguments", "BatchInput"):
            yield from template_faults(each, language, place)
        elif name == "CSVHeaders" and not all(isinstance(header, str) for header in each):
            yield not_a("array of strings", place)


def _nested_object(value: Any, members: Mapping[str, Any], language: str, at: str) -> Faults:
    if isinstance(value, dict):
        yield from _nested(value, members, language, at)
    else:
        yield not_a("Object", at)


def _config(processor: Mapping[str, Any], at: str, express: bool) -> Faults:
    config = processor.get("ProcessorConfig")
    if config is None:
        return
    if not isinstance(config, dict):
        yield not_a("Object", at)
        return
    mode = config.get("Mode", "INLINE")
    if mode not in ("INLINE", "DISTRIBUTED"):
        yield Fault(SCHEMA, one_of("Mode", ("INLINE", "DISTRIBUTED")), f"{at}/Mode")
    elif mode == "DISTRIBUTED":
        if config.get("ExecutionType") not in ("STANDARD", "EXPRESS"):
            yield required(at, "ExecutionType")
        if express:
            message = "Express state machine does not support Map in DISTRIBUTED mode"
            yield Fault(SCHEMA, message, f"{at}/Mode")


_CHECKS = {
    "Pass": _nothing,
    "Task": _task,
    "Choice": choice_faults,
    "Wait": _wait,
    "Succeed": _nothing,
    "Fail": _nothing,
    "Parallel": _parallel,
    "Map": _map,
}
