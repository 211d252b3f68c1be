"""Who asks a container on a computer's own port: programs are answered, web pages are not."""

from collections.abc import Iterable

BROWSERS_OWN = frozenset({b"origin", b"sec-fetch-site"})
"""Headers that every browser adds and no page can leave out, one or the other
[W3C, Fetch Metadata Request Headers; WHATWG, Fetch]. SageMaker passes neither on."""


def from_page(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a page in a browser sent it: any page may post to any loopback port."""
    return any(name.lower() in BROWSERS_OWN for name, _ in headers)
