"""botocore's own protocol suites, run backwards.

*Input*: the HTTP request that botocore makes of parameters -> the parameters. *Output*: the result
-> an HTTP response that botocore's parser reads as the same result, or the same error. The suites
lie in botocore's source distribution; what cannot be inverted is listed with its reason in
exclusions.json.
"""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.awsrequest import HeadersDict
from botocore.model import NoShapeFoundError, OperationModel, ServiceModel
from botocore.parsers import create_parser

from scones.local.errors import ServiceError
from scones.local.protocol.faults import fault
from scones.local.protocol.messages import Request
from scones.local.protocol.routes import Routes
from scones.local.protocol.wire import wire

EXCLUSIONS = json.loads((Path(__file__).parent / "exclusions.json").read_text())
FILES = ("json", "json_1_0", "json_1_0-query-compatible", "query", "rest-json", "rest-xml")


def cases(folder: Path, direction: str, file: str) -> Iterator[tuple[dict[str, Any], Any]]:
    for suite in json.loads((folder / direction / f"{file}.json").read_text()):
        for case in suite["cases"]:
            if case["id"] not in EXCLUSIONS[direction]:
                yield suite, case


def operation_of(suite: dict[str, Any], case: dict[str, Any]) -> OperationModel:
    given = copy.deepcopy(case["given"])
    description = {
        "metadata": suite["metadata"],
        "shapes": copy.deepcopy(suite["shapes"]),
        "operations": {given["name"]: given},
    }
    return ServiceModel(description, "suite").operation_model(given["name"])


@pytest.mark.parametrize("file", FILES)
def test_requests_of_botocore_are_read_as_their_parameters(file: str, suites: Path) -> None:
    failed = []
    count = 0
    for suite, case in cases(suites, "input", file):
        count += 1
        try:
            found = read(operation_of(suite, case), case["serialized"])
        except Exception as error:
            failed.append((case["id"], repr(error)))
            continue
        expected = without_nulls(comparable(case["params"]))
        if comparable(found) != expected:
            failed.append((case["id"], f"{expected} was read as {comparable(found)}"))
    assert not failed, "\n".join(f"{name}: {why}" for name, why in failed)
    assert count


def read(operation: OperationModel, sent: dict[str, Any]) -> dict[str, Any]:
    url = urlsplit(sent["uri"])
    request = Request(
        method=sent.get("method", "POST"),
        path=url.path,
        query_string=url.query,
        headers={name.lower(): value for name, value in sent.get("headers", {}).items()},
        body=sent.get("body", "").encode(),
    )
    if operation.metadata["protocol"].startswith("rest"):
        routes = Routes(operation.service_model, frozenset())
        assert routes.find(request) == operation.name
    return wire(operation).read(request)


@pytest.mark.parametrize("file", FILES)
def test_results_are_written_so_that_botocore_reads_the_same(file: str, suites: Path) -> None:
    failed = []
    count = 0
    for suite, case in cases(suites, "output", file):
        count += 1
        operation = operation_of(suite, case)
        try:
            found, expected = read_back(operation, case)
        except Exception as error:
            failed.append((case["id"], repr(error)))
            continue
        if found != expected:
            failed.append((case["id"], f"{expected} was read as {found}"))
    assert not failed, "\n".join(f"{name}: {why}" for name, why in failed)
    assert count


def read_back(operation: OperationModel, case: dict[str, Any]) -> tuple[Any, Any]:
    if "error" in case:
        return read_back_error(operation.service_model, case)
    output = operation.output_shape
    if operation.metadata["protocol"] == "query" and output and output.members:
        # Models of real services name the wrapper; the suites do not.
        output.serialization["resultWrapper"] = f"{operation.name}Result"
    result = natural(output, case["result"])
    response = wire(operation).write(result, "request-id")
    parsed = create_parser(operation.metadata["protocol"]).parse(received(response), output)
    assert parsed.pop("ResponseMetadata")["RequestId"] == "request-id"
    return comparable(parsed), comparable(result)


def read_back_error(model: ServiceModel, case: dict[str, Any]) -> tuple[Any, Any]:
    try:
        shape = model.shape_for_error_code(case["errorCode"])
    except NoShapeFoundError:
        shape = None
    members = natural(shape, case["error"])
    members = {name: each for name, each in members.items() if name.lower() != "message"}
    message = case.get("errorMessage", "")
    error = ServiceError(case["errorCode"], message, case["response"]["status_code"], **members)
    response = received(fault(model, error, "request-id"))
    parser = create_parser(model.metadata["protocol"])
    parsed = parser.parse(response, None)
    assert parsed["Error"]["Code"] == case["errorCode"]
    assert parsed["Error"].get("Message", "") == message
    assert response["status_code"] == case["response"]["status_code"]
    modelled = parser.parse(response, shape) if shape is not None else {}
    return comparable(modelled), comparable(natural(shape, case["error"]))


def received(response: Any) -> dict[str, Any]:
    return {
        "status_code": response.status,
        "headers": HeadersDict(response.headers),
        "body": response.body,
        "context": {"operation_name": "any"},
    }


def natural(shape: Any, value: Any) -> Any:
    """A value as the suites spell it -> as boto3 does: moments, bytes and special floats."""
    if shape is None or value is None:
        return value
    match shape.type_name:
        case "structure" if not shape.is_document_type:
            return {name: natural(shape.members[name], each) for name, each in value.items()}
        case "list":
            return [natural(shape.member, each) for each in value]
        case "map":
            return {name: natural(shape.value, each) for name, each in value.items()}
        case "timestamp":
            return datetime.fromtimestamp(value, UTC)
        case "blob":
            return value.encode()
        case "float" | "double":
            return float(value)
    return value


def comparable(value: Any) -> Any:
    """Moments as seconds, bytes and files as text, NaN as its name."""
    if isinstance(value, dict):
        return {name: comparable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [comparable(each) for each in value]
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return value.decode()
    if hasattr(value, "read"):
        return value.read().decode()
    if isinstance(value, float) and not abs(value) < float("inf"):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return value


def without_nulls(value: Any) -> Any:
    """Members that are None are not sent."""
    return {name: each for name, each in value.items() if each is not None}


def test_every_exclusion_is_a_case_of_the_suites(suites: Path) -> None:
    for direction in ("input", "output"):
        ids = {
            case["id"]
            for file in FILES
            for suite in json.loads((suites / direction / f"{file}.json").read_text())
            for case in suite["cases"]
        }
        assert EXCLUSIONS[direction].keys() <= ids
