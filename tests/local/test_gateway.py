"""The gateway in process, over services made for the test."""

import asyncio
import io
import logging
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from scones.local.errors import ServiceError
from scones.local.gateway import Gateway

SIGNED = {
    "Host": "localhost",
    "Authorization": "AWS4-HMAC-SHA256 Credential=a/20261120/us-east-1/lambda/aws4_request, x",
}


class Functions:
    """A few operations of Lambda."""

    def get_function(self, FunctionName: str, Qualifier: str | None = None) -> dict[str, Any]:
        if FunctionName == "bug":
            raise KeyError("a bug of ours")
        if FunctionName == "shape":
            return {"NoSuchMember": 1}
        raise ServiceError("ResourceNotFoundException", "Function not found: f", Type="User")

    async def invoke(
        self, FunctionName: str, Payload: Any = None, LogType: str | None = None
    ) -> dict[str, Any]:
        return {
            "StatusCode": 200,
            "Payload": io.BytesIO(b"x" * 600_000),
            "FunctionError": "Unhandled",
            "ResponseMetadata": {"HTTPStatusCode": 202, "HTTPHeaders": {"x-own": "kept"}},
        }


def gateway(folder: Path, **services: Any) -> Gateway:
    made = Gateway(folder)
    made.carry(services)
    return made


def ask(app: Gateway, method: str, path: str, **options: Any) -> httpx.Response:
    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, headers=SIGNED, **options)

    return asyncio.run(answer())


def test_a_bug_is_an_internal_failure_and_its_traceback_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = gateway(tmp_path, **{"lambda": Functions()})
    for name in ("bug", "shape"):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            answer = ask(app, "GET", f"/2015-03-31/functions/{name}")
        assert answer.status_code == 500
        assert answer.headers["x-amzn-errortype"] == "InternalFailure"
        assert "Traceback" in caplog.text
        assert "Traceback" not in answer.text


def test_an_error_has_the_status_and_members_of_its_model(tmp_path: Path) -> None:
    app = gateway(tmp_path, **{"lambda": Functions()})
    answer = ask(app, "GET", "/2015-03-31/functions/f")
    assert answer.status_code == 404
    assert answer.headers["x-amzn-errortype"] == "ResourceNotFoundException"
    assert answer.json() == {"Message": "Function not found: f", "Type": "User"}


def test_results_may_say_their_own_status_and_headers_and_stream(tmp_path: Path) -> None:
    app = gateway(tmp_path, **{"lambda": Functions()})
    answer = ask(app, "POST", "/2015-03-31/functions/f/invocations", content=b"{}")
    assert answer.status_code == 202
    assert answer.headers["x-own"] == "kept"
    assert answer.headers["x-amz-function-error"] == "Unhandled"
    assert len(answer.content) == 600_000


def test_operations_can_be_called_in_process(tmp_path: Path) -> None:
    app = gateway(tmp_path, **{"lambda": Functions()})
    result = asyncio.run(app.call("lambda", "invoke", {"FunctionName": "f"}))
    assert "ResponseMetadata" not in result
    assert result["FunctionError"] == "Unhandled"
    for service, operation in (("lambda", "list_functions"), ("sqs", "send_message")):
        with pytest.raises(ServiceError) as refusal:
            asyncio.run(app.call(service, operation, {}))
        assert refusal.value.status == 501
    for wrong in ({}, {"FunctionName": 7}, {"FunctionName": "f", "Payload": {"a": 1}}):
        with pytest.raises(ServiceError, match=r"FunctionName|Payload") as refusal:
            asyncio.run(app.call("lambda", "invoke", wrong))
        assert refusal.value.code == "ValidationException"


class NoOperation:
    def frobnicate(self) -> None: ...


class NoMember:
    def get_function(self, FunctionName: str, Colour: str = "") -> None: ...


class LacksRequired:
    def get_function(self, Qualifier: str | None = None) -> None: ...


class DemandsOptional:
    def get_function(self, FunctionName: str, Qualifier: str) -> None: ...


class PublicAttribute:
    state = 1


@pytest.mark.parametrize(
    ("service", "message"),
    [
        (NoOperation(), "NoOperation.frobnicate is no operation of lambda"),
        (NoMember(), "Colour"),
        (LacksRequired(), "FunctionName"),
        (DemandsOptional(), "Qualifier"),
        (PublicAttribute(), "PublicAttribute.state"),
    ],
)
def test_a_class_that_disagrees_with_its_model_is_refused(
    tmp_path: Path, service: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        gateway(tmp_path, **{"lambda": service})


class Buckets:
    """Tells which thread it is asked in."""

    def __init__(self) -> None:
        self._asked: dict[str, bool] = {}

    def head_bucket(self, Bucket: str) -> None:
        self._asked["head_bucket"] = threading.current_thread() is threading.main_thread()

    def delete_bucket(self, Bucket: str) -> None:
        self._asked["delete_bucket"] = threading.current_thread() is threading.main_thread()


def test_brief_methods_run_on_the_event_loop_and_others_in_a_thread(tmp_path: Path) -> None:
    buckets = Buckets()
    app = Gateway(tmp_path)
    app.carry(
        {"s3": buckets}, brief={"s3": {"head_bucket": lambda asked: asked["Bucket"] == "one"}}
    )
    for bucket, at_once in (("one", True), ("two", False)):
        for operation in ("head_bucket", "delete_bucket"):
            asyncio.run(app.call("s3", operation, {"Bucket": bucket}))
        assert buckets._asked == {"head_bucket": at_once, "delete_bucket": False}
