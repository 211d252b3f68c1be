"""The truth about captured pictures: ground-truth files, and joining it to records.

Truth comes in SageMaker's ground-truth JSON Lines, under the inference id where the caller gave one
and under the event id elsewhere; or for free, where the very bytes of a picture are in the manifest
of staged pictures, whose labels are known.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from scones.monitor.capture import Fault, Record


class Datum(msgspec.Struct, frozen=True):
    """The label as text: the index of the class, or its name."""

    data: str
    encoding: Literal["CSV"] = "CSV"


class Identified(msgspec.Struct, frozen=True, rename="camel"):
    """Which request the label is of: its inference id if it had one, else its event id."""

    event_id: str


class GroundTruth(msgspec.Struct, frozen=True, rename="camel"):
    """One line of a ground-truth file, in SageMaker's shape."""

    ground_truth_data: Datum
    event_metadata: Identified
    event_version: str = "0"


_decode = msgspec.json.Decoder(GroundTruth)


def read_truth(
    lines: bytes, source: str, class_names: Sequence[str]
) -> tuple[dict[str, int], list[Fault]]:
    """Label by inference id or event id, and the lines that could not be read.

    Of two labels for one id the later line counts: a correction.
    """
    truth: dict[str, int] = {}
    faults: list[Fault] = []
    for number, line in enumerate(lines.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line and not line.isspace():
            try:
                read = _decode.decode(line)
                truth[read.event_metadata.event_id] = _index(
                    read.ground_truth_data.data, class_names
                )
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                faults.append(Fault(source, number, f"no line of ground truth: {error}"))
    return truth, faults


def write_truth(truth: Mapping[str, int]) -> bytes:
    """Ground-truth JSON Lines for labels by inference id or event id."""
    return b"".join(
        msgspec.json.encode(GroundTruth(Datum(str(label)), Identified(each))) + b"\n"
        for each, label in truth.items()
    )


def join(
    records: Iterable[Record],
    truth: Mapping[str, int] | None = None,
    by_picture: Mapping[str, int] | None = None,
) -> dict[tuple[str, int], int]:
    """Label of each record whose truth is known, by (event id, item).

    `truth` is by inference id or event id, `by_picture` by the hex SHA-256 of a picture's bytes. A
    label that was given for the record itself comes before that of its picture. The answers of a
    batch stay without: a label is of one.
    """
    truth, by_picture = truth or {}, by_picture or {}
    records, joined = list(records), {}
    batches = {record.event_id for record in records if record.item}
    for record in records:
        if record.event_id in batches:
            continue
        label = truth.get(record.inference_id or "", truth.get(record.event_id))
        if label is None and by_picture and record.picture is not None:
            label = by_picture.get(hashlib.sha256(record.picture).hexdigest())
        if label is not None:
            joined[record.event_id, record.item] = label
    return joined


def _index(text: str, class_names: Sequence[str]) -> int:
    text = text.strip().strip('"')
    if text in class_names:
        return list(class_names).index(text)
    try:
        index = int(text)
    except ValueError:
        index = -1
    if not 0 <= index < len(class_names):
        raise ValueError(f"{text!r} is none of {', '.join(class_names)}, nor the index of one")
    return index
