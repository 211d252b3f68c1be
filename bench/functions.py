"""Lambda: warm invokes through boto3 beside MiniStack, and how long the first one takes."""

import io
import itertools
import time
import zipfile
from contextlib import ExitStack
from functools import cache
from typing import Any

from bench import table
from bench.clouds import scones
from bench.load import THREADS, boto, client, rate
from bench.peers import ministack

SERVERS = {"ministack": ministack, "scones": scones}
SECONDS = 1.0
HANDLER = b"""
def handler(event, context):
    return {"statusCode": 200, "body": event["body"]}
"""


def main() -> None:
    """Print warm invokes a second, and cold starts in milliseconds."""
    with ExitStack() as stack:
        load = stack.enter_context(client())
        urls = {name: stack.enter_context(serve()) for name, serve in SERVERS.items()}
        figures = table.alternate({name: load(_warm, url) for name, url in urls.items()})
        title = f"Lambda, warm invoke, boto3, {THREADS} threads"
        table.show(title, "requests/s", figures, beside="ministack")
        one = table.alternate({name: load(_warm, url, 1) for name, url in urls.items()}, 3)
        table.show("Lambda, warm invoke, boto3, 1 thread", "requests/s", one, beside="ministack")
        colds = table.alternate({name: load(_cold, url) for name, url in urls.items()})
        table.show("Lambda, first invoke", "ms", colds, beside="ministack")


def _warm(url: str, threads: int = THREADS) -> float:
    functions, name = boto("lambda", url), _created(url)
    return rate(lambda number: _invoke(functions, name), SECONDS, threads)


def _cold(url: str) -> float:
    """Milliseconds that a new function takes to answer."""
    functions, name = boto("lambda", url), _create(url)
    start = time.perf_counter()
    _invoke(functions, name)
    return (time.perf_counter() - start) * 1000


def _invoke(functions: Any, name: str) -> None:
    answer = functions.invoke(FunctionName=name, Payload=b'{"body": "scones"}')
    said = answer["Payload"].read()
    assert "FunctionError" not in answer and b'"scones"' in said, said


@cache
def _created(url: str) -> str:
    """A function with as many warm workers as there are threads."""
    name = _create(url)
    functions = boto("lambda", url)
    rate(lambda number: _invoke(functions, name), SECONDS)
    return name


_numbers = itertools.count()


def _create(url: str) -> str:
    name = f"bench-{next(_numbers)}"
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("main.py", HANDLER)
    functions = boto("lambda", url)
    functions.create_function(
        FunctionName=name, Runtime="python3.11", Handler="main.handler", Timeout=30,
        Role="arn:aws:iam::000000000000:role/bench", Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName=name)
    return name
