# mypy: ignore-errors
"""Third function: a flat event, inferences as text; it raises a text, which is a TypeError."""

import json

THRESHOLD = 0.8


def lambda_handler(event, context):
    inferences = json.loads(event["inferences"])
    meets_threshold = any(each >= THRESHOLD for each in inferences)
    if meets_threshold:
        pass
    else:
        raise ("THRESHOLD_CONFIDENCE_NOT_MET")  # noqa: B016
    return {"statusCode": 200, "body": json.dumps(event)}
