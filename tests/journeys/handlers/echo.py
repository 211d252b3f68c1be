# mypy: ignore-errors
"""Answers what it got, and which of its names was called."""


def lambda_handler(event, context):
    return {"got": event, "arn": context.invoked_function_arn}
