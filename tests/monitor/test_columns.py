"""The columnar cache holds what the reader reads, once, and grows by new files only."""

import base64
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scones.monitor import labels
from scones.monitor.capture import Fault, capture_files, read_folder, read_records
from scones.monitor.columns import Columns, empty, keys, update
from scones.monitor.kept_columns import VERSION, load, save
from scones.monitor.windows import UNKNOWN, window

NAMES = ("bicycle", "motorcycle")
PIXELS = b"\x89PNG and so on"


def line(
    event_id: str, answer: str = "[0.9, 0.1]", at: str = "2026-11-20T12:00:00Z", run: str = ""
) -> bytes:
    metadata = {"eventId": event_id, "inferenceTime": at} | ({"inferenceId": run} if run else {})
    picture = base64.b64encode(PIXELS).decode()
    captured = {
        "endpointInput": {
            "observedContentType": "image/png", "mode": "INPUT", "data": picture,
            "encoding": "BASE64",
        },
        "endpointOutput": {"mode": "OUTPUT", "data": answer, "encoding": "JSON"},
    }  # fmt: skip
    return json.dumps({"captureData": captured, "eventMetadata": metadata}).encode() + b"\n"


def same(one: Columns, other: Columns) -> bool:
    names = ("at_N", "probabilities_NK", "event_N", "item_N", "inference_N", "file_N")
    arrays = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
    return arrays and (one.files, one.faults) == (other.files, other.faults)


def test_real_captures_come_out_as_the_reader_reads_them(shared: Path) -> None:
    folder = shared / "data" / "sagemaker-captures"
    files = [(path.name, path.read_bytes()) for path in capture_files(folder)]
    records, _ = read_folder(folder)
    expected, _ = window(records, NAMES)
    for pictures in (False, True):
        columns = update(empty(2), files, pictures=pictures)
        assert (len(columns), columns.faults) == (33, ())
        assert np.array_equal(columns.at_N, expected.at_N)
        assert np.array_equal(columns.probabilities_NK, expected.probabilities_NK)
        assert columns.picture_N.any() == pictures


@pytest.mark.parametrize(
    "odd",
    [
        b"rubbish\n",
        line("x", "[1.5, -0.5]"),
        line("x", "[NaN, 1]"),
        line("x", "[[0.3, 0.7], [0.4, 0.6]]"),
        line("x", "[0.2, 0.3, 0.5]"),
        line("x", "[1.00000001, 0]"),
        line("x", "{}"),
        line("x", at="yesterday"),
        line("x", at="2026-11-20T13:00:00+01:00"),
        line("x").replace(b'"JSON"', b'"CSV"').replace(b"[0.9, 0.1]", b"0.9,0.1"),
        b"",
        b"\n\n",
        b"\xff\xff\n",
        b"[" * 5000 + b"\n",
    ],
)
def test_the_fast_way_and_the_long_way_agree(odd: bytes) -> None:
    content = line("a") + odd + line("b", "[0.2, 0.8]")
    fast, long = (update(empty(2), [("f", content)], pictures=each) for each in (False, True))
    assert same(fast, long)
    records, faults = read_records(content, "f")
    expected, more = window(records, NAMES)
    assert np.array_equal(np.sort(fast.at_N), expected.at_N)
    assert len(fast.faults) == len(faults) + len(more)


def test_every_fault_has_its_line_and_they_come_in_order() -> None:
    content = line("a") + line("x", "[0.2, 0.3, 0.5]") + b"rubbish\n" + line("y", "[1]")
    found = update(empty(2), [("f", content)]).faults
    assert [(fault.line, str(fault)[:4]) for fault in found] == [
        (2, "f:2:"),
        (3, "f:3:"),
        (4, "f:4:"),
    ]
    _, bad = window(read_records(content, "f")[0], NAMES)
    assert [fault.line for fault in bad] == [2, 4]


def test_records_are_once_and_in_the_order_of_time() -> None:
    late, early = "2026-11-20T12:00:09Z", "2026-11-20T11:00:00Z"
    first = update(empty(2), [("1", line("a", at=late) + line("b") + line("a", at=late))])
    both = update(first, [("2", line("b")), ("3", line("c", at=early)), ("4", b"")])
    assert np.diff(both.at_N).tolist() == [3600.0, 9.0]
    assert both.files == ("1", "2", "3", "4")
    assert [both.files[i] for i in both.file_N] == ["3", "1", "1"]


