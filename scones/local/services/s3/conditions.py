"""When a request goes ahead: If-Match and its like, for reading, for copying and for writing."""

from datetime import UTC, datetime

from scones.local.errors import ServiceError
from scones.local.services.s3.entry import Entry
from scones.local.services.s3.refusals import no_such_key, precondition_failed


def check_read(
    entry: Entry,
    match: str | None,
    none_match: str | None,
    modified_since: datetime | None,
    unmodified_since: datetime | None,
) -> None:
    """ServiceError PreconditionFailed, or 304 if the reader has the object already.

    An ETag's word counts before a date's: RFC 9110, section 13.2.2.
    """
    if match is not None:
        if not _names(match, entry.etag):
            raise precondition_failed("If-Match")
    elif unmodified_since is not None and entry.modified_at > _seconds(unmodified_since):
        raise precondition_failed("If-Unmodified-Since")
    if none_match is not None:
        if _names(none_match, entry.etag):
            raise _not_modified(entry)
    elif modified_since is not None and entry.modified_at <= _seconds(modified_since):
        raise _not_modified(entry)


def check_copy(
    source: Entry,
    match: str | None,
    none_match: str | None,
    modified_since: datetime | None,
    unmodified_since: datetime | None,
) -> None:
    """ServiceError PreconditionFailed: a copy has no 304."""
    try:
        check_read(source, match, none_match, modified_since, unmodified_since)
    except ServiceError as error:
        if error.status == 304:
            name = "If-None-Match" if none_match is not None else "If-Modified-Since"
            raise precondition_failed(f"x-amz-copy-source-{name}") from None
        raise


def check_write(key: str, present: str | None, match: str | None, none_match: str | None) -> None:
    """ServiceError unless what is there is what the writer thinks; `present` is its ETag."""
    if none_match is not None:
        if none_match != "*":
            raise ServiceError(
                "NotImplemented",
                "A header you provided implies functionality that is not implemented",
                501,
                Header="If-None-Match",
            )
        if present is not None:
            raise precondition_failed("If-None-Match")
    if match is not None:
        if present is None:
            raise no_such_key(key)
        if not _names(match, present):
            raise precondition_failed("If-Match")


def _names(condition: str, etag: str) -> bool:
    """Whether a header's list of ETags, or its "*", has this one; quotes may be missing."""
    names = [each.strip().removeprefix("W/").strip('"') for each in condition.split(",")]
    return "*" in names or etag in names


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _not_modified(entry: Entry) -> ServiceError:
    return ServiceError("304", "Not Modified", 304, ETag=entry.quoted_etag)
