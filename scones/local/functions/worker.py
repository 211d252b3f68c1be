"""One child process with one function's handler in it, and what it says in the log."""

import asyncio
import contextlib
import hashlib
import json
import math
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from scones.local.functions.function import Function, Outcome, Request
from scones.local.functions.log import Stream
from scones.local.runtime.api import Answer, EndedError, Invocation, RuntimeApi

INIT_S = 10.0  # https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
MAX_RESPONSE_BYTES = 6_291_556  # as AWS's error says it: 6 MiB and 100 bytes


class Worker:
    """Runs one request at a time; unusable after a timeout, an exit or a failed start."""

    def __init__(
        self, function: Function, api: RuntimeApi, stream: Stream, clock: Callable[[], float]
    ) -> None:
        self.function = function
        self.usable = True
        self.idle_since = time.monotonic()
        self.process: asyncio.subprocess.Process | None = None
        self._api = api
        self._stream = stream
        self._clock = clock
        self._started_at = time.monotonic()
        self._init_ms: float | None = None
        self._output: int | None = None
        self._ending: asyncio.Task[None] | None = None
        version = ".".join(map(str, sys.version_info[:3]))
        arn = f"arn:aws:lambda:{function.arn.split(':')[3]}::runtime:{_digest(sys.version)}"
        stream.line(f"INIT_START Runtime Version: python:{version}\tRuntime Version ARN: {arn}\n")

    def watch(self, process: asyncio.subprocess.Process, output: int) -> None:
        """Follow the process, and what it writes into the pipe `output`, to its end."""
        self.process, self._output = process, output
        os.set_blocking(output, False)
        asyncio.get_running_loop().add_reader(output, self._read)
        self._ending = asyncio.create_task(self._end(process))

    async def serve(self, request: Request) -> Outcome:
        """Run the handler once; whatever goes wrong in it is an outcome, too."""
        began_at = time.monotonic()
        start = f"START RequestId: {request.id} Version: {self.function.version}\n"
        try:
            try:
                starting = await self._start() if self._init_ms is None else None
            finally:
                self._stream.line(start)
            began_at = time.monotonic()
            answer = starting or await self._ask(request)
        except TimeoutError:
            return self._timed_out(request)
        except EndedError as ended:
            return self._ended(request, str(ended), began_at)
        self._read()
        self.usable = not answer.starting
        return self._answered(request, answer, began_at)

    async def _start(self) -> Answer | None:
        """Wait until the handler is imported; what the runtime says where it cannot be."""
        limit_s = INIT_S + self.function.timeout_s
        try:
            failed = await asyncio.wait_for(asyncio.shield(self._api.ready), limit_s)
        finally:
            self._init_ms = (time.monotonic() - self._started_at) * 1000
            self._read()
        if failed is None:
            self._stream.take_tail()  # LogResult begins with START
        return failed

    async def _ask(self, request: Request) -> Answer:
        deadline_ms = int((self._clock() + self.function.timeout_s) * 1000)
        invocation = Invocation(
            request_id=request.id,
            payload=request.payload,
            deadline_ms=deadline_ms,
            function_arn=request.invoked_arn,
            trace_id=_trace_id(self._clock()),
            client_context=request.client_context,
        )
        answer = self._api.hand_over(invocation)
        return await asyncio.wait_for(answer, self.function.timeout_s)

    def _answered(self, request: Request, answer: Answer, began_at: float) -> Outcome:
        payload, failed = answer.payload, answer.error_type is not None
        status = f"Status: error\tError Type: {answer.error_type}" if answer.starting else ""
        if len(payload) > MAX_RESPONSE_BYTES:
            payload, failed = _too_large(len(payload)), True
            status = "Status: error\tError Type: Function.ResponseSizeTooLarge"
        return self._report(request, payload, failed, time.monotonic() - began_at, status)

    def _timed_out(self, request: Request) -> Outcome:
        self.usable = False
        self._read()
        limit_s = float(self.function.timeout_s)
        words = f"Task timed out after {limit_s:.2f} seconds"
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        self._stream.line(f"{now.replace('+00:00', 'Z')} {request.id} {words}\n\n")
        payload = _error("Sandbox.Timedout", f"RequestId: {request.id} Error: {words}")
        return self._report(request, payload, True, limit_s, "Status: timeout")

    def _ended(self, request: Request, how: str, began_at: float) -> Outcome:
        self.usable = False
        words = f"RequestId: {request.id} Error: {how}"
        self._stream.line(f"{words}\nRuntime.ExitError\n")
        status = "Status: error\tError Type: Runtime.ExitError"
        payload = _error("Runtime.ExitError", words)
        return self._report(request, payload, True, time.monotonic() - began_at, status)

    def _report(
        self, request: Request, payload: bytes, failed: bool, duration_s: float, status: str
    ) -> Outcome:
        """END and REPORT, as AWS writes them: fields end in a tab."""
        duration_ms = duration_s * 1000
        fields = [
            f"REPORT RequestId: {request.id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {math.ceil(duration_ms)} ms",
            f"Memory Size: {self.function.memory_mb} MB",
        ]
        if (used_mb := self._used_mb()) is not None:
            fields.append(f"Max Memory Used: {used_mb} MB")
        if self._init_ms:
            fields.append(f"Init Duration: {self._init_ms:.2f} ms")
            self._init_ms = 0.0  # told once
        if status:
            fields.append(status)
        self._stream.feed(b"", ended=True)
        self._stream.line(f"END RequestId: {request.id}\n")
        self._stream.line("\t".join(fields) + "\t\n")
        return Outcome(payload, failed, self._stream.take_tail())

    def _used_mb(self) -> int | None:
        """The most memory it has used: VmHWM of proc(5); None where that cannot be read."""
        assert self.process is not None, "a worker serves after its start"
        with contextlib.suppress(OSError, IndexError, ValueError):
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) // 1024
        return None

    def _read(self) -> None:
        """Take what the pipe holds now: the runtime prints before it answers."""
        if self._output is None:
            return
        with contextlib.suppress(BlockingIOError):
            while output := os.read(self._output, 65536):
                self._stream.feed(output)
            self._close_output()  # every writer has closed it

    def _close_output(self) -> None:
        if self._output is not None:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = None

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        code = await process.wait()
        self.usable = False
        self._read()
        self._close_output()
        self._api.end(_how(code))


def _how(code: int) -> str:
    if code == 0:
        return "Runtime exited without providing a reason"
    how = f"signal: {signal.strsignal(-code)}".lower() if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {how}"


def _error(error_type: str, message: str) -> bytes:
    return json.dumps(
        {"errorType": error_type, "errorMessage": message}, separators=(",", ":")
    ).encode()  # fmt: skip


def _too_large(size: int) -> bytes:
    message = (
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size "
        f"({MAX_RESPONSE_BYTES} bytes)."
    )
    return _error("Function.ResponseSizeTooLarge", message)


def _trace_id(now: float) -> str:
    """https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader"""
    root = uuid.uuid4().hex
    return f"Root=1-{int(now):08x}-{root[:24]};Parent={uuid.uuid4().hex[:16]};Sampled=0"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
