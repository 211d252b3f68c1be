"""An empty AWS account, which moto plays, and our clients of it."""

import json
from collections.abc import Iterator
from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from scones.clients import Clients, connect
from scones.settings import Settings

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {
                "Service": [
                    "lambda.amazonaws.com",
                    "sagemaker.amazonaws.com",
                    "states.amazonaws.com",
                ]
            },
        }
    ],
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty account; answers a role's ARN."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws(config={"lambda": {"use_docker": False}}):
        role = boto3.client("iam").create_role(
            RoleName="Scones", AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        yield role["Role"]["Arn"]


@pytest.fixture
def clients(account: str) -> Clients:
    settings = Settings(target="aws", role=account, parallel=2)
    return replace(connect(settings), poll_s=0.01)
