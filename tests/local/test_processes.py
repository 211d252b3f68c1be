"""Children die with the cloud, however it dies, and take along what they started."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scones.local.processes import Processes

# Starts a child that starts another, prints both process ids, and waits.
PARENT = """
import asyncio, sys, time
from pathlib import Path
from scones.local.processes import Processes

CHILD = '''
import subprocess, sys, time
command = [sys.executable, "-c", "import time; time.sleep(60)"]
other = subprocess.Popen(command)
apart = subprocess.Popen(command, start_new_session=True)
import os
print(os.getpid(), other.pid, apart.pid, flush=True)
time.sleep(60)
'''

async def main():
    processes = Processes(Path(sys.argv[1]))
    child = await processes.start([sys.executable, "-c", CHILD], environment={})
    print((await child.stdout.readline()).decode(), end="", flush=True)
    time.sleep(60)

asyncio.run(main())
"""


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _gone(pid: int, within_s: float = 10.0) -> bool:
    until = time.monotonic() + within_s
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not _alive(pid)


linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@linux
def test_a_child_dies_with_a_parent_that_is_killed_and_sweep_ends_the_rest(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child, *grandchildren = map(int, parent.stdout.readline().split())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert _gone(child)
    assert all(map(_alive, grandchildren))
    Processes(tmp_path).sweep()
    assert all(map(_gone, grandchildren))
    assert list(tmp_path.iterdir()) == []


@linux
@pytest.mark.parametrize("apart", ["", "setsid "])
def test_stop_ends_what_a_child_started(tmp_path: Path, apart: str) -> None:
    async def main() -> int:
        processes = Processes(tmp_path)
        child = await processes.start(
            ["/bin/sh", "-c", f"{apart}sleep 60 & echo $!; wait"], environment={"PATH": os.defpath}
        )
        assert child.stdout is not None
        other = int(await child.stdout.readline())
        assert await processes.stop(child) == -signal.SIGKILL
        return other

    assert _gone(asyncio.run(main()))
    assert list(tmp_path.iterdir()) == []


def test_a_child_gets_time_to_end_by_itself(tmp_path: Path) -> None:
    async def main() -> int:
        processes = Processes(tmp_path)
        child = await processes.start(
            ["/bin/sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"],
            environment={"PATH": os.defpath},
        )
        assert child.stdout is not None
        await child.stdout.readline()
        return await processes.stop(child, grace_s=10)

    assert asyncio.run(main()) == 7


def test_a_child_finds_the_variables_it_was_given_and_a_mark(tmp_path: Path) -> None:
    async def main() -> bytes:
        processes = Processes(tmp_path)
        # Python adds LC_CTYPE where the locale is C: https://peps.python.org/pep-0538
        given = {"A": "1", "LC_ALL": "C.UTF-8"}
        child = await processes.start(["/usr/bin/env"], environment=given)
        said, _ = await child.communicate()
        processes.forget(child)
        return said

    *given, mark = sorted(asyncio.run(main()).split())
    assert given == [b"A=1", b"LC_ALL=C.UTF-8"]
    assert mark.startswith(b"_SCONES_CHILD=")


def test_output_may_go_to_a_descriptor(tmp_path: Path) -> None:
    async def main(into: int) -> int:
        processes = Processes(tmp_path)
        child = await processes.start(
            ["/bin/sh", "-c", "echo out; echo err >&2"], environment={}, output=into
        )
        code = await child.wait()
        processes.forget(child)
        return code

    file = tmp_path.parent / "output"
    with file.open("wb") as sink:
        assert asyncio.run(main(sink.fileno())) == 0
    assert file.read_text() == "out\nerr\n"


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    async def main() -> tuple[int | None, bytes]:
        processes = Processes(tmp_path)
        child = await processes.start(["/no/such/program"], environment={})
        said, _ = await child.communicate()
        processes.forget(child)
        return child.returncode, said

    code, said = asyncio.run(main())
    assert code == 1
    assert b"cannot run /no/such/program: No such file or directory" in said
