"""Refusals of Step Functions in AWS's words, and what names and ARNs must look like."""

import re
from typing import NamedTuple

from scones.local.errors import ServiceError

_NAME = re.compile(r"[^\s<>{}\[\]?*\"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}")
"""https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html"""
_ARN = re.compile(r"arn:[\w-]+:states:[\w-]+:\d{12}:(?P<kind>\w+):(?P<rest>.+)")


class Arn(NamedTuple):
    """An ARN of Step Functions, taken apart."""

    text: str
    kind: str
    """"stateMachine", "execution", "express", "mapRun"."""
    rest: str


def arn(text: str, *kinds: str) -> Arn:
    """Read an ARN of one of `kinds`; ServiceError InvalidArn."""
    if not text.startswith("arn:"):
        raise ServiceError("InvalidArn", f"Invalid Arn: 'Invalid ARN prefix: {text}'")
    found = _ARN.fullmatch(text)
    if not found:
        raise ServiceError("InvalidArn", f"Invalid Arn: 'Invalid arn: {text}'")
    if kinds and found["kind"] not in kinds:
        message = f"Invalid Arn: 'Resource type not valid in this context: {found['kind']}'"
        raise ServiceError("InvalidArn", message)
    return Arn(text, found["kind"], found["rest"])


def check_name(name: str) -> None:
    """ServiceError InvalidName."""
    if not _NAME.fullmatch(name):
        raise ServiceError("InvalidName", f"Invalid Name: '{name}'")


def no_machine(text: str) -> ServiceError:
    """There is no such state machine."""
    return ServiceError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{text}'")


def no_execution(text: str) -> ServiceError:
    """There is no such execution."""
    return ServiceError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{text}'")


def no_resource(text: str) -> ServiceError:
    """There is no such thing to tag, describe or delete."""
    return ServiceError(
        "ResourceNotFound", f"Resource not found: '{text}'", resourceName=text
    )  # fmt: skip


def bad_token(token: str) -> ServiceError:
    """A page token that we did not give."""
    return ServiceError("InvalidToken", f"Invalid Token: '{token}'")
