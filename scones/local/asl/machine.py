"""A definition, read once: states with their nested machines and compiled rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scones.local.asl.choice import Test, compile_rule

JSONATA = "JSONata"
JSONPATH = "JSONPath"


@dataclass(frozen=True, slots=True)
class State:
    """One state; `fields` is its definition as it was written."""

    name: str
    kind: str
    """Its Type: Pass, Task, Choice, Wait, Succeed, Fail, Parallel or Map."""
    fields: Mapping[str, Any]
    jsonata: bool
    next: str | None
    """None where the state ends its machine, or chooses."""
    branches: tuple["Machine", ...] = ()
    """Of a Parallel; a Map has one, its processor."""
    rules: tuple[Test, ...] = ()
    """Of a Choice in JSONPath, in order of Choices."""
    distributed: bool = False
    """A Map whose items run as executions of their own."""
    express: bool = False
    """... which are EXPRESS."""

    @property
    def retriers(self) -> list[Mapping[str, Any]]:
        """Its Retry, or none."""
        return self.fields.get("Retry") or []

    @property
    def catchers(self) -> list[Mapping[str, Any]]:
        """Its Catch, or none."""
        return self.fields.get("Catch") or []


@dataclass(frozen=True, slots=True)
class Machine:
    """States by name, and where to start."""

    start_at: str
    states: Mapping[str, State]
    timeout_s: float | None = None
    query_language: str = JSONPATH
    definition: Mapping[str, Any] = field(default_factory=dict, repr=False)


def build(definition: Mapping[str, Any], language: str = JSONPATH) -> Machine:
    """Read a valid definition; `language` is what states speak that do not say."""
    language = definition.get("QueryLanguage", language)
    return Machine(
        start_at=definition["StartAt"],
        states={
            name: build_state(name, fields, language)
            for name, fields in definition["States"].items()
        },
        timeout_s=definition.get("TimeoutSeconds"),
        query_language=language,
        definition=definition,
    )


def build_state(name: str, fields: Mapping[str, Any], language: str = JSONPATH) -> State:
    """Read one valid state."""
    speaks = fields.get("QueryLanguage", language)
    kind = fields["Type"]
    jsonata = speaks == JSONATA
    nested = fields.get("Branches") if kind == "Parallel" else _processor(fields)
    config = nested[0].get("ProcessorConfig") or {} if kind == "Map" and nested else {}
    return State(
        name=name,
        kind=kind,
        fields=fields,
        jsonata=jsonata,
        next=fields.get("Next"),
        branches=tuple(build(each, language) for each in nested or ()),
        rules=() if jsonata else tuple(compile_rule(rule) for rule in fields.get("Choices") or ()),
        distributed=config.get("Mode") == "DISTRIBUTED",
        express=config.get("ExecutionType") == "EXPRESS",
    )


def _processor(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = fields.get("ItemProcessor") or fields.get("Iterator")
    return [found] if found else []
