"""What passes the gateway of a running cloud, byte by byte, and what does not."""

import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from zlib import crc32

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

Client = Callable[..., Any]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def code(self) -> str:
        """The error code, in whichever shape the protocol has."""
        if "x-amzn-errortype" in self.headers:
            return self.headers["x-amzn-errortype"]
        if self.body.startswith(b"{"):
            return str(json.loads(self.body)["__type"])
        return self.body.decode().partition("<Code>")[2].partition("</Code>")[0]


def signed_for(service: str) -> dict[str, str]:
    credential = f"test/20261120/us-east-1/{service}/aws4_request"
    signature = "SignedHeaders=host, Signature=0"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, {signature}"}


@pytest.fixture
def ask(cloud: Any) -> Callable[..., Answer]:
    def ask(
        method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        address = urlsplit(cloud.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            got = connection.getresponse()
            named = {name.lower(): value for name, value in got.getheaders()}
            return Answer(got.status, named, got.read())
        finally:
            connection.close()

    return ask


Ask = Callable[..., Answer]

IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
UNSIGNED = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
TARGET = {"X-Amz-Target": "Logs_20140328.DescribeLogGroups"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "body"),
    [
        ("GET", "/", {}, None),
        ("PUT", "/bucket/key", {}, b"data"),
        ("POST", "/", FORM, IDENTITY),
        ("POST", "/", TARGET, b"{}"),
        ("POST", "/2015-03-31/functions/f/invocations", {}, b"{}"),
        ("POST", "/endpoints/e/invocations", {}, b"x"),
        ("GET", "/bucket/key", {"Authorization": "Bearer token"}, None),
        ("GET", "/bucket/key", {"Authorization": "AWS4-HMAC-SHA256 Signature=0"}, None),
        ("POST", "/_scones/flush", {}, b""),
    ],
)
def test_requests_without_credentials_are_refused(
    ask: Ask, method: str, path: str, headers: dict[str, str], body: bytes | None
) -> None:
    answer = ask(method, path, headers, body)
    assert (answer.status, answer.code()) == (403, "MissingAuthenticationToken")


@pytest.mark.parametrize(
    "origin", ["https://example.com", "null", "http://127.0.0.1.example.com", "http://localhost@x"]
)
def test_a_foreign_origin_is_refused_even_with_credentials(ask: Ask, origin: str) -> None:
    answer = ask("POST", "/", {**signed_for("sts"), **FORM, "Origin": origin}, IDENTITY)
    assert (answer.status, answer.code()) == (403, "AccessDenied")


@pytest.mark.parametrize("origin", ["http://localhost:8888", "http://127.0.0.1", "https://[::1]:1"])
def test_a_page_of_this_computer_may_ask(ask: Ask, origin: str) -> None:
    answer = ask("POST", "/", {**signed_for("sts"), **FORM, "Origin": origin}, IDENTITY)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


MADE_UP = (
    "X-Amz-Credential=any/20260101/us-east-1/s3/aws4_request&X-Amz-Date=20991231T000000Z"
    "&X-Amz-Expires=604800"
)


@pytest.mark.parametrize("page", [None, "https://example.com/", "http://localhost.example.com/a"])
def test_a_foreign_page_cannot_make_up_a_presigned_link(ask: Ask, page: str | None) -> None:
    sent = {"Sec-Fetch-Site": "cross-site", **({} if page is None else {"Referer": page})}
    answer = ask("GET", f"/?{MADE_UP}", sent)
    assert (answer.status, answer.code()) == (403, "AccessDenied")


@pytest.mark.parametrize(
    "sent",
    [
        {"Sec-Fetch-Site": "none"},  # typed into the address bar
        {"Sec-Fetch-Site": "same-site", "Referer": "http://127.0.0.1:8888/lab"},
        {"Sec-Fetch-Site": "cross-site", "Referer": "http://localhost:8888/lab/tree/a.ipynb"},
    ],
)
def test_a_presigned_link_opens_from_a_page_of_this_computer(
    ask: Ask, sent: dict[str, str]
) -> None:
    assert ask("GET", f"/?{MADE_UP}", sent).status == 200


@pytest.mark.parametrize(
    "host", ["example.com", "rebound.example.com:4566", "localhost.example.com", "10.0.0.1", ""]
)
@pytest.mark.parametrize("path", ["/", "/_scones/health"])
def test_a_host_that_is_not_this_computer_is_refused(ask: Ask, host: str, path: str) -> None:
    answer = ask("GET", path, {**signed_for("s3"), "Host": host})
    assert (answer.status, answer.code()) == (403, "AccessDenied")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:4566", "127.0.0.2:1", "[::1]:4566", "sts.localhost:4566"]
)
def test_every_name_of_this_computer_is_good(ask: Ask, host: str) -> None:
    answer = ask("POST", "/", {**signed_for("sts"), **FORM, "Host": host}, IDENTITY)
    assert answer.status == 200


