"""The intrinsic functions, `States.Format('{}', $.x)`: read into a tree, then called.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

import base64
import binascii
import json
import math
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scones.local.asl.digest import digest
from scones.local.asl.errors import INTRINSIC_FAILURE, StatesError
from scones.local.asl.paths import Path, Scene, compile_path
from scones.local.asl.text import dump, load, whole

_TOKEN = re.compile(
    r"\s*(?:(?P<call>States\.\w+)\s*\(|(?P<string>'(?:[^'\\]|\\.)*')"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>null|true|false)\b"
    r"|(?P<path>\$)|(?P<end>[),]))",
    re.S,
)
_ESCAPED = "'{}\\"
"""https://states-language.net/#intrinsic-functions"""
_WORDS = {"null": None, "true": True, "false": False}
_LONGEST_ENCODED = 10_000
_MOST_ITEMS = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments: calls, paths and plain values."""

    name: str
    arguments: tuple[Any, ...]
    text: str

    def evaluate(self, scene: Scene) -> Any:
        """The result; StatesError States.IntrinsicFailure for arguments it does not take."""
        values = [_value(argument, scene) for argument in self.arguments]
        try:
            return _FUNCTIONS[self.name](*values)
        except (TypeError, ValueError, IndexError, KeyError, binascii.Error) as error:
            cause = f"Invalid arguments in {self.name}: {error}"
            raise StatesError(INTRINSIC_FAILURE, cause, in_state=True) from error


def _value(argument: Any, scene: Scene) -> Any:
    if isinstance(argument, Call):
        return argument.evaluate(scene)
    return argument.read(scene) if isinstance(argument, Path) else argument


@lru_cache(maxsize=1024)
def compile_call(text: str) -> Call:
    """Read one call; ValueError says where it is wrong."""
    found, position = _argument(text, 0)
    if not isinstance(found, Call) or text[position:].strip():
        raise ValueError(f"{text!r} is not one call of an intrinsic function")
    return found


def _argument(text: str, position: int) -> tuple[Any, int]:
    token = _TOKEN.match(text, position)
    if not token or token.lastgroup == "end":
        raise ValueError(f"{text!r}: no argument at column {position + 1}")
    if token["call"]:
        return _call(text, token["call"], token.end())
    if token["string"]:
        return re.sub(r"\\(.)", _unescape, token["string"][1:-1], flags=re.S), token.end()
    if token["number"]:
        return json.loads(token["number"]), token.end()
    if token["word"]:
        return _WORDS[token["word"]], token.end()
    end = _path_end(text, token.start("path"))
    return compile_path(text[token.start("path") : end].strip()), end


def _unescape(found: re.Match[str]) -> str:
    if found.group(1) not in _ESCAPED:
        raise ValueError(f"{found.group()} is no escape: only {', '.join(_ESCAPED)} can be escaped")
    # \{ and \} stay escaped until Format has used its places.
    return found.group() if found.group(1) in "{}" else found.group(1)


def _call(text: str, name: str, position: int) -> tuple[Call, int]:
    if name not in _FUNCTIONS:
        raise ValueError(f"{text!r}: there is no intrinsic function {name}")
    arguments: list[Any] = []
    token = _TOKEN.match(text, position)
    if token and token["end"] == ")":
        return Call(name, (), text), token.end()
    while True:
        argument, position = _argument(text, position)
        arguments.append(argument)
        token = _TOKEN.match(text, position)
        if not token or token.lastgroup != "end":
            raise ValueError(f"{text!r}: , or ) is missing at column {position + 1}")
        position = token.end()
        if token["end"] == ")":
            return Call(name, tuple(arguments), text), position


def _path_end(text: str, position: int) -> int:
    depth, quote = 0, ""
    for index in range(position, len(text)):
        character = text[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character == "]" or (character == ")" and depth):
            depth -= 1
        elif character in ",)" and not depth:
            return index
    return len(text)


def _format(template: str, *values: Any) -> str:
    parts = re.split(r"(?<!\\)\{\}", template)
    if len(parts) != len(values) + 1:
        raise ValueError(f"{len(parts) - 1} places for {len(values)} values")
    shown = [*map(_shown, values), ""]
    joined = "".join(part + value for part, value in zip(parts, shown, strict=True))
    return joined.replace("\\{", "{").replace("\\}", "}")


def _shown(value: Any) -> str:
    """As Java prints it: `{a=1, b=[x, null]}`; a string is bare, also inside."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return dump(value)


