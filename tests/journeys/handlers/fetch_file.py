# mypy: ignore-errors
"""First function: a file in /tmp, read back; the base64 stays bytes."""

import base64

import boto3

s3 = boto3.client("s3")


def lambda_handler(event, context):
    key = event["s3_key"]
    bucket = event["s3_bucket"]
    s3.download_file(bucket, key, "/tmp/image.png")
    with open("/tmp/image.png", "rb") as f:  # noqa: PTH123 - as students write
        image_data = base64.b64encode(f.read())
    print("Event:", event.keys())  # noqa: T201
    return {
        "statusCode": 200,
        "body": {
            "image_data": image_data,
            "s3_bucket": bucket,
            "s3_key": key,
            "inferences": [],
        },
    }
