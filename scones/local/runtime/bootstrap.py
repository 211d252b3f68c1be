"""Our own Lambda runtime for Python, where AWS's has no wheel: same handler, same answers.

Held to awslambdaric's behaviour by one table of cases (tests/local/runtime/handlers.json). It runs
in a worker, beside nothing but the standard library and simplejson, whose encoder AWS uses too: it
turns bytes into text and a named tuple into an object.
"""

import decimal
import http.client
import importlib
import json
import logging
import math
import os
import sys
import time
import traceback
from types import SimpleNamespace, TracebackType
from typing import Any

import simplejson  # type: ignore[import-untyped]

_PREFIX = "/2018-06-01/runtime/"
_INDENT = "\u00a0"  # CloudWatch would trim leading spaces
# From python3.12 on, AWS's runtime leaves characters beyond ASCII as they are.
_ASCII_ONLY = os.environ.get("AWS_EXECUTION_ENV", "") < "AWS_Lambda_python3.12"
_request_id = ""


class FaultError(Exception):
    """A failure of the runtime's own making, by AWS's name."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = f"Runtime.{kind}"
        self.trace = trace or []


class Context:
    """The handler's second argument.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(self, headers: dict[str, str]) -> None:
        environment = os.environ
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers["lambda-runtime-invoked-function-arn"]
        self.function_name = environment["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = environment["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = environment["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = environment["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.tenant_id = None
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self.client_context = _client_context(headers.get("lambda-runtime-client-context"))
        self._deadline_ms = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function's timeout; never below 0."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the function's log, without a line end of its own."""
        sys.stdout.write(str(message))


class Encoder(simplejson.JSONEncoder):  # type: ignore[misc]  # simplejson carries no types
    """What a handler may return: JSON's own kinds, bytes (as UTF-8 text), Decimal, NaN."""

    def __init__(self) -> None:
        super().__init__(use_decimal=False, ensure_ascii=_ASCII_ONLY, allow_nan=True)

    def default(self, value: object) -> Any:
        """Decimal as a number, digit for digit."""
        if isinstance(value, decimal.Decimal):
            return math.nan if value.is_nan() else simplejson.raw_json.RawJSON(str(value))
        return super().default(value)


class Flushed:
    """A text stream that keeps nothing back: what was printed is out before the answer is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        """Write and flush."""
        self._stream.write(text)
        self._stream.flush()

    def writelines(self, lines: list[str]) -> None:
        """Write and flush."""
        self._stream.writelines(lines)
        self._stream.flush()


class LogHandler(logging.Handler):
    """The root logger's handler, in the format of AWS's runtime."""

    def __init__(self) -> None:
        super().__init__()
        form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        self.setFormatter(logging.Formatter(form, "%Y-%m-%dT%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        """To standard output, with the request it belongs to."""
        record.aws_request_id = _request_id
        sys.stdout.write(self.format(record))


def main(handler: str) -> None:
    """Import the handler, then answer invocations until killed."""
    sys.stdout, sys.stderr = Flushed(sys.stdout), Flushed(sys.stderr)
    logging.Formatter.converter = time.gmtime
    logging.getLogger().addHandler(LogHandler())
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        function = _handler(handler)
    except Exception as error:
        report = _report(error, "")
        _log(report)
        _post(connection, "init/error", Encoder().encode(report).encode(), report["errorType"])
        sys.exit(1)
    while True:
        _serve(connection, function)


def _serve(connection: http.client.HTTPConnection, function: Any) -> None:
    global _request_id
    connection.request("GET", f"{_PREFIX}invocation/next")
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    payload = response.read()
    _request_id = headers["lambda-runtime-aws-request-id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
    try:
        body, kind = _call(function, payload, headers), None
    except Exception as error:
        report = _report(error, _request_id)
        _log(report)
        body, kind = Encoder().encode(report).encode(), report["errorType"]
    outcome = "error" if kind else "response"
    _post(connection, f"invocation/{_request_id}/{outcome}", body, kind)


def _call(function: Any, payload: bytes, headers: dict[str, str]) -> bytes:
    context = Context(headers)
    try:
        event = simplejson.loads(payload)
    except Exception as error:
        raise FaultError("UnmarshalError", f"Unable to unmarshal input: {error}") from error
    result = function(event, context)
    if isinstance(result, bytes):
        return result
    try:
        text: str = Encoder().encode(result)
    except Exception as error:
        raise FaultError("MarshalError", f"Unable to marshal response: {error}") from error
    return text.encode()


def _handler(handler: str) -> Any:
    name, dot, function = handler.rpartition(".")
    if not dot:
        words = "not enough values to unpack (expected 2, got 1)"
        raise FaultError("MalformedHandlerName", f"Bad handler '{handler}': {words}")
    if name.split(".")[0] in sys.builtin_module_names:
        words = f"Cannot use built-in module {name} as a handler module"
        raise FaultError("BuiltInModuleConflict", words)
    try:
        module = importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        raise FaultError(
            "ImportModuleError", f"Unable to import module '{name}': {error}"
        ) from error
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        words = f"Syntax error in module '{name}': {error}"
        raise FaultError("UserCodeSyntaxError", words, trace) from error
    if not hasattr(module, function):
        raise FaultError("HandlerNotFound", f"Handler '{function}' missing on module '{name}'")
    return getattr(module, function)


def _report(error: Exception, request_id: str) -> dict[str, Any]:
    if isinstance(error, FaultError):
        kind, trace = error.kind, error.trace
    else:
        kind, trace = type(error).__name__, _frames(error.__traceback__)
    return {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": trace,
    }


def _frames(trace: TracebackType | None) -> list[str]:
    """The traceback from the first frame that is not ours."""
    frames = list(traceback.extract_tb(trace))
    while len(frames) > 1 and frames[0].filename.endswith("/bootstrap.py"):
        frames.pop(0)
    # As bare tuples: from Python 3.13 on, frames themselves are told with carets under the line.
    return traceback.format_list(
        [(each.filename, each.lineno or 0, each.name, each.line) for each in frames]
    )


def _log(report: dict[str, Any]) -> None:
    kind, message = report["errorType"], report["errorMessage"]
    lines = [f"[ERROR] {kind}" + (f": {message}" if message else "")]
    lines.append("Traceback (most recent call last):")
    for each in "".join(report["stackTrace"]).splitlines():
        stripped = each.lstrip(" ")
        lines.append(_INDENT * (len(each) - len(stripped)) + stripped)
    sys.stdout.write("\r".join(lines) + "\n")  # one event of the log


def _post(
    connection: http.client.HTTPConnection, path: str, body: bytes, error_type: str | None
) -> None:
    headers = {"Content-Type": "application/json"}
    if error_type:
        headers["Lambda-Runtime-Function-Error-Type"] = error_type
    connection.request("POST", _PREFIX + path, body, headers)
    connection.getresponse().read()


def _client_context(text: str | None) -> Any:
    if text is None:
        return None
    told = json.loads(text)
    client = told.get("client") or {}
    names = ("installation_id", "app_title", "app_version_name", "app_version_code")
    fields = {name: client.get(name) for name in (*names, "app_package_name")}
    return SimpleNamespace(
        custom=told.get("custom"), env=told.get("env"), client=SimpleNamespace(**fields)
    )
