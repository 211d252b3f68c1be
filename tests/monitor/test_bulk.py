"""Bulk reading takes plain files only, and never takes one line's numbers for another's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.monitor import bulk, reader
from scones.monitor.columns import empty, grow, update


def line(event_id: str, answer: str = "[0.25, 0.75]", at: str = "2026-11-20T12:00:00Z") -> bytes:
    captured = {"endpointOutput": {"mode": "OUTPUT", "data": answer, "encoding": "JSON"}}
    metadata = {"eventId": event_id, "inferenceTime": at}
    return json.dumps({"captureData": captured, "eventMetadata": metadata}).encode() + b"\n"


def test_plain_lines_are_packed_side_by_side() -> None:
    some = bulk.lines(line("a") + line("bcd", "[1, 0]"))
    packed = bulk.pack([(7, some)], 2)
    assert (packed.files, packed.counts, packed.odd) == ([7], [2], [])
    assert np.frombuffer(packed.probabilities).tolist() == [0.25, 0.75, 1.0, 0.0]
    assert (packed.events, packed.event_width) == (b"a\0\0bcd", 3)
    assert (packed.inferences, packed.inference_width) == (b"", 0)


@pytest.mark.parametrize(
    "odd",
    [
        ["[0.1", "0.2]"],
        ["[0.1,0.9],[0.2,0.8]", "[0.3,0.7]"],
        ["[0.1,0.9]", ""],
        ["[0.1,0.9],", "[0.3,0.7]"],
        ["[[0.1,0.9]]"],
        ["[0.1,0.2,0.7]", "[0.3]"],
        ['["0.1", 0.9]'],
        [" [0.1,0.9]"],
    ],
)
def test_answers_that_only_together_look_plain_are_odd(odd: list[str]) -> None:
    content = b"".join(line(f"odd-{n}", answer) for n, answer in enumerate(odd))
    packed = bulk.pack([(0, bulk.lines(line("a"))), (1, bulk.lines(content))], 2)
    assert (packed.files, packed.odd) == ([0], [1])


@pytest.mark.parametrize(
    "at",
    ["2026-11-20T12:00:00.5Z", "2026-11-20T12:00:00+00:00", "2026-11-20 12:00:00Z", "2026-11-20"],
)
def test_a_time_of_another_shape_is_odd(at: str) -> None:
    packed = bulk.pack([(0, bulk.lines(line("a", at=at))), (1, bulk.lines(line("b")))], 2)
    assert (packed.files, packed.odd) == ([1], [0])


@pytest.mark.parametrize(
    "at",
    ["2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z",
     "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:60Z"],
)  # fmt: skip
def test_a_time_that_there_is_not_is_a_fault_and_harms_no_other_file(at: str) -> None:
    found = update(empty(2), [("bad", line("a", at=at)), ("good", line("b"))])
    assert [found.files[i] for i in found.file_N] == ["good"]
    assert [(fault.source, fault.line) for fault in found.faults] == [("bad", 1)]


def test_times_are_those_of_the_calendar() -> None:
    times = ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2024-12-31T12:30:15Z"]
    found = update(empty(2), [("f", b"".join(line(at, at=at) for at in times))])
    expected = [np.datetime64(at[:-1], "s").astype(np.int64) for at in times]
    assert found.at_N.tolist() == expected


def test_ids_beyond_ascii_are_read_line_by_line() -> None:
    content = line("é").replace(b"\\u00e9", "é".encode())
    assert bulk.pack([(0, bulk.lines(content))], 2).odd == [0]
    assert len(update(empty(2), [("f", content)])) == 1


def test_bulks_in_whatever_order_give_the_same_columns() -> None:
    files = [(str(n), line(f"e{n}") + line("same") + b"rubbish\n" * (n % 3)) for n in range(9)]
    names = [name for name, _ in files]
    every = [(n, bulk.lines(content)) for n, (_, content) in enumerate(files)]
    bulks = [bulk.pack(every[start : start + 2], 2) for start in (6, 0, 8, 2, 4)]
    found, expected = grow(empty(2), names, bulks, dict(files).__getitem__), update(empty(2), files)
    assert found.event_N.tolist() == expected.event_N.tolist()
    assert (found.file_N.tolist(), found.faults) == (expected.file_N.tolist(), expected.faults)


def test_a_file_larger_than_the_buffer_is_read_whole(tmp_path: Path) -> None:
    content = b"".join(line(f"event-{n:05d}") for n in range(8000))
    assert len(content) > reader.BUFFER_BYTES
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "small").write_bytes(line("x"))
    found = list(reader.read(str(tmp_path), ["large", "small"], 2, 1, [1, 0]))
    assert [(each.files, each.counts) for each in found] == [([1, 0], [1, 8000])]


@pytest.mark.parametrize(
    "content",
    [
        line("a")[:-1] + line("b"),
        line("a")[:-1] + line("b") + b"\n",
        line("a")[:-1] + b" " + line("b"),
        line("a")[:-1] + b"\r" + line("b"),
        line("a")[:-1] + line("b")[:-1],
        b"\n" + line("a")[:-1] + line("b"),
        json.dumps(json.loads(line("a")), indent=1).encode() + b"\n",
        line("a")[:-1] + line("b") + line("c").replace(b'"inferenceTime"', b'\n"inferenceTime"'),
        line("a")[:-1] + line("b") + line("c").replace(b"{", b"{\n", 1),
    ],
)
def test_lines_in_one_and_a_line_over_several_are_faults_in_bulk_as_well(content: bytes) -> None:
    files = [("odd", content), ("plain", line("y") + line("z")[:-1])]
    found = update(empty(2), files)
    expected = update(empty(2), files, pictures=True)
    assert len(found) == len(expected) == 2
    assert found.faults == expected.faults != ()


def test_plain_files_of_all_ends_are_plain() -> None:
    contents = [b"", line("a"), line("a")[:-1], (line("a") + line("b")).replace(b"\n", b"\r\n")]
    packed = bulk.pack([(n, bulk.lines(content)) for n, content in enumerate(contents)], 2)
    assert (packed.counts, packed.odd) == ([0, 1, 1, 2], [])


def test_a_file_that_is_gone_is_odd(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(line("x"))
    [found] = reader.read(str(tmp_path), ["gone", "there"], 2, 2, [0])
    assert (found.files, found.odd) == ([1], [0])


@pytest.mark.parametrize(
    "sent",
    [{"data": 5, "encoding": "GZIP"}, {}, 5, None, {"observedContentType": 3, "data": "x"}],
)
def test_what_was_sent_is_no_fault_where_pictures_do_not_count(sent: Any) -> None:
    odd = json.loads(line("a"))
    odd["captureData"]["endpointInput"] = sent
    content = json.dumps(odd).encode() + b"\n"
    assert bulk.pack([(0, bulk.lines(content))], 2).odd == []
    for files in ([("f", content)], [("f", content + b"rubbish\n")]):
        assert len(update(empty(2), files)) == 1


@pytest.mark.parametrize(
    ("answer", "at"),
    [
        ("[0, 0]", "2026-11-20T12:00:00Z"),
        ("[0.0, -0.0]", "2026-11-20T12:00:00Z"),
        ("[" * 5000, "2026-11-20T12:00:00Z"),
        ('{"a":' * 5000, "2026-11-20T12:00:00Z"),
        ("[0.5, 0.5]", "0001-01-01T00:00:00+05:00"),
        ("[0.5, 0.5]", "9999-12-31T23:59:59-05:00"),
        ("[0.5, 0.5]", "9999-12-31T23:59:59Z"),
        ("[0.5, 0.5]", "1969-12-31T23:59:59Z"),
    ],
)
@pytest.mark.parametrize("pictures", [False, True])
def test_what_nobody_can_judge_or_draw_is_a_fault(answer: str, at: str, pictures: bool) -> None:
    content = line("a", answer, at) + line("b")
    found = update(empty(2), [("f", content)], pictures=pictures)
    assert (len(found), [fault.line for fault in found.faults]) == (1, [1])
