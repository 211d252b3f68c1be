"""Functions for the tests of Lambda."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

ROLE = "arn:aws:iam::000000000000:role/lambda"
Zipped = Callable[[dict[str, str]], bytes]
Create = Callable[..., str]


@pytest.fixture(scope="session")
def zipped() -> Zipped:
    """`zipped({path: content})`: a zip file."""

    def make(files: dict[str, str]) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="module")
def create(client: Callable[..., Any], zipped: Zipped) -> Create:
    """`create(name, source, **settings)`: a function whose app.py is `source`; its name."""

    def make(name: str, source: str, **settings: Any) -> str:
        given = {
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": zipped({"app.py": source})},
            **settings,
        }
        client("lambda").create_function(FunctionName=name, **given)
        return name

    return make
