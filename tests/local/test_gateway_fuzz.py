"""Whatever a client sends, the fault is not ours: no request is answered 500."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scones.local.carries import carried_names
from scones.local.protocol.models import service_model

JSON_SERVICES = ("logs", "sagemaker", "stepfunctions")
FORM_SERVICES = ("iam", "sts")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ANY = st.recursive(
    SCALARS,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(max_size=5), deeper),
    max_leaves=8,
)


def value_of(shape: Any, depth: int = 3) -> st.SearchStrategy[Any]:
    """Mostly what the shape wants, sometimes anything."""
    match shape.type_name:
        case "structure" if depth:
            members = {name: value_of(each, depth - 1) for name, each in shape.members.items()}
            required = {name: members[name] for name in shape.required_members}
            rest = {name: each for name, each in members.items() if name not in required}
            wanted: st.SearchStrategy[Any] = st.fixed_dictionaries(required, optional=rest)
        case "list" if depth:
            wanted = st.lists(value_of(shape.member, depth - 1), max_size=2)
        case "map" if depth:
            wanted = st.dictionaries(st.text(max_size=9), value_of(shape.value, depth - 1))
        case "string" if shape.enum:
            wanted = st.sampled_from(shape.enum)
        case "string":
            arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
            wanted = st.sampled_from(["a", "s3://b/k", arn, "{}", '{"StartAt": "A"}']) | st.text()
        case "integer" | "long" | "timestamp":
            wanted = st.integers(-(2**40), 2**40)
        case _:
            wanted = SCALARS
    return st.integers(0, 9).flatmap(lambda dice: ANY if dice == 0 else wanted)


@st.composite
def requests(draw: st.DrawFn, services: tuple[str, ...]) -> tuple[str, str, Any]:
    service = draw(st.sampled_from(services))
    operation = draw(st.sampled_from(carried_names()[service]))
    shape = service_model(service).operation_model(operation).input_shape
    return service, operation, draw(value_of(shape)) if shape is not None else {}


def signed_for(name: str) -> dict[str, str]:
    credential = f"test/20261120/us-east-1/{name}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, Signature=0"}


@pytest.fixture(scope="module")
def status_of(cloud: Any) -> Iterator[Callable[..., int]]:
    address = urlsplit(cloud.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)

    def ask(method: str, path: str, headers: dict[str, str], body: bytes) -> int:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    yield ask
    connection.close()


FUZZED = settings(
    max_examples=200, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.mark.slow
@FUZZED
@given(asked=requests(JSON_SERVICES))
def test_no_json_is_our_fault(asked: tuple[str, str, Any], status_of: Callable[..., int]) -> None:
    service, operation, value = asked
    model = service_model(service)
    target = {"X-Amz-Target": f"{model.metadata['targetPrefix']}.{operation}"}
    body = json.dumps(value).encode()
    assert status_of("POST", "/", {**signed_for(model.signing_name), **target}, body) != 500


@pytest.mark.slow
@FUZZED
@given(asked=requests(FORM_SERVICES), junk=st.dictionaries(st.text(), st.text(), max_size=2))
def test_no_form_is_our_fault(
    asked: tuple[str, str, Any], junk: dict[str, str], status_of: Callable[..., int]
) -> None:
    service, operation, value = asked
    fields = value if isinstance(value, dict) else {}
    form = {"Action": operation, **fields, **junk}
    body = urlencode({k: str(v).encode("utf-8", "replace") for k, v in form.items()}).encode()
    headers = {**signed_for(service), "Content-Type": "application/x-www-form-urlencoded"}
    assert status_of("POST", "/", headers, body) != 500


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).map(quote)
QUERIES = (
    *("", "uploads", "delete", "location", "tagging", "acl", "versionId=x", "max-keys=x"),
    *("list-type=2&max-keys=-1", "list-type=2&continuation-token=%FF"),
    "uploadId=x&partNumber=a",
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("Range", "If-Match", "If-Modified-Since", "Content-MD5", "Content-Encoding"),
            *("x-amz-copy-source", "x-amz-checksum-crc32", "x-amz-meta-a", "x-amz-trailer"),
            *("x-amz-content-sha256", "x-amz-decoded-content-length"),
            "x-amz-expected-bucket-owner",
        ]
    ),
    st.sampled_from(
        ["bytes=9-1", "bytes=0-", "*", "aws-chunked", "/fuzz/k", "AAAA", "-1", "%FF", "0"]
    ),
    max_size=3,
)
BODIES = (b"", b"<a/>", b"<Delete><Object><Key>k</Key></Object></Delete>", b"\xff")


@pytest.mark.slow
@FUZZED
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]),
    bucket=st.just("fuzz") | NAMES,
    key=st.sampled_from(["", "/k"]) | NAMES.map(lambda name: f"/{name}"),
    query=st.sampled_from(QUERIES),
    headers=HEADERS,
    body=st.sampled_from(
        [b"", b"<a/>", b"<Delete><Object><Key>k</Key></Object></Delete>", b"\xff"]
    ),
)
def test_no_request_to_s3_is_our_fault(
    method: str, bucket: str, key: str, query: str, headers: dict[str, str], body: bytes,
    status_of: Callable[..., int],
) -> None:  # fmt: skip
    status_of("PUT", "/fuzz", signed_for("s3"), b"")
    path = f"/{bucket}{key}" + (f"?{query}" if query else "")
    assert status_of(method, path, {**signed_for("s3"), **headers}, body) != 500
