"""The whole cloud killed with SIGKILL at random moments while everything is at work, then up again.

Nobody lets go of anything: the same home, the same port, five times over.
"""

import contextlib
import io
import json
import os
import random
import signal
import socket
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

PROGRAMS = Path(__file__).parent / "programs"
CONTAINERS = {
    "image-classification": {
        "train": [sys.executable, str(PROGRAMS / "long_train.py")],
        "serve": [sys.executable, str(PROGRAMS / "red_serve.py")],
    }
}
IMAGE = "image-classification"
ROLE = "arn:aws:iam::000000000000:role/service-role/SconesRole"
ROUNDS = 5
HANDLER = """
import boto3

s3 = boto3.client("s3")


def handler(event, context):
    s3.put_object(Bucket="kept", Key=event["key"], Body=event["key"].encode())
    return event["key"]
"""
MACHINE = {
    "StartAt": "Write",
    "States": {
        "Write": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:000000000000:function:write",
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 5}],
            "End": True,
        }
    },
}
Step = Callable[[int], None]


@dataclass
class Account:
    """A cloud at work, and what it acknowledged so far."""

    cloud: Any
    objects: dict[str, bytes] = field(default_factory=dict)
    executions: set[str] = field(default_factory=set)
    jobs: set[str] = field(default_factory=set)
    events: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)

    def connect(self, cloud: Any) -> None:
        """Clients that wait for no dead server."""
        self.cloud = cloud
        patient = Config(connect_timeout=2, read_timeout=20)
        names = ("s3", "lambda", "logs", "sagemaker", "sagemaker-runtime", "stepfunctions")
        self.clients = {name: cloud.client(name, config=patient) for name in names}

    def put(self, number: int) -> None:
        key, body = f"put/{number}", f"{number} ".encode() * (1 + number % 5000)
        self.clients["s3"].put_object(Bucket="kept", Key=key, Body=body)
        self.objects[key] = body

    def put_parts(self, number: int) -> None:
        s3, key = self.clients["s3"], f"parts/{number}"
        place = {"Bucket": "kept", "Key": key}
        place["UploadId"] = s3.create_multipart_upload(**place)["UploadId"]
        bodies = [bytes([number % 256]) * 5 * 2**20, b"the end"]
        parts = [
            {"PartNumber": n, "ETag": s3.upload_part(**place, PartNumber=n, Body=body)["ETag"]}
            for n, body in enumerate(bodies, 1)
        ]
        s3.complete_multipart_upload(**place, MultipartUpload={"Parts": parts})
        self.objects[key] = b"".join(bodies)

    def invoke(self, number: int) -> None:
        key = f"invoked/{number}"
        self.clients["lambda"].invoke(FunctionName="write", Payload=json.dumps({"key": key}))
        self.objects[key] = key.encode()

    def ask(self, number: int) -> None:
        with contextlib.suppress(ClientError):  # it answers 400: no picture
            self.clients["sagemaker-runtime"].invoke_endpoint(
                EndpointName="kept", ContentType="image/png", Body=b"picture %d" % number
            )

    def execute(self, number: int) -> None:
        answer = self.clients["stepfunctions"].start_execution(
            stateMachineArn="arn:aws:states:us-east-1:000000000000:stateMachine:write",
            input=json.dumps({"key": f"executed/{number}"}),
        )
        self.executions.add(answer["executionArn"])

    def note(self, number: int) -> None:
        self.clients["logs"].put_log_events(
            logGroupName="kept", logStreamName="all",
            logEvents=[{"timestamp": int(time.time() * 1000), "message": f"note {number}"}],
        )  # fmt: skip
        self.events.append(f"note {number}")

    def learn(self, number: int) -> None:
        self.clients["sagemaker"].create_training_job(**training_job(f"job-{number}"))
        self.jobs.add(f"job-{number}")
        time.sleep(1)

    def create(self, number: int) -> None:
        create_function(self.clients["lambda"], f"extra-{number}", f"# {number}\n")
        self.functions.add(f"extra-{number}")
        time.sleep(0.1)


