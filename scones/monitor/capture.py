"""SageMaker Data Capture's JSON Lines, as records.

An endpoint writes each captured request as one line, in a file under
`<prefix>/<endpoint>/<variant>/yyyy/mm/dd/hh/`. A line that cannot be read is set aside as a fault,
with its place and the reason, and hinders no other line. The picture and the answer are text or
BASE64, each by itself: what `CaptureContentTypeHeader` does not list is BASE64, answers included.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec


@dataclass(frozen=True, slots=True)
class Record:
    """One picture that the endpoint judged."""

    event_id: str
    """The request's own id; a line that was delivered twice has the same."""
    inferred_at: datetime
    """When, aware, UTC; SageMaker cuts it to whole seconds."""
    inference_id: str | None
    """What the caller gave InvokeEndpoint as InferenceId: here the execution's name."""
    content_type: str | None
    """Of the request, "image/png"; None where only answers are captured."""
    picture: bytes | None
    """The picture as sent; None where the request was text or was not captured."""
    probabilities: tuple[float, ...]
    """One a class, in the model's order of classes; their sum is not always 1."""
    source: str
    """The file or S3 key that holds the line."""
    item: int = 0
    """Which answer of a batch response this is, from 0."""
    line: int = 0
    """In `source`, from 1; 0 where it is not known."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that could not be read."""

    source: str
    line: int
    """From 1; 0 where it is not known."""
    reason: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.reason}"


class Payload(msgspec.Struct, frozen=True):
    """One side of a captured request, as it stands in the line."""

    data: str
    encoding: Literal["JSON", "BASE64", "CSV"]
    observed: Any = msgspec.field(default=None, name="observedContentType")

    @property
    def content_type(self) -> str:
        """Empty where none was seen."""
        return self.observed if isinstance(self.observed, str) else ""


class CaptureData(msgspec.Struct, frozen=True, rename="camel"):
    """Both sides; either may be left out by the endpoint's CaptureOptions."""

    endpoint_input: Payload | None = None
    endpoint_output: Payload | None = None


class EventMetadata(msgspec.Struct, frozen=True, rename="camel"):
    """Which request it was, and when."""

    event_id: str
    inference_time: Annotated[datetime, msgspec.Meta(tz=True)]
    inference_id: str | None = None


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """A captured request in AWS's own shape; members that say nothing to us are passed over."""

    capture_data: CaptureData
    event_metadata: EventMetadata


class Answer(msgspec.Struct, frozen=True, rename="camel"):
    """The answer's side alone, whatever the other is."""

    endpoint_output: Payload | None = None


class AnswerLine(msgspec.Struct, frozen=True, rename="camel"):
    """A captured request of which the picture does not count."""

    capture_data: Answer
    event_metadata: EventMetadata


class Prediction(msgspec.Struct, frozen=True):
    """An answer as SageMaker's built-in algorithms give it for `application/jsonlines`."""

    prediction: list[float]


_decode_line = msgspec.json.Decoder(Line).decode
_decode_answer_line = msgspec.json.Decoder(AnswerLine).decode
_decode_row = msgspec.json.Decoder(list[float])
_decode_answer = msgspec.json.Decoder(list[list[float]] | Prediction)

FIRST_YEAR, LAST_YEAR = 1970, 2999
"""Of times that a request can have."""
SUM_SLACK = 1e-6
"""How far above 1 a probability may lie: answers are float32 widened (33 real records: 8e-8)."""


def read_records(
    lines: bytes, source: str, pictures: bool = True
) -> tuple[list[Record], list[Fault]]:
    """Records of one capture file's bytes, in the file's order, and its faults.

    A batch response gives one record a row. Duplicates stay in; a window counts them once. Without
    `pictures` they are not unpacked, and a broken one is no fault.
    """
    records: list[Record] = []
    faults: list[Fault] = []
    for number, parsed in read_lines(lines, pictures):
        try:
            if isinstance(parsed, str):
                raise ValueError(parsed)
            records.extend(_records(parsed, source, number))
        except ValueError as error:
            faults.append(Fault(source, number, str(error)))
    return records, faults


def read_folder(folder: Path) -> tuple[list[Record], list[Fault]]:
    """Records and faults of all capture files below `folder`; none where it is empty or absent."""
    records: list[Record] = []
    faults: list[Fault] = []
    for path in capture_files(folder):
        more, bad = read_records(path.read_bytes(), path.relative_to(folder).as_posix())
        records += more
        faults += bad
    return records, faults


