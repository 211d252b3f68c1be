"""Which operation of a REST service a method, path and query ask for.

S3 tells operations on one path apart by what else a request has: `?uploads`, a required query
member such as `uploadId`, or a required header such as `x-amz-copy-source`. So candidates on one
path are tried from the most demanding to the least.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.model import ServiceModel

from scones.local.protocol.messages import Request

_LABEL = re.compile(r"{[^}]*}")


@dataclass(frozen=True)
class _Candidate:
    operation: str
    constants: tuple[tuple[str, str], ...]
    """Parts of the query in the template; the value "" stands for any."""
    query: frozenset[str]
    """Names that the query must have: constants and required members."""
    headers: frozenset[str]

    def fits(self, request: Request) -> bool:
        return (
            self.headers <= request.headers.keys()
            and self.query <= request.query.keys()
            and self.named_by(request)
        )

    def named_by(self, request: Request) -> bool:
        return all(
            name in request.query and (not value or request.query[name][0] == value)
            for name, value in self.constants
        )


@dataclass
class _Group:
    """All operations on one path."""

    pattern: re.Pattern[str]
    rank: tuple[int, ...]
    candidates: list[_Candidate]
    without_query: list[_Candidate]


class Routes:
    """All operations of a REST service, carried or not: those not carried are refused by name."""

    def __init__(self, model: ServiceModel, preferred: frozenset[str]) -> None:
        """`preferred` operations win where the model has two on one path (S3: `GET /`)."""
        groups: dict[tuple[str, str], _Group] = {}
        for name in model.operation_names:
            operation = model.operation_model(name)
            template, _, query = operation.http["requestUri"].partition("?")
            template = template.rstrip("/") or "/"
            key = operation.http["method"], _LABEL.sub("{}", template)
            pattern, rank = _compile(template)
            group = groups.setdefault(key, _Group(pattern, rank, [], []))
            group.candidates.append(_candidate(name, operation, query))
        self._by_method: dict[str, list[_Group]] = {}
        for (method, _), group in groups.items():
            group.candidates.sort(key=lambda each: _demands(each, preferred))
            group.without_query = [each for each in group.candidates if not each.query]
            self._by_method.setdefault(method, []).append(group)
        for each in self._by_method.values():
            each.sort(key=lambda group: group.rank)

    def find(self, request: Request) -> str | None:
        """The operation's name, its labels left in the request; None if there is no such path."""
        for group in self._by_method.get(request.method, ()):
            match = group.pattern.fullmatch(request.path)
            if match is not None:
                operation = _choose(group, request)
                if operation is not None:
                    request.labels = match.groups()
                    return operation
        return None


def _choose(group: _Group, request: Request) -> str | None:
    if not request.query:
        for each in group.without_query:
            if each.headers <= request.headers.keys():
                return each.operation
    asked = request.query.get("x-id", [""])[0]  # some SDKs name the operation
    for each in group.candidates:
        if each.operation == asked or each.fits(request):
            return each.operation
    # A required member may be missing; the operation itself will say which.
    named = (each.operation for each in reversed(group.candidates) if each.named_by(request))
    return next(named, None)


def _compile(template: str) -> tuple[re.Pattern[str], tuple[int, ...]]:
    """A path's pattern, and its rank: literal segments before labels before greedy labels."""
    pattern, rank = "", []
    for segment in template.strip("/").split("/"):
        parts = re.split(r"({[^}]*})", segment)
        pattern += "/" + "".join(_part(each) for each in parts)
        rank.append(2 if "+}" in segment else 1 if "{" in segment else 0)
    return re.compile(f"{pattern}/?" if not pattern.endswith("(.+)") else pattern), tuple(rank)


def _part(part: str) -> str:
    if part.endswith("+}"):
        return "(.+)"
    return "([^/]+)" if part.startswith("{") else re.escape(part)


def _candidate(name: str, operation: Any, query: str) -> _Candidate:
    shape = operation.input_shape
    required = [shape.members[each] for each in shape.required_members] if shape else []
    constants = [
        (name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "x-id"
    ]
    return _Candidate(
        operation=name,
        constants=tuple(constants),
        query=frozenset([*dict(constants), *_wire_names(required, "querystring")]),
        headers=frozenset(each.lower() for each in _wire_names(required, "header")),
    )


def _wire_names(members: list[Any], location: str) -> list[str]:
    return [
        unquote(each.serialization["name"])
        for each in members
        if each.serialization.get("location") == location
    ]


def _demands(candidate: _Candidate, preferred: frozenset[str]) -> tuple[int, bool]:
    return -len(candidate.query) - len(candidate.headers), candidate.operation not in preferred
