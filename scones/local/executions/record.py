"""What is kept of one execution beside its history."""

from dataclasses import dataclass

RUNNING = "RUNNING"
SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"
TIMED_OUT = "TIMED_OUT"
ABORTED = "ABORTED"
ENDED = (SUCCEEDED, FAILED, TIMED_OUT, ABORTED)


@dataclass(slots=True)
class Record:
    """One execution; times are seconds since 1970."""

    id: int
    arn: str
    machine_arn: str
    name: str
    express: bool
    revision: int
    """Which definition it runs; see `machines`."""
    status: str
    started: float
    input: str
    stopped: float | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    version_arn: str | None = None
    alias_arn: str | None = None
    map_run_arn: str | None = None
    item: int | None = None
    """Which item of its Map Run it is."""
    redrives: int = 0
    redriven: float | None = None


COLUMNS = tuple(Record.__dataclass_fields__)
"""Of the table `executions`, in order."""


def values(record: Record) -> tuple[object, ...]:
    """A record as a row."""
    return tuple(getattr(record, column) for column in COLUMNS)
