"""One production variant of an endpoint: a serving child that is kept alive, and asked."""

import asyncio
import contextlib
import logging
import secrets
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.sagemaker.containers import Containers, environment
from scones.local.sagemaker.logstream import Logs, LogStream
from scones.local.sagemaker.transfer import Objects, download, fetch, unpack
from scones.local.sagemaker.upstream import Answer, Upstream

PING_EVERY_S = 0.05
STOP_GRACE_S = 5.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
"""Between a child's death and its successor's start: doubled each time, from the first to this."""
HEALTHY_S = 60.0
"""After which a child counts as well, and the pause is the first one again."""

_log = logging.getLogger(__name__)

_NOT_AN_ARCHIVE = (
    'Failed to extract model data archive from URL "{uri}". Please ensure that the object located '
    "at the URL is a valid tar.gz archive. {error}"
)


class UnhealthyError(Exception):
    """The container did not come up; the text is what FailureReason says."""


@dataclass(frozen=True)
class Surroundings:
    """What every variant needs of the cloud."""

    identity: Identity
    s3: Objects
    logs: Logs
    processes: Processes
    containers: Containers
    clock: Callable[[], float]


class Variant:
    """A model at work under a variant's name."""

    def __init__(
        self, around: Surroundings, endpoint: str, plan: dict[str, Any], folder: Path
    ) -> None:
        """`plan`: VariantName, Image, ModelDataUrl or None, Environment, StartupTimeout (s)."""
        self.name: str = plan["VariantName"]
        self.in_flight = 0
        self._around = around
        self._endpoint = endpoint
        self._plan = plan
        self._base = folder
        self._upstream: Upstream | None = None
        self._child: asyncio.subprocess.Process | None = None
        self._log: LogStream | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Come up and stay up; UnhealthyError if the first child never answers its ping."""
        await asyncio.to_thread(self._lay_out)
        try:
            ended = await self._launch()
        except BaseException:
            await self.stop()
            raise
        self._keeping = asyncio.create_task(self._keep(ended))

    async def stop(self, grace_s: float = 0.0) -> None:
        """End the child; a request that is still with it gets no answer."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        await self._end_child(grace_s)

    async def invoke(self, headers: dict[str, str], body: bytes) -> Answer:
        """Pass one request on; ConnectionError if there is no child, or it dies over this."""
        if self._upstream is None:
            raise ConnectionRefusedError(f"{self.name} is being started again")
        self.in_flight += 1
        try:
            return await self._upstream.request("POST", "/invocations", headers, body)
        finally:
            self.in_flight -= 1

    def _lay_out(self) -> None:
        """The model's files under `model/`; what is there from before is taken as it is."""
        model, uri = self._base / "model", self._plan["ModelDataUrl"]
        if model.exists():
            return
        coming = self._base / "model.coming"
        shutil.rmtree(coming, ignore_errors=True)
        coming.mkdir(parents=True)
        if uri is not None and self._plan.get("ModelIsPrefix"):
            download(self._around.s3, uri, coming)
        elif uri is not None:
            archive = self._base / "model.archive"
            fetch(self._around.s3, uri, archive)
            try:
                unpack(archive, coming)
            except ValueError as error:
                raise UnhealthyError(_NOT_AN_ARCHIVE.format(uri=uri, error=error)) from error
            archive.unlink()
        coming.rename(model)

    async def _launch(self) -> "asyncio.Task[None]":
        """Start a child and wait until it is well; the task ends when the child's output does."""
        around, port = self._around, _free_port()
        child = await around.processes.start(
            around.containers.command(self._plan["Image"], "serve"),
            environment=self._environment(port),
            folder=self._base,
        )
        assert child.stdout is not None, "children speak through a pipe"
        group = f"/aws/sagemaker/Endpoints/{self._endpoint}"
        stream = f"{self.name}/i-{secrets.token_hex(9)[1:]}"  # an instance id has 17 digits
        self._child, self._log = child, LogStream(around.logs, group, stream, around.clock)
        ended = asyncio.create_task(self._listen(child, self._log))
        upstream = Upstream(port)
        await self._wait_until_well(upstream, ended)
        self._upstream = upstream
        return ended

    async def _listen(self, child: asyncio.subprocess.Process, log: LogStream) -> None:
        assert child.stdout is not None, "children speak through a pipe"
        speaking = asyncio.create_task(log.follow(child.stdout))
        try:
            await child.wait()
            await asyncio.wait([speaking], timeout=1.0)
        finally:
            speaking.cancel()

    async def _wait_until_well(self, upstream: Upstream, ended: "asyncio.Task[None]") -> None:
        """Ask GET /ping until it answers 200 (SageMaker's container contract)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._plan["StartupTimeout"]):
                while not ended.done():
                    with contextlib.suppress(ConnectionError, OSError):
                        if (await upstream.request("GET", "/ping")).status == 200:
                            return
                    await asyncio.wait([ended], timeout=PING_EVERY_S)
        raise UnhealthyError(self._reason())

    def _reason(self) -> str:
        words = self._log.last_words if self._log is not None else ""
        said = f" Its last words: {words[-600:]}" if words else ""
        return (
            f"The primary container for production variant {self.name} did not pass the ping "
            f"health check. Please check CloudWatch logs for this endpoint.{said}"
        )

    async def _keep(self, ended: "asyncio.Task[None]") -> None:
        """Start the child again whenever it ends."""
        pause_s = FIRST_PAUSE_S
        while True:
            started_at = self._around.clock()
            await ended
            _log.warning("%s of endpoint %s died; starting it again", self.name, self._endpoint)
            await self._end_child()
            if self._around.clock() - started_at > HEALTHY_S:
                pause_s = FIRST_PAUSE_S
            while True:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                try:
                    ended = await self._launch()
                    break
                except (UnhealthyError, LookupError, OSError) as error:
                    _log.warning("endpoint %s: %s", self._endpoint, error)
                    await self._end_child()

    async def _end_child(self, grace_s: float = 0.0) -> None:
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.close()
        child, self._child = self._child, None
        if child is not None:
            await self._around.processes.stop(child, grace_s)

    def _environment(self, port: int) -> dict[str, str]:
        own = {"SAGEMAKER_BASE_DIR": str(self._base), "SAGEMAKER_BIND_TO_PORT": str(port)}
        return environment(self._around.identity, {**self._plan["Environment"], **own})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
