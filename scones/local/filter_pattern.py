"""CloudWatch Logs' filter patterns for plain text: which messages have the terms."""

import re
from collections.abc import Callable

from scones.local.errors import ServiceError

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))')
_OTHER_KINDS = {"{": "JSON", "[": "space-delimited", "%": "regular expression"}


def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a message has all terms, none of the `-excluded`, or any of the `?optional` ones.

    Terms are words or "quoted phrases"; upper and lower case differ; an empty pattern matches
    everything. Raises ServiceError: NotImplemented for kinds of pattern that are not carried,
    InvalidParameterException for what is no pattern. Source:
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    kind = _OTHER_KINDS.get(pattern.strip()[:1])
    if kind is not None:
        raise ServiceError(
            "NotImplemented", f"A {kind} filterPattern is not carried here: {pattern!r}", 501
        )
    required, optional, excluded = _terms(pattern)
    if optional:
        if required or excluded:
            raise ServiceError(
                "NotImplemented",
                f"A filterPattern with both ?optional and other terms is not carried here: "
                f"{pattern!r}",
                501,
            )
        return lambda message: any(term in message for term in optional)
    return lambda message: (
        all(term in message for term in required) and not any(term in message for term in excluded)
    )


def _terms(pattern: str) -> tuple[list[str], list[str], list[str]]:
    """Required, optional and excluded terms."""
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    end = 0
    while found := _TERM.match(pattern, end):
        sign, phrase, word = found.groups()
        terms[sign].append(word if phrase is None else re.sub(r"\\(.)", r"\1", phrase))
        end = found.end()
    if pattern[end:].strip():
        raise ServiceError("InvalidParameterException", "Invalid filter pattern")
    return terms[""], terms["?"], terms["-"]
