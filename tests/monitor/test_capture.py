"""The capture reader, over real records and over lines that are wrong in many ways."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from scones.monitor.capture import Fault, read_folder, read_records, variant_of

PIXEL = b"\x89PNG and so on"
AT = "2024-10-15T14:05:12Z"


def side(data: str, encoding: str, content_type: str | None) -> dict[str, str]:
    named = {"observedContentType": content_type} if content_type else {}
    return {**named, "mode": "INPUT", "data": data, "encoding": encoding}


def line(answer: str = "[0.9, 0.1]", encoding: str = "JSON", **changes: Any) -> dict[str, Any]:
    kinds = {"JSON": "application/json", "CSV": "text/csv", "BASE64": "application/json"}
    metadata = {"eventId": "e1", "inferenceTime": AT} | changes.pop("metadata", {})
    captured = {
        "endpointInput": side(base64.b64encode(PIXEL).decode(), "BASE64", "image/png"),
        "endpointOutput": side(answer, encoding, changes.pop("answer_type", kinds[encoding])),
    } | changes.pop("sides", {})
    return {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"} | changes


def lines(*each: dict[str, Any] | str) -> bytes:
    return "\n".join(x if isinstance(x, str) else json.dumps(x) for x in each).encode()


def probabilities(captured: dict[str, Any]) -> list[tuple[float, ...]]:
    records, faults = read_records(lines(captured), "f")
    assert not faults
    return [record.probabilities for record in records]


def reason(captured: dict[str, Any] | str) -> str:
    records, faults = read_records(lines(captured), "f")
    assert not records
    (fault,) = faults
    assert (fault.source, fault.line) == ("f", 1)
    return fault.reason


def test_all_real_records_are_read(shared: Path) -> None:
    records, faults = read_folder(shared / "data" / "sagemaker-captures")
    assert (len(records), faults) == (33, [])
    assert len({record.event_id for record in records}) == 33
    assert all(record.picture and record.picture.startswith(b"\x89PNG") for record in records)
    assert all(abs(sum(record.probabilities) - 1) < 1e-6 for record in records)
    assert {variant_of(record.source) for record in records} == {"AllTraffic", None}


def test_a_record_holds_what_the_line_says() -> None:
    named = line(metadata={"inferenceId": "execution-7"})
    (record,), faults = read_records(lines(named), "a/b.jsonl")
    assert not faults
    assert (record.event_id, record.inference_id, record.source) == (
        "e1",
        "execution-7",
        "a/b.jsonl",
    )
    assert record.inferred_at == datetime(2024, 10, 15, 14, 5, 12, tzinfo=UTC)
    assert (record.content_type, record.picture) == ("image/png", PIXEL)
    assert (record.probabilities, record.item) == ((0.9, 0.1), 0)


def test_a_time_in_another_zone_becomes_utc() -> None:
    (record,), _ = read_records(
        lines(line(metadata={"inferenceTime": "2024-10-15T16:05:12+02:00"})), "f"
    )
    assert record.inferred_at == datetime(
        2024, 10, 15, 16, 5, 12, tzinfo=timezone(timedelta(hours=2))
    )
    assert record.inferred_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("answer", "encoding", "answer_type"),
    [
        ("[0.9, 0.1]", "JSON", "application/json"),
        ("0.9,0.1", "CSV", "text/csv"),
        ("0.9, 0.1\r\n", "CSV", "text/csv; charset=utf-8"),
        (base64.b64encode(b"[0.9, 0.1]").decode(), "BASE64", "application/json"),
        (base64.b64encode(b"0.9,0.1\n").decode(), "BASE64", "text/csv"),
        (base64.b64encode(b"[0.9, 0.1]").decode(), "BASE64", None),
        ('{"prediction": [0.9, 0.1]}', "JSON", "application/jsonlines"),
        ("[\n 0.9,\n 0.1\n]", "JSON", "application/json"),
        ("[[0.9, 0.1]]", "JSON", "application/json"),
    ],
)
def test_every_encoding_of_an_answer_is_read(
    answer: str, encoding: str, answer_type: str | None
) -> None:
    assert probabilities(line(answer, encoding, answer_type=answer_type)) == [(0.9, 0.1)]


@pytest.mark.parametrize(
    ("answer", "encoding"),
    [
        ("[[0.9, 0.1], [0.2, 0.8]]", "JSON"),
        ("[[0.9, 0.1],\n [0.2, 0.8]]", "JSON"),
        ("[[0.9, 0.1]]\n[[0.2, 0.8]]\n", "JSON"),
        ('{"prediction": [0.9, 0.1]}\n{"prediction": [0.2, 0.8]}', "JSON"),
        ("0.9,0.1\n0.2,0.8\n", "CSV"),
    ],
)
def test_a_batch_response_gives_a_record_a_row(answer: str, encoding: str) -> None:
    records, faults = read_records(lines(line(answer, encoding)), "f")
    assert not faults
    assert [record.probabilities for record in records] == [(0.9, 0.1), (0.2, 0.8)]
    assert [record.item for record in records] == [0, 1]


@pytest.mark.parametrize(
    "request_side",
    [
        side("1,2,3", "CSV", "text/csv"),
        side("{}", "JSON", "application/json"),
        side("MSwy", "BASE64", "text/csv"),
    ],
)
def test_a_request_of_text_has_no_picture(request_side: dict[str, str]) -> None:
    (record,), _ = read_records(lines(line(sides={"endpointInput": request_side})), "f")
    assert record.picture is None
    assert record.content_type == request_side["observedContentType"]


def test_an_endpoint_that_captures_answers_only_gives_records_without_pictures() -> None:
    captured = line()
    del captured["captureData"]["endpointInput"]
    (record,), faults = read_records(lines(captured), "f")
    assert not faults
    assert (record.picture, record.content_type) == (None, None)


def test_probabilities_of_0_and_1_and_sums_beside_1_are_kept() -> None:
    assert probabilities(line("[0, 1]")) == [(0.0, 1.0)]
    assert probabilities(line("[1.0000001, 0.7]")) == [(1.0, 0.7)]
    assert probabilities(line("[0.25]")) == [(0.25,)]


@pytest.mark.parametrize(
    ("captured", "says"),
    [
        ('{"captureData":{"endpointIn', "no line of Data Capture: Input data was truncated"),
        ("rubbish", "no line of Data Capture"),
        ("[]", "no line of Data Capture"),
        ("[" * 5000, "no line of Data Capture"),
        ({}, "missing required field `captureData`"),
        (line(metadata={"eventId": 7}), "Expected `str`, got `int` - at `$.eventMetadata.eventId`"),
        (line(metadata={"inferenceTime": "2024-10-15T14:05:12"}), "timezone"),
        (line(metadata={"inferenceTime": "yesterday"}), "Invalid RFC3339"),
        (line(sides={"endpointOutput": None}), "the answer was not captured"),
        (line(sides={"endpointOutput": side("[1]", "XML", None)}), "Invalid enum value 'XML'"),
        (line(sides={"endpointInput": side("%%%", "BASE64", "image/png")}), "broken BASE64"),
        (line("[NaN, 0.1]"), "the answer is no list of probabilities"),
        (line("nan,0.1", "CSV"), "no probability in the answer: nan"),
        (line("inf,0.1", "CSV"), "no probability in the answer: inf"),
        (line("[1.2, -0.2]"), "no probability in the answer: 1.2"),
        (line("[1.0, -0.2]"), "no probability in the answer: -0.2"),
        (line("[]"), "the answer is empty"),
        (line("[[0.9, 0.1], []]"), "the answer is empty"),
        (line("", "CSV"), "the answer is empty"),
        (line(""), "the answer is no list of probabilities"),
        (line("null"), "the answer is no list of probabilities"),
        (line('["a"]'), "the answer is no list of probabilities"),
        (line("a,b", "CSV"), "the answer is no CSV of numbers"),
        (line("!", "BASE64"), "broken BASE64"),
        (line("/w==", "BASE64"), "invalid start byte"),
        (line('{"error": "x"}\n{"prediction": [1]}'), "the answer is no list of probabilities"),
    ],
)
def test_a_line_that_is_wrong_is_set_aside_with_the_reason(
    captured: dict[str, Any] | str, says: str
) -> None:
    assert says in reason(captured)


def test_a_bad_line_hinders_no_other_and_keeps_its_number() -> None:
    text = lines(line(), "", "rubbish", line("[2]"), line(), '{"captureData"')
    records, faults = read_records(b"\xef\xbb\xbf" + text, "a.jsonl")
    assert len(records) == 2
    assert [fault.line for fault in faults] == [3, 4, 6]
    assert str(Fault("a.jsonl", 3, "why")) == "a.jsonl:3: why"


def test_bytes_that_are_no_text_are_set_aside() -> None:
    assert read_records(b"\xff\xfe\x00", "f")[1][0].line == 1


@pytest.mark.parametrize("empty", [b"", b"\n", b"\r\n \n"])
def test_an_empty_file_has_no_records_and_no_faults(empty: bytes) -> None:
    assert read_records(empty, "f") == ([], [])


def test_an_absent_folder_has_no_records(tmp_path: Path) -> None:
    assert read_folder(tmp_path / "absent") == ([], [])


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path: Path) -> None:
    for hour in ("10", "08"):
        file = tmp_path / "AllTraffic/2024/10/15" / hour / "05-12-996-x.jsonl"
        file.parent.mkdir(parents=True)
        file.write_bytes(lines(line()) + b"\n")
    records, faults = read_folder(tmp_path)
    assert not faults
    assert [record.source.split("/")[4] for record in records] == ["08", "10"]
    assert {variant_of(record.source) for record in records} == {"AllTraffic"}
