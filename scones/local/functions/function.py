"""A Lambda function as the processes that run it see it, and what goes in and comes out."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Function:
    """One version of a function."""

    name: str
    version: str
    arn: str
    """Of the function, without a version."""
    revision: str
    """Changes with code or configuration; workers of another revision are not used again."""
    handler: str
    runtime: str
    """"python3.12", say; the interpreter is the cloud's own, whatever this says."""
    timeout_s: int
    memory_mb: int
    """Reported, not enforced."""
    tmp_mb: int
    variables: dict[str, str]
    task: Path
    """The unpacked zip."""
    opt: Path | None
    """The unpacked layers, merged."""

    @property
    def log_group(self) -> str:
        """Where its lines go in CloudWatch Logs."""
        return f"/aws/lambda/{self.name}"


@dataclass(frozen=True)
class Request:
    """One event for a handler."""

    id: str
    payload: bytes
    invoked_arn: str
    client_context: str | None = None
    """JSON text."""


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to."""

    payload: bytes
    failed: bool
    log_tail: bytes
