"""Settings to boto3 clients: the only place that decides AWS or the cloud on this computer."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session

from scones.settings import Settings

LOCAL_CREDENTIALS = {"aws_access_key_id": "scones", "aws_secret_access_key": "scones"}
LOCAL_REGION = "us-east-1"
LOCAL_ROLE = "arn:aws:iam::{account}:role/service-role/SconesRole"

CloudError = (BotoCoreError, ClientError)
"""What a boto3 call raises: it could not be made, or was answered with an error."""


@dataclass(frozen=True)
class Clients:
    """One boto3 client a service, and the few facts that differ from place to place."""

    settings: Settings
    region: str
    account: str
    bucket: str
    role: str
    poll_s: float
    """How long to wait before asking again how a job, endpoint or execution is doing."""
    s3: Any
    sagemaker: Any
    functions: Any
    machines: Any
    logs: Any
    other: Callable[[str], Any]
    """A client of a service that few verbs need, by boto3's name for it; each call makes one."""
    flush: Callable[[], bool]
    """Have captured records written to S3 at once; False where only waiting helps (on AWS)."""
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @property
    def tags(self) -> dict[str, str]:
        """What marks as ours everything that we make."""
        return {"scones:project": self.settings.project}


def connect(settings: Settings) -> Clients:
    """Clients for the place that `settings` name; asks STS who we are there."""
    session = _session(settings)
    region = session.region_name
    if region is None:
        raise ValueError("region is not set; give --region, or set AWS_DEFAULT_REGION")
    config = _config(settings)

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=settings.endpoint_url, config=config)

    account = client("sts").get_caller_identity()["Account"]
    return Clients(
        settings=settings,
        region=region,
        account=account,
        bucket=settings.bucket or f"scones-{region}-{account}",
        role=settings.role or LOCAL_ROLE.format(account=account),
        poll_s=0.1 if settings.local else 5.0,
        s3=client("s3"),
        sagemaker=client("sagemaker"),
        functions=client("lambda"),
        machines=client("stepfunctions"),
        logs=client("logs"),
        other=client,
        flush=lambda: settings.local and flush_captures(settings, session),
    )


def flush_captures(settings: Settings, session: Any) -> bool:
    """Ask the local cloud to write what its endpoints captured so far."""
    request = AWSRequest("POST", f"{settings.endpoint_url}/_scones/flush", data=b"")
    SigV4Auth(session.get_credentials(), "scones", session.region_name).add_auth(request)
    response = URLLib3Session(timeout=60).send(request.prepare())
    if response.status_code != 200:
        raise RuntimeError(f"flush answered {response.status_code}: {response.text[:200]}")
    return True


def _session(settings: Settings) -> Any:
    if settings.local:
        region = settings.region or LOCAL_REGION
        return boto3.Session(region_name=region, **LOCAL_CREDENTIALS)
    # boto3 itself reads AWS_DEFAULT_REGION and the profile, but not Lambda's AWS_REGION.
    return boto3.Session(region_name=settings.region or os.environ.get("AWS_REGION"))


def _config(settings: Settings) -> Config:
    """A laptop answers at once or not at all; AWS may throttle, so it is asked more often."""
    return Config(
        connect_timeout=3 if settings.local else 10,
        read_timeout=120,
        retries={"mode": "standard", "total_max_attempts": 2 if settings.local else 6},
        max_pool_connections=settings.parallel + 2,
    )
