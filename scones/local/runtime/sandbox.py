"""Give this process AWS Lambda's folders, then become a program: `sandbox.py PLAN COMMAND...`.

PLAN is JSON: `task`, the folder shown as /var/task (read-only, and the working directory); `opt`,
the folder whose entries are shown in /opt, or null; `tmp_bytes`, the size of /tmp, which is empty,
private to this process and its children, and gone with them; `keep`, folders that the program
needs, shown again where /tmp would hide them.

Mounts live in a mount namespace of our own (mount_namespaces(7)), inside a user namespace where we
are not root (user_namespaces(7)). Where the system refuses either, this exits with 125 and says so.
Only the standard library: this runs before anything else.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

REFUSED = 125

# linux/sched.h, sys/mount.h, linux/prctl.h
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 32, 4096, 16384, 1 << 19
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Enter what the plan describes and become the command."""
    plan, command = json.loads(arguments[0]), arguments[1:]
    try:
        _own_namespaces()
        _show(plan)
    except OSError as error:
        sys.stderr.write(f"no private /tmp: {error}\n")
        sys.exit(REFUSED)
    os.chdir("/var/task")
    os.execv(command[0], command)


def _own_namespaces() -> None:
    parent, uid, gid = os.getppid(), os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWNS) != 0:  # only root may; anyone may in a user namespace of his own
        _check(_libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # new credentials clear it: prctl(2)
    if os.getppid() != parent:
        sys.exit(1)
    _mount(None, "/", None, MS_REC | MS_SLAVE)  # what we mount stays ours


def _show(plan: dict[str, Any]) -> None:
    """Order matters: everything is held open before /tmp hides it."""
    task = _hold(plan["task"])
    keep = {each: _hold(each) for each in plan["keep"]}
    opt = _held_entries(plan["opt"], keep) if plan["opt"] else {}
    if Path("/var/task").is_dir():
        _bind(task, "/var/task", read_only=True)
    else:
        _rebuild("/var", {"task": task})
    if opt:
        _rebuild("/opt", opt)
    tmp = os.path.realpath("/tmp")
    options = f"mode=1777,size={plan['tmp_bytes']}"
    _mount("tmpfs", tmp, "tmpfs", MS_NOSUID | MS_NODEV, options)
    for folder, held in keep.items():
        if folder.startswith(tmp + "/"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            _bind(held, folder)


def _held_entries(folder: str, keep: dict[str, int]) -> dict[str, int]:
    """Of a layer's entries, those that do not hide what the program itself needs."""
    names = [each.name for each in os.scandir(folder)]
    free = [n for n in names if not any(f"{each}/".startswith(f"/opt/{n}/") for each in keep)]
    return {name: _hold(f"{folder}/{name}") for name in free}


def _rebuild(parent: str, added: dict[str, int]) -> None:
    """Show `parent` with what it holds, and `added` beside or instead; nothing changes on disk."""
    before = _hold(parent)
    entries = list(os.scandir(_path(before)))
    _mount("tmpfs", parent, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    for entry in entries:
        target = f"{parent}/{entry.name}"
        if entry.name in added:
            continue
        if entry.is_symlink():
            Path(target).symlink_to(Path(entry.path).readlink())
        else:
            _bind(_hold(entry.path), target)
    for name, held in added.items():
        _bind(held, f"{parent}/{name}", read_only=True)


def _hold(path: str) -> int:
    return os.open(path, os.O_PATH)


def _path(held: int) -> str:
    return f"/proc/self/fd/{held}"


def _bind(held: int, target: str, *, read_only: bool = False) -> None:
    if os.path.isdir(_path(held)):  # noqa: PTH112 - reads as what it is beside os.open
        Path(target).mkdir(exist_ok=True)
    else:
        Path(target).touch()
    _mount(_path(held), target, None, MS_BIND | MS_REC)
    if read_only:
        # A user namespace may not lift the restrictions it inherited: mount_namespaces(7).
        inherited = os.statvfs(target).f_flag & (MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _mount(None, target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | inherited)


def _mount(
    source: str | None, target: str, kind: str | None, flags: int, options: str | None = None
) -> None:
    texts = [None if each is None else each.encode() for each in (source, target, kind, options)]
    _check(_libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]), f"mount {target}")


def _check(answer: int, what: str) -> None:
    if answer != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
