"""A botocore plugin that sends what is meant for AWS to the cloud at AWS_ENDPOINT_URL.

For programs that name AWS's own address outright, which no variable overrides: the SageMaker SDK
makes its STS client with endpoint_url="https://sts.<region>.amazonaws.com".

This folder goes on PYTHONPATH and BOTOCORE_EXPERIMENTAL__PLUGINS=scones=scones_endpoint into the
environment, so that the plugin works in any Python with botocore 1.40 or later, whether or not
Scones is installed there. Only the standard library.
"""

import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def initialize_client_plugin(client: Any) -> None:
    """Called by botocore for each new client."""
    client.meta.events.register_first("before-sign.*", redirect)


def redirect(request: Any, **_: Any) -> None:
    """Change the address of a request to AWS before it is signed."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    url = urlsplit(request.url)
    if endpoint and (url.hostname or "").endswith(_AWS):
        ours = urlsplit(endpoint)
        request.url = urlunsplit((ours.scheme, ours.netloc, url.path, url.query, ""))
