"""Several processes read a folder as one would, also where one of them fails."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from scones.monitor.columns import Columns, empty, grow
from scones.workflow import readers
from scones.workflow.files import Folder
from scones.workflow.readers import reading

LINE = (
    '{{"captureData": {{"endpointOutput": {{"data": "[0.5, 0.5]", "encoding": "JSON"}}}}, '
    '"eventMetadata": {{"eventId": "{}", "inferenceTime": "2026-11-20T12:00:00Z"}}}}\n'
)
FILES = 200


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for number in range(FILES):
        path = tmp_path / "AllTraffic" / f"{number % 7}" / f"{number:03d} é.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(LINE.format(number) + "rubbish\n" * (number == 50), "utf-8")
    (tmp_path / "AllTraffic" / "notes.txt").touch()
    return Folder(tmp_path)


def columns(folder: Folder, processes: int | None) -> Columns:
    names = folder.names((), 0.0)
    with reading(folder.path, names, 2, processes) as bulks:
        return grow(empty(2), names, bulks, folder.content)


FORKS = """
import os, signal, sys
from pathlib import Path
from scones.workflow import readers
from scones.workflow.files import Folder
folder = Folder(Path(sys.argv[1]))
names = folder.names((), 0.0)
assert readers.can_be_copied()
before, fork = os.getpid(), os.fork
def interrupted():
    number = fork()
    if number == 0:  # as by Ctrl-C right behind the fork
        os.kill(os.getpid(), signal.SIGINT)
    return number
if "interrupt" in sys.argv:
    os.fork = interrupted
with readers.reading(folder.path, names, 2, 3) as bulks:
    from scones.monitor.columns import empty, grow
    assert "subprocess" not in sys.modules
    if "reap" in sys.argv:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if "kill" in sys.argv:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
    known = grow(empty(2), names, bulks, folder.content)
assert os.getpid() == before
print(known.event_N.tolist(), known.file_N.tolist(), [str(each) for each in known.faults])
"""


@pytest.mark.skipif(
    not readers.TASKS.is_dir(), reason="only Linux tells how many threads there are"
)
@pytest.mark.parametrize("end", [[], ["kill"], ["reap"], ["reap", "kill"], ["interrupt"]])
def test_copies_of_a_process_with_one_thread_read_what_one_reads(
    folder: Folder, end: list[str]
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FORKS, folder.path, *end],
        check=True, capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    alone = columns(folder, None)
    faults = [str(each) for each in alone.faults]
    assert told.stdout.split("\n")[0] == (
        f"{alone.event_N.tolist()} {alone.file_N.tolist()} {faults}"
    )
    assert told.stderr == ""


def test_a_process_that_does_not_wait_for_others_is_not_copied(folder: Folder) -> None:
    ignoring = f"import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n{FORKS}"
    ignoring = ignoring.replace("assert readers", "assert not readers")
    ignoring = ignoring.replace('assert "subprocess" not in', 'assert "subprocess" in')
    told = subprocess.run(
        [sys.executable, "-c", ignoring, folder.path], check=True, capture_output=True, text=True
    )
    assert told.stdout.startswith(f"{columns(folder, None).event_N.tolist()} ")
    assert told.stderr == ""


def test_beside_a_thread_no_process_is_copied() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert not readers.can_be_copied()
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("processes", [2, 3])
def test_more_processes_read_what_one_reads(folder: Folder, processes: int) -> None:
    alone, together = columns(folder, None), columns(folder, processes)
    assert len(together) == len(alone) == FILES
    assert together.event_N.tolist() == alone.event_N.tolist()
    assert together.file_N.tolist() == alone.file_N.tolist()
    assert together.faults == alone.faults and len(alone.faults) == 1


def test_what_a_failed_process_had_drawn_is_read_here(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, drawn = tmp_path / "python", tmp_path / "drawn"
    failing.write_text(
        f"#!{sys.executable}\nimport os, pathlib, sys\n"
        f"os.read(int(sys.argv[7]), 8)\npathlib.Path({str(drawn)!r}).touch()\nsys.exit(1)\n"
    )
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    names = folder.names((), 0.0)
    with reading(folder.path, names, 2, 2) as bulks:
        while not drawn.exists():
            time.sleep(0.01)
        found = list(bulks)
    assert sorted(number for each in found for number in (*each.files, *each.odd)) == [
        *range(FILES)
    ]
    assert [each.files[0] for each in found] == [16, 0]


def test_a_reading_that_is_broken_off_leaves_no_process(folder: Folder) -> None:
    names = folder.names((), 0.0)
    with (
        pytest.raises(RuntimeError, match="broken off"),
        reading(folder.path, names, 2, 2) as bulks,
    ):
        next(bulks)
        raise RuntimeError("broken off")


def test_a_file_that_goes_meanwhile_is_named(folder: Folder) -> None:
    names = ["gone.jsonl"]
    with (
        pytest.raises(ValueError, match=r"gone\.jsonl' cannot be read: No such file"),
        reading(folder.path, names, 2, 2) as bulks,
    ):
        grow(empty(2), names, bulks, folder.content)


def test_no_module_is_taken_from_the_folder_that_the_user_is_in(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text(
        f"import pathlib\npathlib.Path({str(tmp_path / 'taken')!r}).touch()\n"
    )
    monkeypatch.chdir(tmp_path)
    assert len(columns(folder, 2)) == FILES
    assert not (tmp_path / "taken").exists()


def test_a_reader_that_hangs_does_not_outlive_a_reading_that_is_broken_off(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    began = time.monotonic()
    with (
        pytest.raises(RuntimeError, match="broken off"),
        reading(folder.path, folder.names((), 0.0), 2, 2) as bulks,
    ):
        next(bulks)
        raise RuntimeError("broken off")
    assert time.monotonic() - began < 30


def test_without_room_for_temporary_files_one_process_reads(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert len(columns(folder, 3)) == FILES


def test_without_a_program_to_start_one_process_reads(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))
    assert len(columns(folder, 2)) == FILES
