"""InvokeEndpoint with a PNG against the same model behind the bare child's own port.

The client writes ready-made requests to sockets and reads whole answers, the same for both, so that
what is compared is the servers; boto3's figure stands beside for information. The model is the
product's own, fitted for one epoch to drawn pictures.
"""

import socket
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from bench.clouds import CONTAINERS, scones
from bench.load import boto, client, rate
from bench.peers import free_port, serving
from bench.table import alternate, say, show
from scones.images.sample import KINDS, draw

SECONDS = 0.5
ROUNDS = 11
CONNECTIONS = (1, 4)
PICTURES = 20
"""A class."""
BARE = "the bare child's port"
ROLE = "arn:aws:iam::000000000000:role/Bench"
SIGNATURE = "AWS4-HMAC-SHA256 Credential=b/20260101/us-east-1/sagemaker/aws4_request, Signature=0"


def main() -> None:
    """Print requests a second with one and with several connections."""
    pictures = _pictures()
    picture = pictures["train/0.png"]
    with ExitStack() as stack:
        url = stack.enter_context(scones())
        model = _train(url, pictures)
        for captured in (False, True):
            _serve(boto("sagemaker", url), model, captured)
        ways = {
            BARE: (stack.enter_context(_bare(url, model)), "/invocations"),
            "InvokeEndpoint": (url, "/endpoints/plain/invocations"),
            "InvokeEndpoint, captured": (url, "/endpoints/captured/invocations"),
        }
        load = stack.enter_context(client())
        say(f"\none picture: {len(picture)} bytes of PNG")
        for number in CONNECTIONS:
            contestants = {
                name: load(_rate, url, path, picture, number) for name, (url, path) in ways.items()
            }
            contestants["InvokeEndpoint, boto3"] = load(_boto_rate, url, picture, number)
            title = f"InvokeEndpoint, {number} connection{'s' if number > 1 else ''}"
            figures = alternate(contestants, ROUNDS)
            show(title, "requests/s", figures, beside=BARE)
            best = max(figures["InvokeEndpoint"]) / max(figures[BARE])
            say(f"  InvokeEndpoint beside {BARE}, each in its best turn: {best:.2f}")


@contextmanager
def _bare(url: str, model: str) -> Iterator[str]:
    """A child of our own with the same model; its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as base:
        _unpack(boto("s3", url), model, Path(base, "model"))
        settings = {"SAGEMAKER_BASE_DIR": base, "SAGEMAKER_BIND_TO_PORT": str(port)}
        command = CONTAINERS["image-classification"]["serve"]
        with serving(command, port, settings) as bare:
            yield bare


def _rate(url: str, path: str, picture: bytes, connections: int) -> float:
    address = urlsplit(url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: {SIGNATURE}\r\n"
        f"Content-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    )
    request = head.encode() + picture
    with ExitStack() as stack:
        sockets = []
        for _ in range(connections):
            made = socket.create_connection((address.hostname, address.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(stack.enter_context(made))
        return rate(lambda n: _ask(sockets[n % connections], request), SECONDS, connections)


def _ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    answer = connection.recv(65536)
    while not answer.endswith(b"]"):
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200"), answer


def _boto_rate(url: str, picture: bytes, connections: int) -> float:
    runtime = boto("sagemaker-runtime", url)

    def ask(number: int) -> None:
        runtime.invoke_endpoint(EndpointName="plain", ContentType="image/png", Body=picture)

    return rate(ask, SECONDS, connections)


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


def _train(url: str, pictures: dict[str, bytes]) -> str:
    """Train for an epoch; where the model is."""
    s3, sagemaker = boto("s3", url), boto("sagemaker", url)
    s3.create_bucket(Bucket="bench")
    for key, content in pictures.items():
        s3.put_object(Bucket="bench", Key=key, Body=content)
    places = {
        "train": "train/", "validation": "train/",
        "train_lst": "train.lst", "validation_lst": "train.lst",
    }  # fmt: skip
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
