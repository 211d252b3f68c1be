"""imageClassification: the picture goes to the endpoint, one probability a class comes back."""

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError

from scones.functions.event import Event, decode, field

RUNTIME = boto3.client("sagemaker-runtime")

THROTTLES = {"ThrottlingException", "Throttling", "TooManyRequestsException"}


class EndpointThrottled(Exception):  # noqa: N818 - the name that the machine's Retry waits for
    """The endpoint is there but takes no more requests now: worth another try."""


def handler(event: Event, context: Any) -> Event:
    """imageClassification, by the endpoint ENDPOINT_NAME."""
    return classify(event, os.environ["ENDPOINT_NAME"], RUNTIME, _s3)


def classify(event: Event, endpoint: str, runtime: Any, s3: Callable[[], Any]) -> Event:
    """Ask about `image_data`, or about the picture at `s3_key` where that is absent.

    Raises EndpointThrottled where waiting helps, and boto3's own errors where it does not.
    """
    picture = _picture(event, s3)
    named = {"InferenceId": event["inference_id"]} if event.get("inference_id") else {}
    try:
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType=content_type(picture), Body=picture, **named
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in THROTTLES:
            raise EndpointThrottled(str(error)) from error
        raise
    return {**event, "inferences": [float(each) for each in json.load(answer["Body"])]}


def _picture(event: Event, s3: Callable[[], Any]) -> bytes:
    if event.get("image_data"):
        return decode(event["image_data"])
    answer = s3().get_object(Bucket=field(event, "s3_bucket"), Key=field(event, "s3_key"))
    with answer["Body"] as body:
        picture: bytes = body.read()
    return picture


@cache
def _s3() -> Any:
    """Made when the first large picture comes: it is slow to make, and few workers need it."""
    return boto3.client("s3")


def content_type(picture: bytes) -> str:
    """By the first bytes, as the file name may lie; `application/x-image` lets the model decide."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    return "application/x-image"
