# mypy: ignore-errors
"""Second function: what is in the event's body, asked of `sagemaker-runtime`; body as an object."""

import base64
import json

import boto3

ENDPOINT = "course"
runtime = boto3.client("sagemaker-runtime")


def lambda_handler(event, context):
    image = base64.b64decode(event["body"]["image_data"])
    response = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="image/png", Body=image)
    event["body"]["inferences"] = json.loads(response["Body"].read().decode("utf-8"))
    return {"statusCode": 200, "body": event["body"]}
