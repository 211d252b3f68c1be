"""Ground truth in SageMaker's shape, and joining it to records."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from scones.monitor.capture import Record
from scones.monitor.labels import join, read_truth, write_truth

NAMES = ["bicycle", "motorcycle"]


def line(data: str, event_id: str, encoding: str = "CSV") -> str:
    return json.dumps(
        {
            "groundTruthData": {"data": data, "encoding": encoding},
            "eventMetadata": {"eventId": event_id},
            "eventVersion": "0",
        }
    )


def record(event_id: str, inference_id: str | None = None, picture: bytes | None = None) -> Record:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Record(event_id, at, inference_id, "image/png", picture, (0.9, 0.1), "a.jsonl")


def test_labels_are_indices_or_names() -> None:
    text = "\n".join([line("1", "a"), line("bicycle", "b"), line(' "motorcycle"\n', "c"), ""])
    assert read_truth(text.encode(), "t", NAMES) == ({"a": 1, "b": 0, "c": 1}, [])


def test_the_later_label_is_a_correction() -> None:
    text = "\n".join([line("1", "a"), line("0", "a")]).encode()
    assert read_truth(text, "t", NAMES)[0] == {"a": 0}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("rubbish", "no line of ground truth"),
        (line("2", "a"), "'2' is none of bicycle, motorcycle, nor the index of one"),
        (line("-1", "a"), "'-1' is none of"),
        (line("", "a"), "'' is none of"),
        (line("1", "a", "JSON"), "Invalid enum value 'JSON'"),
        ("{}", "missing required field"),
    ],
)
def test_a_line_that_is_wrong_is_set_aside(bad: str, says: str) -> None:
    truth, (fault,) = read_truth(f"{line('1', 'x')}\n{bad}\n".encode(), "t.jsonl", NAMES)
    assert truth == {"x": 1}
    assert (fault.source, fault.line) == ("t.jsonl", 2)
    assert says in fault.reason


def test_what_is_written_has_sagemakers_shape_and_is_read_back() -> None:
    written = write_truth({"a": 1, "b": 0})
    assert json.loads(written.splitlines()[0]) == json.loads(line("1", "a"))
    assert read_truth(written, "t", NAMES) == ({"a": 1, "b": 0}, [])
    assert write_truth({}) == b""


def test_truth_joins_by_inference_id_then_event_id_then_picture() -> None:
    staged = {hashlib.sha256(b"picture").hexdigest(): 1}
    records = [
        record("e1", "run-1", b"picture"),
        record("e2", "run-2"),
        record("e3", None, b"picture"),
        record("e4", None, b"another"),
        record("e5"),
    ]
    joined = join(records, {"run-1": 0, "e1": 1, "e2": 1}, staged)
    assert joined == {("e1", 0): 0, ("e2", 0): 1, ("e3", 0): 1}
    assert join(records) == {}


def test_the_answers_of_a_batch_stay_without_a_label_of_their_request() -> None:
    one, batch = record("e1", "run-1"), record("e2", "run-2")
    records = [one, batch, replace(batch, item=1)]
    assert join(records, {"run-1": 0, "run-2": 1, "e2": 1}) == {("e1", 0): 0}
