"""Faults of rules: retriers, catchers and choices."""

from collections.abc import Mapping
from typing import Any

from scones.local.asl import fields, jsonata, timestamps
from scones.local.asl.choice import OPERATORS
from scones.local.asl.fault import (
    SCHEMA,
    Fault,
    Faults,
    is_kind,
    is_number,
    is_whole,
    no_target,
    not_a,
    required,
    unknown,
)
from scones.local.asl.machine import JSONATA
from scones.local.asl.validate_data import data_faults, path_faults

Siblings = Mapping[str, Any] | None
"""The states that a rule may lead to; None where they are not known."""


def failing_faults(state: Mapping[str, Any], at: str, language: str, siblings: Siblings) -> Faults:
    """What is wrong with a state's Retry and Catch."""
    for name in ("Retry", "Catch"):
        given = state.get(name)
        rules = given if isinstance(given, list) else []
        for index, rule in enumerate(rules):
            place = f"{at}/{name}[{index}]"
            if not isinstance(rule, dict):
                yield not_a("Object", place)
                continue
            yield from _rule(rule, name, place, index == len(rules) - 1)
            if name == "Catch":
                yield from _catcher(rule, place, language, siblings)


def _rule(rule: Mapping[str, Any], name: str, at: str, last: bool) -> Faults:
    errors = rule.get("ErrorEquals")
    if not isinstance(errors, list) or not all(isinstance(each, str) for each in errors):
        yield required(at, "ErrorEquals")
    elif not errors:
        yield Fault(SCHEMA, "At least one error is required", f"{at}/ErrorEquals")
    elif "States.ALL" in errors and (len(errors) > 1 or not last):
        message = f"States.ALL must appear alone, and in the last {name[:5]}er"
        yield Fault(SCHEMA, message, f"{at}/ErrorEquals")
    known: dict[str, Any] = _RETRIER if name == "Retry" else _CATCHER
    for member, value in rule.items():
        if member not in known:
            yield unknown(at, member)
        elif not is_kind(value, fields.KINDS.get(member, ()), ""):
            yield not_a(" or ".join(fields.KINDS[member]), f"{at}/{member}")
        elif name == "Retry" and not known[member](value):
            yield Fault(SCHEMA, "Value is out of range or of the wrong type", f"{at}/{member}")


def _catcher(rule: Mapping[str, Any], at: str, language: str, siblings: Siblings) -> Faults:
    target = rule.get("Next")
    if not isinstance(target, str):
        yield required(at, "Next")
    elif siblings is not None and target not in siblings:
        yield no_target("Next", target, at)
    yield from data_faults(rule, at, language)
    if "ResultPath" in rule and language == JSONATA:
        message = "The field 'ResultPath' is not supported by the query language 'JSONata'"
        yield Fault(SCHEMA, message, f"{at}/ResultPath")


def choice_faults(
    state: Mapping[str, Any], at: str, language: str, outer: str, siblings: Siblings, express: bool
) -> Faults:
    """What is wrong with a Choice state's rules."""
    rules = state.get("Choices")
    if isinstance(rules, list) and not rules:
        yield Fault(SCHEMA, "At least one choice is required", f"{at}/Choices")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        place = f"{at}/Choices[{index}]"
        if not isinstance(rule, dict):
            yield not_a("Object", place)
            continue
        target = rule.get("Next")
        if not isinstance(target, str):
            yield required(place, "Next")
        elif siblings is not None and target not in siblings:
            yield no_target("Next", target, place)
        if language == JSONATA:
            yield from _condition(rule, place)
        else:
            yield from _test(rule, place, ("Next", "Assign", "Comment"))
        if not isinstance(rule.get("Assign", {}), dict):
            yield not_a("Object", f"{place}/Assign")
        yield from data_faults(rule, place, language)


def _condition(rule: Mapping[str, Any], at: str) -> Faults:
    condition = rule.get("Condition")
    if not jsonata.is_expression(condition) and not isinstance(condition, bool):
        yield Fault(SCHEMA, "A Condition must be a JSONata expression or a boolean", at)


def _test(rule: Mapping[str, Any], at: str, more: tuple[str, ...] = ()) -> Faults:
    for name in ("And", "Or"):
        if name in rule:
            parts = rule[name]
            if not isinstance(parts, list) or not parts:
                yield not_a("Array", f"{at}/{name}")
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
    yield from path_faults(rule["Variable"], f"{at}/Variable")
    yield from _operand(found[0], rule[found[0]], f"{at}/{found[0]}")
    for name in rule:
        if name not in (*found, "Variable", "Comment", *more):
            yield unknown(at, name)


def _part(part: Any, at: str) -> Faults:
    if isinstance(part, dict):
        yield from _test(part, at)
    else:
        yield not_a("Object", at)


def _operand(name: str, value: Any, at: str) -> Faults:
    if name.endswith("Path"):
        yield from path_faults(value, at)
    elif name.startswith("Timestamp"):
        if not isinstance(value, str) or timestamps.parse(value) is None:
            yield Fault(SCHEMA, "String does not match RFC3339 timestamp", at)
    elif name.startswith("Is") or name.startswith("Boolean"):
        if not isinstance(value, bool):
            yield not_a("Boolean", at)
    elif name.startswith("Numeric"):
        if not is_number(value):
            yield not_a("Number", at)
    elif not isinstance(value, str):
        yield not_a("String", at)


_RETRIER: dict[str, Any] = {
    "ErrorEquals": lambda value: True,
    "Comment": lambda value: True,
    "IntervalSeconds": is_whole(1, 99_999_999),
    "MaxAttempts": is_whole(0, 99_999_999),
    "BackoffRate": lambda value: is_number(value) and value >= 1,
    "MaxDelaySeconds": is_whole(1, 31_622_400),
    "JitterStrategy": lambda value: value in ("FULL", "NONE"),
}


_CATCHER: dict[str, Any] = dict.fromkeys(
    ("ErrorEquals", "Comment", "Next", "ResultPath", "Assign", "Output")
)
