"""What is wrong with a JSON text, in the words of the Java library Jackson, which AWS passes on."""

import json
import re
from typing import NamedTuple

from scones.local.asl.text import DEEPEST

_EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


class Complaint(NamedTuple):
    """What, and where: lines and columns count from 1."""

    message: str
    line: int
    column: int


_TOO_DEEP = Complaint(f"Document nesting depth exceeds the maximum allowed ({DEEPEST})", 1, 1)
_TOO_LONG = Complaint("Number value length exceeds the maximum allowed", 1, 1)


def explain(text: str) -> Complaint:
    """The complaint about a text that is not JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _complain(text, error)
    except RecursionError:
        return _TOO_DEEP
    except ValueError:  # Python, like Jackson, reads no number of thousands of digits
        return _TOO_LONG
    word = re.search(r"NaN|-?Infinity", text)
    return _unrecognized(text, word) if word else _TOO_DEEP


def source(text: str) -> str:
    """The text as Jackson shows it, cut at 500 characters."""
    shown = text if len(text) <= 500 else f"{text[:500]}[truncated {len(text) - 500} chars]"
    return f'(String)"{shown}"'


def _complain(text: str, error: json.JSONDecodeError) -> Complaint:
    position = error.pos
    if not text.strip():
        line, column = _place(text, len(text))
        return Complaint("No content to map due to end-of-input", line, column - 1)
    word = re.compile(r"[A-Za-z_$][\w$]*").match(text, position)
    if word and error.msg.startswith("Expecting value"):
        return _unrecognized(text, word)
    if position >= len(text.rstrip()):
        line, column = _place(text, len(text))
        return Complaint("Unexpected end-of-input", line, column)
    line, column = _place(text, position + 1)
    told = (words for python, words in _WANTED.items() if error.msg.startswith(python))
    expected = next(told, f"was expecting {_EXPECTED}")
    character = f"'{text[position]}' (code {ord(text[position])})"
    return Complaint(f"Unexpected character ({character}): {expected}", line, column)


def _unrecognized(text: str, word: re.Match[str]) -> Complaint:
    line, column = _place(text, word.end())
    message = f"Unrecognized token '{word.group()}': was expecting {_EXPECTED}"
    return Complaint(message, line, column)


_WANTED = {
    "Expecting property name": "was expecting double-quote to start field name",
    "Illegal trailing comma": "was expecting double-quote to start field name",
    "Expecting ':' delimiter": "was expecting a colon to separate field name and value",
    "Expecting ',' delimiter": "was expecting comma to separate entries",
    "Expecting value": f"expected a valid value {_EXPECTED}",
}
"""Python's words and Jackson's, which also tells Object entries from Array entries."""


def _place(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
