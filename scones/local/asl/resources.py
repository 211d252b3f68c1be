"""The Resource of a Task, taken apart."""

import re
from typing import NamedTuple

_INTEGRATION = re.compile(
    r"arn:[\w-]+:states:[\w-]*:\d*:(?P<service>aws-sdk:[\w-]+|[\w-]+):(?P<action>\w+)"
    r"(?:\.(?P<pattern>sync:2|sync|waitForTaskToken))?"
)
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[\w-]*:[\w-]*:function:[\w.$:-]+")
_ACTIVITY = re.compile(r"arn:[\w-]+:states:[\w-]+:\d+:activity:.+")


class Resource(NamedTuple):
    """What a Task runs; see `ports.Call` for the members."""

    service: str
    action: str
    pattern: str


def parse(text: str) -> Resource | None:
    """None for what is no resource that Step Functions knows the shape of."""
    if _FUNCTION.fullmatch(text):
        return Resource("function", text, "")
    if _ACTIVITY.fullmatch(text):
        return Resource("activity", text, "")
    found = _INTEGRATION.fullmatch(text)
    if not found:
        return None
    return Resource(found["service"], found["action"], found["pattern"] or "")