def test_new_files_one_by_one_give_what_all_at_once_give() -> None:
    files = [(str(i), line(f"e{i}", f"[0.{i}, 0.{9 - i}]") + b"rubbish\n") for i in range(1, 9)]
    grown = empty(2)
    for file in files:
        grown = update(grown, [file])
    assert same(grown, update(empty(2), files))
    assert len(grown.faults) == 8
    assert update(grown, []) is grown


def test_columns_are_saved_and_loaded() -> None:
    rubbish = [("a", line("a", run="run-1") + b"rubbish\n"), ("\udcff\ud800", b"rubbish\n")]
    columns = update(empty(2), [*rubbish, ("b", b"")])
    stream = io.BytesIO()
    save(columns, stream)
    stream.seek(0)
    assert same(load(stream), columns)


@pytest.mark.parametrize("cut", [0, 10, 60, -30])
def test_a_broken_cache_is_refused(cut: int) -> None:
    stream = io.BytesIO()
    save(update(empty(2), [("a", line("a"))]), stream)
    with pytest.raises(ValueError, match="no saved columns"):
        load(io.BytesIO(stream.getvalue()[:cut]))


def test_columns_of_another_version_are_refused() -> None:
    stream = io.BytesIO()
    save(update(empty(2), [("a", line("a"))]), stream)
    content = bytearray(stream.getvalue())
    place = 9  # behind a length of eight bytes and the mark of a list
    assert content[place] == VERSION
    content[place] += 1
    with pytest.raises(ValueError, match=f"no saved columns: version {VERSION + 1}, not {VERSION}"):
        load(io.BytesIO(content))
    before = msgspec.msgpack.encode([2, 1, [], ["a"], []])  # as it was without a version
    with pytest.raises(ValueError, match="no saved columns"):
        load(io.BytesIO(len(before).to_bytes(8, "little") + before + bytes(content[-44:])))


def test_a_version_has_its_bytes() -> None:
    """`ours`: whoever changes what is saved, or what it means, gives it another version."""
    columns = update(empty(2), [("a", line("a", run="run-1"))], pictures=True)
    stream = io.BytesIO()
    save(replace(columns, faults=(Fault("a", 2, "no line"),)), stream)
    assert (VERSION, hashlib.sha256(stream.getvalue()).hexdigest()[:16]) == (1, "a384e778d2c797fc")


def test_truth_joins_as_it_joins_records() -> None:
    content = line("e1", run="run-1") + line("e2", run="run-2") + line("e3") + line("e4")
    truth = {"run-1": 0, "e1": 1, "e2": 1}
    staged = {hashlib.sha256(PIXELS).hexdigest(): 1, "00" * 32: 0}
    columns = update(empty(2), [("f", content)], pictures=True)
    records, _ = read_records(content, "f")
    expected, _ = window(records, NAMES, labels.join(records, truth, staged))
    found = columns.window(NAMES, truth, staged)
    assert found.truth_N.tolist() == expected.truth_N.tolist() == [0, 1, 1, 1]
    assert columns.window(NAMES).truth_N.tolist() == [UNKNOWN] * 4
    without = update(empty(2), [("f", content)]).window(NAMES, truth, staged)
    assert without.truth_N.tolist() == [0, 1, UNKNOWN, UNKNOWN]


def test_columns_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match=r"hold 2 probabilities .* names of 3 classes: a, b, c"):
        empty(2).window(["a", "b", "c"])


def test_keys_are_the_same_in_every_run() -> None:
    assert keys([]).shape == (0,)
    assert keys(["a", "b", "a"]).tolist() == keys(["a", "b"]).tolist() + keys(["a"]).tolist()
    assert hex(int(keys(["695344c2-3858-45e5-a14d-33deaf4310c7"])[0])) == "0x946da1087a2f0eb2"
    assert len(set(keys([f"é{i}" for i in range(1000)]).tolist())) == 1000


def test_many_files_go_through_in_chunks() -> None:
    files = [(str(i), line(f"{i}a") + line(f"{i}b")) for i in range(40)]
    assert same(update(empty(2), files, chunk=7), update(empty(2), files))
