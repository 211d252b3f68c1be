"""A botocore plugin that sends what is meant for AWS to the cloud at AWS_ENDPOINT_URL.

For programs that name AWS's own address outright, which no variable overrides: the SageMaker SDK
makes its STS client with endpoint_url="https://sts.<region>.amazonaws.com".

This folder goes on PYTHONPATH and BOTOCORE_EXPERIMENTAL__PLUGINS=scones=scones_endpoint into the
environment, so that the plugin works in any Python with botocore 1.40 or later, whether or not
Scones is installed there. Only the standard library and botocore.
"""

import os
import re
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from botocore.httpsession import URLLib3Session

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_BUCKET = re.compile(r"(?P<bucket>.+)\.s3[.-]")
"""S3's virtual-hosted style; here the bucket goes back into the path."""


def initialize_client_plugin(client: Any) -> None:
    """Called by botocore for each new client."""
    if os.environ.get("AWS_ENDPOINT_URL") and _of_aws(client.meta.endpoint_url):
        # The client has chosen a proxy by AWS's address, and none leads back to this computer.
        direct = URLLib3Session(proxies={})
        client.meta.events.register_first("before-sign.*", redirect)
        client.meta.events.register_last("before-send.*", lambda request, **_: direct.send(request))


def redirect(request: Any, **_: Any) -> None:
    """Change the address of a request to AWS before it is signed."""
    url, ours = urlsplit(request.url), urlsplit(os.environ["AWS_ENDPOINT_URL"])
    if _of_aws(request.url):
        hosted = _BUCKET.match(url.hostname or "")
        path = f"/{hosted['bucket']}{url.path}" if hosted else url.path
        request.url = urlunsplit((ours.scheme, ours.netloc, path, url.query, ""))


def _of_aws(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith(_AWS)
