"""Become another program that dies with its parent: `python -I -S tether.py PARENT_PID COMMAND...`.

Linux delivers SIGKILL to this process when the thread that started it ends (prctl(2),
PR_SET_PDEATHSIG), also across exec. Elsewhere a small watcher stays behind and kills the program's
group once the parent is gone. Only the standard library: this runs before anything else.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_S = 0.5


def main(arguments: list[str]) -> None:
    """Tie this process to `arguments[0]`, the parent's process id, and become the rest."""
    parent_pid, command = int(arguments[0]), arguments[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    elif os.fork() == 0:
        _watch(parent_pid, os.getppid())
    if os.getppid() != parent_pid:  # the parent died before the tie was made
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def _watch(parent_pid: int, program_pid: int) -> None:
    while os.getppid() == program_pid:
        try:
            os.kill(parent_pid, 0)
        except ProcessLookupError:
            os.killpg(os.getpgid(program_pid), signal.SIGKILL)
        time.sleep(POLL_S)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
