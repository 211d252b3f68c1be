"""RFC 3339 timestamps, as strict as Step Functions is: a T, and a zone."""

import re
from datetime import UTC, datetime, timedelta, timezone

_PATTERN = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:(Z)|([+-])(\d\d):(\d\d))"
)


def parse(text: str) -> float | None:
    """Seconds since 1970, or None for what is no timestamp with a zone."""
    found = _PATTERN.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0),
            tzinfo=timezone(-offset if sign == "-" else offset),
        )  # fmt: skip
    except ValueError:
        return None
    return moment.timestamp() + float(f"0.{fraction or 0}")


def render(seconds: float) -> str:
    """Milliseconds and Z, as the context object shows times: "2026-11-20T10:00:00.123Z"."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
