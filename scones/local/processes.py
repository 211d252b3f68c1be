"""Child processes that never outlive the local cloud, nor leave anything behind."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_TETHER = str(Path(__file__).parent / "runtime" / "tether.py")


class Processes:
    """Starts children and knows which of them are alive.

    Every child leads its own process group, so that what it starts in turn is ended with it, and is
    tethered: it dies when we do, however we die. Its group is noted under `folder` while it lives;
    what an earlier, killed cloud left there is ended by `sweep`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._children: dict[int, asyncio.subprocess.Process] = {}

    async def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path | None = None,
        pass_fds: Sequence[int] = (),
        output: int = asyncio.subprocess.PIPE,
    ) -> asyncio.subprocess.Process:
        """Start `command` with exactly `environment`; output and errors are one `stdout`.

        `output` may be a file descriptor that takes them instead.
        Call from the main thread's event loop: the tether is to the thread that starts the child.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", _TETHER, str(os.getpid()), *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            pass_fds=pass_fds,
            limit=2**20,
        )  # fmt: skip
        self._children[process.pid] = process
        self._note(process.pid).write_text(_started(process.pid))
        return process

    async def stop(self, process: asyncio.subprocess.Process, grace_s: float = 0.0) -> int:
        """End a child and its group: SIGTERM, `grace_s` to go by itself, then SIGKILL."""
        if process.returncode is None and grace_s > 0:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace_s)
        _signal_group(process.pid, signal.SIGKILL)  # also what it left running
        code = await process.wait()
        self.forget(process)
        return code

    def forget(self, process: asyncio.subprocess.Process) -> None:
        """A child that ended by itself and was waited for: strike it off."""
        self._children.pop(process.pid, None)
        self._note(process.pid).unlink(missing_ok=True)

    async def stop_all(self, grace_s: float = 1.0) -> None:
        """End every child, at once."""
        await asyncio.gather(*(self.stop(each, grace_s) for each in list(self._children.values())))

    def sweep(self) -> int:
        """End what an earlier cloud on this folder left running; answers how many groups."""
        swept = 0
        for note in self._folder.iterdir():
            pid = int(note.name)
            if pid not in self._children:
                # A process id is used again; its start time tells the old owner from the new. While
                # any member of a group lives, its number is given to no new process (fork(2)).
                if sys.platform == "linux" and _started(pid) in ("", note.read_text()):
                    swept += _signal_group(pid, signal.SIGKILL)
                note.unlink()
        return swept

    def _note(self, pid: int) -> Path:
        return self._folder / str(pid)


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22); "" if unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _signal_group(pid: int, number: signal.Signals) -> bool:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
