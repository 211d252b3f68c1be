"""Who may ask: programs with AWS credentials on this computer, never a web page.

Signatures are not verified: whoever can reach a loopback port could read the keys as well. What is
refused is what a browser can be made to send by a page from elsewhere: requests without an
Authorization header or a presigned query, with a foreign Origin, from a foreign page's link or
image (it could make up a presigned query, and browsers send no Origin with those), or with a Host
that is not this computer (DNS rebinding).
"""

import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from scones.local.errors import ServiceError
from scones.local.protocol.messages import Request

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^:\[\]/@?#]+)(:[0-9]{1,5})?")
_CREDENTIAL = re.compile(r"Credential=[^/,\s]+(?:/[^/,\s]+)*?/\d{8}/(?:[^/,\s]+/)?([^/,\s]+)/aws4_")


class Admission:
    """Decides whether a request may pass, and which service it was signed for."""

    def __init__(self, clock: Callable[[], float], exposed_as: str | None = None) -> None:
        """`exposed_as`: the host name given for listening beyond loopback, None for loopback only.

        Exposed, any IP address is a good Host as well: a page can rebind a name, not an address.
        """
        self._clock = clock
        self._exposed_as = exposed_as
        self._host_is_ours = lru_cache(maxsize=256)(self._judge_host)

    def refuse_strangers(self, headers: dict[str, str]) -> None:
        """Check Host, Origin and Sec-Fetch-Site."""
        host = headers.get("host", "")
        if not self._host_is_ours(host):
            raise ServiceError("AccessDenied", f"Host {host!r} is not this computer", 403)
        origin = headers.get("origin")
        if origin is not None and not _origin_is_loopback(origin):
            raise ServiceError("AccessDenied", f"Origin {origin!r} is not this computer", 403)
        # Browsers tell loopback servers where a request comes from: W3C, Fetch Metadata Request
        # Headers. To them, a notebook on localhost is another site than 127.0.0.1.
        if headers.get("sec-fetch-site") == "cross-site":
            page = headers.get("referer", "")
            if not _origin_is_loopback("/".join(page.split("/", 3)[:3])):
                raise ServiceError("AccessDenied", f"Page {page!r} is not this computer's", 403)

    def signed_for(self, request: Request) -> str:
        """The signing name in the credential scope: "s3", "states", ..."""
        authorization = request.headers.get("authorization", "")
        if authorization.startswith("AWS4-"):
            match = _CREDENTIAL.search(authorization)
            if match is not None:
                return match[1]
        if "X-Amz-Credential" in request.query:
            return self._presigned_for(request)
        if authorization.startswith("AWS ") or "AWSAccessKeyId" in request.query:
            self._refuse_expired(float(_number(request, "Expires", "inf")))
            return "s3"  # signature version 2: S3 is the last service that clients sign with it for
        raise ServiceError("MissingAuthenticationToken", "Missing Authentication Token", 403)

    def _presigned_for(self, request: Request) -> str:
        match = _CREDENTIAL.search("Credential=" + request.query["X-Amz-Credential"][0])
        if match is None:
            raise ServiceError("AuthorizationQueryParametersError", "X-Amz-Credential is wrong")
        try:
            text = request.query["X-Amz-Date"][0]
            signed = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except (KeyError, ValueError) as error:
            message = "X-Amz-Date must be in the ISO8601 Long Format yyyyMMdd'T'HHmmss'Z'"
            raise ServiceError("AuthorizationQueryParametersError", message) from error
        self._refuse_expired(signed.timestamp() + _number(request, "X-Amz-Expires", "604800"))
        return match[1]

    def _refuse_expired(self, expires: float) -> None:
        if not self._clock() <= expires:  # not a number, too
            raise ServiceError("AccessDenied", "Request has expired", 403)

    def _judge_host(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower()
        if self._exposed_as is not None and (name == self._exposed_as or _address(name)):
            return True
        return _is_loopback(name)


def _number(request: Request, name: str, otherwise: str) -> float:
    try:
        return float(request.query.get(name, [otherwise])[0])
    except ValueError as error:
        message = f"{name} must be a number"
        raise ServiceError("AuthorizationQueryParametersError", message) from error


@lru_cache(maxsize=256)
def _origin_is_loopback(origin: str) -> bool:
    scheme, _, host = origin.partition("://")
    match = _HOST.fullmatch(host)
    return scheme in ("http", "https") and match is not None and _is_loopback(match["name"].lower())


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