def create_function(lambda_: Any, name: str, source: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("writing.py", source)
    lambda_.create_function(
        FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="writing.handler",
        Code={"ZipFile": buffer.getvalue()}, Timeout=20,
    )  # fmt: skip


def training_job(name: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://kept/models/"},
        "ResourceConfig": {
            "InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }  # fmt: skip


def set_up(account: Account) -> None:
    clients = account.clients
    clients["s3"].create_bucket(Bucket="kept")
    create_function(clients["lambda"], "write", HANDLER)
    clients["stepfunctions"].create_state_machine(
        name="write", definition=json.dumps(MACHINE), roleArn=ROLE
    )
    clients["logs"].create_log_group(logGroupName="kept")
    clients["logs"].create_log_stream(logGroupName="kept", logStreamName="all")
    sagemaker = clients["sagemaker"]
    sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "AllTraffic", "ModelName": "m", "InitialInstanceCount": 1}
    capture = {
        "EnableCapture": True, "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://kept/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }  # fmt: skip
    sagemaker.create_endpoint_config(
        EndpointConfigName="c", DataCaptureConfig=capture,
        ProductionVariants=[{**variant, "InstanceType": "ml.m5.xlarge"}],
    )  # fmt: skip
    sagemaker.create_endpoint(EndpointName="kept", EndpointConfigName="c")
    wait_for(lambda: endpoint_status(account) == "InService", 30)


def endpoint_status(account: Account) -> str:
    described = account.clients["sagemaker"].describe_endpoint(EndpointName="kept")
    return str(described["EndpointStatus"])


def wait_for(what: Callable[[], bool], within_s: float) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, f"not within {within_s} s"
        time.sleep(0.05)


@contextlib.contextmanager
def everything_at_work(account: Account, first: int) -> Iterator[None]:
    """Threads that do one thing over and over, until the cloud is gone or nobody needs them."""
    enough = threading.Event()

    def go_on(step: Step) -> None:
        for number in range(first, first + 1_000_000):
            try:
                step(number)
            except (BotoCoreError, ClientError):
                return
            if enough.is_set():
                return

    steps = [
        account.put, account.put_parts, account.invoke, account.ask, account.execute, account.note,
        account.learn, account.create,
    ]  # fmt: skip
    threads = [threading.Thread(target=go_on, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join(30)


def processes_of(cloud: Any) -> dict[int, str]:
    """Living processes that know this home or address, as every child does: pid to command."""
    found, address = {}, f"AWS_ENDPOINT_URL={cloud.url}\0".encode()
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            command = (folder / "cmdline").read_bytes()
            around = (folder / "environ").read_bytes()
            if any(each in command + around for each in (os.fsencode(cloud.home), address)):
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def nothing_but(cloud: Any, known: set[int]) -> bool:
    return processes_of(cloud).keys() <= known


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def check_kept(account: Account) -> None:
    """Whatever was acknowledged is there, and nothing is half there."""
    s3 = account.clients["s3"]
    for key, body in account.objects.items():
        assert s3.get_object(Bucket="kept", Key=key)["Body"].read() == body, key
    names = {page["FunctionName"] for page in pages(account, "lambda", "list_functions")}
    assert account.functions <= names
    got = pages(account, "logs", "filter_log_events", logGroupName="kept")
    messages = [each["message"] for each in got]
    assert set(account.events) <= set(messages)
    assert len(messages) == len(set(messages))
    for job in account.jobs:
        told = account.clients["sagemaker"].describe_training_job(TrainingJobName=job)
        assert told["TrainingJobStatus"] == "Failed", told
        assert "the local cloud was stopped while" in told["FailureReason"]


def pages(account: Account, service: str, operation: str, **members: Any) -> list[dict[str, Any]]:
    paginator = account.clients[service].get_paginator(operation)
    key = {"list_functions": "Functions", "filter_log_events": "events"}[operation]
    return [each for page in paginator.paginate(**members) for each in page[key]]


def ended_well(account: Account, execution: str) -> bool:
    machines = account.clients["stepfunctions"]
    status = machines.describe_execution(executionArn=execution)["status"]
    assert status in ("RUNNING", "SUCCEEDED"), (execution, status)
    return bool(status == "SUCCEEDED")


def test_whatever_was_acknowledged_outlives_a_kill(start_cloud: Any) -> None:
    chance = random.Random(2026)
    arguments = ("--port", str(free_port()), "--capture-window-s", "1")
    cloud = start_cloud(containers=CONTAINERS, arguments=arguments)
    account = Account(cloud)
    account.connect(cloud)
    set_up(account)
    swept: set[int] = set()
    for round_ in range(ROUNDS):
        with everything_at_work(account, round_ * 1_000_000):
            time.sleep(chance.uniform(0.5, 4))
            account.cloud.kill()
        # What a child started itself is not tethered to us: the next cloud sweeps it away.
        helpers = {pid for pid, said in processes_of(cloud).items() if "sleep(3600)" in said}
        wait_for(partial(nothing_but, cloud, helpers), 5)

        began_at = time.monotonic()
        account.connect(start_cloud(cloud.home, CONTAINERS, arguments))
        assert time.monotonic() - began_at < 10
        assert not helpers & processes_of(cloud).keys()
        swept |= helpers
        wait_for(lambda: endpoint_status(account) == "InService", 30)
        check_kept(account)
        for execution in account.executions:
            wait_for(partial(ended_well, account, execution), 60)

    assert all([account.objects, account.executions, account.jobs, account.events, swept])
    account.cloud.process.send_signal(signal.SIGTERM)
    account.cloud.process.wait(30)
    wait_for(partial(nothing_but, cloud, set()), 5)
    assert list((cloud.home / "processes").iterdir()) == []
    assert not (cloud.home / "server.json").exists()


def test_a_killed_cloud_is_told_from_a_running_one(start_cloud: Any) -> None:
    port = str(free_port())
    first = start_cloud(arguments=("--port", port))
    first.kill()
    second = start_cloud(first.home, arguments=("--port", port))
    assert json.loads((first.home / "server.json").read_text())["pid"] == second.process.pid
