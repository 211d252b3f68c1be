"""serializeImageData: a picture's key becomes the picture itself, as base64 in the event."""

from typing import Any

import boto3

from scones.functions.event import Event, encode, field, fits_in_a_state

S3 = boto3.client("s3")


def handler(event: Event, context: Any) -> Event:
    """serializeImageData."""
    return serialize(event, S3)


def serialize(event: Event, s3: Any) -> Event:
    """Read `s3_key` of `s3_bucket` into `image_data`; nothing is written to /tmp.

    A picture too large for a state stays where it is: `image_data` is absent from the answer, and
    the next function reads it by its key.
    """
    answer = s3.get_object(Bucket=field(event, "s3_bucket"), Key=field(event, "s3_key"))
    rest = {name: value for name, value in event.items() if name != "image_data"}
    with answer["Body"] as body:
        if fits_in_a_state(answer["ContentLength"]):
            rest["image_data"] = encode(body.read())
    return {**rest, "inferences": []}
