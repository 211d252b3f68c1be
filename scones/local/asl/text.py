"""JSON text, as Step Functions writes it: no spaces, and characters as they are."""

import json
from typing import Any

DEEPEST = 300
"""Levels of nesting. Ours: AWS's reader, Jackson, stops at 1000, where Python's own limit lies, and
templates and paths are walked by recursion."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def dump(value: Any) -> str:
    """A value as JSON text; ValueError for NaN and Infinity."""
    return whole(_encode(value))


def whole(text: str) -> str:
    """The text with `?` for half a surrogate pair, which JSON can escape, `"\\ud800"`, and UTF-8
    cannot hold; Java writes it so, too."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def load(text: str) -> Any:
    """Read JSON; ValueError also for NaN and Infinity, which JSON has not, and for a document that
    is nested too deeply."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(f"the document is nested more than {DEEPEST} levels deep") from error
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"the document is nested more than {DEEPEST} levels deep")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [
            inner for each in level for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
