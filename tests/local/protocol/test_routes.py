"""Paths, queries and headers of S3 -> operations."""

import json
from pathlib import Path

from scones.local.protocol.messages import Request
from scones.local.protocol.models import service_model
from scones.local.protocol.routes import Routes


def test_each_request_of_s3_finds_its_operation() -> None:
    routes = Routes(service_model("s3"), frozenset({"ListBuckets"}))
    table = json.loads((Path(__file__).parent / "routes.json").read_text())
    for asked, headers, operation, labels in table["cases"]:
        method, _, target = asked.partition(" ")
        path, _, query = target.partition("?")
        request = Request(method, path, query, headers)
        assert (routes.find(request), list(request.labels)) == (operation, labels), asked


def test_two_operations_on_one_path_go_to_the_one_that_is_carried() -> None:
    for preferred in ("ListBuckets", "ListDirectoryBuckets"):
        routes = Routes(service_model("s3"), frozenset({preferred}))
        assert routes.find(Request("GET", "/")) == preferred
