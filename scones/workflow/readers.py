"""Readers: a folder's capture files, read by as many processes as there are processors."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from scones.monitor import bulk
from scones.monitor.bulk import Bulk

FEWEST = 1000
"""Files from which another process, which takes 40 ms to begin, is worth its while."""
MOST = 4
"""Processes in all, of which each holds some 40 MB."""
RUN = 32
"""Files a ticket."""
HEAP = 4096
"""Tickets at most: four bytes each fit into a pipe, whose smallest size is macOS's, 16 KiB."""


@contextmanager
def reading(
    folder: Path, names: Sequence[str], num_classes: int, processes: int | None = None
) -> Iterator[Iterator[Bulk]]:
    """All files in bulks, each file in one of them, in whatever order.

    The other processes begin at once, this one when the first bulk is asked for. `processes`: how
    many read, this one among them; None: as many as are worth while. What a process that ended
    badly had drawn is read here.
    """
    if processes is None:
        processes = min(os.cpu_count() or 1, MOST) if len(names) >= FEWEST else 1
    run = max(RUN, -(-len(names) // HEAP))
    tickets = range(-(-len(names) // run))
    if processes < 2 or os.name != "posix":
        yield bulk.read(str(folder), names, num_classes, run, tickets)
        return
    with ExitStack() as stack:
        told = [str(folder), str(num_classes), str(run)]
        try:
            heap = _heap(tickets, stack)
            asked = _asked(names, stack)
            others = [_start([*told, str(heap)], asked, heap, stack) for _ in range(processes - 1)]
            ours = bulk.drawn(heap)
        except OSError:  # no room for temporary files, or no more processes: this one reads alone
            ours, others = iter(tickets), []

        def bulks() -> Iterator[Bulk]:
            there: set[int] = set()
            for each in _all(bulk.read(str(folder), names, num_classes, run, ours), others):
                there.update(each.files, each.odd)
                yield each
            left = [ticket for ticket in tickets if ticket * run not in there]
            yield from bulk.read(str(folder), names, num_classes, run, left)

        yield bulks()


Reader = tuple[subprocess.Popen[bytes], IO[bytes]]
"""A process, and the file that its bulks go into."""


def _heap(tickets: Sequence[int], stack: ExitStack) -> int:
    """A pipe that holds the tickets, and that nobody fills any more."""
    heap, filling = os.pipe()
    stack.callback(os.close, heap)
    # A pipe may be smaller where a user has many; what does not fit is left, and read at the end.
    os.set_blocking(filling, False)
    os.write(filling, b"".join(each.to_bytes(bulk.TICKET_BYTES, "little") for each in tickets))
    os.close(filling)
    return heap


def _asked(names: Sequence[str], stack: ExitStack) -> str:
    """A file of all names."""
    asked = stack.enter_context(tempfile.NamedTemporaryFile())  # noqa: SIM115 (the stack closes)
    asked.write(bulk.NAME_END.join(names).encode("utf-8", "surrogateescape"))
    asked.flush()
    return asked.name


def _start(told: Sequence[str], asked: str, heap: int, stack: ExitStack) -> Reader:
    # -P: a module is never taken from the folder that the user happens to be in.
    argv = [sys.executable, "-P", "-m", bulk.__name__, *told]
    with ExitStack() as opened:
        names = opened.enter_context(Path(asked).open("rb"))
        answers = opened.enter_context(tempfile.TemporaryFile())
        # What it fails at is read again, and told, by the process that started it.
        process = subprocess.Popen(
            argv, stdin=names, stdout=answers, stderr=subprocess.DEVNULL, pass_fds=[heap]
        )
        names.close()
        stack.push(opened.pop_all())
    stack.callback(_end, process)
    return process, answers


def _end(process: subprocess.Popen[bytes]) -> None:
    """At once, also if the reading was broken off."""
    process.kill()
    process.wait()


def _all(ours: Iterator[Bulk], others: Sequence[Reader]) -> Iterator[Bulk]:
    yield from ours
    for process, told in others:
        if process.wait() == 0:
            told.seek(0)
            yield from bulk.written(told)
