# mypy: ignore-errors
"""Third function: a body that may be text or object; an Exception with the threshold's name."""

import json

THRESHOLD = 0.93


def lambda_handler(event, context):
    body = event["body"]
    if isinstance(body, str):
        body = json.loads(body)
    if max(body["inferences"]) > THRESHOLD:
        return {"statusCode": 200, "body": body}
    raise Exception("THRESHOLD_CONFIDENCE_NOT_MET")
