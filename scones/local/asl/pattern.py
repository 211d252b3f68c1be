"""JSONata's `/regular expressions/`, bounded in time.

Python's own `re` neither stops nor lets another thread run while it backtracks; the `regex` module
does both. What it reads differently from `re`, fuzzy counts and POSIX classes, is written so that
it means itself, as in JavaScript.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import regex
from jsonata.regex_engine import RegexFlags

from scones.local.asl.bounds import Bounds, check_text

_TOKEN = re.compile(r"\\[pPN]\{[^{}]*\}|\\.|\{\d*,?\d*\}|.", re.DOTALL)
_REFERENCE = re.compile(r"\\g<(\d+)>")
"""How the library hands on a `$1` in the replacement of `$replace`."""


class Pattern:
    """What the library asks of a compiled pattern; `bounds` is whoever evaluates at the moment."""

    def __init__(self, text: str, flags: RegexFlags, bounds: Callable[[], Bounds]) -> None:
        chosen = regex.IGNORECASE if flags.case_insensitive else 0
        chosen |= regex.MULTILINE if flags.multiline else 0
        try:
            self._compiled = regex.compile(_without_extensions(text), chosen)
        except (regex.error, RecursionError) as error:
            raise ValueError(f"/{text}/ is not a regular expression: {error}") from error
        self._bounds = bounds

    def search(self, text: str) -> Any:
        """The first match."""
        return self._in_time(self._compiled.search, text)

    def finditer(self, text: str) -> Iterator[Any]:
        """Every match."""
        bounds = self._bounds()
        try:
            yield from self._compiled.finditer(text, timeout=bounds.left_s())
        except TimeoutError:
            raise bounds.stop() from None

    def split(self, text: str) -> list[Any]:
        """What stands between the matches."""
        found: list[Any] = self._in_time(self._compiled.split, text)
        return found

    def sub(self, replacement: Any, text: str, count: int = 0) -> str:
        """The text with matches replaced, by a template of the library's or a function."""
        make = replacement if callable(replacement) else _filler(replacement)
        grown = 0

        def measured(match: Any) -> str:
            nonlocal grown
            made: str = make(match)
            grown += len(made)
            check_text(grown)
            return made

        changed: str = self._in_time(self._compiled.sub, measured, text, count)
        return changed

    def _in_time(self, method: Callable[..., Any], *arguments: Any) -> Any:
        bounds = self._bounds()
        try:
            return method(*arguments, timeout=bounds.left_s())
        except TimeoutError:
            raise bounds.stop() from None


def _without_extensions(text: str) -> str:
    written = []
    inside = False
    for token in _TOKEN.findall(text):
        if token == "{" or (token == "[" and inside):
            token = f"\\{token}"
        elif token in "[]":
            inside = token == "["
        written.append(token)
    return "".join(written)


def _filler(template: str) -> Callable[[Any], str]:
    """Fills in groups; of a number beyond the last group only its first digits count, and a group
    that is not there or took no part is empty."""

    def fill(match: Any) -> str:
        return _REFERENCE.sub(lambda found: _group(match, found.group(1)), template)

    return fill


def _group(match: Any, digits: str) -> str:
    for end in range(len(digits), 0, -1):
        if int(digits[:end]) <= len(match.groups()):
            return (match.group(int(digits[:end])) or "") + digits[end:]
    return digits[1:]
