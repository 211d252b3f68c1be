"""JSONata's functions that could make too much of a little, or take too long in one step.

They answer what the library's own do, which they call, and what JSONata says where that differs.
"""

from typing import Any

from jsonata.functions import Functions
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from scones.local.asl.bounds import check_text


class _Bounded:
    """Found by name and called with positions, as the library does with its own."""

    @staticmethod
    def pad(text: Any, width: Any, filler: Any) -> Any:
        if isinstance(width, int | float):
            check_text(int(abs(width)))
        return Functions.pad(text, width, filler)

    @staticmethod
    def join(texts: Any, separator: Any) -> Any:
        check_text(sum(map(len, texts or ())) + len(texts or ()) * len(separator or ""))
        return Functions.join(texts, separator)

    @staticmethod
    def string(value: Any, prettify: Any) -> Any:
        check_text(_length(value))
        return Functions.string(value, prettify)

    @staticmethod
    def replace(text: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
        """With a limit, the library would replace again in what it has put there."""
        if not isinstance(text, str) or isinstance(pattern, str) or limit is None:
            _check_replaced(text, pattern, replacement, limit)
            return Functions.replace(text, pattern, replacement, limit)
        if limit < 1:
            return Functions.replace(text, pattern, replacement, limit)
        return _Counted(pattern, int(limit)).replace(text, replacement)

    @staticmethod
    def distinct(values: Any) -> Any:
        """The library compares each with each, and takes true for 1."""
        if not isinstance(values, list) or len(values) <= 1:
            return values
        found = Utils.create_sequence() if isinstance(values, Utils.JList) else []
        first: dict[Any, Any] = {}
        for value in values:
            first.setdefault(_same(value), value)
        found.extend(first.values())
        return found


class _Counted:
    """A pattern that is replaced so many times at most."""

    def __init__(self, pattern: Any, count: int) -> None:
        self._pattern = pattern
        self._count = count

    def replace(self, text: str, replacement: Any) -> Any:
        return Functions.safe_replace_all(text, self, replacement)

    def sub(self, replacement: Any, text: str) -> Any:
        return self._pattern.sub(replacement, text, self._count)


def _check_replaced(text: Any, pattern: Any, replacement: Any, limit: Any) -> None:
    """Of a plain string; a pattern measures itself."""
    if all(isinstance(each, str) for each in (text, pattern, replacement)) and pattern:
        count = min(text.count(pattern), len(text) if limit is None else max(int(limit), 0))
        check_text(len(text) + count * len(replacement))


def _length(value: Any) -> int:
    """Characters of a value's text, about: stops counting once they are too many."""
    length, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            left.extend(each.values())
            length += sum(map(len, each))
        elif isinstance(each, list):
            left.extend(each)
        length += len(each) if isinstance(each, str) else 1
        check_text(length)
    return length


def _same(value: Any) -> Any:
    """What two values share if they are equal in JSONata, where true is not 1."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is Utils.NULL_VALUE:
        return (repr(value),)
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, dict):
        return frozenset((key, _same(each)) for key, each in value.items())
    return tuple(map(_same, value)) if isinstance(value, list) else value


NATIVE = {
    name: Jsonata.function(name, signature, _Bounded, name)
    for name, signature in {
        "pad": "<s-ns?:s>",
        "join": "<a<s>s?:s>",
        "string": "<x-b?:s>",
        "replace": "<s-(sf)(sf)n?:s>",
        "distinct": "<x:x>",
    }.items()
}
"""With the library's own signatures."""
