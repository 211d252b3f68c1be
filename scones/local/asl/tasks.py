"""Carrying out a Task: its arguments, its events, its time limits, its patterns.

A task is recorded as scheduled before it runs, and its end before anything follows from it. One
that was scheduled when the process died is run again: at least once, as AWS says of retries.
"""

import asyncio
import base64
import math
from collections.abc import Awaitable
from typing import Any

from scones.local.asl import jsonata
from scones.local.asl.errors import (
    HEARTBEAT_TIMEOUT,
    RUNTIME,
    TIMEOUT,
    StatesError,
)
from scones.local.asl.history import Event
from scones.local.asl.ports import ABORT, Call
from scones.local.asl.resources import Resource, parse
from scones.local.asl.text import load
from scones.local.asl.visit import Visit


class Attempt:
    """One attempt at a Task, and the events it leaves."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._world = visit.interpreter.world
        text = visit.state.fields["Resource"]
        resource = parse(text)
        if resource is None:
            raise StatesError(RUNTIME, f"{text} is not a resource to run", in_state=True)
        self._resource: Resource = resource
        self._function = resource.service == "function"
        if resource.pattern == "waitForTaskToken":
            visit.token = token_of(visit)
        self.timeout_s = visit.number("TimeoutSeconds")
        self.heartbeat_s = visit.number("HeartbeatSeconds")
        arguments = _arguments(visit)
        self.call = Call(
            resource=text,
            service=resource.service,
            action=resource.action,
            pattern=resource.pattern,
            arguments=arguments,
            token=visit.token or "",
            execution_arn=visit.interpreter.context["Execution"]["Id"],
            credentials=visit.state.fields.get("Credentials"),
        )

    @property
    def _named(self) -> dict[str, Any]:
        pattern = f".{self._resource.pattern}" if self._resource.pattern else ""
        action = self._resource.action + pattern
        return {"resourceType": self._resource.service, "resource": action}

    def _text(self, value: Any) -> str:
        whose = self._resource.action if self._function else self._resource.service
        return self._visit.interpreter.text(value, whose)

    def schedule(self) -> Event:
        """Record that the task is about to run, and since when."""
        limits: dict[str, Any] = {}
        if self.timeout_s is not None:
            limits["timeoutInSeconds"] = int(self.timeout_s)
        arguments = self._text(self.call.arguments)
        if self._function:
            details = {"resource": self.call.resource, "input": arguments, **limits}
            self._visit.scope.add("LambdaFunctionScheduled", details)
            return self._visit.scope.add("LambdaFunctionStarted")
        if self.heartbeat_s is not None:
            limits["heartbeatInSeconds"] = int(self.heartbeat_s)
        place = {"region": self._world.region, "parameters": arguments}
        self._visit.scope.add("TaskScheduled", {**self._named, **place, **limits})
        return self._visit.scope.add("TaskStarted", self._named)

    def submitted(self, begun: Any) -> None:
        """Record what the service answered when it began."""
        output = self._text(begun)
        self._visit.scope.add("TaskSubmitted", {**self._named, "output": output})

    def succeeded(self, result: Any) -> None:
        """Record the result."""
        output = self._text(result)
        if self._function:
            self._visit.scope.add("LambdaFunctionSucceeded", {"output": output})
        else:
            self._visit.scope.add("TaskSucceeded", {**self._named, "output": output})

    def failed(self, failure: StatesError) -> None:
        """Record the failure."""
        timed_out = failure.error in (TIMEOUT, HEARTBEAT_TIMEOUT)
        word = "TimedOut" if timed_out else "Failed"
        facts = {"error": failure.error, "cause": failure.cause}
        kept = {key: value for key, value in facts.items() if value is not None}
        if self._function:
            self._visit.scope.add(f"LambdaFunction{word}", kept)
        else:
            self._visit.scope.add(f"Task{word}", {**self._named, **kept})
        failure.placed = True


async def perform(visit: Visit) -> Any:
    """Run a Task once and answer its result; StatesError for its failure."""
    tail, visit.tail = visit.tail, []
    attempt = await visit.calmly(lambda: Attempt(visit))
    if tail and tail[-1].kind.endswith("Succeeded"):
        return load((tail[-1].details or {})["output"])
    try:
        result = await _run(visit, attempt, tail)
        attempt.succeeded(visit.note("result", result))
    except StatesError as failure:
        failure.from_task = True
        if not failure.in_state:
            attempt.failed(failure)
        raise
    finally:
        if visit.token is not None:
            visit.interpreter.world.tokens.taken(visit.token)
    return result


async def _run(visit: Visit, attempt: Attempt, tail: list[Event]) -> Any:
    world, call = visit.interpreter.world, attempt.call
    submitted = tail[-1] if tail and tail[-1].kind == "TaskSubmitted" else None
    scheduled = tail[-1] if tail else attempt.schedule()
    await world.settled()
    since = scheduled.at
    if submitted:
        begun = load((submitted.details or {})["output"])
    else:
        if call.pattern == "waitForTaskToken":
            world.tokens.open(call.token)
        begun = await _within(visit, attempt, world.runner.run(call), since)
        if not call.pattern:
            return begun
        attempt.submitted(begun)
        await world.settled()
    if call.pattern == "waitForTaskToken":
        return await _heard(visit, attempt, world.tokens.expect(call.token), since)
    try:
        return await _within(visit, attempt, world.runner.finish(call, begun), since)
    except StatesError as failure:
        if failure.error == TIMEOUT:
            await world.runner.stop(call, begun)
        raise
    except asyncio.CancelledError as cancelled:
        if ABORT in cancelled.args:
            await world.runner.stop(call, begun)
        raise


async def _within(visit: Visit, attempt: Attempt, work: Awaitable[Any], since: float) -> Any:
    """The outcome of `work`, or States.Timeout at `since` plus the state's TimeoutSeconds."""
    if attempt.timeout_s is None:
        return await work
    return await _first(visit, work, since + attempt.timeout_s, TIMEOUT)


