# mypy: ignore-errors
"""Takes as many seconds as it is told."""

import time


def lambda_handler(event, context):
    time.sleep(event["seconds"])
    return "slept"
