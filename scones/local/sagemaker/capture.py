"""SageMaker's Data Capture: what went into an endpoint and came out, as JSON Lines in S3.

Record, key layout and rotation are those of 33 real records in 21 files (2022 to 2025): a file
holds the records of one variant from its first one until 60 s later, and is named for that first
one. A record is on disk before its caller has the answer, so that a killed process loses none.
"""

import asyncio
import json
import logging
import math
import os
import random
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from scones.local.errors import ServiceError
from scones.local.sagemaker.transfer import Objects, split

WINDOW_S = 60.0
"""From a file's first record until it is delivered."""
RETRY_S = 60.0
"""Until a delivery that S3 refused is tried again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """What an endpoint config's DataCaptureConfig asks for."""

    destination: str
    """`s3://bucket/prefix`."""
    sampling_percentage: int
    modes: frozenset[str]
    """Of Input and Output."""
    json_types: frozenset[str]
    csv_types: frozenset[str]

    @classmethod
    def read(cls, config: dict[str, Any] | None) -> "Rule | None":
        """A DataCaptureConfig's rule; None if nothing is captured."""
        if config is None or not config.get("EnableCapture", True):
            return None
        modes = {each["CaptureMode"] for each in config["CaptureOptions"]}
        header = config.get("CaptureContentTypeHeader") or {}
        return cls(
            config["DestinationS3Uri"],
            config["InitialSamplingPercentage"],
            frozenset({"Input", "Output"} if "InputAndOutput" in modes else modes),
            frozenset(map(str.lower, header.get("JsonContentTypes", []))),
            frozenset(map(str.lower, header.get("CsvContentTypes", []))),
        )


@dataclass(frozen=True)
class Exchange:
    """One request and its answer."""

    body: bytes
    content_type: str
    answer: bytes
    answer_type: str
    inference_id: str | None = None
    custom_attributes: str | None = None


class Captures:
    """Files of records being filled, and their delivery to S3."""

    def __init__(
        self,
        *,
        home: Path,
        s3: Objects,
        clock: Callable[[], float],
        window_s: float = WINDOW_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`home`: the folder of files under way; `chance`: a number in [0, 1) for sampling."""
        self._home = home
        self._home.mkdir(parents=True, exist_ok=True)
        self._s3 = s3
        self._clock = clock
        self._window_s = window_s
        self._chance = chance
        self._open: dict[tuple[str, str, str], _Spool] = {}
        self._due = False
        self._delivering = asyncio.Lock()
        self._turn: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Captures":
        """Deliver what an earlier, killed cloud left behind, and from now on what is due."""
        self._turn = asyncio.create_task(self._deliver_in_turn())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._turn is not None:
            self._turn.cancel()
            with suppress(asyncio.CancelledError):
                await self._turn
        await self.flush()

    def record(self, rule: Rule, endpoint: str, variant: str, exchange: Exchange) -> None:
        """Keep one exchange, if the rule's sampling picks it."""
        if self._chance() * 100 >= rule.sampling_percentage:
            return
        moment = self._clock()
        place = (rule.destination, endpoint, variant)
        spool = self._open.get(place)
        if spool is None or moment >= spool.due_at:
            if spool is not None:
                spool.close()
                self._due = True
            spool = _Spool(self._home, *place, moment, moment + self._window_s)
            self._open[place] = spool
        spool.add(line(rule, exchange, moment))

    async def flush(self) -> int:
        """Deliver everything that is kept, due or not; answers how many files went to S3."""
        self._close(math.inf)
        return await self._deliver()

    async def _deliver_in_turn(self) -> None:
        self._due, tried_at = True, self._clock()
        while True:
            now = self._clock()
            self._close(now)
            if self._due or now - tried_at >= RETRY_S:
                tried_at = now
                try:
                    await self._deliver()
                except Exception:  # the edge: a bad file or disk must not end all deliveries
                    _log.exception("captured records were not delivered; they are tried again")
            await asyncio.sleep(min(1.0, self._window_s / 4))

    def _close(self, moment: float) -> None:
        for place in [place for place, spool in self._open.items() if moment >= spool.due_at]:
            self._open.pop(place).close()
            self._due = True

    async def _deliver(self) -> int:
        async with self._delivering:
            self._due = False
            under_way = {spool.path for spool in self._open.values()}
            finished = [path for path in self._home.iterdir() if path not in under_way]
            return await asyncio.to_thread(self._put, sorted(finished))

    def _put(self, paths: list[Path]) -> int:
        delivered = 0
        for path in paths:
            head, _, records = path.read_bytes().partition(b"\n")
            whole = records[: records.rfind(b"\n") + 1]  # a killed cloud may leave half a line
            try:
                if whole:
                    self._s3.put_object(**json.loads(head), Body=whole)
                    delivered += 1
                path.unlink()
            except ServiceError as error:
                _log.warning("captured records stay in %s for now: %s", path, error)
        return delivered


class _Spool:
    """One capture file being filled: a line with its place in S3, then the records."""

    def __init__(
        self, home: Path, destination: str, endpoint: str, variant: str, moment: float, due: float
    ) -> None:
        self.due_at = due
        identifier = str(uuid4())
        self.path = home / f"{identifier}.jsonl"
        bucket, prefix = split(destination)
        place = {"Bucket": bucket, "Key": key(prefix, endpoint, variant, moment, identifier)}
        self._file: BinaryIO = self.path.open("ab", buffering=0)
        self.add(json.dumps(place))

    def add(self, text: str) -> None:
        """One line, in one write."""
        os.write(self._file.fileno(), (text + "\n").encode("utf-8", "surrogatepass"))

    def close(self) -> None:
        self._file.close()


def key(prefix: str, endpoint: str, variant: str, moment: float, identifier: str) -> str:
    """Where the file whose first record is of `moment` goes in its bucket."""
    milliseconds = int(moment * 1000)
    at = datetime.fromtimestamp(milliseconds // 1000, UTC)
    name = f"{at:%Y/%m/%d/%H/%M-%S}-{milliseconds % 1000:03d}-{identifier}.jsonl"
    return "/".join(filter(None, [prefix.strip("/"), endpoint, variant, name]))


def line(rule: Rule, exchange: Exchange, moment: float) -> str:
    """One record as AWS writes it, without its end of line."""
    data = {}
    if "Input" in rule.modes:
        data["endpointInput"] = _side(rule, "INPUT", exchange.content_type, exchange.body)
    if "Output" in rule.modes:
        data["endpointOutput"] = _side(rule, "OUTPUT", exchange.answer_type, exchange.answer)
    about: dict[str, Any] = {"eventId": str(uuid4())}
    if exchange.custom_attributes is not None:
        about["customAttributes"] = [exchange.custom_attributes]
    if exchange.inference_id is not None:
        about["inferenceId"] = exchange.inference_id
    about["inferenceTime"] = f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%SZ}"
    record = {"captureData": data, "eventMetadata": about, "eventVersion": "0"}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def _side(rule: Rule, mode: str, content_type: str, body: bytes) -> dict[str, str]:
    text, encoding = encoded(rule, content_type, body)
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": text,
        "encoding": encoding,
    }


def encoded(rule: Rule, content_type: str, body: bytes) -> tuple[str, str]:
    """A body as text, and the word for how: JSON, CSV, or BASE64 for all that is not listed."""
    media_type = content_type.partition(";")[0].strip().lower()
    listed = {"JSON": rule.json_types, "CSV": rule.csv_types}
    for encoding, types in listed.items():
        if media_type in types:
            with suppress(UnicodeDecodeError):
                return body.decode(), encoding
    return b64encode(body).decode(), "BASE64"
