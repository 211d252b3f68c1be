"""ItemReader: the items of a Distributed Map, from objects in S3."""

import csv
import gzip
import io
import zlib
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
    most = await visit.calmly(lambda: _most(visit, config))
    arguments = await visit.calmly(lambda: reader_arguments(visit))
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
    if not resource.endswith("listObjectsV2"):
        async for each in _contents(await storage.read(arguments), config, storage):
            yield each
        return
    flatten = config.get("Transformation") == "LOAD_AND_FLATTEN"
    async for listed in storage.listed(arguments):
        if not flatten:
            yield listed
            continue
        body = await storage.read({"Bucket": arguments["Bucket"], "Key": listed["Key"]})
        for each in parse_items(body, config):
            yield each


async def _contents(body: bytes, config: Mapping[str, Any], storage: Storage) -> AsyncIterator[Any]:
    """The items in a file, or in the files that a manifest names."""
    kind = config.get("ManifestType")
    if config.get("InputType") != "MANIFEST" and kind is None:
        for each in parse_items(body, config):
            yield each
        return
    files = _athena_files(body) if kind == "ATHENA_DATA" else _inventory_files(body)
    inner = config if kind == "ATHENA_DATA" else _inventory_config(body, config)
    for bucket, key in files:
        part = await storage.read({"Bucket": bucket, "Key": key})
        for each in parse_items(part, inner):
            yield each


def parse_items(body: bytes, config: Mapping[str, Any]) -> Iterator[Any]:
    """The items in a JSON, JSON Lines or CSV file; StatesError says what is wrong with it."""
    kind = config.get("InputType", "JSON")
    if kind not in ("CSV", "JSONL", "JSON"):
        raise StatesError(ITEM_READER_FAILED, f"InputType {kind} is not carried here.")
    text = _text(body)
    if kind == "CSV":
        return _rows(text, config)
    if kind == "JSONL":
        return (_json(line) for line in text.split("\n") if line.strip())
    return iter(_array(_json(text), config.get("ItemsPointer")))


def _text(body: bytes) -> str:
    try:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        return plain.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise StatesError(ITEM_READER_FAILED, f"The input cannot be read: {error}") from error


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
    rows = _cells(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    given = config.get("CSVHeaderLocation") == "GIVEN"
    headers = config.get("CSVHeaders", []) if given else next(rows, [])
    if len(set(headers)) != len(headers):
        raise StatesError(ITEM_READER_FAILED, "CSV headers cannot contain duplicates.")
    for row in rows:
        if row:
            cells = row + [""] * (len(headers) - len(row))
            yield dict(zip(headers, cells, strict=False))


def _cells(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise StatesError(ITEM_READER_FAILED, f"The input is not CSV: {error}") from error


def _athena_files(body: bytes) -> Iterator[tuple[str, str]]:
    """Bucket and key of each file that Athena's UNLOAD wrote: its manifest has a URI per line.

    https://docs.aws.amazon.com/athena/latest/ug/querying-output-files.html
    """
    for line in filter(None, map(str.strip, _text(body).split("\n"))):
        bucket, _, key = line.strip('"').removeprefix("s3://").partition("/")
        yield bucket, key


def _inventory_files(body: bytes) -> list[tuple[str, str]]:
    """Bucket and key of each CSV file, gzipped, that lists objects for an S3 Inventory.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
    """
    manifest = _json(_text(body))
    try:
        bucket = manifest["destinationBucket"].removeprefix("arn:aws:s3:::")
        return [(bucket, file["key"]) for file in manifest["files"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise StatesError(ITEM_READER_FAILED, _NO_INVENTORY) from error


def _inventory_config(body: bytes, config: Mapping[str, Any]) -> dict[str, Any]:
    """What the files of an inventory are: CSV without a head, whose columns the manifest names."""
    schema = _json(_text(body)).get("fileSchema")
    if not isinstance(schema, str):
        raise StatesError(ITEM_READER_FAILED, _NO_INVENTORY)
    if config.get("InputType") not in ("MANIFEST", "CSV"):
        return dict(config)
    headers = [name.strip() for name in schema.split(",")]
    return {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": headers}


_NO_INVENTORY = "The manifest is not one of an S3 Inventory."
