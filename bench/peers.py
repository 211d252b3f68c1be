"""Peers from the package index, in an environment of their own: moto's server and MiniStack.

MiniStack pins a botocore of its own, so it cannot share .venv.
"""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv" / "peers"
REQUIREMENTS = ("moto[server]==5.2.5", "ministack==1.5.33")
READY_S = 60.0


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """moto's server on a free port; its endpoint URL."""
    port = free_port()
    with serving([binary("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port, {}) as url:
        yield url


@contextlib.contextmanager
def ministack() -> Iterator[str]:
    """MiniStack on a free port; its endpoint URL."""
    port = free_port()
    settings = {"GATEWAY_PORT": str(port), "LAMBDA_EXECUTOR": "local"}
    with serving([binary("ministack")], port, settings) as url:
        yield url


@contextlib.contextmanager
def serving(command: list[str], port: int, settings: dict[str, str]) -> Iterator[str]:
    """A server child, ready to answer on `port`; ended afterwards."""
    # A session of its own, as the local cloud has: Linux shares the processor out by session first
    # (sched(7), "The autogroup feature"), and servers in the client's would have an advantage.
    process = subprocess.Popen(
        command, env=os.environ | settings, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def wait_until_ready(url: str) -> None:
    """Until anything answers at `url`."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"nothing answers at {url} after {READY_S:.0f} s")


def binary(name: str) -> str:
    """A program of the peers' environment, which is made at the first call."""
    if not (VENV / "bin" / name).exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([VENV / "bin" / "pip", "install", "-qq", *REQUIREMENTS], check=True)
    return str(VENV / "bin" / name)


def free_port() -> int:
    """A loopback port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
