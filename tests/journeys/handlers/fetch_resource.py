# mypy: ignore-errors
"""First function, by the resource API and a layer's module; the answer is the event itself."""

import base64

import boto3
from course_layer import TEMPORARY


def lambda_handler(event, context):
    boto3.resource("s3").Bucket(event["s3_bucket"]).download_file(event["s3_key"], TEMPORARY)
    with open(TEMPORARY, "rb") as f:  # noqa: PTH123
        event["image_data"] = base64.b64encode(f.read())
    event["inferences"] = []
    return event
