"""InvokeEndpoint with a PNG against the same model behind the bare child's own port.

The client writes ready-made requests to a socket and reads whole answers, so that what is compared
is the servers. The model is the product's own, fitted for one epoch to drawn pictures.
"""

import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import numpy as np
from PIL import Image

from bench.peers import free_port, wait_until_ready
from bench.table import alternate, say, show
from scones.images.sample import KINDS, draw
from scones.local import control

SECONDS = 2.0
"""Of each measurement."""
CONNECTIONS = (1, 4)
PICTURES = 20
"""A class."""
CONTAINER = {
    "image-classification": {
        "train": [sys.executable, "-m", "scones.container.job"],
        "serve": [sys.executable, "-m", "scones.container.endpoint"],
    }
}
ROLE = "arn:aws:iam::000000000000:role/Bench"
SIGNATURE = "AWS4-HMAC-SHA256 Credential=b/20260101/us-east-1/sagemaker/aws4_request, Signature=0"


def main() -> None:
    """Print requests a second with one and with several connections."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        arguments = ["--port", "0", "--containers", json.dumps(CONTAINER)]
        url = control.start(home, arguments=arguments).url
        try:
            _bench(url, Path(folder, "bare"))
        finally:
            control.stop(home)


def _bench(url: str, bare: Path) -> None:
    clients = {
        name: boto3.client(
            name, endpoint_url=url, region_name="us-east-1",
            aws_access_key_id="bench", aws_secret_access_key="bench",
        )
        for name in ("s3", "sagemaker")
    }  # fmt: skip
    pictures = _pictures()
    model = _train(clients, pictures)
    for captured in (False, True):
        _serve(clients["sagemaker"], model, captured)
    port = free_port()
    _unpack(clients["s3"], model, bare / "model")
    surroundings = {"SAGEMAKER_BASE_DIR": str(bare), "SAGEMAKER_BIND_TO_PORT": str(port)}
    child = subprocess.Popen(
        CONTAINER["image-classification"]["serve"], env=os.environ | surroundings
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}/ping")
        _compare(urlsplit(url).netloc, f"127.0.0.1:{port}", pictures["train/0.png"])
    finally:
        child.terminate()
        child.wait(10)


def _compare(cloud: str, bare: str, picture: bytes) -> None:
    ways = {
        "the bare child's port": (bare, "/invocations"),
        "InvokeEndpoint": (cloud, "/endpoints/plain/invocations"),
        "InvokeEndpoint, captured": (cloud, "/endpoints/captured/invocations"),
    }
    say(f"\none picture: {len(picture)} bytes of PNG")
    for connections in CONNECTIONS:
        contestants = {
            name: lambda host=host, path=path, n=connections: _rate(host, path, picture, n)
            for name, (host, path) in ways.items()
        }
        title = f"InvokeEndpoint, {connections} connection{'s' if connections > 1 else ''}"
        show(title, "requests/s", alternate(contestants), beside="the bare child's port")


def _rate(host: str, path: str, picture: bytes, connections: int) -> float:
    counts = [0] * connections
    over = time.perf_counter() + SECONDS
    threads = [
        threading.Thread(target=_ask, args=(host, path, picture, over, counts, number))
        for number in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def _ask(host: str, path: str, picture: bytes, over: float, counts: list[int], number: int) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {SIGNATURE}\r\n"
        f"Content-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    )
    request = head.encode() + picture
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.perf_counter() < over:
            connection.sendall(request)
            answer = connection.recv(65536)
            while not answer.endswith(b"]"):
                piece = connection.recv(65536)
                assert piece, f"{path} answered {answer!r}"
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200"), f"{path} answered {answer!r}"
            counts[number] += 1


def _pictures() -> dict[str, bytes]:
    """Key to content: drawn pictures of two classes, and their list."""
    rng = np.random.default_rng(0)
    staged, rows = {}, []
    for index in range(2 * PICTURES):
        png = BytesIO()
        Image.fromarray(draw(rng, KINDS[index % 2])).save(png, "png")
        staged[f"train/{index}.png"] = png.getvalue()
        rows.append(f"{index}\t{index % 2}\t{index}.png\n")
    return {**staged, "train.lst": "".join(rows).encode()}


def _train(clients: dict[str, Any], pictures: dict[str, bytes]) -> str:
    """Train for an epoch; where the model is."""
    clients["s3"].create_bucket(Bucket="bench")
    for key, content in pictures.items():
        clients["s3"].put_object(Bucket="bench", Key=key, Body=content)
    places = {
        "train": "train/", "validation": "train/",
        "train_lst": "train.lst", "validation_lst": "train.lst",
    }  # fmt: skip
    sagemaker = clients["sagemaker"]
    sagemaker.create_training_job(
        TrainingJobName="bench",
        AlgorithmSpecification={
            "TrainingImage": "image-classification:1", "TrainingInputMode": "File",
        },
        RoleArn=ROLE,
        HyperParameters={"num_classes": "2", "epochs": "1", "certify": "0"},
        InputDataConfig=[_channel(name, place) for name, place in places.items()],
        OutputDataConfig={"S3OutputPath": "s3://bench/models"},
        ResourceConfig={
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1,
        },
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )  # fmt: skip
    while (job := sagemaker.describe_training_job(TrainingJobName="bench"))[
        "TrainingJobStatus"
    ] == "InProgress":
        time.sleep(0.2)
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    place: str = job["ModelArtifacts"]["S3ModelArtifacts"]
    return place


def _channel(name: str, place: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bench/{place}"}
    return {
        "ChannelName": name, "ContentType": "application/x-image",
        "DataSource": {"S3DataSource": source},
    }  # fmt: skip


def _serve(sagemaker: Any, model: str, captured: bool) -> None:
    """An endpoint in service, named plain or captured."""
    name = "captured" if captured else "plain"
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": "image-classification:1", "ModelDataUrl": model},
    )
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://bench/captured",
        "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": "AllTraffic", "ModelName": name,
                "InitialInstanceCount": 1, "InstanceType": "ml.m5.large",
            }
        ],
        **({"DataCaptureConfig": capture} if captured else {}),
    )  # fmt: skip
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    while (about := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Creating":
        time.sleep(0.2)
    assert about["EndpointStatus"] == "InService", about["FailureReason"]


def _unpack(s3: Any, model: str, folder: Path) -> None:
    key = model.removeprefix("s3://bench/")
    content = s3.get_object(Bucket="bench", Key=key)["Body"].read()
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