def test_a_preflight_gets_no_leave(ask: Ask) -> None:
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "PUT"}
    answer = ask("OPTIONS", "/bucket/key", asked)
    assert answer.status == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_health_needs_no_credentials(ask: Ask) -> None:
    answer = ask("GET", "/_scones/health")
    assert answer.status == 200
    assert json.loads(answer.body)["status"] == "ready"


def test_operations_that_are_not_carried_answer_501_by_name(client: Client) -> None:
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: client("sts").get_federation_token(Name="name"), "GetFederationToken of STS"),
        (lambda: client("logs").describe_destinations(), "DescribeDestinations of CloudWatch Logs"),
        (lambda: client("s3").get_bucket_website(Bucket="abc"), "GetBucketWebsite of S3"),
        (lambda: client("dynamodb").list_tables(), "DynamoDB_20120810"),
        (lambda: client("ec2").describe_vpcs(), "ec2"),
    ]
    for call, name in calls:
        with pytest.raises(ClientError) as refusal:
            call()
        error = refusal.value.response
        assert error["Error"]["Code"] == "NotImplemented"
        assert name in error["Error"]["Message"]
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_members_that_are_not_carried_answer_501_by_name(client: Client) -> None:
    with pytest.raises(ClientError, match=r"does not carry PermissionsBoundary of CreateRole") as e:
        client("iam").create_role(
            RoleName="r", AssumeRolePolicyDocument="{}", PermissionsBoundary="arn:aws:iam::1:p/long"
        )
    assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_an_unknown_operation_is_the_clients_mistake(ask: Ask) -> None:
    target = {**signed_for("logs"), "X-Amz-Target": "Logs_20140328.Nonsense"}
    answer = ask("POST", "/", target, b"{}")
    assert (answer.status, answer.code()) == (400, "UnknownOperationException")
    answer = ask("POST", "/", {**signed_for("sts"), **FORM}, b"Action=Nonsense")
    assert (answer.status, answer.code()) == (400, "InvalidAction")
    answer = ask("PATCH", "/bucket/key", signed_for("s3"))
    assert (answer.status, answer.code()) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000),
        *(b'{"limit": "5"}', b'{"limit": 1e999}', b'{"limit": NaN}', b'{"limit": 99999999999}'),
        b'{"limit": 1' + b"0" * 9999,
        b'{"logGroupNamePrefix": "\\ud800"}',
        b'{"logGroupNamePrefix": {"a": 1}}',
    ],
)
def test_a_malformed_json_body_is_never_our_fault(ask: Ask, body: bytes) -> None:
    answer = ask("POST", "/", {**signed_for("logs"), **TARGET}, body)
    if body:
        assert (answer.status, answer.code()) == (400, "SerializationException")
    else:
        assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"<", b"<a>", b"<!DOCTYPE x [<!ENTITY a 'b'>]><Delete>&a;</Delete>",
     b"<Delete><Object><Key/></Object>", b"<a>" * 50_000],
)  # fmt: skip
def test_a_malformed_xml_body_is_never_our_fault(ask: Ask, body: bytes, client: Client) -> None:
    client("s3").create_bucket(Bucket="malformed")
    digest = {"x-amz-checksum-crc32": b64encode(crc32(body).to_bytes(4, "big")).decode()}
    answer = ask("POST", "/malformed?delete", {**signed_for("s3"), **digest}, body)
    assert answer.status == 400
    assert answer.code() in ("MalformedXML", "InvalidRequest")


