"""What happened in an execution, in order: the one truth from which it can be taken up again.

Every event belongs to a *scope*: a line of control such as the execution itself, one branch of a
Parallel, one iteration of a Map. Within a scope events follow each other strictly, so the last
state entered there, and what followed, say where it stood. Two facts that AWS's history does not
hold are kept beside it as *notes* (events with the id 0, never shown): that a state is to be tried
again, and until when it waits for that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from scones.local.asl.errors import EVENT_LIMIT, RUNTIME, StatesError
from scones.local.asl.text import load

RETRY = "Retry"
"""The note that a state is tried again: `error`, `cause`, and `until`, seconds since 1970."""


REDRIVEN = "ExecutionRedriven"
"""What was going on before it, and had not ended, begins anew."""

_KEPT_BY_REDRIVE = (
    "StateEntered",
    "StateExited",
    "StateStarted",
    "MapRunStarted",
    "MapIterationStarted",
    "MapIterationSucceeded",
)


class Event(NamedTuple):
    """One event. `details` is what AWS shows under `detail_member`, less its *Details flags."""

    id: int
    previous: int
    kind: str
    at: float
    scope: str
    details: Mapping[str, Any] | None = None


class History:
    """Numbers events and hands them on to `record` in the order in which they happened."""

    def __init__(
        self,
        record: Callable[[Event], None],
        now: Callable[[], float],
        recorded: Iterable[Event] = (),
    ) -> None:
        self._record = record
        self._now = now
        self._last = 0
        self._recorded: dict[str, list[Event]] = defaultdict(list)
        events = list(recorded)
        redriven = max((n for n, each in enumerate(events) if each.kind == REDRIVEN), default=0)
        self.redriven = redriven > 0
        for number, event in enumerate(events):
            self._last = max(self._last, event.id)
            if number >= redriven or event.kind.endswith(_KEPT_BY_REDRIVE):
                self._recorded[event.scope].append(event)

    def add(
        self, kind: str, scope: str, previous: int, details: Mapping[str, Any] | None = None
    ) -> Event:
        """Append an event; StatesError when the history is full, but for one that ends it."""
        if self._last >= EVENT_LIMIT - 1 and not kind.startswith("Execution"):
            raise StatesError(
                RUNTIME,
                f"The execution reached the maximum number of history events ({EVENT_LIMIT}).",
            )
        self._last += 1
        event = Event(self._last, previous, kind, self._now(), scope, details)
        self._record(event)
        return event

    def note(self, kind: str, scope: str, details: Mapping[str, Any]) -> None:
        """Keep a fact that is no event."""
        self._record(Event(0, 0, kind, self._now(), scope, details))

    def recorded(self, scope: str) -> list[Event]:
        """What an earlier process recorded of a scope; given out once."""
        return self._recorded.pop(scope, [])


class Scope:
    """A line of control: its place in the history and the variables it sees."""

    def __init__(
        self,
        history: History,
        name: str = "",
        previous: int = 0,
        variables: Mapping[str, Any] | None = None,
        item: Mapping[str, Any] | None = None,
    ) -> None:
        self.history = history
        self.name = name
        self.previous = previous
        self.variables: dict[str, Any] = dict(variables or {})
        self.item = item
        """The context object's Map, within an iteration."""
        self.recorded = history.recorded(name)
        self.visit: Any = None
        """The state that it is in."""

    def add(self, kind: str, details: Mapping[str, Any] | None = None) -> Event:
        """Append an event after the previous one of this scope."""
        event = self.history.add(kind, self.name, self.previous, details)
        self.previous = event.id
        return event

    def inner(
        self, started: int, index: int, previous: int, item: Mapping[str, Any] | None = None
    ) -> "Scope":
        """A scope within this one: branch or iteration `index` of what event `started` began."""
        name = f"{started}.{index}"
        return Scope(self.history, name, previous, self.variables, item or self.item)

    def take_up(self) -> "Standing | None":
        """Where an earlier process left this scope, or None if it had not come here."""
        events, self.recorded = self.recorded, []
        entered: Event | None = None
        output: Any = None
        tail: list[Event] = []
        for event in events:
            self.previous = event.id or self.previous
            if event.kind.endswith("StateEntered"):
                entered, tail = event, []
            elif event.kind.endswith("StateExited"):
                details = event.details or {}
                output = details["output"]
                assigned = details.get("assignedVariables") or {}
                self.variables.update({name: load(text) for name, text in assigned.items()})
                tail = [event]
            elif event.kind == REDRIVEN:
                tail = [each for each in tail if each.kind.endswith(_KEPT_BY_REDRIVE)]
            else:
                tail.append(event)
        return Standing(entered, tail, output) if entered else None


class Standing(NamedTuple):
    """Where a scope stood: the last state entered and what followed its entry."""

    entered: Event
    tail: list[Event]
    output: str | None
    """JSON text of the last output, if the state was exited."""

    @property
    def exited(self) -> bool:
        """Had the last state been left? Then it was the scope's last, for what follows an exit is
        recorded together with it."""
        return any(event.kind.endswith("StateExited") for event in self.tail)


_MEMBERS = {
    "StateEntered": "stateEnteredEventDetails",
    "StateExited": "stateExitedEventDetails",
    "MapIterationStarted": "mapIterationStartedEventDetails",
    "MapIterationSucceeded": "mapIterationSucceededEventDetails",
    "MapIterationFailed": "mapIterationFailedEventDetails",
    "MapIterationAborted": "mapIterationAbortedEventDetails",
}


def detail_member(kind: str) -> str:
    """The member of an event of this type that holds its details: `taskFailedEventDetails`."""
    if kind.endswith("StateEntered"):
        return _MEMBERS["StateEntered"]
    if kind.endswith("StateExited"):
        return _MEMBERS["StateExited"]
    return f"{kind[0].lower()}{kind[1:]}EventDetails"
