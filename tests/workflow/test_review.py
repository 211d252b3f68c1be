"""What answers mean, how pictures are drawn in a terminal, and which labels are kept."""

import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scones.images import png
from scones.monitor.capture import Record
from scones.settings import Settings
from scones.workflow.review import Candidate, Listed, chosen, drawn, label
from scones.workflow.truth import reviewed

NAMES = ("bicycle", "motorcycle", "bus")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("1", 0), ("3", 2), ("0", None), ("4", None), ("bicycle", 0), ("m", 1), ("bu", 2),
        ("b", None), ("car", None), ("", None), ("\N{SUPERSCRIPT TWO}", None),
    ],
)  # fmt: skip
def test_an_answer_is_a_number_a_name_or_its_beginning(answer: str, place: int | None) -> None:
    assert chosen(answer, NAMES) == place


def test_a_picture_is_drawn_two_pixels_a_character() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[0, 0] = (255, 10, 20)
    lines = drawn(png.encode(pixels)).split("\n")
    assert len(lines) == 16
    assert lines[0].startswith("\x1b[38;2;255;10;20m\x1b[48;2;0;0;0m\N{UPPER HALF BLOCK}")
    assert all(each.count("\N{UPPER HALF BLOCK}") == 32 for each in lines)
    assert drawn(b"no picture").startswith("(no picture that can be shown")


def test_a_picture_that_would_fill_the_memory_is_not_drawn() -> None:
    picture = png.encode(np.zeros((1, 1, 3), np.uint8))
    size = (60_000).to_bytes(4, "big") * 2
    header = b"IHDR" + size + picture[24:29]
    bomb = picture[:12] + header + zlib.crc32(header).to_bytes(4, "big") + picture[33:]
    assert drawn(bomb).startswith("(no picture that can be shown")


def candidate(number: int, inference_id: str | None = None) -> Candidate:
    record = Record(f"event-{number}", NOON, inference_id, "image/png", b"", (0.2, 0.7, 0.1), "k")
    return Candidate(record, "unconfident", None)


def test_a_candidate_is_told_in_one_line() -> None:
    assert candidate(1).line(NAMES) == "event-1  motorcycle 70.0 %  unconfident"
    assert Candidate(candidate(2, "run-2").record, "disagrees", 2).line(NAMES) == (
        "run-2  motorcycle 70.0 %  disagrees, labelled bus"
    )


def test_what_a_caller_named_a_request_moves_no_cursor() -> None:
    told = candidate(1, "run\x1b[2J\r\u202e é").line(NAMES)
    assert told.startswith("run\\x1b[2J\\x0d\\x202e é  motorcycle")
    assert told.isprintable()


@pytest.fixture
def place(client: Callable[..., Any]) -> Any:
    """As much of `Clients` as labels need."""
    s3, bucket = client("s3"), "reviewed"
    s3.create_bucket(Bucket=bucket)  # ours already, from the second test on: answers as made
    return SimpleNamespace(
        s3=s3, bucket=bucket, settings=Settings(), clock=lambda: NOON.timestamp()
    )


def test_labels_are_kept_as_truth_under_inference_or_event_id(place: Any) -> None:
    listed = Listed(NAMES, tuple(candidate(i, f"run-{i}" if i else None) for i in range(5)))
    answers, told, asked = iter(["1", "", "car", "Bus", "q"]), list[str](), list[str]()

    def ask(each: Candidate, words: str) -> str:
        asked.append(words)
        return next(answers)

    labelled, uri = label(place, listed, ask, told.append)
    assert (labelled, told) == (2, ["'car' is none of these"])
    named = "1 bicycle, 2 motorcycle, 3 bus, Enter skips, q ends"
    assert asked == [f"{each} of 5 ({named})" for each in (1, 2, 3, 3, 4)]
    assert uri is not None and "/ground_truth/scones/2026/11/20/12/review-" in uri
    assert reviewed(place, NAMES) == {"event-0": 0, "run-2": 2}


def test_an_interrupted_review_keeps_what_was_labelled(place: Any) -> None:
    answers = iter(["2"])

    def ask(each: Candidate, words: str) -> str:
        for answer in answers:
            return answer
        raise KeyboardInterrupt

    place.settings = Settings(endpoint="interrupted")
    with pytest.raises(KeyboardInterrupt):
        label(place, Listed(NAMES, (candidate(7), candidate(8))), ask, print)
    assert reviewed(place, NAMES) == {"event-7": 1}


def test_nothing_labelled_writes_nothing(place: Any) -> None:
    place.settings = Settings(endpoint="nothing")
    assert label(place, Listed(NAMES, (candidate(1),)), lambda each, words: "q", print) == (0, None)