@pytest.mark.parametrize(
    "body",
    [
        b"Action=CreateRole&Tags.member.x.Key=1",
        b"Action=CreateRole&RoleName.a=1",
        b"Action=CreateRole&MaxSessionDuration=ten",
        b"Action=CreateRole",
        b"Action=GetRole" * 9,
        b"\xff=\xff",
    ],
)
def test_a_malformed_form_is_never_our_fault(ask: Ask, body: bytes) -> None:
    answer = ask("POST", "/", {**signed_for("iam"), **FORM}, body)
    assert answer.status == 400
    assert answer.code() in ("MalformedInput", "ValidationError", "InvalidAction")


def test_what_the_model_forbids_is_refused_as_aws_says_it(ask: Ask) -> None:
    answer = ask("POST", "/", {**signed_for("iam"), **FORM}, b"Action=GetRole")
    assert b"1 validation error detected: Value null at 'roleName' failed" in answer.body
    target = {**signed_for("logs"), "X-Amz-Target": "Logs_20140328.DescribeLogGroups"}
    answer = ask("POST", "/", target, b'{"limit": 0, "logGroupNamePrefix": ""}')
    assert answer.code() == "InvalidParameterException"
    message = json.loads(answer.body)["message"]
    assert message.startswith("3 validation errors detected: ")
    assert (
        "Value '0' at 'limit' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1" in message
    )


def test_every_answer_has_a_request_id(client: Client) -> None:
    answers = [client("sts").get_caller_identity(), client("s3").list_buckets()]
    with pytest.raises(ClientError) as refusal:
        client("s3").get_object(Bucket="nobody-has-this", Key="key")
    answers.append(refusal.value.response)
    ids = {each["ResponseMetadata"]["RequestId"] for each in answers}
    assert len(ids) == 3
    assert all(len(each) >= 16 for each in ids)


def test_the_error_of_a_head_has_no_body(ask: Ask) -> None:
    answer = ask("HEAD", "/nobody-has-this", signed_for("s3"))
    assert (answer.status, answer.body) == (404, b"")


