"""ItemReader: the items of a Distributed Map, from objects in S3."""

import csv
import gzip
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from scones.local.asl import jsonata, jsonpath
from scones.local.asl.errors import ITEM_READER_FAILED, EvaluationError, StatesError
from scones.local.asl.ports import Storage
from scones.local.asl.text import load
from scones.local.asl.visit import Visit

_DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


async def read_items(visit: Visit, storage: Storage) -> list[Any]:
    """Every item, up to MaxItems; StatesError States.ItemReaderFailed."""
    reader = visit.state.fields["ItemReader"]
    config = reader.get("ReaderConfig") or {}
    most = _most(visit, config)
    arguments = reader_arguments(visit)
    items = []
    async for item in _items(reader["Resource"], arguments, config, storage):
        items.append(item)
        if most and len(items) >= most:
            break
    return items


def _most(visit: Visit, config: Mapping[str, Any]) -> float | None:
    """MaxItems; 0 and None for no limit."""
    try:
        most = visit.number_in(config, "MaxItems", "ItemReader/ReaderConfig/MaxItems")
    except EvaluationError:
        raise
    except StatesError as error:
        raise StatesError(ITEM_READER_FAILED, error.cause) from error
    if most is not None and most < 0:
        raise StatesError(ITEM_READER_FAILED, "field MaxItems must be positive")
    return most


def reader_arguments(visit: Visit) -> dict[str, Any]:
    """Where to read: Bucket, Key, Prefix."""
    reader = visit.state.fields["ItemReader"]
    if visit.state.jsonata:
        template = reader.get("Arguments") or {}
        found: dict[str, Any] = jsonata.fill(
            template, visit.bindings(), "ItemReader/Arguments", before_entry=False
        )
        return found
    scene = visit.scene(visit.effective())
    filled: dict[str, Any] = jsonpath.fill(reader.get("Parameters") or {}, scene)
    return filled


async def _items(
    resource: str, arguments: Mapping[str, Any], config: Mapping[str, Any], storage: Storage
) -> AsyncIterator[Any]:
    if resource.endswith("listObjectsV2"):
        async for each in storage.listed(arguments):
            yield each
        return
    body = await storage.read(arguments)
    if config.get("InputType") == "MANIFEST":
        async for each in _inventory(body, storage):
            yield each
        return
    for each in parse_items(body, config):
        yield each


def parse_items(body: bytes, config: Mapping[str, Any]) -> Iterator[Any]:
    """The items in a JSON, JSON Lines or CSV file; StatesError says what is wrong with it."""
    kind = config.get("InputType", "JSON")
    text = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode("utf-8-sig")
    if kind == "CSV":
        return _rows(text, config)
    if kind == "JSONL":
        return (_json(line) for line in text.splitlines() if line.strip())
    if kind == "JSON":
        return iter(_array(_json(text), config.get("ItemsPointer")))
    raise StatesError(ITEM_READER_FAILED, f"InputType {kind} is not carried here.")


def _array(document: Any, pointer: str | None) -> list[Any]:
    for part in (pointer or "").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        document = document.get(name) if isinstance(document, dict) else None
    if not isinstance(document, list):
        raise StatesError(ITEM_READER_FAILED, "Attempting to map over non-iterable node.")
    return document


def _json(text: str) -> Any:
    try:
        return load(text)
    except ValueError as error:
        raise StatesError(ITEM_READER_FAILED, f"The input is not JSON: {error}") from error


def _rows(text: str, config: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    delimiter = _DELIMITERS[config.get("CSVDelimiter", "COMMA")]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    given = config.get("CSVHeaderLocation") == "GIVEN"
    headers = config["CSVHeaders"] if given else next(rows, [])
    if len(set(headers)) != len(headers):
        raise StatesError(ITEM_READER_FAILED, "CSV headers cannot contain duplicates.")
    for row in rows:
        if row:
            cells = row + [""] * (len(headers) - len(row))
            yield dict(zip(headers, cells, strict=False))


async def _inventory(body: bytes, storage: Storage) -> AsyncIterator[dict[str, str]]:
    """The objects that an S3 Inventory lists: its manifest names CSV files, gzipped.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    manifest = _json(body.decode())
    bucket = manifest["destinationBucket"].removeprefix("arn:aws:s3:::")
    headers = [name.strip() for name in manifest["fileSchema"].split(",")]
    config = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": headers}
    for file in manifest["files"]:
        part = await storage.read({"Bucket": bucket, "Key": file["key"]})
        for row in parse_items(part, config):
            yield row
