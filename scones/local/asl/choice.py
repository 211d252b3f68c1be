"""The rules of a Choice state in JSONPath: read once into a test of the scene.

https://states-language.net/#choice-state
"""

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from scones.local.asl import timestamps
from scones.local.asl.errors import RUNTIME, PathError, StatesError
from scones.local.asl.paths import Scene, compile_path

Test = Callable[[Scene], bool]

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_OPERATOR = re.compile(r"(String|Numeric|Boolean|Timestamp)(\w*?(?:Than|Equals)+?\w*?)(Path)?")


def compile_rule(rule: Mapping[str, Any]) -> Test:
    """A test for one rule, or for one part of And, Or, Not."""
    if "And" in rule:
        parts = [compile_rule(each) for each in rule["And"]]
        return lambda scene: all(part(scene) for part in parts)
    if "Or" in rule:
        parts = [compile_rule(each) for each in rule["Or"]]
        return lambda scene: any(part(scene) for part in parts)
    if "Not" in rule:
        part = compile_rule(rule["Not"])
        return lambda scene: not part(scene)
    name = next(key for key in rule if key in OPERATORS)
    return _comparison(rule["Variable"], name, rule[name])


def _comparison(variable: str, name: str, operand: Any) -> Test:
    if name == "IsPresent":
        return lambda scene: _present(variable, scene) is operand
    if name in _KINDS:
        is_kind = _KINDS[name]
        return lambda scene: is_kind(_read(variable, scene)) is operand
    if name == "StringMatches":
        pattern = _wildcards(operand)
        return lambda scene: _matches(pattern, _read(variable, scene))
    kind, compare, by_path = OPERATORS[name]
    if by_path:
        return lambda scene: compare_as(
            kind, compare, _read(variable, scene), _read(operand, scene)
        )
    return lambda scene: compare_as(kind, compare, _read(variable, scene), operand)


def compare_as(kind: str, compare: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    """False for values of another kind, whatever the comparison."""
    if kind == "Numeric":
        return _is_number(left) and _is_number(right) and compare(left, right)
    if kind == "Boolean":
        return isinstance(left, bool) and isinstance(right, bool) and compare(left, right)
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    if kind == "Timestamp":
        first, second = timestamps.parse(left), timestamps.parse(right)
        return first is not None and second is not None and compare(first, second)
    return compare(left, right)


def _read(text: str, scene: Scene) -> Any:
    try:
        return compile_path(text).read(scene)
    except PathError as error:
        raise StatesError(
            RUNTIME,
            f"Invalid path '{text}': The choice state's condition path references an invalid"
            " value.",
            in_state=True,
        ) from error


def _present(text: str, scene: Scene) -> bool:
    path = compile_path(text)
    try:
        found = path.read(scene)
    except PathError:
        return False
    return path.definite or bool(found)


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


@lru_cache(maxsize=512)
def _wildcards(text: str) -> re.Pattern[str]:
    """`*` is any text, a backslash takes the meaning off the next character."""
    pieces = re.findall(r"\\.|\*|[^\\*]+|\\", text, re.S)
    return re.compile("".join(_piece(each) for each in pieces), re.S)


def _piece(text: str) -> str:
    if text == "*":
        return ".*"
    return re.escape(text[1:] if text.startswith("\\") and len(text) > 1 else text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_timestamp(value: Any) -> bool:
    return isinstance(value, str) and timestamps.parse(value) is not None


_KINDS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": _is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": _is_timestamp,
}


def _operators() -> dict[str, tuple[str, Callable[[Any, Any], bool], bool]]:
    found = {}
    for kind in ("String", "Numeric", "Boolean", "Timestamp"):
        for word, compare in _COMPARISONS.items():
            if kind != "Boolean" or word == "Equals":
                found[kind + word] = (kind, compare, False)
                found[kind + word + "Path"] = (kind, compare, True)
    return found


_PLAIN: tuple[str, Callable[[Any, Any], bool], bool] = ("", operator.eq, False)
OPERATORS: dict[str, tuple[str, Callable[[Any, Any], bool], bool]] = {
    **_operators(),
    "StringMatches": _PLAIN,
    "IsPresent": _PLAIN,
    **dict.fromkeys(_KINDS, _PLAIN),
}
"""Every comparison operator: its kind, its comparison, whether the operand is a path."""
