"""Faults of data flow: paths, templates and expressions, wherever they stand in a state."""

import re
from collections.abc import Mapping
from typing import Any

from scones.local.asl import fields, jsonata
from scones.local.asl.expression import compile_expression
from scones.local.asl.fault import SCHEMA, Fault, Faults
from scones.local.asl.intrinsics import compile_call
from scones.local.asl.machine import JSONATA, JSONPATH
from scones.local.asl.paths import compile_path, compile_reference

_VARIABLE = re.compile(r"[^\W\d]\w{0,79}")


def data_faults(state: Mapping[str, Any], at: str, language: str) -> Faults:
    """Everything wrong with the data flow of a state, a catcher or a choice rule."""
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
            yield from path_faults(state[name], f"{at}/{name}")
    if isinstance(state.get("ResultPath"), str):
        yield from _reference(state["ResultPath"], f"{at}/ResultPath")
    for name in ("ErrorPath", "CausePath"):
        if isinstance(state.get(name), str):
            yield from _path_or_call(state[name], f"{at}/{name}")
    for name in ("Parameters", "ResultSelector", "ItemSelector", "Assign"):
        if name in state:
            yield from _template(state[name], f"{at}/{name}")


def template_faults(template: Any, language: str, at: str) -> Faults:
    """What is wrong with a template on its own."""
    if language == JSONATA:
        yield from _expressions(template, at)
    else:
        yield from _template(template, at)


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
            compile_expression(jsonata.source(template))
        except ValueError as error:
            yield Fault(SCHEMA, f"Value is not a valid JSONata expression. {error}", at)


def _path_or_call(text: str, at: str) -> Faults:
    if not text.startswith("States."):
        yield from path_faults(text, at)
        return
    try:
        compile_call(text)
    except (ValueError, RecursionError) as error:
        yield Fault(SCHEMA, f"Value is not a valid intrinsic function call: {error}", at)


def path_faults(text: Any, at: str) -> Faults:
    """What is wrong with a path."""
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
