"""Readers: a folder's capture files, read by as many processes as there are processors.

The other processes begin before this one has imported anything large: a program that opens its
`reading` first has its files read while numpy is imported.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from scones.monitor import reader
from scones.monitor.bulk import Bulk

FEWEST = 1000
"""Files from which another process, which takes 40 ms to begin, is worth its while."""
MOST = 4
"""Processes in all, of which each holds some 40 MB."""
RUN = 8
"""Files a ticket."""
HEAP = 4096
"""Tickets at most: four bytes each fit into a pipe, whose smallest size is macOS's, 16 KiB."""
DONE = b"."
TASKS = Path("/proc/self/task")
"""Linux: this process's threads."""


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
        yield reader.read(str(folder), names, num_classes, run, tickets)
        return
    with ExitStack() as stack:
        stack.enter_context(reader.uncollected())
        try:
            heap = _heap(tickets, stack)
            start = _copied if can_be_copied() else _started
            others = [
                start(folder, names, num_classes, run, heap, stack) for _ in range(processes - 1)
            ]
            ours = reader.drawn(heap)
        except OSError:  # no room for temporary files, or no more processes: this one reads alone
            ours, others = iter(tickets), []

        def bulks() -> Iterator[Bulk]:
            there: set[int] = set()
            for each in _all(reader.read(str(folder), names, num_classes, run, ours), others):
                there.update(each.files, each.odd)
                yield each
            left = [ticket for ticket in tickets if ticket * run not in there]
            yield from reader.read(str(folder), names, num_classes, run, left)

        yield bulks()


class Reader(NamedTuple):
    """Another process that reads."""

    succeeded: Callable[[], bool]
    """Waits until it has read all it will, and says whether that went well; asked once."""
    answers: IO[bytes]
    """The file that its bulks go into."""


class Copy:
    """A copy of this process that does some work and ends."""

    def __init__(self, work: Callable[[], None], signals: Iterable[int]) -> None:
        """`signals`: those that the copy shall keep blocked; to be made while all are."""
        self._done, doing = os.pipe()
        try:
            self._pid = os.fork()
            if self._pid == 0:
                self._work(work, doing, signals)
        except OSError:
            os.close(self._done)
            raise
        finally:
            os.close(doing)

    @staticmethod
    def _work(work: Callable[[], None], doing: int, signals: Iterable[int]) -> NoReturn:
        """Whatever happens: the rest of the program is not this process's business."""
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)
            work()
            os.write(doing, DONE)
        finally:
            os._exit(0)

    def succeeded(self) -> bool:
        """Waits for the work, not for the process, which takes some ms more to go."""
        return os.read(self._done, len(DONE)) == DONE

    def end(self) -> None:
        """At once, whatever it does."""
        os.close(self._done)
        with suppress(ProcessLookupError, ChildProcessError):  # where somebody else has reaped it
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def can_be_copied() -> bool:
    """Whether a copy of this process would be whole, and known by its number until it is reaped.

    Only Linux tells how many threads there are.
    """
    if not hasattr(os, "memfd_create") or signal.getsignal(signal.SIGCHLD) != signal.SIG_DFL:
        return False
    try:
        return len(list(TASKS.iterdir())) == 1
    except OSError:
        return False


def _heap(tickets: Sequence[int], stack: ExitStack) -> int:
    """A pipe that holds the tickets, and that nobody fills any more."""
    heap, filling = os.pipe()
    stack.callback(os.close, heap)
    # A pipe may be smaller where a user has many; what does not fit is left, and read at the end.
    os.set_blocking(filling, False)
    os.write(filling, b"".join(each.to_bytes(reader.TICKET_BYTES, "little") for each in tickets))
    os.close(filling)
    return heap


def _copied(
    folder: Path, names: Sequence[str], num_classes: int, run: int, heap: int, stack: ExitStack
) -> Reader:
    """A copy of this process: it begins at once, with all that is imported."""
    answers = stack.enter_context(os.fdopen(os.memfd_create("bulks"), "w+b"))

    def work() -> None:
        tickets = reader.drawn(heap)
        reader.write(reader.read(str(folder), names, num_classes, run, tickets), answers)

    # A signal right behind the fork would make the copy go on as if it were its caller, or leave it
    # to itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        copy = Copy(work, before)
        stack.callback(copy.end)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Reader(copy.succeeded, answers)


def _started(
    folder: Path, names: Sequence[str], num_classes: int, run: int, heap: int, stack: ExitStack
) -> Reader:
    """A new process: it takes 40 ms to begin, also beside this one's threads."""
    import subprocess
    import tempfile

    # -P: a module is never taken from the folder that the user happens to be in.
    argv = [sys.executable, "-P", "-m", reader.__name__, str(folder), str(num_classes), str(run)]
    with ExitStack() as opened:
        answers = opened.enter_context(tempfile.TemporaryFile())
        with tempfile.TemporaryFile() as asked:
            asked.write(reader.NAME_END.join(names).encode("utf-8", "surrogateescape"))
            asked.seek(0)
            # What it fails at is read again, and told, by the process that started it.
            process = subprocess.Popen(
                [*argv, str(heap)],
                stdin=asked, stdout=answers, stderr=subprocess.DEVNULL, pass_fds=[heap],
            )  # fmt: skip
        stack.push(opened.pop_all())
    stack.callback(process.wait)
    stack.callback(process.kill)
    return Reader(lambda: process.wait() == 0, answers)


def _all(ours: Iterator[Bulk], others: Sequence[Reader]) -> Iterator[Bulk]:
    yield from ours
    for each in others:
        if each.succeeded():
            each.answers.seek(0)
            yield from reader.written(each.answers)
