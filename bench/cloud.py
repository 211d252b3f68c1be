"""The local cloud at rest: how long until it answers, and what memory it holds when idle.

Beside it an interpreter that only imports what such a server is made of, and asks nothing.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from bench import table
from bench.clouds import running

ROUNDS = 7
IDLE_S = 1.0
"""Between the first answer and the look at its memory."""
FLOOR = "import uvicorn.protocols.http.httptools_impl, uvloop, botocore.model, sqlite3"


def main() -> None:
    """Print milliseconds until ready, on a new home, and MiB resident afterwards."""
    sizes: list[float] = []
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # as it is for most: compiled once

    def ready() -> float:
        start = time.perf_counter()
        with running() as cloud:
            took_ms = (time.perf_counter() - start) * 1000
            time.sleep(IDLE_S)
            sizes.append(_resident_mib(cloud.pid))
        return took_ms

    ready()
    sizes.clear()
    figures = table.alternate({"imports alone": _imports, "scones": ready}, ROUNDS)
    table.show("from start to the first answer", "ms", figures, beside="imports alone")
    table.say(f"  resident when idle: {min(sizes):.0f} to {max(sizes):.0f} MiB")


def _imports() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", FLOOR], check=True)
    return (time.perf_counter() - start) * 1000


def _resident_mib(pid: int) -> float:
    """VmRSS of proc(5)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split(maxsplit=1)[0]) / 1024
