"""ItemReader and ResultWriter: where items come from, and what is wrong with a file."""

import asyncio
import gzip
import importlib.util
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scones.local.errors import ServiceError


def _module(name: str, path: Path) -> Any:
    specification = importlib.util.spec_from_file_location(name, path)
    assert specification is not None and specification.loader is not None, f"{path} is no module"
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


asl_world = _module("asl_world_reader", Path(__file__).parent / "asl_world.py")

GET, LIST = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:listObjectsV2"
INVENTORY = {
    "destinationBucket": "arn:aws:s3:::b",
    "fileSchema": "Bucket, Key, Size",
    "files": [{"key": "part-1.csv.gz"}, {"key": "part-2.csv.gz"}],
}
OBJECTS = {
    "inventory.json": json.dumps(INVENTORY).encode(),
    "part-1.csv.gz": gzip.compress(b'"b","one","1"\n"b","two, too","2"\n'),
    "part-2.csv.gz": gzip.compress(b'"b","three","3"\n'),
    "athena.csv": b"s3://b/list/1.jsonl\ns3://b/list/2.jsonl\n",
    "list/1.jsonl": '{"n": "\u2028"}\n{"n": 2}\n'.encode(),
    "list/2.jsonl": b'{"n": 3}',
    "latin.csv": b"a\n\xe9",
    "cut.gz": gzip.compress(b"[1]")[:-9],
    "long.csv": b"a\n" + b"x" * 200_000,
    "other.json": b"[]",
    "bad.json": b"{",
    "empty.json": b"{}",
}
INVENTORIED = [
    {"Bucket": "b", "Key": "one", "Size": "1"},
    {"Bucket": "b", "Key": "two, too", "Size": "2"},
    {"Bucket": "b", "Key": "three", "Size": "3"},
]
FLATTENED = [{"n": "\u2028"}, {"n": 2}, {"n": 3}]


def _run(home: Path, given: dict[str, Any]) -> dict[str, Any]:
    async def listed(arguments: dict[str, Any]) -> dict[str, Any]:
        prefix = arguments.get("Prefix", "")
        found = [
            {"Key": key, "ETag": "e", "Size": len(body), "LastModified": datetime.now(UTC)}
            for key, body in OBJECTS.items()
            if key.startswith(prefix)
        ]
        return {"Contents": found}

    async def go() -> dict[str, Any]:
        clock = asl_world.JumpingClock()
        services = asl_world.Services(clock)
        services.objects["b"] = dict(OBJECTS)
        services.more["s3", "list_objects_v2"] = listed
        item = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
        config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        state = {
            "Type": "Map",
            "ItemProcessor": {"ProcessorConfig": config, **item},
            "End": True,
            **given,
        }
        async with asl_world.stepfunctions(home, services, clock) as client:
            definition = json.dumps({"StartAt": "M", "States": {"M": state}})
            made = await client.create_state_machine(
                name="m", definition=definition, roleArn="arn:aws:iam::000000000000:role/r"
            )
            begun = await client.start_execution(
                stateMachineArn=made["stateMachineArn"], input="[1]"
            )
            async with asyncio.timeout(10):
                while True:
                    found: dict[str, Any] = await client.describe_execution(
                        executionArn=begun["executionArn"]
                    )
                    if found["status"] != "RUNNING":
                        return found
                    await asyncio.sleep(0.001)

    return asyncio.run(go())


def _reader(key: str | None, resource: str = GET, **config: Any) -> dict[str, Any]:
    parameters = {"Bucket": "b", **({"Key": key} if key else {"Prefix": "list/"})}
    reader = {"Resource": resource, "ReaderConfig": config, "Parameters": parameters}
    return {"ItemReader": reader}


@pytest.mark.parametrize(
    ("reader", "items"),
    [
        (_reader("inventory.json", InputType="MANIFEST"), INVENTORIED),
        (_reader("inventory.json", InputType="CSV", ManifestType="S3_INVENTORY"), INVENTORIED),
        (_reader("inventory.json", InputType="MANIFEST", MaxItems=2), INVENTORIED[:2]),
        (_reader("athena.csv", InputType="JSONL", ManifestType="ATHENA_DATA"), FLATTENED),
        (_reader(None, LIST, InputType="JSONL", Transformation="LOAD_AND_FLATTEN"), FLATTENED),
        (_reader("list/1.jsonl", InputType="JSONL"), FLATTENED[:2]),
    ],
)
def test_items_come_from_manifests_and_from_listed_objects(
    tmp_path: Path, reader: dict[str, Any], items: list[Any]
) -> None:
    found = _run(tmp_path, reader)
    assert json.loads(found["output"]) == items


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("latin.csv", {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
        ("long.csv", {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
        ("cut.gz", {"InputType": "JSON"}),
        ("other.json", {"InputType": "MANIFEST"}),
        ("empty.json", {"InputType": "MANIFEST"}),
        ("bad.json", {"InputType": "MANIFEST"}),
        ("inventory.json", {"InputType": "PARQUET", "ManifestType": "S3_INVENTORY"}),
        ("nowhere", {"InputType": "JSON"}),
    ],
)
def test_a_file_that_holds_no_items_fails_by_name(
    tmp_path: Path, key: str, config: dict[str, Any]
) -> None:
    assert _run(tmp_path, _reader(key, **config))["error"] == "States.ItemReaderFailed"


def test_a_reader_without_a_key_says_so(tmp_path: Path) -> None:
    found = _run(tmp_path, {"ItemReader": {"Resource": GET, "Parameters": {"Bucket": "b"}}})
    assert "The field 'Key' is required but was missing" in found["cause"]


@pytest.mark.parametrize("place", [{"Prefix": "p"}, {"Bucket": "b", "Prefix": 1}, {"Bucket": 1}])
def test_a_result_writer_without_a_place_fails_by_name(tmp_path: Path, place: Any) -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": place}
    assert _run(tmp_path, {"ResultWriter": writer})["error"] == "States.ResultWriterFailed"


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        ({"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}, "CSVHeaders"),
        ({"Transformation": "LOAD_AND_FLATTEN"}, "InputType"),
    ],
)
def test_a_reader_config_that_lacks_something_is_refused(
    tmp_path: Path, config: dict[str, Any], missing: str
) -> None:
    with pytest.raises(ServiceError, match=missing):
        _run(tmp_path, _reader("k", **config))
