"""What is kept is what the files hold now."""

import json
import os
import time
from pathlib import Path

import pytest

from scones.monitor.columns import Columns
from scones.workflow.files import Folder
from scones.workflow.kept import Cache
from scones.workflow.progress import silent


def line(event_id: str) -> bytes:
    captured = {"endpointOutput": {"data": "[0.25, 0.75]", "encoding": "JSON"}}
    metadata = {"eventId": event_id, "inferenceTime": "2026-11-20T12:00:00Z"}
    return json.dumps({"captureData": captured, "eventMetadata": metadata}).encode() + b"\n"


def look(home: Path, captures: Path, pictures: bool) -> Columns:
    with silent("monitor") as step:
        known, _ = Cache(home).read(Folder(captures), 2, 0.0, step, pictures)
    return known


@pytest.mark.parametrize("pictures", [False, True])
def test_a_file_that_was_still_being_copied_is_read_again(tmp_path: Path, pictures: bool) -> None:
    captures, home = tmp_path / "captures", tmp_path / "home"
    captures.mkdir()
    whole = b"".join(line(f"event-{n}") for n in range(8))
    (captures / "first.jsonl").write_bytes(line("other"))
    (captures / "half.jsonl").write_bytes(whole[:250])
    half = look(home, captures, pictures)
    assert (len(half), len(half.faults)) == (2, 1)
    (captures / "half.jsonl").write_bytes(whole)
    found = look(home, captures, pictures)
    assert (len(found), found.faults, found.files) == (9, (), ("first.jsonl", "half.jsonl"))


def test_a_file_of_the_same_size_and_an_old_time_is_read_again(tmp_path: Path) -> None:
    captures, home = tmp_path / "captures", tmp_path / "home"
    captures.mkdir()
    path = captures / "a.jsonl"
    path.write_bytes(line("one"))
    before = look(home, captures, False).event_N.tolist()
    path.write_bytes(line("two"))
    os.utime(path, (1, 1))
    assert look(home, captures, False).event_N.tolist() != before


def test_files_that_stay_as_they_are_are_read_once(tmp_path: Path) -> None:
    captures, home = tmp_path / "captures", tmp_path / "home"
    captures.mkdir()
    (captures / "a.jsonl").write_bytes(line("one"))
    time.sleep(0.05)
    look(home, captures, False)
    kept = (home / "columns.msgpack").stat().st_mtime_ns
    look(home, captures, False)
    assert (home / "columns.msgpack").stat().st_mtime_ns == kept
    (home / "began.json").write_text("rubbish")
    look(home, captures, False)
    assert (home / "columns.msgpack").stat().st_mtime_ns > kept


def test_a_pipe_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "a.jsonl").write_bytes(line("one"))
    assert len(look(tmp_path / "home", tmp_path, True)) == 1


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"a\.jsonl' cannot be read: No such file"):
        look(tmp_path / "home", tmp_path, True)
