"""One stay in a state: what it sees, and how its data goes in and out."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scones.local.asl import jsonata, jsonpath
from scones.local.asl.errors import RUNTIME, StatesError
from scones.local.asl.history import Event, Scope
from scones.local.asl.machine import State
from scones.local.asl.paths import Scene
from scones.local.asl.patience import patiently
from scones.local.asl.timestamps import render

if TYPE_CHECKING:
    from scones.local.asl.interpreter import Interpreter


class Step(NamedTuple):
    """What a state came to."""

    output: Any
    assigned: Mapping[str, Any]
    next: str | None


T = TypeVar("T")

_NOTHING: Mapping[str, Any] = {}
_COUNTED = ("Task", "Parallel", "Map")


class Visit:
    """A state, its input and its place in the history; `attempt` counts retries, from 0.

    `tail` are the events after its entry that an earlier process recorded; empty for a new visit.
    """

    def __init__(
        self,
        interpreter: "Interpreter",
        state: State,
        value: Any,
        scope: Scope,
        entered: Event,
        tail: list[Event],
    ) -> None:
        self.interpreter = interpreter
        self.state = state
        self.input = value
        self.scope = scope
        self.entered = entered
        self.before = entered.previous
        self.tail = tail
        self.attempt = 0
        self.token: str | None = None
        self.failed_kind: str | None = None
        """The event that says the state failed for good, where its type has one."""
        self.seen: dict[str, Any] | None = None
        """Where TestState writes down the data at each step, by AWS's names of the steps."""
        self.given_context: dict[str, Any] | None = None
        """A context object that TestState was given."""

    def note(self, step: str, value: Any) -> Any:
        """The value, written down if anybody looks."""
        if self.seen is not None:
            self.seen[step] = value
        return value

    @property
    def context(self) -> dict[str, Any]:
        """The context object."""
        if self.given_context is not None:
            return self.given_context
        state: dict[str, Any] = {
            "Name": self.state.name,
            "EnteredTime": render(self.entered.at),
        }
        if self.state.kind in _COUNTED:
            state["RetryCount"] = self.attempt
        found = {**self.interpreter.context, "State": state}
        if self.token is not None:
            found["Task"] = {"Token": self.token}
        if self.scope.item is not None:
            found["Map"] = self.scope.item
        return found

    # JSONPath

    def scene(self, document: Any) -> Scene:
        """What paths see, with `document` as `$`."""
        return Scene(document, lambda: self.context, self.scope.variables)

    def effective(self) -> Any:
        """The input after InputPath."""
        document = self.input
        if "InputPath" in self.state.fields:
            document = jsonpath.select(self.state.fields["InputPath"], self.scene(document))
        return document if self.seen is None else self.note("afterInputPath", document)

    def parameters(self) -> Any:
        """The input after InputPath and Parameters."""
        document = self.effective()
        template = self.state.fields.get("Parameters")
        if template is not None:
            document = jsonpath.fill(template, self.scene(document))
        return document if self.seen is None else self.note("afterParameters", document)

    def out(self, document: Any) -> Any:
        """A document after OutputPath."""
        if "OutputPath" not in self.state.fields:
            return document
        return jsonpath.select(self.state.fields["OutputPath"], self.scene(document))

    def assign(self, document: Any, template: Any = None) -> Mapping[str, Any]:
        """The variables of Assign, with `document` as `$`."""
        chosen = self.state.fields.get("Assign") if template is None else template
        return jsonpath.fill(chosen, self.scene(document)) if chosen else _NOTHING

    def number(self, field: str, expected: str = "integer") -> float | None:
        """A number in `field`: plain, an expression, or at the path in `field` + "Path"."""
        fields = self.state.fields
        return self.number_in(fields, field, field, expected)

    def number_in(
        self, fields: Mapping[str, Any], field: str, location: str, expected: str = "integer"
    ) -> float | None:
        """As `number`, in an object within the state, such as its ItemBatcher."""
        if field in fields:
            value = fields[field]
            if not jsonata.is_expression(value):
                return value if isinstance(value, int | float) else None
            bindings = self.bindings()
            found: float = jsonata.evaluate(
                jsonata.source(value), bindings, location, _KIND_NAMES[expected]
            )
            return found
        path = fields.get(f"{field}Path")
        if path is None:
            return None
        found_at = jsonpath.read_path(path, f"{field}Path", self.scene(self.effective()))
        return _as_number(found_at, f"{field}Path", path, expected)

    # JSONata

    def bindings(self, **states: Any) -> dict[str, Any]:
        """What expressions see: the variables and `$states`."""
        seen = {"input": self.input, "context": self.context, **states}
        return {**self.scope.variables, "states": seen}

    def condition(self, expression: Any, location: str) -> bool:
        """A Condition; EvaluationError for what is not a boolean."""
        if not jsonata.is_expression(expression):
            return bool(expression)
        found: bool = jsonata.evaluate(
            jsonata.source(expression), self.bindings(), location, "boolean"
        )
        return found

    # Both

    async def calmly(self, work: Callable[[], T]) -> T:
        """What `work` comes to, without holding up the loop while its expressions are evaluated.

        `work` may run more than once, so it does nothing but evaluate.
        """
        return await patiently(work) if self.state.jsonata else work()

    async def finished(
        self, result: Any, *, from_result: bool = False, before_entry: bool = False
    ) -> Step:
        """`finish`, calmly."""
        return await self.calmly(
            lambda: self.finish(result, from_result=from_result, before_entry=before_entry)
        )

    def finish(self, result: Any, *, from_result: bool = False, before_entry: bool = False) -> Step:
        """Turn a state's result into its output and variables, in its own language."""
        if self.state.jsonata:
            seen = {"result": result} if from_result else {}
            return self._finish_jsonata(self.state.fields, result, seen, "", before_entry)
        fields = self.state.fields
        selector = fields.get("ResultSelector")
        if selector is not None:
            result = jsonpath.fill(selector, self.scene(result))
        self.note("afterResultSelector", result)
        assigned = self.assign(result)
        path = fields.get("ResultPath", "$")
        whole = result if path == "$" else jsonpath.combine(path, self.input, result)
        self.note("afterResultPath", whole)
        return Step(self.out(whole), assigned, self.state.next)

    def finish_with(self, fields: Mapping[str, Any], rule: Mapping[str, Any], place: str) -> Step:
        """As `finish`, with the Output and Assign of a choice rule, found at `place`."""
        outer = {key: value for key, value in fields.items() if key not in ("Output", "Assign")}
        own = {key: rule[key] for key in ("Output", "Assign") if key in rule}
        if "Output" not in own and "Output" in self.state.fields:
            own["Output"] = self.state.fields["Output"]
        return self._finish_jsonata({**outer, **own}, self.input, {}, place, True)

    def _finish_jsonata(
        self,
        fields: Mapping[str, Any],
        default: Any,
        seen: Mapping[str, Any],
        place: str,
        before_entry: bool,
    ) -> Step:
        bindings = self.bindings(**seen) if "Assign" in fields or "Output" in fields else _NOTHING
        assigned: Mapping[str, Any] = _NOTHING
        if fields.get("Assign"):
            assigned = jsonata.fill(
                fields["Assign"], bindings, f"{place}Assign", before_entry=before_entry
            )
        output = default
        if "Output" in fields:
            output = jsonata.fill(
                fields["Output"], bindings, f"{place}Output", before_entry=before_entry
            )
        return Step(output, assigned, self.state.next)

    def catch(self, catcher: Mapping[str, Any], failure: StatesError) -> Step:
        """What a catcher makes of a failure: its output, its variables, its next state."""
        error = {"Error": failure.error or "", "Cause": failure.cause or ""}
        if self.state.jsonata:
            fields = {key: catcher[key] for key in ("Assign", "Output") if key in catcher}
            seen = {"errorOutput": error}
            step = self._finish_jsonata(fields, error, seen, "Catch/", False)
            return Step(step.output, step.assigned, catcher["Next"])
        assigned = self.assign(error, catcher.get("Assign") or _NOTHING)
        path = catcher.get("ResultPath", "$")
        output = error if path == "$" else jsonpath.combine(path, self.input, error)
        return Step(output, assigned, catcher["Next"])

    def text_of(self, field: str) -> str | None:
        """The Error or Cause of a Fail state, plain, evaluated, or at a path."""
        fields = self.state.fields
        if field in fields:
            if not jsonata.is_expression(fields[field]) or not self.state.jsonata:
                found: str = fields[field]
                return found
            evaluated: str = jsonata.evaluate(
                jsonata.source(fields[field]), self.bindings(), field, "string"
            )
            return evaluated
        path = fields.get(f"{field}Path")
        if path is None:
            return None
        scene = self.scene(self.input)
        value = jsonpath.read_value(path, f"{field}Path", scene)
        if not isinstance(value, str):
            raise StatesError(
                RUNTIME,
                f"The JSONPath '{path}' specified for the field '{field}Path' does not lead to a"
                f" string",
                in_state=True,
            )
        return value


_KIND_NAMES = {"integer": "number", "float": "number", "number": "number"}


def _as_number(value: Any, field: str, path: str, expected: str) -> float:
    """Digits in a string count too, as AWS reads variables."""
    cast = int if expected == "integer" else float
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        if expected == "integer" and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return cast(value)
    except ValueError:
        shown = value if isinstance(value, str) else jsonpath.dump(value)
        article = "an integer" if expected == "integer" else "a float"
        raise StatesError(
            RUNTIME,
            f'The {field} field refers to value "{shown}" which is not a valid'
            f" {article.split()[1]}: {path}",
            in_state=True,
        ) from None
