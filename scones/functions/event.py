"""What passes between the functions: one picture, by content or by key, and what is thought of it.

Fields are the course's: `image_data` (base64 text), `s3_bucket`, `s3_key`, `inferences` (one
probability a class). Ours beside them: `inference_id` (the execution's name, by which a captured
record finds its execution again), and at the end `class` and `confidence`.
"""

import base64
import binascii
from typing import Any

Event = dict[str, Any]

STATE_BYTES = 256 * 1024
"""What a state's input or output may weigh: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
HEADROOM_BYTES = 16 * 1024
"""Left for the other fields and for what lambda:invoke puts around a function's answer."""


def field(event: Event, name: str) -> str:
    """A field that must be there, as text that is not empty."""
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"event needs {name} (text that is not empty), got {value!r}")
    return value


def fits_in_a_state(size_bytes: int) -> bool:
    """Whether a picture of this size, as base64 in an event, stays within a state's quota."""
    return (size_bytes + 2) // 3 * 4 <= STATE_BYTES - HEADROOM_BYTES


def encode(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")


def decode(image_data: str) -> bytes:
    try:
        return base64.b64decode(image_data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"image_data is not base64: {error}") from error
