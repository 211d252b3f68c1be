"""What an interpreter needs of the world outside, as arguments."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from scones.local.asl.machine import Machine

ABORT = "abort"
"""The message of a cancellation that is to be recorded; one without it is the process ending."""


class Clock(Protocol):
    """Time, which tests may let run faster."""

    def now(self) -> float:
        """Seconds since 1970."""

    async def sleep_until(self, moment: float) -> None:
        """Return at `moment`, or at once if it has passed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt at a Task: what to run, with what."""

    resource: str
    """As in the definition."""
    service: str
    """"lambda", "sagemaker", "aws-sdk:s3"; "function" for a function's own ARN."""
    action: str
    """"invoke"; the ARN for a function."""
    pattern: str
    """"", "sync", "sync:2" or "waitForTaskToken"."""
    arguments: Any
    token: str
    execution_arn: str
    credentials: Any = None


class Runner(Protocol):
    """Carries out tasks."""

    async def run(self, call: Call) -> Any:
        """The task's result, or for `.sync` what the service answered when it began.

        Raises StatesError with `from_task`.
        """

    async def finish(self, call: Call, begun: Any) -> Any:
        """For `.sync`: wait for the job that `begun` tells of; the result of the task."""

    async def stop(self, call: Call, begun: Any) -> None:
        """For `.sync`: end a job whose execution was stopped or timed out."""


class Tokens(Protocol):
    """Hears what is sent back with a task token."""

    def open(self, token: str) -> None:
        """Take what is sent from now on: a task may answer before it has been submitted."""

    def expect(self, token: str) -> Awaitable[Any]:
        """The result sent with SendTaskSuccess; raises StatesError for SendTaskFailure."""

    def taken(self, token: str) -> None:
        """What was sent is recorded now, or the task is over without it."""

    def heartbeat(self, token: str) -> float:
        """When the last heartbeat came, seconds since 1970; 0.0 before the first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended. `output` is JSON text, for SUCCEEDED only."""

    status: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class MapRunPlan(NamedTuple):
    """What a Distributed Map is about to do."""

    execution_arn: str
    state: str
    label: str
    started: int
    """The id of its MapStateStarted event."""
    processor: Machine
    express: bool
    max_concurrency: int
    tolerated_count: int | None
    tolerated_percentage: float | None


class MapRun(Protocol):
    """A Map Run: child executions with records of their own."""

    @property
    def arn(self) -> str:
        """Its ARN."""

    @property
    def slots(self) -> AbstractAsyncContextManager[None]:
        """A place among the children that may run at the same time."""

    @property
    def tolerated_count(self) -> int | None:
        """How many items may fail; UpdateMapRun changes it while it runs."""

    @property
    def tolerated_percentage(self) -> float | None:
        """How many per cent of them may."""

    @property
    def redrives(self) -> int:
        """How often it was redriven."""

    def begin(self, count: int) -> None:
        """So many items there are."""

    async def child(self, index: int, input_text: str) -> tuple[Outcome, Mapping[str, Any]]:
        """Run item `index`, unless an earlier process finished it; its outcome and what
        DescribeExecution says of it, in AWS's spelling."""

    def close(self, status: str) -> None:
        """The run has ended: SUCCEEDED, FAILED or ABORTED."""


OpenMapRun = Callable[[MapRunPlan, str | None], MapRun]
"""From a plan, and the ARN if an earlier process began the run, to the run."""


class Storage(Protocol):
    """Objects that a Distributed Map reads and writes."""

    async def read(self, arguments: Mapping[str, Any]) -> bytes:
        """One object; `arguments` as S3's GetObject. Raises StatesError."""

    def listed(self, arguments: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Objects, as S3's ListObjectsV2 describes them. Raises StatesError."""

    async def write(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object. Raises StatesError."""
