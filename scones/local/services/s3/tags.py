"""Tags of buckets and objects: how many there may be, how they are kept and given back."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from scones.local.errors import ServiceError


def bucket_tags(tag_set: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return _checked([(tag["Key"], tag["Value"]) for tag in tag_set], "Bucket", limit=50)


def object_tags(tag_set: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return _checked([(tag["Key"], tag["Value"]) for tag in tag_set], "Object", limit=10)


def header_tags(header: str | None) -> dict[str, str]:
    """Object tags as PutObject takes them: the text of a query string."""
    pairs = parse_qsl(header, keep_blank_values=True) if header else []
    return _checked(pairs, "Object", limit=10)


def kept(tags: Mapping[str, str]) -> str:
    return json.dumps(tags)


def tag_set(text: str) -> list[dict[str, str]]:
    """The TagSet of tags as they are kept."""
    tags: dict[str, Any] = json.loads(text)
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _checked(pairs: list[tuple[str, str]], what: str, limit: int) -> dict[str, str]:
    """ServiceError unless they are within S3's limits.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    """
    if len(pairs) > limit:
        raise ServiceError("BadRequest", f"{what} tags cannot be greater than {limit}")
    for key, value in pairs:
        if not 1 <= len(key) <= 128:
            raise ServiceError("InvalidTag", "The TagKey you have provided is invalid")
        if len(value) > 256:
            raise ServiceError("InvalidTag", "The TagValue you have provided is invalid")
    tags = dict(pairs)
    if len(tags) < len(pairs):
        raise ServiceError("InvalidTag", "Cannot provide multiple Tags with the same key")
    return tags
