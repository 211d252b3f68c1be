"""How a long step tells what it is doing: bars in a terminal, plain lines elsewhere, or nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

FIXED = 52
"""Columns of a bar's line that are taken before the words: measured with 1200 parts."""
FULL = "green"
"""By name: rich's own colour for a full bar turns grey, as an empty one, where there are 16."""


class Step:
    """One long step under way; this one keeps silent."""

    def total(self, count: int) -> None:
        """How many parts the step has, once that is known."""

    def advance(self, parts: int = 1) -> None:
        """So many parts more are done."""

    def say(self, words: str) -> None:
        """What is being done now, in a few words."""


Steps = Callable[[str], AbstractContextManager[Step]]
"""What a verb is handed: `with steps("train") as step: ...`."""


@contextmanager
def silent(title: str) -> Iterator[Step]:
    """For tests and for programs that call the verbs themselves."""
    yield Step()


class Bars:
    """A bar that moves for each step; it stays on the screen when the step is over."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def __call__(self, title: str) -> Iterator[Step]:
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn(f"{title:<9}"),
            BarColumn(bar_width=18, finished_style=FULL),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}", style="dim"),
        )
        # Ten times a second, as rich would, costs a training job 3 % of two cores.
        with Progress(*columns, console=self._console, refresh_per_second=4) as progress:
            step = Bar(progress)
            yield step
            step.finish()


class Bar(Step):
    """One row of `Bars`."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, words="")

    def total(self, count: int) -> None:
        self._progress.update(self._task, total=count)

    def advance(self, parts: int = 1) -> None:
        self._progress.advance(self._task, parts)

    def say(self, words: str) -> None:
        room = max(8, self._progress.console.width - FIXED)
        self._progress.update(self._task, words=words[:room])

    def finish(self) -> None:
        """The last words go: they told what was being done. A step whose parts were never counted
        counts as one."""
        row = self._progress.tasks[0]
        done = row.total or max(row.completed, 1)
        self._progress.update(self._task, total=done, completed=done, words="")


class Lines:
    """A line when a step starts, at each quarter of it, and when it is done or has failed."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream

    @contextmanager
    def __call__(self, title: str) -> Iterator[Step]:
        line = Line(title, self._stream)
        line.write("started")
        ended = "failed"
        try:
            yield line
            ended = "done"
        finally:
            line.write(ended)


class Line(Step):
    """One step of `Lines`."""

    def __init__(self, title: str, stream: TextIO) -> None:
        self._title = title
        self._stream = stream
        self._total = 0
        self._done = 0
        self._words = ""

    def write(self, words: str) -> None:
        self._stream.write(f"{self._title:<9} {words}\n")
        self._stream.flush()

    def total(self, count: int) -> None:
        self._total = count

    def advance(self, parts: int = 1) -> None:
        before, self._done = self._done, self._done + parts
        if self._total and before * 4 // self._total != self._done * 4 // self._total:
            self.write(f"{self._done}/{self._total} {self._words}".rstrip())

    def say(self, words: str) -> None:
        self._words = words