def capture_files(folder: Path) -> list[Path]:
    """Every `*.jsonl` below `folder`, sorted by path, which for dated folders is by time."""
    return sorted(folder.rglob("*.jsonl"))


def read_lines(
    lines: bytes, pictures: bool = True
) -> Iterator[tuple[int, Line | AnswerLine | str]]:
    """Line number from 1, and the line or what is wrong with it; blank lines are passed over."""
    decode: Callable[[bytes], Line | AnswerLine] = _decode_line if pictures else _decode_answer_line
    for number, line in enumerate(lines.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line and not line.isspace():
            try:
                yield number, decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                yield number, f"no line of Data Capture: {error}"


def variant_of(source: str) -> str | None:
    """The variant's name in `.../<variant>/yyyy/mm/dd/hh/<file>`; None where the path has none."""
    parts = source.split("/")
    dated = len(parts) > 5 and all(part.isdigit() for part in parts[-5:-1])
    return parts[-6] if dated else None


def answers(output: Payload | None) -> list[list[float]]:
    """The probabilities in an answer, one row a picture; ValueError says what is wrong."""
    if output is None:
        raise ValueError("the answer was not captured (CaptureOptions leave out Output)")
    text = output.data
    if output.encoding == "BASE64":
        text = _unpack(output.data).decode("utf-8-sig")
    rows = _rows_of_csv(text) if _is_csv(output) else _rows_of_json(text)
    if not rows:
        raise ValueError("the answer is empty")
    for row in rows:
        _check(row)
    return rows


def picture_of(request: Payload | None) -> bytes | None:
    """The picture in a request; None where it was not captured, or was text."""
    if request is None or request.encoding != "BASE64":
        return None
    kind = request.content_type.split(";")[0].strip()
    return None if kind.startswith("text/") or kind == "application/json" else _unpack(request.data)


def _records(line: Line | AnswerLine, source: str, number: int) -> list[Record]:
    request = line.capture_data.endpoint_input if isinstance(line, Line) else None
    picture, event = picture_of(request), line.event_metadata
    inferred_at = _moment(event.inference_time)
    return [
        Record(
            event_id=event.event_id,
            inferred_at=inferred_at,
            inference_id=event.inference_id,
            content_type=(request.content_type or None) if request else None,
            picture=picture,
            probabilities=tuple(min(p, 1.0) for p in row),
            source=source,
            item=item,
            line=number,
        )
        for item, row in enumerate(answers(line.capture_data.endpoint_output))
    ]


def _moment(at: datetime) -> datetime:
    """In UTC; ValueError where it is no time of a request, as in a year that no chart can show."""
    try:
        moment = at.astimezone(UTC)
    except OverflowError:
        moment = at.replace(tzinfo=UTC)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"no time of a request: {at.isoformat()}")
    return moment


def _unpack(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"broken BASE64: {error}") from error


def _is_csv(output: Payload) -> bool:
    if output.encoding == "BASE64":
        return output.content_type.startswith("text/csv")
    return output.encoding == "CSV"


def _rows_of_json(text: str) -> list[list[float]]:
    """A list, a list of lists, or the built-in algorithms' JSON Lines, one answer a line."""
    try:
        return [_decode_row.decode(text)]
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return _answer(text)
    except (msgspec.DecodeError, RecursionError) as error:
        if "\n" not in text.strip():
            raise ValueError(f"the answer is no list of probabilities: {error}") from error
    try:
        return [row for line in text.strip().split("\n") for row in _answer(line)]
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the answer is no list of probabilities: {error}") from error


def _answer(text: str) -> list[list[float]]:
    answer = _decode_answer.decode(text)
    return [answer.prediction] if isinstance(answer, Prediction) else answer


def _rows_of_csv(text: str) -> list[list[float]]:
    try:
        return [[float(cell) for cell in line.split(",")] for line in text.split("\n") if line]
    except ValueError as error:
        raise ValueError(f"the answer is no CSV of numbers: {error}") from error


def _check(row: Sequence[float]) -> None:
    if not row:
        raise ValueError("the answer is empty")
    for probability in row:
        if not math.isfinite(probability) or not 0 <= probability <= 1 + SUM_SLACK:
            raise ValueError(f"no probability in the answer: {probability}")
    if not any(row):
        raise ValueError("the answer gives no class a probability")
