"""Which bucket and key names S3 admits, and names after them in its order."""

import re

from scones.local.errors import ServiceError

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")

MAX_KEY_BYTES = 1024


def check_bucket_name(bucket: str) -> None:
    """ServiceError InvalidBucketName unless a new bucket may have this name.

    Rules: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    """
    if (
        not _BUCKET.fullmatch(bucket)
        or ".." in bucket
        or _ADDRESS.fullmatch(bucket)
        or bucket.startswith(_RESERVED_STARTS)
        or bucket.endswith(_RESERVED_ENDS)
    ):
        raise ServiceError(
            "InvalidBucketName", "The specified bucket is not valid.", BucketName=bucket
        )


def check_key(key: str) -> None:
    """ServiceError KeyTooLongError or InvalidURI unless an object may have this key."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise ServiceError("InvalidURI", "Couldn't parse the specified URI.") from None
    if size > MAX_KEY_BYTES:
        raise ServiceError(
            "KeyTooLongError", "Your key is too long", Size=size, MaxSizeAllowed=MAX_KEY_BYTES
        )


def end_of(prefix: str) -> str | None:
    """The first name after all that start with `prefix`; None if there is none.

    S3 sorts by UTF-8 bytes, which is the order of code points.
    """
    while prefix:
        last = ord(prefix[-1]) + 1
        if last <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD800 else last)
        prefix = prefix[:-1]
    return None