async def _heard(visit: Visit, attempt: Attempt, answer: Awaitable[Any], since: float) -> Any:
    """The answer to a task token, within the limits; each heartbeat prolongs the shorter one."""
    clock, tokens = visit.interpreter.world.clock, visit.interpreter.world.tokens
    end = math.inf if attempt.timeout_s is None else since + attempt.timeout_s
    patience = math.inf if attempt.heartbeat_s is None else attempt.heartbeat_s
    waiting = asyncio.ensure_future(answer)
    try:
        while not waiting.done():
            limit = min(end, max(since, tokens.heartbeat(attempt.call.token)) + patience)
            if limit <= clock.now():
                raise StatesError(TIMEOUT if limit == end else HEARTBEAT_TIMEOUT, from_task=True)
            if limit == math.inf:
                return await waiting
            await _either(clock.sleep_until(limit), waiting)
        return waiting.result()
    finally:
        waiting.cancel()


async def _first(visit: Visit, work: Awaitable[Any], end: float, error: str) -> Any:
    running = asyncio.ensure_future(work)
    try:
        await _either(visit.interpreter.world.clock.sleep_until(end), running)
        if running.done():
            return running.result()
        raise StatesError(error, from_task=True)
    finally:
        running.cancel()


async def _either(timer: Awaitable[None], work: "asyncio.Future[Any]") -> None:
    """Return when either is done; the timer is then no longer needed."""
    ticking = asyncio.ensure_future(timer)
    try:
        await asyncio.wait({ticking, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ticking.cancel()


def token_of(visit: Visit) -> str:
    """The token of a visit's present attempt."""
    execution = visit.interpreter.context["Execution"]["Id"]
    return token_for(execution, visit.scope.name, visit.entered.id, visit.attempt)


def token_for(execution_arn: str, scope: str, entered: int, attempt: int) -> str:
    """A task token: it names execution, scope, entry and attempt, so it needs no table, and is the
    same again when the execution is taken up after a restart."""
    place = f"{execution_arn}|{scope}|{entered}|{attempt}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def execution_of(token: str) -> str | None:
    """The execution that a token names, or None for what is no token of ours."""
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (ValueError, UnicodeDecodeError):
        return None
    return text.split("|")[0] if text.count("|") == 3 else None


def _arguments(visit: Visit) -> Any:
    if not visit.state.jsonata:
        return visit.parameters()
    template = visit.state.fields.get("Arguments")
    if template is None:
        return visit.input
    return visit.note("afterArguments", jsonata.fill(template, visit.bindings(), "Arguments"))
