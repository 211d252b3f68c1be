"""Child processes that never outlive the local cloud, nor leave anything behind."""

import asyncio
import contextlib
import os
import signal
import sys
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

_TETHER = str(Path(__file__).parent / "runtime" / "tether.py")
_MARK = "_SCONES_CHILD"
"""A variable that every child has, and so what it starts, even in a session of its own."""
_LOOK_AGAIN_S = 0.005
_LOOKS = 200
"""For what is being killed to be gone, or to have started yet another process."""


class Processes:
    """Starts children and knows which of them are alive.

    Every child leads its own process group, so that what it starts in turn is ended with it, and is
    tethered: it dies when we do, however we die. What left the group (torchrun's workers, daemons)
    is known by an inherited variable, on Linux. Group and variable are noted under `folder` while
    the child lives; what an earlier, killed cloud left there is ended by `sweep`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._children: dict[int, asyncio.subprocess.Process] = {}
        self._marks: dict[int, str] = {}

    async def start(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path | None = None,
        pass_fds: Sequence[int] = (),
        output: int = asyncio.subprocess.PIPE,
    ) -> asyncio.subprocess.Process:
        """Start `command` with `environment` and a mark; output and errors are one `stdout`.

        `output` may be a file descriptor that takes them instead.
        Call from the main thread's event loop: the tether is to the thread that starts the child.
        """
        mark = uuid.uuid4().hex
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-S", _TETHER, str(os.getpid()), *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            env={**environment, _MARK: mark},
            cwd=folder,
            start_new_session=True,
            pass_fds=pass_fds,
            limit=2**20,
        )  # fmt: skip
        self._children[process.pid], self._marks[process.pid] = process, mark
        self._note(process.pid).write_text(f"{_started(process.pid)} {mark}")
        return process

    async def stop(self, process: asyncio.subprocess.Process, grace_s: float = 0.0) -> int:
        """End a child and what it left: SIGTERM, `grace_s` to go by itself, then SIGKILL."""
        if process.returncode is None and grace_s > 0:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace_s)
        _signal_group(process.pid, signal.SIGKILL)  # also what it left running
        code = await process.wait()
        await asyncio.to_thread(_end_marked, {self._marks.get(process.pid, "")})
        self.forget(process)
        return code

    def forget(self, process: asyncio.subprocess.Process) -> None:
        """A child that ended by itself and was waited for: strike it off."""
        self._children.pop(process.pid, None)
        self._marks.pop(process.pid, None)
        self._note(process.pid).unlink(missing_ok=True)

    async def stop_all(self, grace_s: float = 1.0) -> None:
        """End every child, at once."""
        await asyncio.gather(*(self.stop(each, grace_s) for each in list(self._children.values())))

    def sweep(self) -> None:
        """End what an earlier cloud on this folder left running."""
        marks = set()
        for note in self._folder.iterdir():
            pid = int(note.name)
            if pid not in self._children:
                started, _, mark = note.read_text().partition(" ")
                marks.add(mark)
                # A process id is used again; its start time tells the old owner from the new. While
                # any member of a group lives, its number is given to no new process (fork(2)).
                if sys.platform == "linux" and _started(pid) in ("", started):
                    _signal_group(pid, signal.SIGKILL)
                note.unlink()
        _end_marked(marks)

    def _note(self, pid: int) -> Path:
        return self._folder / str(pid)


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot (proc(5), field 22); "" if unknown."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _end_marked(marks: Collection[str]) -> None:
    """End every process with one of these marks."""
    wanted = {f"{_MARK}={mark}".encode() for mark in marks if mark}
    for _ in range(_LOOKS if wanted and sys.platform == "linux" else 0):
        found = [pid for pid in _processes() if not wanted.isdisjoint(_variables(pid))]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_AGAIN_S)


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]


def _variables(pid: int) -> list[bytes]:
    """What a process was started with (proc_pid_environ(5)); nothing of one that is not ours."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
