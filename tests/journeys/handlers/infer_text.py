# mypy: ignore-errors
"""Second function: a flat event, asked of `runtime.sagemaker`; body as JSON text."""

import base64
import json

import boto3

ENDPOINT = "course"
runtime = boto3.client("runtime.sagemaker")


def lambda_handler(event, context):
    image = base64.b64decode(event["image_data"])
    response = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="image/png", Body=image)
    event["inferences"] = response["Body"].read().decode("utf-8")
    return {"statusCode": 200, "body": json.dumps(event)}
