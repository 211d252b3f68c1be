"""Holds a body against the checksums a client sent with it, as S3 words the refusals."""

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from scones.local.crc import CRC32C, CRC64NVME, Crc
from scones.local.errors import ServiceError


class Digest(Protocol):
    """What hashlib's objects can do."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._register = 0

    def update(self, data: bytes, /) -> None:
        self._register = zlib.crc32(data, self._register)

    def digest(self) -> bytes:
        return self._register.to_bytes(4, "big")


def _md5() -> Digest:
    return hashlib.md5(usedforsecurity=False)


ALGORITHMS: dict[str, tuple[int, Callable[[], Digest]]] = {
    "CRC32": (4, _Crc32),
    "CRC32C": (4, lambda: Crc(CRC32C)),
    "CRC64NVME": (8, lambda: Crc(CRC64NVME)),
    "SHA1": (20, lambda: hashlib.sha1(usedforsecurity=False)),
    "SHA256": (32, hashlib.sha256),
    "SHA512": (64, hashlib.sha512),
    "MD5": (16, _md5),
}
"""AWS's name of each algorithm carried: how many bytes it gives, and what computes it.

Nothing in Python's library computes the rest of those that S3 knows.
"""
NOT_CARRIED = ("XXHASH64", "XXHASH3", "XXHASH128")


class Checks:
    """What a body must add up to. Feed it with `update`; `finish` refuses or gives the sums."""

    def __init__(
        self,
        expected: Mapping[str, str | None],
        content_md5: str | None = None,
        computed: Iterable[str] = (),
    ) -> None:
        """`expected` is base64 text by algorithm, None where the client sent none.

        `computed` are further algorithms to compute. Raises ServiceError InvalidDigest or
        InvalidRequest if a value could not be right for any body.
        """
        self._expected = {name: text for name, text in expected.items() if text is not None}
        self._content_md5 = content_md5
        self._check_form()
        self._md5 = _md5()
        self._digests = {name: ALGORITHMS[name][1]() for name in {*self._expected, *computed}}

    def update(self, data: bytes) -> None:
        self._md5.update(data)
        for digest in self._digests.values():
            digest.update(data)

    def finish(self) -> tuple[bytes, dict[str, str]]:
        """The MD5, and base64 text by algorithm; ServiceError BadDigest if the body is another."""
        md5 = self._md5.digest()
        if self._content_md5 is not None and self._content_md5 != encode(md5):
            raise ServiceError(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received.",
                ExpectedDigest=self._content_md5,
                CalculatedDigest=encode(md5),
            )
        sums = {name: encode(digest.digest()) for name, digest in self._digests.items()}
        for name, text in self._expected.items():
            check_equal(name, text, sums[name])
        return md5, sums

    def _check_form(self) -> None:
        if self._content_md5 is not None and _decoded_size(self._content_md5) != 16:
            raise ServiceError("InvalidDigest", "The Content-MD5 you specified is not valid.")
        if len(self._expected) > 1:
            raise ServiceError(
                "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                "allowed.",
            )
        for name, text in self._expected.items():
            if _decoded_size(text) != ALGORITHMS[name][0]:
                raise ServiceError(
                    "InvalidRequest", f"Value for x-amz-checksum-{name.lower()} header is invalid."
                )


def check_document(headers: Mapping[str, str], body: bytes) -> None:
    """ServiceError BadDigest unless a request's body is what its headers say of it.

    `headers` are by name in lower case. A checksum that cannot be computed here is NotImplemented.
    """
    for name in NOT_CARRIED:
        if f"x-amz-checksum-{name.lower()}" in headers:
            raise ServiceError("NotImplemented", f"The checksum {name} is not carried here", 501)
    expected = {name: headers.get(f"x-amz-checksum-{name.lower()}") for name in ALGORITHMS}
    checks = Checks(expected, headers.get("content-md5"))
    checks.update(body)
    checks.finish()


def check_equal(name: str, expected: str, computed: str) -> None:
    """ServiceError BadDigest unless a client's checksum is the one computed."""
    if expected != computed:
        raise ServiceError(
            "BadDigest", f"The {name} you specified did not match the calculated checksum."
        )


def checksum(name: str, data: bytes) -> str:
    """Base64 text of one checksum of `data`."""
    digest = ALGORITHMS[name][1]()
    digest.update(data)
    return encode(digest.digest())


def encode(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _decoded_size(text: str) -> int:
    """Bytes that base64 text stands for; -1 if it is not base64."""
    try:
        return len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return -1