def _partition(array: list[Any], size: float) -> list[list[Any]]:
    size = _rounded(size)
    if size < 1:
        raise ValueError(f"the chunk size must be positive, not {size}")
    return [_list(array)[start : start + size] for start in range(0, len(array), size)]


def _range(first: float, last: float, step: float) -> list[int]:
    first, last, step = _rounded(first), _rounded(last), _rounded(step)
    if not step:
        raise ValueError("the step cannot be 0")
    found = range(first, last + (1 if step > 0 else -1), step)
    if len(found) > _MOST_ITEMS:
        raise ValueError(f"{len(found)} items, where at most {_MOST_ITEMS} are allowed")
    return list(found)


def _unique(array: list[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for each in _list(array):
        seen.setdefault(json.dumps(each, sort_keys=True), each)
    return list(seen.values())


def _contains(array: list[Any], value: Any) -> bool:
    wanted = json.dumps(value, sort_keys=True)
    return any(json.dumps(each, sort_keys=True) == wanted for each in _list(array))


def _item(array: list[Any], index: float) -> Any:
    position = _rounded(index)
    if position < 0:
        raise ValueError(f"the index must not be negative, but is {position}")
    return _list(array)[position]


def _encode(text: str) -> str:
    return base64.b64encode(whole(_short(text)).encode()).decode()


def _decode(text: str) -> str:
    return base64.b64decode(_short(text), validate=True).decode()


def _hash(value: Any, algorithm: str) -> str:
    text = _short(value if isinstance(value, str) else dump(value))
    return digest(whole(text), algorithm)


def _merge(first: Any, second: Any, deep: Any) -> dict[str, Any]:
    if deep is not False:
        raise ValueError("only shallow merging is supported: the third argument must be false")
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise TypeError("two objects are merged")
    return {**first, **second}


def _random(first: float, last: float, seed: float | None = None) -> int:
    """From `first` up to, but not including, `last`; the same number for the same seed."""
    low, high = _rounded(first), _rounded(last)
    if low >= high:
        raise ValueError(f"the start, {low}, must be below the end, {high}")
    generator = random if seed is None else random.Random(_rounded(seed))
    return generator.randrange(low, high)


def _split(text: Any, separators: Any) -> list[str]:
    """At each character of `separators`; empty parts are dropped, as AWS does."""
    if not isinstance(text, str) or not isinstance(separators, str):
        raise TypeError("two strings are taken")
    if not separators:
        return [text] if text else []
    return [part for part in re.split(f"[{re.escape(separators)}]", text) if part]


def _rounded(number: Any) -> int:
    """As Java's Math.round: halves go up, -1.5 to -1."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"a number is taken, not {number!r}")
    return math.floor(number + 0.5) if isinstance(number, float) else number


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"an array is taken, not {value!r}")
    return value


def _short(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"a string is taken, not {text!r}")
    if len(text) > _LONGEST_ENCODED:
        raise ValueError(f"{len(text)} characters, where at most {_LONGEST_ENCODED} are allowed")
    return text


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "States.Array": lambda *values: list(values),
    "States.ArrayContains": _contains,
    "States.ArrayGetItem": _item,
    "States.ArrayLength": lambda array: len(_list(array)),
    "States.ArrayPartition": _partition,
    "States.ArrayRange": _range,
    "States.ArrayUnique": _unique,
    "States.Base64Decode": _decode,
    "States.Base64Encode": _encode,
    "States.Format": _format,
    "States.Hash": _hash,
    "States.JsonMerge": _merge,
    "States.JsonToString": lambda value: dump(value),
    "States.MathAdd": lambda first, second: _rounded(first) + _rounded(second),
    "States.MathRandom": _random,
    "States.StringSplit": _split,
    "States.StringToJson": lambda text: load(text),
    "States.UUID": lambda: str(uuid.uuid4()),
}
