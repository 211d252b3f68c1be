"""Start, stop and ask after a local cloud that runs in the background."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from scones.local.lock import LOCK

READY_WITHIN_S = 30.0
STOPPED_WITHIN_S = 30.0
_POLL_S = 0.02
_ANSWER_WITHIN_S = 2.0


@dataclass(frozen=True)
class Running:
    """A local cloud that answers."""

    pid: int
    url: str
    region: str
    account: str
    started: float
    """Seconds since 1970."""
    parent: int | None = None
    """The process that it belongs to and ends with; None: whoever ends it."""


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Clouds that this process started: they must be waited for."""


def begun(home: Path) -> bool:
    """Whether a cloud ever ran on a home."""
    return (home / LOCK).exists()


def status(home: Path) -> Running | None:
    """The cloud on a home, None if there is none or it does not answer."""
    try:
        noted = json.loads((home / "server.json").read_text())
        running = Running(**noted)
    except (OSError, ValueError, TypeError):
        return None
    return running if _answers(running) else None


def start(home: Path, *, arguments: Sequence[str] = ()) -> Running:
    """Start a cloud in the background and wait until it answers.

    `arguments` are `scones.local.server`'s. ValueError with the server's own line if it refuses;
    where one already runs on that home, that is what it says.
    """
    command = [sys.executable, "-m", "scones.local.server", "--home", str(home), *arguments]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        _children[process.pid] = process
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            running = status(home)
            if running is not None and running.pid == process.pid:
                return running
            if process.poll() is not None:
                errors.seek(0)
                raise ValueError(_last_line(errors.read().decode(errors="replace")))
            time.sleep(_POLL_S)
    process.kill()
    process.wait()
    raise ValueError(f"the local cloud was not ready in {READY_WITHIN_S:.0f} s; see {home}")


def stop(home: Path) -> bool:
    """End the cloud on a home and all its children; False if none runs."""
    running = status(home)
    if running is None:
        return False
    with contextlib.suppress(ProcessLookupError):  # it may end by itself at this moment
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOPPED_WITHIN_S
    while _alive(running.pid):
        if time.monotonic() > deadline:  # its children are tethered and die with it
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        time.sleep(_POLL_S)
    return True


def _answers(running: Running) -> bool:
    address = urlsplit(running.url)
    host, port = address.hostname or "", address.port
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_WITHIN_S)
    try:
        connection.request("GET", "/_scones/health")
        return bool(json.loads(connection.getresponse().read())["pid"] == running.pid)
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _alive(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _last_line(text: str) -> str:
    lines = text.strip().splitlines() or ["the local cloud ended without a word"]
    return lines[-1].removeprefix("scones: ")