def test_a_client_that_waits_for_100_continue_is_told_at_once(cloud: Any, client: Client) -> None:
    client("s3").create_bucket(Bucket="continue")
    address = urlsplit(cloud.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        credential = signed_for("s3")["Authorization"]
        connection.sendall(
            f"PUT /continue/key HTTP/1.1\r\nHost: localhost\r\nAuthorization: {credential}\r\n"
            "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(b"data")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_refusal_instead_of_100_continue_ends_the_connection(cloud: Any) -> None:
    address = urlsplit(cloud.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(
            b"PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        )
        said = b""
        while piece := connection.recv(4096):  # until the server hangs up
            said += piece
    assert said.startswith(b"HTTP/1.1 403")
    assert b"100 Continue" not in said


def chunked(data: bytes, *trailers: str, signature: str = "") -> bytes:
    out = b""
    for start in range(0, len(data), 7000):
        piece = data[start : start + 7000]
        out += f"{len(piece):x}{signature}\r\n".encode() + piece + b"\r\n"
    return (
        out
        + f"0{signature}\r\n".encode()
        + "".join(f"{t}\r\n" for t in trailers).encode()
        + b"\r\n"
    )


@pytest.mark.parametrize("size", [0, 1, 20_000, 3_000_000])
@pytest.mark.parametrize("style", [UNSIGNED, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"])
def test_aws_chunked_bodies_are_taken_apart(
    ask: Ask, client: Client, size: int, style: str
) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="chunked")
    data = bytes(i % 251 for i in range(size))
    unsigned = style == UNSIGNED
    checksum = b64encode(crc32(data).to_bytes(4, "big")).decode()
    trailers = (f"x-amz-checksum-crc32:{checksum}",) if unsigned else ()
    headers = {
        **signed_for("s3"),
        "x-amz-content-sha256": style,
        "x-amz-decoded-content-length": str(size),
        "Content-Encoding": "aws-chunked,gzip",
        **({"x-amz-trailer": "x-amz-checksum-crc32"} if unsigned else {}),
    }
    signature = "" if unsigned else ";chunk-signature=" + "0" * 64
    answer = ask("PUT", "/chunked/key", headers, chunked(data, *trailers, signature=signature))
    assert answer.status == 200, answer.body
    kept = s3.get_object(Bucket="chunked", Key="key")
    assert kept["Body"].read() == data
    assert kept["ContentEncoding"] == "gzip"


def test_a_wrong_checksum_in_a_trailer_is_refused(ask: Ask, client: Client) -> None:
    client("s3").create_bucket(Bucket="trailers")
    headers = {
        **signed_for("s3"),
        "x-amz-content-sha256": UNSIGNED,
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-amz-decoded-content-length": "4",
    }
    answer = ask("PUT", "/trailers/key", headers, chunked(b"data", "x-amz-checksum-crc32:AAAAAA=="))
    assert (answer.status, answer.code()) == (400, "BadDigest")


@pytest.mark.parametrize(
    ("promised", "trailers"),
    [
        ("x-amz-checksum-crc32", ()),
        ("x-amz-checksum-crc32", ("x-amz-checksum-sha1:AAAA",)),
        ("", ("x-amz-checksum-crc32:AAAAAA==",)),
        ("content-type", ("content-type:text/plain",)),
    ],
)
def test_a_trailer_that_is_not_the_checksum_promised_is_refused(
    ask: Ask, client: Client, promised: str, trailers: tuple[str, ...]
) -> None:
    client("s3").create_bucket(Bucket="trailers")
    headers = {
        **signed_for("s3"),
        "x-amz-content-sha256": UNSIGNED,
        "x-amz-trailer": promised,
        "x-amz-decoded-content-length": "4",
    }
    answer = ask("PUT", "/trailers/key", headers, chunked(b"data", *trailers))
    assert (answer.status, answer.code()) == (400, "MalformedTrailerError")


@pytest.mark.parametrize("body", [b"4\r\nda", b"zz\r\ndata\r\n", b"4\r\ndata\r\n", b"-4\r\n", b""])
def test_an_aws_chunked_body_that_breaks_off_is_refused(
    ask: Ask, client: Client, body: bytes
) -> None:
    client("s3").create_bucket(Bucket="broken")
    headers = {
        **signed_for("s3"),
        "x-amz-content-sha256": UNSIGNED,
        "x-amz-decoded-content-length": "4",
    }
    answer = ask("PUT", "/broken/key", headers, body)
    assert (answer.status, answer.code()) == (400, "IncompleteBody")


def test_a_body_that_is_not_what_was_signed_is_refused(ask: Ask, client: Client) -> None:
    client("s3").create_bucket(Bucket="signed")
    right = {"x-amz-content-sha256": hashlib.sha256(b"data").hexdigest()}
    assert ask("PUT", "/signed/key", {**signed_for("s3"), **right}, b"data").status == 200
    for name, digest in [*right.items(), *((name, each.upper()) for name, each in right.items())]:
        answer = ask("PUT", "/signed/key", {**signed_for("s3"), name: digest}, b"evil")
        assert (answer.status, answer.code()) == (400, "XAmzContentSHA256Mismatch")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/arguments?list-type=2&max-keys=many", {}),
        ("/arguments/%FF", {}),
        ("/arguments/key", {"If-Modified-Since": "lately"}),
    ],
)
def test_what_cannot_be_read_outside_the_body_is_an_invalid_argument(
    ask: Ask, client: Client, path: str, headers: dict[str, str]
) -> None:
    client("s3").create_bucket(Bucket="arguments")
    answer = ask("GET", path, {**signed_for("s3"), **headers})
    assert (answer.status, answer.code()) == (400, "InvalidArgument")


def test_a_checksum_that_cannot_be_computed_here_is_not_carried(ask: Ask, client: Client) -> None:
    client("s3").create_bucket(Bucket="xxhash")
    headers = {**signed_for("s3"), "x-amz-checksum-xxhash64": "AAAAAAAAAAA="}
    document = b"<Delete><Object><Key>key</Key></Object></Delete>"
    for method, path in (("PUT", "/xxhash/key"), ("POST", "/xxhash?delete")):
        answer = ask(method, path, headers, document)
        assert (answer.status, answer.code()) == (501, "NotImplemented")


def test_buckets_are_found_in_the_host_as_well(ask: Ask, client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="in.the.host")
    s3.put_object(Bucket="in.the.host", Key="a key/ü", Body=b"data")
    for name in ("localhost:4566", "s3.localhost", "s3.us-east-1.localhost"):
        host = {"Host": f"in.the.host.{name}"}
        answer = ask("GET", "/a%20key/%C3%BC", {**signed_for("s3"), **host})
        assert (answer.status, answer.body) == (200, b"data")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_presigned_urls_work_until_they_expire(client: Client, version: str) -> None:
    s3 = client("s3", config=Config(signature_version=version))
    s3.create_bucket(Bucket="presigned")
    place = {"Bucket": "presigned", "Key": "key"}
    put = s3.generate_presigned_url("put_object", Params=place, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(put, b"data", method="PUT")) as answer:
        assert answer.status == 200
    get = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"data"
    late = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=-1)
    with pytest.raises(urllib.error.HTTPError) as refusal, urllib.request.urlopen(late):
        pass
    with refusal.value as answer:
        assert answer.code == 403
        assert b"Request has expired" in answer.read()


def test_a_header_cannot_be_ended_by_its_value(ask: Ask, client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="headers")
    s3.put_object(Bucket="headers", Key="key", Body=b"data")
    forged = "response-content-type=a%0d%0aset-cookie:b%0d%0a%0d%0ac"
    answer = ask("GET", f"/headers/key?{forged}", signed_for("s3"))
    assert "set-cookie" not in answer.headers
    assert answer.body == b"data"


def test_large_objects_come_back_whole(client: Client) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="large")
    data = bytes(range(256)) * 20_000
    s3.put_object(Bucket="large", Key="key", Body=data)
    assert s3.get_object(Bucket="large", Key="key")["Body"].read() == data
    part = s3.get_object(Bucket="large", Key="key", Range="bytes=1000000-3000000")
    assert part["Body"].read() == data[1_000_000:3_000_001]


def test_timestamps_are_moments_on_both_sides(client: Client) -> None:
    before = datetime.now(UTC)
    expires = client("sts").get_session_token(DurationSeconds=900)["Credentials"]["Expiration"]
    assert 890 < (expires - before).total_seconds() <= 901


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_signs_requests_that_are_understood(cloud: Any) -> None:
    def curl(scope: str, *arguments: str) -> str:
        command = ["curl", "-sS", "--fail-with-body", "--user", "test:test"]
        command += ["--aws-sigv4", f"aws:amz:us-east-1:{scope}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    assert "assumed-role" in curl("sts", cloud.url, "-d", IDENTITY.decode())
    curl("s3", "-X", "PUT", f"{cloud.url}/by-curl")
    curl("s3", "-T", __file__, f"{cloud.url}/by-curl/a%20file")
    assert "def test_curl_signs" in curl("s3", f"{cloud.url}/by-curl/a%20file")
    said = curl("logs", cloud.url, "-H", "X-Amz-Target: Logs_20140328.DescribeLogGroups",
                "-H", "Content-Type: application/x-amz-json-1.1", "-d", "{}")  # fmt: skip
    assert json.loads(said) == {"logGroups": []}
