"""Where a function's or a layer's zip can be had: an address that is good for ten minutes."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from scones.local.errors import ServiceError
from scones.local.functions.packages import Packages
from scones.local.protocol.messages import Request, Response
from scones.local.services.lambda_.ledger import Ledger

PATH = "/_scones/code"
GOOD_FOR_S = 600
"""https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html"""


def location(ledger: Ledger, sha256: str) -> str:
    """The address, presigned as one of S3 is: whoever has it needs no credentials.

    Signatures are not verified here, and this one is none.
    """
    now = datetime.fromtimestamp(ledger.clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
    query = {
        "package": sha256,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"scones/{now[:8]}/{ledger.identity.region}/lambda/aws4_request",
        "X-Amz-Date": now,
        "X-Amz-Expires": GOOD_FOR_S,
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": "0" * 64,
    }
    return f"{ledger.identity.endpoint_url}{PATH}?{urlencode(query)}"


def located(ledger: Ledger, described: dict[str, Any]) -> dict[str, Any]:
    """A layer's version as it is kept, with the address of its content."""
    content = described["Content"]
    return described | {"Content": content | {"Location": location(ledger, content["CodeSha256"])}}


def page(packages: Packages) -> Callable[[Request], Awaitable[Response]]:
    """GET: the zip, as it was sent."""

    async def code(request: Request) -> Response:
        sha256 = request.query.get("package", [""])[0]
        try:
            file = packages.zip_file(sha256).open("rb")
        except (ValueError, OSError) as error:
            raise ServiceError("NoSuchKey", f"There is no package {sha256!r}", 404) from error
        return Response(200, {"content-type": "application/zip"}, file)

    return code
